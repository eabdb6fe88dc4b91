"""What is said of an owner's certificate files, and what of them is served (A1, A3)."""

import collections.abc
import datetime
import pathlib
import ssl
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509 import oid

from daemun.certs.served import bundle, own_files
from daemun.core import model
from tests.support import own_certificates

NOW = datetime.datetime.now(datetime.UTC)
DAY = own_certificates.DAY
HOST = "own.example.com"


def spec_of(folder: pathlib.Path, *names: str) -> model.CertificateSpec:
    return model.CertificateSpec(
        name=HOST,
        host=HOST,
        names=names or (HOST,),
        mode=model.TlsMode.FILES,
        certificate=str(folder / "own.pem"),
        key=str(folder / "own.key"),
    )


def read(folder: pathlib.Path, chain: bytes, key: bytes) -> bundle.Bundle:
    (folder / "own.pem").write_bytes(chain)
    (folder / "own.key").write_bytes(key)
    return own_files.read(spec_of(folder))


def is_loaded(folder: pathlib.Path, found: bundle.Bundle) -> bool:
    """By OpenSSL, from files, as nginx does it."""
    chain, key = folder / "loaded.pem", folder / "loaded.key"
    chain.write_bytes(found.fullchain_pem)
    key.write_bytes(found.key_pem)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key)
    except ssl.SSLError:
        return False
    return True


def glued(pair: own_certificates.Pair) -> tuple[bytes, bytes]:
    """`cat a b` of files that do not end with a line break."""
    return pair.leaf.rstrip() + pair.intermediate.rstrip() + pair.root.rstrip(), pair.key.rstrip()


@pytest.mark.parametrize(
    "write",
    [
        glued,
        lambda pair: (pair.chain.replace(b"\n", b"\r\n"), pair.key.replace(b"\n", b"\r\n")),
        lambda pair: (b"issued to own.example.com\n" + pair.chain, b"# the key\n" + pair.key),
        lambda pair: (pair.leaf + b"\n\n\n" + pair.intermediate, pair.key + b"\n\n"),
        lambda pair: (pair.key.rstrip() + b"\n" + pair.chain, pair.key),
        lambda pair: (pair.leaf.rstrip() + pair.key.rstrip(), pair.leaf.rstrip() + b"\n" + pair.key),
    ],
    ids=["glued", "windows", "with text", "blank lines", "key and chain in one file", "one file for both"],
)
def test_a1_what_was_parsed_is_written_anew(
    tmp_path: pathlib.Path,
    write: collections.abc.Callable[[own_certificates.Pair], tuple[bytes, bytes]],
) -> None:
    """A1: the pair that is served is one that OpenSSL loads, whatever the files looked like."""
    pair = own_certificates.make(HOST)
    found = read(tmp_path, *write(pair))
    own_files.check_loads(found)
    assert is_loaded(tmp_path, found)
    assert found.fullchain_pem.startswith(pair.leaf)
    assert b"----------BEGIN" not in found.fullchain_pem


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (rsa.generate_private_key(65537, 1024), "ee key too small"),
        (ec.generate_private_key(ec.SECP192R1()), "ee key too small"),
    ],
    ids=["RSA 1024", "P-192"],
)
def test_a1_what_openssl_refuses_is_said(
    tmp_path: pathlib.Path, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, words: str
) -> None:
    pair = own_certificates.make(HOST, key=key)
    with pytest.raises(bundle.BundleError, match=words):
        own_files.check_loads(read(tmp_path, pair.chain, pair.key))


def faults(
    folder: pathlib.Path, pair: own_certificates.Pair, *names: str, chain: bytes | None = None
) -> list[tuple[str, str]]:
    found = read(folder, pair.chain if chain is None else chain, pair.key)
    own_files.check_loads(found)
    return [
        (problem.severity.value, problem.message)
        for problem in own_files.find_faults(found, spec_of(folder, *names), NOW)
    ]


