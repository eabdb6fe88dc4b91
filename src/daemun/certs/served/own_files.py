"""The owner's certificate files: read, written anew in canonical PEM, and judged as visitors' programs will judge them.

Files that people put together hold what parsers forgive and OpenSSL does not (`cat a b` without a line break between
them), so what was parsed is served and not what was written, and only what OpenSSL itself loads.
"""

import collections.abc
import contextlib
import datetime
import functools
import os
import ssl
import warnings

import certifi
from cryptography import exceptions, x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.x509 import oid

from daemun import causes, regular_files
from daemun.certs.served import bundle, chain_links
from daemun.core import model

_SERVER_USES = frozenset({oid.ExtendedKeyUsageOID.SERVER_AUTH, oid.ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE})

_CURVES = frozenset({"secp256r1", "secp384r1"})
"""What all browsers take, besides RSA (CA/Browser Forum, Baseline Requirements, section 6.1.1.5, and their code)."""
_CURVE_NAMES = {"secp521r1": "P-521"}
_SOME_TAKE = {
    "P-521": "Chrome and programs that are made of it do not take",
    "Ed25519": "no browser takes, and only some programs do",
    "Ed448": "no browser takes, and only some programs do",
}
_OTHER_KEY = "get a certificate with a key of ECDSA P-256 or P-384, or RSA with 2048 bits or more"


def read(spec: model.CertificateSpec) -> bundle.Bundle:
    """Raises: BundleError naming the file that is at fault."""
    assert spec.certificate is not None and spec.key is not None
    pair = []
    for path in (spec.certificate, spec.key):
        try:
            pair.append(regular_files.read(path))
        except OSError as error:
            raise bundle.BundleError(
                f'cannot read "{path}": {causes.describe(error)}; correct the path or its rights'
            ) from None
    try:
        return _rewrite(bundle.parse(*pair, paths=(spec.certificate, spec.key)))
    except bundle.BundleError as error:
        raise bundle.BundleError(f'cannot use "{spec.certificate}" with "{spec.key}": {error}') from None


def check_loads(found: bundle.Bundle) -> None:
    """Raises: BundleError with OpenSSL's words when it does not load the pair; nginx would not either."""
    with contextlib.ExitStack() as stack:
        paths = [stack.enter_context(_in_memory(content)) for content in (found.fullchain_pem, found.key_pem)]
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*paths)
        except ssl.SSLError as error:
            words = (error.reason or str(error)).replace("_", " ").lower()
            raise bundle.BundleError(
                f"OpenSSL, which nginx uses, refuses the pair: {words}; get a certificate with a key of today "
                "(ECDSA P-256, or RSA with 2048 bits or more) and a signature of SHA-256"
            ) from None


def find_faults(
    found: bundle.Bundle,
    spec: model.CertificateSpec,
    now: datetime.datetime,
    *,
    trusted: collections.abc.Collection[x509.Name] = (),
) -> tuple[model.Problem, ...]:
    """What visitors will object to: an error when none of them can use it, else a warning.

    trusted: roots that visitors have, besides those of the system.
    """
    faults = [(text, model.Severity.ERROR) for text in _unusable(found, spec, now)]
    faults += [(text, model.Severity.WARNING) for text in _doubtful(found, spec, now, trusted)]
    named = f'the certificate "{spec.certificate}"'
    return tuple(make_problem(spec, f"{named} {text}", severity=severity) for text, severity in faults)


def changes_at(found: bundle.Bundle, now: datetime.datetime) -> datetime.datetime | None:
    """When `find_faults` will have another result for the same files."""
    moments = (at for one in found.chain for at in (one.not_valid_before_utc, one.not_valid_after_utc))
    return min((moment for moment in moments if moment > now), default=None)


def make_problem(
    spec: model.CertificateSpec, message: str, *, severity: model.Severity = model.Severity.ERROR
) -> model.Problem:
    """That names the site's line, and the file that is at fault."""
    path = spec.certificate or ""
    text = message if f'"{path}"' in message else f'"{path}": {message}'
    return model.Problem(origin=spec.origin, message=text, host=spec.host, severity=severity)


