"""A CA of visitors: it signs their certificates, and withdraws some."""

import datetime
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12

DAY = datetime.timedelta(days=1)


class ClientAuthority:
    """folder: where it writes ca.pem, crl.pem, and NAME.pem of each visitor, with the key."""

    def __init__(self, folder: pathlib.Path, name: str = "a CA") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + 30 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / "ca.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        self.revoked = folder / "crl.pem"
        self._serials: dict[str, int] = {}
        self.revoke()

    def issue(self, name: str, *, days: tuple[int, int] = (-1, 10), subject: x509.Name | None = None) -> pathlib.Path:
        """days: from when until when, from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        serial = self._serials[name] = x509.random_serial_number()
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject or x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(serial)
            .not_valid_before(now + days[0] * DAY)
            .not_valid_after(now + days[1] * DAY)
            .sign(self._key, hashes.SHA256())
        )
        path = self._folder / f"{name}.pem"
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return path

    def revoke(self, *names: str, ended: bool = False) -> None:
        """ended: the list is one whose time is over."""
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._name).last_update(now - 3 * DAY)
        builder = builder.next_update(now + (-1 if ended else 10) * DAY)
        for name in names:
            one = x509.RevokedCertificateBuilder().serial_number(self._serials[name]).revocation_date(now - DAY)
            builder = builder.add_revoked_certificate(one.build())
        content = builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        temporary = self.revoked.with_suffix(".new")
        temporary.write_bytes(content)
        temporary.rename(self.revoked)


def unpack(path: pathlib.Path, password: str) -> pathlib.Path:
    """What a device does with a .p12: the certificate, and its key, as `clients.GateAddress.own`."""
    key, certificate, more = pkcs12.load_key_and_certificates(path.read_bytes(), password.encode())
    assert key is not None
    assert certificate is not None
    assert len(more) == 1
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    own = path.with_suffix(".pem")
    own.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, form, plain)
    )
    return own
