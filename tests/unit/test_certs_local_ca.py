"""The local CA: chains that strict verifiers accept, and one root that stays."""

import datetime
import ipaddress
import pathlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import verification

from daemun import errors
from daemun.certs.served import bundle, local_ca
from daemun.store import memory_store

NOW = datetime.datetime(2026, 5, 1, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
NAMES = ("chat.localhost", "*.apps.test", "127.0.0.1", "[::1]")


def verifier(root: x509.Certificate, name: x509.GeneralName, at: datetime.datetime) -> verification.ServerVerifier:
    assert isinstance(name, x509.DNSName | x509.IPAddress)
    return verification.PolicyBuilder().store(verification.Store([root])).time(at).build_server_verifier(name)


@pytest.mark.parametrize(
    "name",
    [
        x509.DNSName("chat.localhost"),
        x509.DNSName("any.apps.test"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ],
)
@pytest.mark.parametrize("at", [NOW - datetime.timedelta(minutes=59), NOW, NOW + 89 * DAY])
def test_a_chain_verifies_for_each_of_its_names(name: x509.GeneralName, at: datetime.datetime) -> None:
    ca = local_ca.load_or_create(memory_store.MemoryStore(), NOW)
    chain = verifier(ca.certificate, name, at).verify(ca.issue(NAMES, NOW).leaf, [])
    assert chain[-1] == ca.certificate


def test_a_chain_does_not_verify_for_another_name_or_after_its_end() -> None:
    ca = local_ca.load_or_create(memory_store.MemoryStore(), NOW)
    leaf = ca.issue(NAMES, NOW).leaf
    for name, at in ((x509.DNSName("other.localhost"), NOW), (x509.DNSName("chat.localhost"), NOW + 91 * DAY)):
        with pytest.raises(verification.VerificationError):
            verifier(ca.certificate, name, at).verify(leaf, [])


def test_a_leaf_has_a_p256_key_of_its_own_and_lasts_90_days() -> None:
    ca = local_ca.load_or_create(memory_store.MemoryStore(), NOW)
    first, second = ca.issue(NAMES, NOW), ca.issue(NAMES, NOW)
    key = first.leaf.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)
    assert first.key_pem != second.key_pem
    assert first.leaf.serial_number != second.leaf.serial_number
    assert first.not_after == NOW + 90 * DAY
    assert first.missing(NAMES) == ()


def test_a_name_too_long_for_the_subject_is_still_served() -> None:
    ca = local_ca.load_or_create(memory_store.MemoryStore(), NOW)
    host = f"{'a' * 60}.{'b' * 60}.localhost"
    leaf = ca.issue([host], NOW).leaf
    assert leaf.subject == x509.Name([])
    assert leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical
    verifier(ca.certificate, x509.DNSName(host), NOW).verify(leaf, [])


def test_the_root_stays_the_same_and_lasts_ten_years() -> None:
    store = memory_store.MemoryStore()
    first = local_ca.load_or_create(store, NOW)
    again = local_ca.load_or_create(store, NOW + 3000 * DAY)
    assert again.certificate == first.certificate
    assert first.certificate.not_valid_after_utc == NOW + 3650 * DAY
    assert again.is_issuer_of(first.issue(["a.localhost"], NOW).leaf)


def test_a_root_near_its_end_is_replaced_before_leaves_outlive_it() -> None:
    store = memory_store.MemoryStore()
    first = local_ca.load_or_create(store, NOW)
    second = local_ca.load_or_create(store, NOW + 3500 * DAY)
    assert second.certificate != first.certificate
    assert not second.is_issuer_of(first.issue(["a.localhost"], NOW).leaf)


def test_roots_of_two_state_directories_have_different_names() -> None:
    subjects = {local_ca.load_or_create(memory_store.MemoryStore(), NOW).certificate.subject for _ in range(2)}
    assert len(subjects) == 2
    assert all("daemun local CA" in subject.rfc4514_string() for subject in subjects)


def test_a_damaged_root_is_an_error_that_says_where_and_what_to_do() -> None:
    store = memory_store.MemoryStore()
    store.write("ca/root.pem", b"-----BEGIN NONSENSE-----")
    with pytest.raises(errors.EnvironmentProblemError, match=r'"ca/root\.pem" is damaged.*restore it'):
        local_ca.load_or_create(store, NOW)


def test_the_root_certificate_is_readable_by_all_and_holds_no_key(tmp_path: pathlib.Path) -> None:
    ca = local_ca.load_or_create(memory_store.MemoryStore(), NOW)
    path = tmp_path / "state" / "ca.pem"
    local_ca.write_root(ca, path)
    local_ca.write_root(ca, path)
    assert path.stat().st_mode & 0o777 == 0o644
    assert path.read_bytes() == ca.root_pem
    assert b"PRIVATE" not in ca.root_pem
    assert [file.name for file in path.parent.iterdir()] == ["ca.pem"]


def test_no_key_is_shown() -> None:
    issued = local_ca.load_or_create(memory_store.MemoryStore(), NOW).issue(["a.localhost"], NOW)
    assert "PRIVATE" in issued.key_pem.decode()
    assert "PRIVATE" not in repr(issued)


@pytest.mark.parametrize(
    ("host", "is_covered"),
    [
        ("chat.localhost", True),
        ("x.apps.test", True),
        ("*.apps.test", True),
        ("apps.test", False),
        ("a.b.apps.test", False),
        ("127.0.0.1", True),
        ("127.0.0.2", False),
        ("[::1]", True),
        ("localhost", False),
    ],
)
def test_names_covered(host: str, is_covered: bool) -> None:
    issued = local_ca.load_or_create(memory_store.MemoryStore(), NOW).issue(NAMES, NOW)
    assert (issued.missing([host]) == ()) is is_covered


def test_what_cannot_be_served_is_said() -> None:
    ca = local_ca.load_or_create(memory_store.MemoryStore(), NOW)
    one, other = ca.issue(["a.localhost"], NOW), ca.issue(["b.localhost"], NOW)
    with pytest.raises(bundle.BundleError, match="does not fit"):
        bundle.parse(one.fullchain_pem, other.key_pem)
    with pytest.raises(bundle.BundleError, match="certificate is an empty file"):
        bundle.parse(b"", one.key_pem)
    with pytest.raises(bundle.BundleError, match="key is not readable PEM"):
        bundle.parse(one.fullchain_pem, b"nothing")
