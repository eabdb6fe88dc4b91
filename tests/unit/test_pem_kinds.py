"""C13: what a file is that was given as a certificate or a key, and the command that makes one of it."""

import pathlib
import re
import shlex
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12

from daemun.certs.served import bundle, local_ca
from daemun.store import memory_store
from tests.support.standings import NOW

ONE = local_ca.load_or_create(memory_store.MemoryStore(), NOW).issue(["a.test"], NOW)
OTHER = local_ca.load_or_create(memory_store.MemoryStore(), NOW).issue(["b.test"], NOW)
KEY = serialization.load_pem_private_key(ONE.key_pem, password=None)
assert isinstance(KEY, ec.EllipticCurvePrivateKey)
DER, PEM = serialization.Encoding.DER, serialization.Encoding.PEM
PKCS8, PLAIN = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
CSR = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(KEY, hashes.SHA256())
P12 = pkcs12.serialize_key_and_certificates(None, KEY, ONE.leaf, None, PLAIN)
P12_LOCKED = pkcs12.serialize_key_and_certificates(
    None, KEY, ONE.leaf, None, serialization.BestAvailableEncryption(b"secret")
)
LOCKED = KEY.private_bytes(PEM, PKCS8, serialization.BestAvailableEncryption(b"secret"))
OPENSSH = KEY.private_bytes(PEM, serialization.PrivateFormat.OpenSSH, PLAIN)
PUBLIC = KEY.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
HTML = b"\n<!DOCTYPE html><html><body>Please sign in</body></html>"


def explain(certificate: bytes, key: bytes = ONE.key_pem, paths: tuple[str, str] = ("my cert.crt", "my.key")) -> str:
    with pytest.raises(bundle.BundleError) as caught:
        bundle.parse(certificate, key, paths=paths)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is an empty file"),
        (b" \n\n", "is an empty file"),
        (ONE.fullchain_pem[:200], 'is cut off: a "-----BEGIN CERTIFICATE-----" has no "-----END"'),
        (ONE.fullchain_pem.replace(b"\nMIIB", b"\n????"), "is damaged inside"),
        (ONE.leaf.public_bytes(DER), "is in DER; `openssl x509 -inform der -in 'my cert.crt' -out cert.pem`"),
        (P12, "is PKCS#12 (.p12, .pfx); `openssl pkcs12 -in 'my cert.crt' -nokeys -out fullchain.pem`"),
        (P12_LOCKED, "is PKCS#12 (.p12, .pfx)"),
        (CSR.public_bytes(PEM), "is a request for a certificate (CSR)"),
        (CSR.public_bytes(DER), "is a request for a certificate (CSR)"),
        (HTML, "is a web page"),
        (ONE.key_pem, "holds a private key: the two files are swapped, or one was given twice"),
        (KEY.private_bytes(DER, PKCS8, PLAIN), "is a private key in DER"),
        (pkcs7.serialize_certificates([ONE.leaf], PEM), "is PKCS#7; `openssl pkcs7 -print_certs -in 'my cert.crt'"),
        (pkcs7.serialize_certificates([ONE.leaf], DER), "is PKCS#7; `openssl pkcs7 -inform der -print_certs -in"),
        (ONE.fullchain_pem.decode().encode("utf-16"), "is text in UTF-16"),
        (ONE.fullchain_pem.replace(b"CERTIFICATE", b"TRUSTED CERTIFICATE"), "OpenSSL's own form; `openssl x509 -in"),
        (b"\xfe\xed\xfe\xed\0\0\0\2", "is a Java key store"),
        (PUBLIC, "is a public key"),
        (b"hello", 'is not readable PEM; expected "-----BEGIN CERTIFICATE-----"'),
    ],
)
def test_c13_what_a_certificate_file_is(content: bytes, told: str) -> None:
    assert f"the certificate {told}" in explain(content) or told in explain(content)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "the key is an empty file"),
        pytest.param(ONE.key_pem[:90], "the key is cut off", id="cut off"),
        (KEY.private_bytes(DER, PKCS8, PLAIN), "the key is in DER; `openssl pkey -inform der -in my.key -out key.pem`"),
        (P12, "the key is PKCS#12 (.p12, .pfx); `openssl pkcs12 -in my.key -nocerts -nodes -out key.pem`"),
        (CSR.public_bytes(PEM), "the key is a request for a certificate (CSR)"),
        (ONE.fullchain_pem, "the key holds a certificate: the two files are swapped, or one was given twice"),
        (ONE.leaf.public_bytes(DER), "the key is a certificate in DER"),
        (LOCKED, "the key is encrypted, and nginx needs one without a passphrase; `openssl pkey -in my.key -out "),
        (OPENSSH, "the key is a key for logins by SSH"),
        (PUBLIC, "the key is a public key; the private one is needed"),
        (HTML, "the key is a web page"),
        (b"PuTTY-User-Key-File-3: ecdsa-sha2-nistp256\n", "the key is a key of PuTTY"),
        (b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n", "holds parameters"),
        (OTHER.key_pem, "the key does not fit the (first) certificate"),
    ],
)  # fmt: skip
def test_c13_what_a_key_file_is(content: bytes, told: str) -> None:
    assert told in explain(ONE.fullchain_pem, content)


def test_c13_a_chain_in_the_wrong_order() -> None:
    assert "in the wrong order: the site's own comes first" in explain(OTHER.fullchain_pem + ONE.fullchain_pem)


@pytest.mark.parametrize(
    ("content", "is_key"),
    [
        (ONE.leaf.public_bytes(DER), False),
        (P12, False),
        (P12, True),
        (KEY.private_bytes(DER, PKCS8, PLAIN), True),
        (pkcs7.serialize_certificates([ONE.leaf], PEM), False),
        (pkcs7.serialize_certificates([ONE.leaf], DER), False),
        (ONE.fullchain_pem.decode().encode("utf-16"), False),
    ],
)
def test_c13_the_command_makes_what_is_needed(tmp_path: pathlib.Path, content: bytes, *, is_key: bool) -> None:
    given = tmp_path / "what was given"
    given.write_bytes(content)
    pair = (ONE.fullchain_pem, content) if is_key else (content, ONE.key_pem)
    found = re.search(r"`([^`]*)`", explain(*pair, paths=(str(given), str(given))))
    assert found is not None
    command, _, written = found[1].partition(" > ")
    arguments = [*shlex.split(command), *(["-passin", "pass:"] if "pkcs12" in command else [])]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, timeout=60, check=True)
    if written:
        (tmp_path / written).write_bytes(done.stdout)
    (made,) = [path for path in tmp_path.iterdir() if path != given]
    pair = (ONE.fullchain_pem, made.read_bytes()) if is_key else (made.read_bytes(), ONE.key_pem)
    assert bundle.parse(*pair).leaf == ONE.leaf


def test_c13_nothing_of_a_key_is_told() -> None:
    line = ONE.key_pem.splitlines()[1].decode()
    assert line not in explain(ONE.key_pem)
    assert line not in explain(ONE.fullchain_pem, ONE.key_pem.replace(b"PRIVATE", b"STRANGE"))