def test_a3_a_good_one_has_no_faults(tmp_path: pathlib.Path) -> None:
    assert faults(tmp_path, own_certificates.make(HOST)) == []
    assert faults(tmp_path, own_certificates.make("*.example.com")) == []
    assert faults(tmp_path, own_certificates.make(HOST, uses=None)) == []
    assert faults(tmp_path, own_certificates.make(HOST, uses=(oid.ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,))) == []


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (own_certificates.make(HOST, starts=-9 * DAY, ends=-DAY), "expired on "),
        (own_certificates.make(HOST, starts=DAY), "is not valid before "),
        (own_certificates.make("other.example.com"), 'is for "other.example.com" and not for "own.example.com"'),
        (own_certificates.make("*.own.example.com"), 'is for "*.own.example.com" and not for "own.example.com"'),
        (own_certificates.make(HOST, uses=(oid.ExtendedKeyUsageOID.CLIENT_AUTH,)), "for clients only"),
        (own_certificates.make(HOST, uses=(oid.ExtendedKeyUsageOID.EMAIL_PROTECTION,)), "for clients only"),
    ],
    ids=["expired", "not yet valid", "another name", "a wildcard below", "client only", "mail only"],
)
def test_a3_what_no_visitor_can_use_is_an_error(
    tmp_path: pathlib.Path, pair: own_certificates.Pair, words: str
) -> None:
    ((severity, message),) = faults(tmp_path, pair)
    assert (severity, words in message) == ("error", True)


@pytest.mark.parametrize(
    ("key", "severity", "words"),
    [
        (ec.generate_private_key(ec.SECP256K1()), "error", "a key of secp256k1, which no browser takes"),
        (ec.generate_private_key(ec.BrainpoolP256R1()), "error", "a key of brainpoolP256r1, which no browser takes"),
        (ec.generate_private_key(ec.SECP521R1()), "warning", "a key of P-521, which Chrome"),
        (ed25519.Ed25519PrivateKey.generate(), "warning", "a key of Ed25519, which no browser takes"),
        (ed448.Ed448PrivateKey.generate(), "warning", "a key of Ed448, which no browser takes"),
        (ec.generate_private_key(ec.SECP384R1()), None, ""),
        (rsa.generate_private_key(public_exponent=65537, key_size=2048), None, ""),
    ],
    ids=["secp256k1", "brainpool", "P-521", "Ed25519", "Ed448", "P-384", "RSA"],
)
def test_a3_a_key_that_clients_do_not_take(
    tmp_path: pathlib.Path, key: own_certificates.OddKey, severity: str | None, words: str
) -> None:
    found = faults(tmp_path, own_certificates.make(HOST, key=key))
    if severity is None:
        assert found == []
    else:
        ((told, message),) = found
        assert (told, words in message, "ECDSA P-256 or P-384" in message) == (severity, True, True)


def test_a3_what_some_visitors_refuse_is_a_warning(tmp_path: pathlib.Path) -> None:
    """A3: a missing intermediate, which its name tells, or the place where it can be had; one of several names."""
    named, placed = own_certificates.make(HOST), own_certificates.make(HOST, issuer="R7", issuer_url="http://i.test/r7")
    for pair in (named, placed):
        ((severity, message),) = faults(tmp_path, pair, chain=pair.leaf)
        assert (severity, "lacks the intermediate certificate" in message) == ("warning", True)
    ((severity, message),) = faults(tmp_path, named, HOST, "b.example.com")
    assert (severity, 'not good for "b.example.com"' in message) == ("warning", True)


GOOD, OTHER = own_certificates.make(HOST), own_certificates.make(HOST)
ELSEWHERE = own_certificates.make(HOST, issuer="Other Intermediate CA")
HOME = own_certificates.make(HOST, issuer="My home CA")
OVER = own_certificates.make(HOST, middle_starts=-9 * DAY, middle_ends=-DAY)
EARLY = own_certificates.make(HOST, middle_starts=DAY)
NO_CA = own_certificates.make(HOST, is_ca=False)


