"""Self-signed certificates for the contestants: who makes load verifies none."""

import datetime
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import oid

from bench.proxies import place


def ecdsa(folder: pathlib.Path, host: str = place.HOST) -> place.Pair:
    """P-256, what daemun and Caddy order."""
    return _write(folder / f"ecdsa-{len(host)}", ec.generate_private_key(ec.SECP256R1()), host)


def rsa_4096(folder: pathlib.Path) -> place.Pair:
    """What blog posts tell certbot to order."""
    return _write(folder / "rsa", rsa.generate_private_key(public_exponent=65537, key_size=4096), place.HOST)


def _write(stem: pathlib.Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, host: str) -> place.Pair:
    name = x509.Name([x509.NameAttribute(oid.NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(tz=datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pair = place.Pair(certificate=stem.with_suffix(".pem"), key=stem.with_suffix(".key"))
    pair.certificate.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    pair.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    pair.key.chmod(0o644)  # Envoy and others read it under accounts of their own
    return pair
