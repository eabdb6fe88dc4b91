"""O6: what was read of certificates before is not read again at a start, and is never taken for true of other ones."""

import collections.abc
import dataclasses
import datetime
import ipaddress
import pathlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from daemun.certs.served import bundle, facts_file, local_ca
from daemun.store import memory_store
from tests.support import clock, own_certificates, rendered

DAY = datetime.timedelta(days=1)


def pairs(now: datetime.datetime) -> dict[str, tuple[bytes, bytes]]:
    ca = local_ca.load_or_create(memory_store.MemoryStore(), now)
    several = ca.issue(["a.test", "*.b.test", "10.0.0.1", "[2001:db8::1]"], now)
    chain = own_certificates.make("Shop.Example.com", "www.example.com", now=now)
    old = own_certificates.make("old.test", now=now, key=rsa.generate_private_key(65537, 2048))
    return {
        "several names": (several.fullchain_pem, several.key_pem),
        "a chain": (chain.chain, chain.key),
        "RSA": (old.leaf, old.key),
        "self-signed": rendered.self_signed("self.test"),
        "without names": _nameless(now),
    }


def _nameless(now: datetime.datetime) -> tuple[bytes, bytes]:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    one = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + DAY).sign(key, hashes.SHA256())
    return one.public_bytes(serialization.Encoding.PEM), local_ca.private_pem(key)


def refuse(*_: object, **__: object) -> bundle.Bundle:
    raise AssertionError("it is read again")


@pytest.fixture(name="now")
def frozen() -> clock.FakeClock:
    return clock.FakeClock()


@pytest.fixture(name="made")
def maker(tmp_path: pathlib.Path, now: clock.FakeClock) -> collections.abc.Callable[[], facts_file.FactsFile]:
    return lambda: facts_file.FactsFile(str(tmp_path / "facts"), now)


Make = collections.abc.Callable[[], facts_file.FactsFile]


def test_o6_what_was_read_is_not_read_again(made: Make, now: clock.FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {name: bundle.parse(*pair) for name, pair in pairs(now.now()).items()}
    first = made()
    for one in wanted.values():
        assert first.parse(one.fullchain_pem, one.key_pem) == one
    first.flush()
    monkeypatch.setattr(bundle, "parse", refuse)
    again = made()
    for name, one in wanted.items():
        found = again.parse(one.fullchain_pem, one.key_pem)
        assert (found, found.facts, found.names(), found.leaf) == (one, one.facts, one.names(), one.leaf), name


def test_o6_another_content_is_read(made: Make, now: clock.FakeClock) -> None:
    chain, key = pairs(now.now())["a chain"]
    other = pairs(now.now())["RSA"]
    first = made()
    first.parse(chain, key)
    first.flush()
    again = made()
    for damaged in ((chain, b""), (chain, key[:-30]), (chain, other[1]), (chain[5:], key), (chain + key, b"")):
        with pytest.raises(bundle.BundleError):
            again.parse(*damaged)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: b"",
        lambda text: text[: len(text) // 2],
        lambda text: text.replace(b"4", b"5"),
        lambda text: b"garbage\n\xff\xfe\n" + text[-20:],
        lambda text: b"00000000 []\n" * 3,
        lambda text: text.replace(b"\n", b""),
    ],
)
def test_o6_a_damaged_file_is_no_harm(
    made: Make, now: clock.FakeClock, tmp_path: pathlib.Path, damage: collections.abc.Callable[[bytes], bytes]
) -> None:
    wanted = [bundle.parse(*pair) for pair in pairs(now.now()).values()]
    first = made()
    for one in wanted:
        first.note(one)
    first.flush()
    path = tmp_path / "facts"
    path.write_bytes(damage(path.read_bytes()))
    for _ in range(2):
        again = made()
        assert [again.parse(one.fullchain_pem, one.key_pem).facts for one in wanted] == [one.facts for one in wanted]
        again.flush()


def test_o6_where_it_cannot_be_written_all_is_read(tmp_path: pathlib.Path, now: clock.FakeClock) -> None:
    (tmp_path / "facts").mkdir()
    for _ in range(2):
        one = facts_file.FactsFile(str(tmp_path / "facts"), now)
        for pair in pairs(now.now()).values():
            assert one.parse(*pair).facts == bundle.parse(*pair).facts
        one.flush()


def test_o6_what_expired_is_forgotten(
    made: Make, now: clock.FakeClock, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts_file, "_FEW", 0)
    one = bundle.parse(*pairs(now.now())["self-signed"])
    many = made()
    for number in range(3 * facts_file._AT_ONCE):
        many.note(dataclasses.replace(one, key_pem=b"%d" % number))
        now.advance(datetime.timedelta(days=1))
    now.advance(datetime.timedelta(days=4000))
    later = made()
    for number in range(facts_file._AT_ONCE):
        fresh = dataclasses.replace(one.facts, not_after=now.now() + DAY)
        later.note(dataclasses.replace(one, key_pem=b"new %d" % number, facts=fresh))
    later.flush()
    assert len((tmp_path / "facts").read_bytes().splitlines()) <= 1 + facts_file._AT_ONCE
    assert [path.name for path in tmp_path.iterdir()] == ["facts"]


def test_addresses_and_names_are_kept_as_they_are(made: Make, now: clock.FakeClock) -> None:
    found = made().parse(*pairs(now.now())["several names"]).facts
    assert found.dns == {"a.test", "*.b.test"}
    assert found.addresses == {ipaddress.ip_address("10.0.0.1"), ipaddress.ip_address("2001:db8::1")}
    assert (found.algorithm, bundle.parse(*pairs(now.now())["RSA"]).facts.algorithm) == ("ecdsa", "rsa")