@pytest.mark.parametrize(
    ("pair", "chain", "words"),
    [
        (GOOD, GOOD.leaf + ELSEWHERE.intermediate, 'has "Other Intermediate CA" there, which did not sign it'),
        (GOOD, GOOD.leaf + GOOD.root, 'lacks the intermediate certificate "Owner Intermediate CA"'),
        (GOOD, GOOD.leaf + OTHER.intermediate, "has another key than the one that signed it"),
        (GOOD, GOOD.chain + OTHER.root, '"Owner Root" in its file has another key'),
        (HOME, HOME.leaf + GOOD.intermediate, 'lacks the intermediate certificate "My home CA"'),
        (OVER, OVER.chain, "has an expired chain: the intermediate"),
        (EARLY, EARLY.chain, "is not valid before "),
        (NO_CA, NO_CA.chain, "is no CA's"),
    ],
    ids=["another", "the root", "same name", "another root", "private", "expired", "early", "no CA"],
)
def test_a3_a_chain_that_does_not_hold_together_is_a_warning(
    tmp_path: pathlib.Path, pair: own_certificates.Pair, chain: bytes, words: str
) -> None:
    """A3: each link is followed by name, signature and dates."""
    ((severity, message),) = faults(tmp_path, pair, chain=chain)
    assert (severity, words in message) == ("warning", True), message


@pytest.mark.parametrize(
    "chain",
    [
        GOOD.chain + GOOD.root,
        GOOD.leaf + GOOD.root + GOOD.intermediate,
        GOOD.leaf + GOOD.chain,
        GOOD.leaf + OTHER.intermediate + GOOD.intermediate,
        GOOD.chain + ELSEWHERE.intermediate,
    ],
    ids=["with its root", "in another order", "a part twice", "an old one of the same name", "one too many"],
)
def test_a3_a_chain_that_visitors_can_follow_is_good(tmp_path: pathlib.Path, chain: bytes) -> None:
    assert faults(tmp_path, GOOD, chain=chain) == []


def test_a3_the_end_of_an_intermediate_is_a_moment_too(tmp_path: pathlib.Path) -> None:
    pair = own_certificates.make(HOST, now=NOW, middle_ends=9 * DAY)
    found = read(tmp_path, pair.chain, pair.key)
    assert own_files.changes_at(found, NOW) == found.chain[1].not_valid_after_utc


def test_a3_a_private_root_that_signs_by_itself_is_no_fault(tmp_path: pathlib.Path) -> None:
    pair = own_certificates.make(HOST, issuer="My home CA")
    assert faults(tmp_path, pair, chain=pair.leaf) == []


def test_a3_the_moment_when_something_else_will_be_said(tmp_path: pathlib.Path) -> None:
    pair = own_certificates.make(HOST, now=NOW)
    found = read(tmp_path, pair.chain, pair.key)
    assert own_files.changes_at(found, NOW) == found.not_after
    assert own_files.changes_at(found, found.not_before - DAY) == found.not_before
    assert own_files.changes_at(found, found.chain[1].not_valid_after_utc) is None


def test_a3_a_staple_that_is_never_sent(tmp_path: pathlib.Path) -> None:
    ((severity, message),) = faults(tmp_path, own_certificates.make(HOST, must_staple=True))
    assert (severity, "must-staple" in message) == ("warning", True)


def test_a3_signed_with_sha1(tmp_path: pathlib.Path) -> None:
    """No browser takes it; its own signature is looked at by nobody."""
    openssl = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha1", "-days", "60")
    signed = (*openssl, "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}")
    made = (*signed, "-keyout", "own.key", "-out", "own.pem")
    subprocess.run(made, cwd=tmp_path, check=True, capture_output=True)
    of_itself = own_files.read(spec_of(tmp_path))
    assert own_files.find_faults(of_itself, spec_of(tmp_path), NOW + DAY) == ()
    ca = ("-keyout", "ca.key", "-out", "ca.pem")
    subprocess.run((*openssl, "-subj", "/CN=Old CA", *ca), cwd=tmp_path, check=True, capture_output=True)
    by_a_ca = (*made, "-CA", "ca.pem", "-CAkey", "ca.key")
    subprocess.run(by_a_ca, cwd=tmp_path, check=True, capture_output=True)
    found = own_files.find_faults(own_files.read(spec_of(tmp_path)), spec_of(tmp_path), NOW + DAY)
    assert any("SHA-1" in problem.message and problem.severity is model.Severity.ERROR for problem in found)
