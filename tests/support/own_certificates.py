"""Certificates as owners have them: a root, an intermediate and a leaf, with the fault that a test is about."""

import datetime
import typing

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509 import oid

DAY = datetime.timedelta(days=1)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
OddKey = Key | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey


class Pair(typing.NamedTuple):
    """leaf, intermediate, root, key: PEM."""

    leaf: bytes
    intermediate: bytes
    root: bytes
    key: bytes

    @property
    def chain(self) -> bytes:
        return self.leaf + self.intermediate


def make(
    *hosts: str,
    now: datetime.datetime | None = None,
    starts: datetime.timedelta = -DAY,
    ends: datetime.timedelta = 60 * DAY,
    uses: tuple[x509.ObjectIdentifier, ...] | None = (oid.ExtendedKeyUsageOID.SERVER_AUTH,),
    key: OddKey | None = None,
    issuer: str = "Owner Intermediate CA",
    issuer_url: str | None = None,
    middle_starts: datetime.timedelta = -DAY,
    middle_ends: datetime.timedelta = 900 * DAY,
    is_ca: bool = True,
    must_staple: bool = False,
) -> Pair:
    """starts, ends: from now. uses: None: no such extension. issuer_url: where the intermediate can be fetched.
    middle_starts, middle_ends, is_ca: of the intermediate."""
    now = now or datetime.datetime.now(datetime.UTC)
    root_key, middle_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    own_key = key or ec.generate_private_key(ec.SECP256R1())
    root_name, middle_name = _name("Owner Root"), _name(issuer)
    root = _sign(root_name, root_key, root_name, root_key, now - DAY, now + 900 * DAY, is_ca=True)
    middle_dates = now + middle_starts, now + middle_ends
    middle = _sign(middle_name, middle_key, root_name, root_key, *middle_dates, is_ca=is_ca)
    more: list[x509.ExtensionType] = [x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])]
    if uses is not None:
        more.append(x509.ExtendedKeyUsage(uses))
    if issuer_url is not None:
        place = x509.UniformResourceIdentifier(issuer_url)
        more.append(
            x509.AuthorityInformationAccess(
                [x509.AccessDescription(oid.AuthorityInformationAccessOID.CA_ISSUERS, place)]
            )
        )
    if must_staple:
        more.append(x509.TLSFeature([x509.TLSFeatureType.status_request]))
    leaf = _sign(_name(hosts[0]), own_key, middle_name, middle_key, now + starts, now + ends, more=tuple(more))
    form = serialization.PrivateFormat.TraditionalOpenSSL
    if isinstance(own_key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
        form = serialization.PrivateFormat.PKCS8
    pem = own_key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return Pair(leaf=_pem(leaf), intermediate=_pem(middle), root=_pem(root), key=pem)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _sign(
    subject: x509.Name,
    key: OddKey,
    issuer: x509.Name,
    issuer_key: Key,
    starts: datetime.datetime,
    ends: datetime.datetime,
    *,
    is_ca: bool = False,
    more: tuple[x509.ExtensionType, ...] = (),
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(starts)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    )
    for extension in more:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def make_self_signed(host: str) -> Pair:
    """As `openssl req -x509` makes it."""
    now = datetime.datetime.now(datetime.UTC)
    key, name = ec.generate_private_key(ec.SECP256R1()), _name(host)
    names = x509.SubjectAlternativeName([x509.DNSName(host)])
    leaf = _pem(_sign(name, key, name, key, now - DAY, now + 60 * DAY, is_ca=True, more=(names,)))
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return Pair(leaf=leaf, intermediate=b"", root=leaf, key=pem)