def _unusable(
    found: bundle.Bundle, spec: model.CertificateSpec, now: datetime.datetime
) -> collections.abc.Iterator[str]:
    if now >= found.not_after:
        yield f"expired on {found.not_after:%Y-%m-%d}, so every visitor is warned; replace the files"
    elif now < found.not_before:
        yield (
            f"is not valid before {found.not_before:%Y-%m-%d %H:%M} UTC, so every visitor is warned; "
            "use one that is valid now, or correct this machine's clock"
        )
    if spec.names and len(found.missing(spec.names)) == len(spec.names):
        yield (
            f"is for {_quoted(found.names()) or 'no name at all'} and not for {_quoted(spec.names)}, "
            "so every visitor is warned; use one that carries the site's names"
        )
    if not _is_for_servers(found.leaf):
        yield (
            "is for clients only (its extended key usage lacks serverAuth), so every visitor refuses "
            "it; get one for servers"
        )
    key = _name_key(found.leaf)
    if key is not None and key not in _SOME_TAKE:
        yield f"has a key of {key}, which no browser takes; {_OTHER_KEY}"
    if _is_signed_as_of_old(found.leaf):
        yield "is signed with SHA-1 or MD5, which no browser takes; get one that is signed with SHA-256"


def _doubtful(
    found: bundle.Bundle,
    spec: model.CertificateSpec,
    now: datetime.datetime,
    trusted: collections.abc.Collection[x509.Name],
) -> collections.abc.Iterator[str]:
    missing = found.missing(spec.names)
    if missing and len(missing) < len(spec.names):
        yield f"is not good for {_quoted(missing)}; visitors of these names are warned"
    key = _name_key(found.leaf)
    if key in _SOME_TAKE:
        yield f"has a key of {key}, which {_SOME_TAKE[key]}; {_OTHER_KEY}"
    if _demands_staple(found.leaf):
        yield "demands a stapled OCSP answer (must-staple), which is not sent, so Firefox refuses it; get one without"
    yield from chain_links.find_broken(found.chain, now, {*trusted, *_system_roots()})


def _is_signed_as_of_old(leaf: x509.Certificate) -> bool:
    """The signature of one that is its own issuer is not verified."""
    try:
        digest = leaf.signature_hash_algorithm
    except exceptions.UnsupportedAlgorithm:
        return False
    return leaf.issuer != leaf.subject and isinstance(digest, hashes.SHA1 | hashes.MD5)


def _demands_staple(leaf: x509.Certificate) -> bool:
    """RFC 7633."""
    try:
        features = leaf.extensions.get_extension_for_class(x509.TLSFeature).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    return x509.TLSFeatureType.status_request in features


def _is_for_servers(leaf: x509.Certificate) -> bool:
    """RFC 5280 section 4.2.1.12: without the extension it is for everything."""
    try:
        uses = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return True
    return not _SERVER_USES.isdisjoint(uses)


def _name_key(leaf: x509.Certificate) -> str | None:
    """The kind of its key; None: every client takes it, or it is not known."""
    try:
        key = leaf.public_key()
    except (ValueError, exceptions.UnsupportedAlgorithm):
        return None
    match key:
        case ec.EllipticCurvePublicKey():
            return None if key.curve.name in _CURVES else _CURVE_NAMES.get(key.curve.name, key.curve.name)
        case ed25519.Ed25519PublicKey():
            return "Ed25519"
        case ed448.Ed448PublicKey():
            return "Ed448"
    return None


@functools.cache
def _system_roots() -> frozenset[x509.Name]:
    context = ssl.create_default_context(cafile=certifi.where())
    with contextlib.suppress(OSError, ssl.SSLError):
        context.load_default_certs()
    found = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some old roots have serial numbers that RFC 5280 forbids
        for der in context.get_ca_certs(binary_form=True):
            with contextlib.suppress(ValueError):
                found.add(x509.load_der_x509_certificate(der).subject)
    return frozenset(found)


def _rewrite(found: bundle.Bundle) -> bundle.Bundle:
    """The same in canonical PEM."""
    chain = b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in found.chain)
    key = serialization.load_pem_private_key(found.key_pem, password=None).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return bundle.Bundle(fullchain_pem=chain, key_pem=key, facts=found.facts)


@contextlib.contextmanager
def _in_memory(content: bytes) -> collections.abc.Iterator[str]:
    """A path under which the content can be read while the block runs. A key never touches a disk for this."""
    descriptor = os.memfd_create("daemun")
    try:
        os.write(descriptor, content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _quoted(hosts: collections.abc.Iterable[str]) -> str:
    return ", ".join(f'"{host}"' for host in hosts)
