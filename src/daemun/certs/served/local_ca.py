"""daemun's own certificate authority, for names no public CA signs and for the first seconds of all others.

The root's key is in the store and nowhere else. Extensions follow RFC 5280 section 4.2 and what browsers require of
roots that people install.
"""

import collections.abc
import contextlib
import datetime
import functools
import hashlib
import pathlib
import socket

from cryptography import exceptions, x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import oid

from daemun import errors, regular_files
from daemun.certs.served import bundle
from daemun.control import ports, stored_values
from daemun.core.issuance import renewal_time

ROOT_LIFETIME = datetime.timedelta(days=3650)
LEAF_LIFETIME = datetime.timedelta(days=90)
BACKDATED = renewal_time.LOCAL_BACKDATED
"""Clocks of clients that are a little behind must not refuse a certificate of this minute."""

STORE_KEY = "ca/root.pem"
_LONGEST_COMMON_NAME = 64  # RFC 5280, ub-common-name


class LocalCa:
    """Signs certificates with the root that `load_or_create` found."""

    def __init__(
        self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, *, is_temporary: bool = False
    ) -> None:
        """is_temporary: it stands in for one that cannot be read, and replaces nothing that one may have signed."""
        self.certificate = certificate
        self.is_temporary = is_temporary
        self._key = key

    @property
    def root_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, hosts: collections.abc.Sequence[str], now: datetime.datetime) -> bundle.Bundle:
        """A certificate for hosts (as in `model.Site.names`, at least one) with a fresh key, good for 90 days.

        The chain is the leaf alone: who trusts the root has it already.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        # A common name is only a label today; one that is too long is left out, the names are in subjectAltName.
        label = (
            [x509.NameAttribute(x509.NameOID.COMMON_NAME, hosts[0])] if len(hosts[0]) <= _LONGEST_COMMON_NAME else []
        )
        alternative_names = x509.SubjectAlternativeName([bundle.general_name(host) for host in hosts])
        certificate = (
            self._common.subject_name(x509.Name(label))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATED)
            .not_valid_after(min(now + LEAF_LIFETIME, self.certificate.not_valid_after_utc))
            # Critical when the subject is empty (RFC 5280 section 4.2.1.6).
            .add_extension(alternative_names, critical=not label)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        return bundle.Bundle(fullchain_pem=pem, key_pem=private_pem(key), facts=bundle.read_facts(certificate))

    @functools.cached_property
    def _name_digest(self) -> str:
        return bundle.digest_of_name(self.certificate.subject)

    @functools.cached_property
    def _common(self) -> x509.CertificateBuilder:
        """What all leaves have in common."""
        return (
            x509.CertificateBuilder()
            .issuer_name(self.certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(key_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )

    def is_named_by(self, found: bundle.Bundle) -> bool:
        """Whether a certificate names this root as its issuer: quick, and enough where no forgery is to be expected. No
        two roots of daemun have the same name. What a temporary root stands in for is not known, so it may be any."""
        return self.is_temporary or found.facts.issuer_digest == self._name_digest

    def is_issuer_of(self, certificate: x509.Certificate) -> bool:
        try:
            certificate.verify_directly_issued_by(self.certificate)
        except (ValueError, TypeError, exceptions.InvalidSignature):
            return False
        return True


def load_or_create(store: ports.Store, now: datetime.datetime) -> LocalCa:
    """The root of this store; a new one when there is none or its end is nearer than two lifetimes of a leaf.

    Raises: EnvironmentProblemError when what is stored is not a root (restored from a broken backup, say).
    """
    if (known := _load_lasting(store, now)) is not None:
        return known
    before = store.read_many([STORE_KEY]).revision(STORE_KEY)
    if (known := _load_lasting(store, now)) is not None:  # another machine of the fleet was first
        return known
    key = ec.generate_private_key(ec.SECP256R1())
    new = private_pem(key) + LocalCa(_sign_root(key, now), key).root_pem
    with contextlib.suppress(errors.StoreConflictError):  # another process was first
        store.commit([stored_values.KeyChange(key=STORE_KEY, value=new, expected=before)])
    return _load(store)


def write_root(ca: LocalCa, path: pathlib.Path) -> None:
    """Put the root's certificate where every account can read it, in one step. Raises: OSError."""
    with contextlib.suppress(FileNotFoundError):
        if regular_files.read(path) == ca.root_pem:
            return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"~{path.name}")
    temporary.write_bytes(ca.root_pem)
    temporary.chmod(0o644)
    temporary.rename(path)


def private_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def make_temporary(now: datetime.datetime) -> LocalCa:
    """A root that is kept nowhere, while the one of the store cannot be used."""
    key = ec.generate_private_key(ec.SECP256R1())
    return LocalCa(_sign_root(key, now), key, is_temporary=True)


def _load_lasting(store: ports.Store, now: datetime.datetime) -> LocalCa | None:
    """Raises: as `_load`, but for one that is not there."""
    with contextlib.suppress(errors.NotFoundInStoreError):
        ca = _load(store)
        return ca if ca.certificate.not_valid_after_utc - now > 2 * LEAF_LIFETIME else None
    return None


def _load(store: ports.Store) -> LocalCa:
    """Raises: NotFoundInStoreError; EnvironmentProblemError."""
    content = store.read(STORE_KEY)
    try:
        found, cause = bundle.parse(content, content), "its key is of another kind"
        key = serialization.load_pem_private_key(content, password=None)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return LocalCa(found.leaf, key)
    except bundle.BundleError as error:
        cause = str(error)
    what = f"damaged ({cause})" if content.strip() else "empty"
    raise errors.EnvironmentProblemError(
        f'cannot use the local CA: "{store.locate(STORE_KEY)}" is {what}; '
        "restore it from a backup, or delete it to get a new root that people must trust again"
    )


def _sign_root(key: ec.EllipticCurvePrivateKey, now: datetime.datetime) -> x509.Certificate:
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    # Browsers tell roots apart by name, so two machines (or two state directories) must never share one.
    suffix = f" {hashlib.sha256(identifier.digest).hexdigest()[:8]}"
    prefix = f"daemun local CA {socket.gethostname()}"
    name = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "daemun"),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, prefix[: _LONGEST_COMMON_NAME - len(suffix)] + suffix),
        ]
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + ROOT_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(key, hashes.SHA256())
    )


def key_usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )
