"""daemun's own certificate authority for visitors, apart from the one for servers: a device that trusts that one for
websites gets no certificate of a person from it, and a server's certificate lets nobody in.

Its key is in the store and nowhere else. The key of a client is made here, given away once, and kept nowhere.
"""

import asyncio
import collections.abc
import contextlib
import dataclasses
import datetime
import hashlib
import json
import pathlib
import re
import secrets
import socket

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509 import oid

from daemun import causes, durable, errors, regular_files
from daemun.certs.served import bundle, local_ca
from daemun.control import guarded_store, ports, shared_changes, stored_values
from daemun.core import layout

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LIFETIME = datetime.timedelta(days=20 * 365)
STORE_KEY = "clients/ca.pem"
_ISSUED = "clients/issued"
_LOCK = "clients"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\Z")
_LONGEST_COMMON_NAME = 64  # RFC 5280, ub-common-name
_SIGNS = "abcdefghijkmnpqrstuvwxyz23456789"
"""Of a password that is typed from a screen: none looks like another."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate:
    """One certificate. serial: in hexadecimal. revoked_at: None: it is taken."""

    name: str
    serial: str
    made_at: datetime.datetime
    expires_at: datetime.datetime
    revoked_at: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IssuedClient:
    """p12: certificate, key and CA (RFC 7292), encrypted with the password, which is kept nowhere."""

    client: ClientCertificate
    p12: bytes
    password: str


def check_name(name: str) -> None:
    """Raises: ConfigError. Servers receive it as a header, so it has no signs that one of them could read otherwise."""
    if not _NAME.match(name):
        raise errors.ConfigError(
            f"cannot name a client {name!r}: expected at most 64 of A-Z a-z 0-9 . _ @ -, beginning with a letter or "
            "a digit; servers receive it as Remote-User"
        )


class ClientCa:
    """Issues, lists and revokes client certificates (`daemun clients`), in the store and in nginx's files. Blocking."""

    def __init__(self, store: ports.Store, paths: layout.Layout) -> None:
        self._store = store
        self._paths = paths

    def list_clients(self) -> tuple[ClientCertificate, ...]:
        """The oldest first."""
        found = [_parse(self._store.read(key), self._store.locate(key)) for key in self._store.list(_ISSUED)]
        return tuple(sorted(found, key=lambda one: (one.made_at, one.serial)))

    def add(self, name: str, *, days: int, now: datetime.datetime) -> IssuedClient:
        """Raises: ConfigError; EnvironmentProblemError."""
        check_name(name)
        with self._store.lock(_LOCK) as lease:
            store = guarded_store.GuardedStore(self._store, lease)
            if any(one.name == name and _is_taken(one, now) for one in self.list_clients()):
                raise errors.ConfigError(
                    f"there is a client {name} already; choose another name, or withdraw that one first: "
                    f"`daemun clients revoke {name}`"
                )
            certificate, key = self._load_or_create(now)
            client, own, own_key = _sign(name, certificate, key, now=now, days=days)
            store.write(f"{_ISSUED}/{client.serial}", _format(client))
            self._publish(certificate, key, now)
        password = "-".join("".join(secrets.choice(_SIGNS) for _ in range(5)) for _ in range(4))
        return IssuedClient(client=client, p12=_pack(name, own, own_key, certificate, password), password=password)

    def revoke(self, name: str, now: datetime.datetime) -> tuple[ClientCertificate, ...]:
        """Every certificate of this name. Returns: those that were taken until now. Raises: ConfigError;
        EnvironmentProblemError."""
        with self._store.lock(_LOCK) as lease:
            store = guarded_store.GuardedStore(self._store, lease)
            known = self.list_clients()
            if all(one.name != name for one in known):
                names = ", ".join(dict.fromkeys(one.name for one in known)) or "none"
                raise errors.ConfigError(f"there is no client {name!r}; known are: {names}")
            found = [dataclasses.replace(one, revoked_at=now) for one in known if _is_open(one, name)]
            store.commit([stored_values.KeyChange(key=f"{_ISSUED}/{one.serial}", value=_format(one)) for one in found])
            self._publish(*self._load_or_create(now), now)
        return tuple(found)

    def follow(self, changes: shared_changes.SharedChanges) -> None:
        """Let nginx have what another machine of the fleet made or withdrew, also before this one started. Blocking."""
        missed = []
        try:
            self._publish_shared()
        except errors.DaemunError as error:
            log.warning("certificates of clients that others withdrew may be taken still", reason=str(error))
            missed.append(STORE_KEY)
        changes.follow(STORE_KEY, _ISSUED, take=self._take, missed=missed)

    async def _take(self, _: collections.abc.Sequence[str]) -> None:
        await asyncio.to_thread(self._publish_shared)

    def _publish_shared(self) -> None:
        try:
            certificate, key = _load(self._store.read(STORE_KEY), self._store.locate(STORE_KEY))
        except errors.NotFoundInStoreError:
            return
        revoked = {int(one.serial, 16) for one in self.list_clients() if one.revoked_at is not None}
        if self._read_published() != (_pem(certificate), revoked):  # each list is another, and nginx reloads for it
            self._publish(certificate, key, datetime.datetime.now(datetime.UTC))

    def _read_published(self) -> tuple[bytes, set[int]] | None:
        """The CA, and which serials are withdrawn. None: it cannot be read."""
        with contextlib.suppress(OSError, ValueError):
            listed = x509.load_pem_x509_crl(regular_files.read(self._paths.clients_revoked))
            return regular_files.read(self._paths.clients_certificate), {one.serial_number for one in listed}
        return None

    def _load_or_create(self, now: datetime.datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        """Raises: EnvironmentProblemError when what is stored is no CA: another one would let in nobody who has a
        certificate."""
        with contextlib.suppress(errors.NotFoundInStoreError):
            return _load(self._store.read(STORE_KEY), self._store.locate(STORE_KEY))
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign_root(key, now)
        new = local_ca.private_pem(key) + _pem(certificate)
        change = stored_values.KeyChange(key=STORE_KEY, value=new, expected=stored_values.ABSENT)
        with contextlib.suppress(errors.StoreConflictError):  # another process was first
            self._store.commit([change])
        return _load(self._store.read(STORE_KEY), self._store.locate(STORE_KEY))

    def _publish(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, now: datetime.datetime) -> None:
        """For nginx. Without the list nobody comes in, so it is there before the CA."""
        builder = x509.CertificateRevocationListBuilder().issuer_name(certificate.subject)
        # It ends with the CA: a list is written whenever one is withdrawn, and there is nobody to renew it in between.
        builder = builder.last_update(now - local_ca.BACKDATED).next_update(certificate.not_valid_after_utc)
        for one in self.list_clients():
            if one.revoked_at is not None:
                revoked = x509.RevokedCertificateBuilder().serial_number(int(one.serial, 16))
                builder = builder.add_revoked_certificate(revoked.revocation_date(one.revoked_at).build())
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
        signed = builder.add_extension(identifier, critical=False).sign(key, hashes.SHA256())
        _write(pathlib.Path(self._paths.clients_revoked), signed.public_bytes(serialization.Encoding.PEM))
        _write(pathlib.Path(self._paths.clients_certificate), _pem(certificate))


def _is_taken(one: ClientCertificate, now: datetime.datetime) -> bool:
    return one.revoked_at is None and one.expires_at > now


def _is_open(one: ClientCertificate, name: str) -> bool:
    return one.name == name and one.revoked_at is None


# --- certificates ----------------------------------------------------------------------------------------------


def _sign(
    name: str,
    authority: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    *,
    now: datetime.datetime,
    days: int,
) -> tuple[ClientCertificate, x509.Certificate, ec.EllipticCurvePrivateKey]:
    own = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    now = now.replace(microsecond=0)
    end = min(now + datetime.timedelta(days=days), authority.not_valid_after_utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(oid.NameOID.COMMON_NAME, name)]))
        .issuer_name(authority.subject)
        .public_key(own.public_key())
        .serial_number(serial)
        .not_valid_before(now - local_ca.BACKDATED)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(local_ca.key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([oid.ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return ClientCertificate(name=name, serial=f"{serial:x}", made_at=now, expires_at=end), certificate, own


def _sign_root(key: ec.EllipticCurvePrivateKey, now: datetime.datetime) -> x509.Certificate:
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    # Phones tell CAs apart by name, so two machines must never share one.
    suffix = f" {hashlib.sha256(identifier.digest).hexdigest()[:8]}"
    prefix = f"daemun clients {socket.gethostname()}"
    common = oid.NameOID.COMMON_NAME
    name = x509.Name(
        [
            x509.NameAttribute(oid.NameOID.ORGANIZATION_NAME, "daemun"),
            x509.NameAttribute(common, prefix[: _LONGEST_COMMON_NAME - len(suffix)] + suffix),
        ]
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - local_ca.BACKDATED)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(local_ca.key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )


def _load(content: bytes, place: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Raises: EnvironmentProblemError."""
    try:
        found, cause = bundle.parse(content, content), "its key is of another kind"
        key = serialization.load_pem_private_key(content, password=None)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return found.leaf, key
    except bundle.BundleError as error:
        cause = str(error)
    raise errors.EnvironmentProblemError(
        f'cannot use the CA of clients: "{place}" is damaged ({cause}); restore it from a backup, or delete it with '
        "clients/issued beside it to begin anew: then every client needs a new certificate"
    )


def _pack(
    name: str,
    certificate: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate,
    password: str,
) -> bytes:
    """In the older form of RFC 7292, the only one that every iOS, macOS, Android and Windows in use reads; its strength
    is that of the password, of 20 signs by chance."""
    encryption = (
        serialization.PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(50_000)
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .hmac_hash(hashes.SHA1())  # noqa: S303 - see above
        .build(password.encode())
    )
    return pkcs12.serialize_key_and_certificates(name.encode(), key, certificate, [authority], encryption)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


# --- records and files -----------------------------------------------------------------------------------------


def _format(one: ClientCertificate) -> bytes:
    values = {
        "name": one.name,
        "serial": one.serial,
        "made_at": one.made_at.isoformat(),
        "expires_at": one.expires_at.isoformat(),
        "revoked_at": None if one.revoked_at is None else one.revoked_at.isoformat(),
    }
    return json.dumps(values).encode()


def _parse(content: bytes, place: str) -> ClientCertificate:
    """Raises: EnvironmentProblemError: without a record, its certificate could be taken again."""
    try:
        values: collections.abc.Mapping[str, str] = json.loads(content)
        times = {key: datetime.datetime.fromisoformat(values[key]) for key in ("made_at", "expires_at")}
        revoked = values["revoked_at"]
        return ClientCertificate(
            name=values["name"],
            serial=f"{int(values['serial'], 16):x}",
            made_at=times["made_at"],
            expires_at=times["expires_at"],
            revoked_at=None if revoked is None else datetime.datetime.fromisoformat(revoked),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise errors.EnvironmentProblemError(
            f'cannot read the clients: "{place}" is damaged; restore it from a backup: what it says of a withdrawn '
            "certificate is needed"
        ) from error


def _write(path: pathlib.Path, content: bytes) -> None:
    """Raises: EnvironmentProblemError."""
    temporary = path.with_name(f"~{path.name}")
    try:
        temporary.write_bytes(content)
        temporary.chmod(0o644)
        durable.sync_file(temporary)
        temporary.rename(path)
        durable.sync_directory(path.parent)
    except OSError as error:
        raise errors.EnvironmentProblemError(
            f'cannot tell nginx which clients are let in: cannot write "{path}": {causes.describe(error)}; free some '
            "space on the disk of the state directory, or correct its rights"
        ) from error
