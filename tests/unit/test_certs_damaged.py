"""What of the store is damaged in ways that libraries report in words of their own."""

import base64
import datetime
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from daemun.certs.acme import request_ledger
from daemun.certs.served import bundle, certificate_records, certificate_store, local_ca
from daemun.core.issuance import budget
from daemun.errors import EnvironmentProblemError
from daemun.store import memory_store
from tests.support import clock

NOW = datetime.datetime(2026, 5, 1, 12, tzinfo=datetime.UTC)
DIRECTORY = "https://acme-v02.api.letsencrypt.org/directory"
_ED25519 = bytes.fromhex("06032b6570")
"""1.3.101.112, as DER (RFC 8410 section 3)."""


def _unknown_kind(pem: bytes) -> bytes:
    """The same certificate or key, of an algorithm that there is not."""
    lines = pem.decode().splitlines()
    content = base64.b64decode("".join(lines[1:-1])).replace(_ED25519, _ED25519[:-1] + b"\x7b")
    return "\n".join([lines[0], base64.b64encode(content).decode(), lines[-1], ""]).encode()


def _certificate() -> tuple[bytes, bytes]:
    """Of an Ed25519 key, signed by another kind of key."""
    key, name = ed25519.Ed25519PrivateKey.generate(), x509.Name([])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + datetime.timedelta(days=1))
    chain = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return chain.public_bytes(serialization.Encoding.PEM), _pem(key)


def _pem(key: ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.parametrize("moment", [1e17, -1e17, 1e300, 1e18, float("nan"), "soon", None])
def test_a_budget_with_a_moment_that_there_is_not(moment: object) -> None:
    """Each order failed, for as long as the file was there."""
    store = memory_store.MemoryStore()
    counted = next(iter(budget.CaLimitKind)).name
    order = budget.OrderCost(by="a.test", hosts=("a.test",), domains=frozenset({"a.test"}))
    limits = budget.limits_of(DIRECTORY)
    assert limits
    one = request_ledger.RequestLedger(store, clock.FakeClock(), DIRECTORY, limits)
    store.write(one._key, json.dumps({"spent": [[counted, "a.test", moment, "a.test"]]}).encode())
    assert one.find_refusal(order) is None
    (problem,) = store.damage.problems()
    assert "counted anew" in problem.message


def test_a_certificate_whose_key_is_of_an_unknown_kind() -> None:
    chain, key = _certificate()
    assert bundle.parse(chain, key)
    with pytest.raises(bundle.BundleError, match="of a kind that is not known"):
        bundle.parse(_unknown_kind(chain), key)
    store = memory_store.MemoryStore()
    value = {"fullchain": _unknown_kind(chain).decode(), "key": key.decode(), "directory": DIRECTORY}
    store.write(certificate_records.issued_key("a.test"), json.dumps(value).encode())
    one = certificate_store.CertificateStore(store)
    assert one.own("a.test") is None
    assert one.is_own_damaged("a.test")


def test_an_order_whose_key_is_of_an_unknown_kind() -> None:
    _, key = _certificate()
    store = memory_store.MemoryStore()
    order = certificate_records.PendingOrder(
        directory=DIRECTORY, hosts=("a.test",), url="https://ca.test/1", key_pem=_unknown_kind(key)
    )
    certificate_records.write_order(store, "a.test", order)
    assert certificate_records.read_order(store, "a.test") is None
    assert store.damage.problems()


class _FailsOnce(memory_store.MemoryStore):
    """A store whose folders cannot be listed the first time."""

    has_failed = False

    def list(self, prefix: str) -> list[str]:
        if prefix == "adopted" and not self.has_failed:
            self.has_failed = True
            raise EnvironmentProblemError("cannot read it")
        return super().list(prefix)


def test_what_could_not_be_read_is_read_the_next_time() -> None:
    """Else certificates that are there would be ordered anew."""
    store = _FailsOnce()
    found = local_ca.load_or_create(memory_store.MemoryStore(), NOW).issue(["a.test"], NOW)
    stored_before = certificate_store.CertificateStore(store)
    with pytest.raises(EnvironmentProblemError):
        stored_before.own("a.test")
    stored_before.adopt(certificate_records.Issued(directory=DIRECTORY, bundle=found))
    one = certificate_store.CertificateStore(store)
    store.has_failed = False
    with pytest.raises(EnvironmentProblemError):
        one.covering("a.test", NOW)
    assert [each.bundle.leaf for each in one.covering("a.test", NOW)] == [found.leaf]
