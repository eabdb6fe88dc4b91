"""What the look from outside says where two certificates are served, of ECDSA and of RSA: each is looked at."""

import collections.abc
import contextlib
import dataclasses
import datetime
import pathlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from daemun.certs.served import bundle, live_folder, local_ca
from daemun.core import layout as layout_
from daemun.core import model
from daemun.nginx import worker_account
from daemun.probing import probe_inputs, server_turns, site_prober
from daemun.store import memory_store
from tests.support import clock, rendered, sites

pytestmark = pytest.mark.nginx

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
HOST = "a.test"
SITE = sites.site(HOST, sites.route("/", model.Redirect(to="https://b.test/")))
TWO = model.Acme(key_type=model.KeyType.ECDSA_P256, further_key_type=model.KeyType.RSA_2048)
VALID, NOT_SERVED = model.CertificateState.VALID, model.CertificateState.NOT_SERVED
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OF_ECDSA = local_ca.load_or_create(memory_store.MemoryStore(), NOW).issue([HOST], NOW)


def of_rsa(*names: str, until: datetime.datetime = NOW + 2 * DAY) -> bundle.Bundle:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "A CA of the test")])
    leaf = (
        x509.CertificateBuilder(subject, subject, KEY.public_key(), x509.random_serial_number(), NOW - 9 * DAY, until)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(KEY, hashes.SHA256())
    )
    return bundle.parse(leaf.public_bytes(serialization.Encoding.PEM), local_ca.private_pem(KEY))


def fingerprint(found: bundle.Bundle) -> str:
    return found.leaf.fingerprint(hashes.SHA256()).hex()


def show(layout: layout_.Layout, second: bundle.Bundle, first: bundle.Bundle = OF_ECDSA) -> None:
    """Let nginx find these for the site."""
    chosen = worker_account.choose(None)
    live_folder.replace(
        pathlib.Path(layout.live),
        HOST,
        first,
        before=None,
        worker_gid=chosen.gid if chosen else None,
        lasting=False,
        second=second,
    )


class Looked:
    """A look at a gate that says it serves `OF_ECDSA` and `second`, None: the first alone, for it has no other yet."""

    def __init__(self, gate: rendered.Running, settings: model.Globals, second: bundle.Bundle | None) -> None:
        listeners = (model.Address(host="127.0.0.1", port=gate.https),)
        self._live = (model.SiteStatus(site=SITE, state=model.SiteState.LIVE),)
        first = model.CertificateStatus(
            name=HOST,
            host=HOST,
            names=(HOST,),
            state=VALID,
            fingerprint=fingerprint(OF_ECDSA),
            key_type=model.KeyType.ECDSA_P256,
            rsa_shown=((HOST, fingerprint(second)),) if second is not None else (),
        )
        beside = dataclasses.replace(
            first,
            name=f"{HOST}..rsa",
            fingerprint=fingerprint(second or OF_ECDSA),
            key_type=model.KeyType.RSA_2048,
            rsa_shown=(),
        )
        self._certificates = (first, beside)
        inputs = probe_inputs.ProbeInputs(
            clock=clock.FakeClock(NOW),
            find_endpoints=lambda _: (),
            find_certificates=lambda: self._certificates,
            error_log_path=f"{gate.layout.state}/logs/error.log",
        )
        self._prober = site_prober.SiteProber(inputs, find_health=lambda _: ())
        settings = dataclasses.replace(settings, listen=model.Listen(https=listeners))
        desired = model.Desired(globals=settings, sites=(SITE,))
        self._prober.publish(desired, self._live)

    async def handshakes(self) -> tuple[model.HandshakeLook, ...]:
        assert await self._prober.probe(HOST, within_s=60) == 0
        found = self._prober.look(HOST)
        assert found is not None
        return found.handshakes

    def judge(self) -> tuple[model.SiteState, list[model.CertificateState]]:
        """Of the site, and of both certificates."""
        (of_site,) = self._prober.judge(self._live, self._certificates)
        return of_site.state, [one.state for one in self._prober.judge_certificates(self._certificates)]


@contextlib.contextmanager
def serving(settings: model.Globals, *shown: bundle.Bundle) -> collections.abc.Iterator[rendered.Running]:
    def certify(layout: layout_.Layout, _: model.Desired) -> bytes:
        show(layout, *shown)
        return b""

    with rendered.running(SITE, settings=settings, certify=certify) as gate:
        yield gate


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_turns, "AGAIN_S", 0.01)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (of_rsa(HOST, until=NOW - DAY), f"expired on {NOW - DAY:%Y-%m-%d}"),
        (of_rsa("b.test"), "is for another name"),
        (of_rsa(HOST), "is not the one that daemun has for it"),
    ],
    ids=["expired", "for another name", "another one"],
)
async def test_the_one_of_rsa_alone_is_wrong(wrong: bundle.Bundle, words: str) -> None:
    """Nearly all programs take the other one, and all was told to be well."""
    settings, good = model.Globals(acme=TWO), of_rsa(HOST)
    with serving(settings, good) as gate:
        looked = Looked(gate, settings, good)
        assert await looked.handshakes() == ()
        assert looked.judge() == (model.SiteState.LIVE, [VALID, VALID])
        show(gate.layout, wrong)
        (found,) = await looked.handshakes()
        assert found.cause.startswith(
            f"visitors of {HOST} whose clients take only RSA get a certificate of A CA of the test at 127.0.0.1:"
        )
        assert found.cause.endswith(words)
        assert looked.judge() == (model.SiteState.WRONG_CERTIFICATE, [VALID, NOT_SERVED])
        show(gate.layout, good)
        assert await looked.handshakes() == ()
        assert looked.judge() == (model.SiteState.LIVE, [VALID, VALID])


async def test_the_other_one_alone_is_wrong() -> None:
    settings, good = model.Globals(acme=TWO), of_rsa(HOST)
    other = local_ca.load_or_create(memory_store.MemoryStore(), NOW).issue(["b.test"], NOW)
    with serving(settings, good, other) as gate:
        looked = Looked(gate, settings, good)
        (found,) = await looked.handshakes()
        assert found.cause.endswith("is for another name")
        assert "only RSA" not in found.cause
        assert looked.judge() == (model.SiteState.WRONG_CERTIFICATE, [NOT_SERVED, VALID])


async def test_one_of_rsa_that_is_meant_to_be_there_is_not() -> None:
    settings, good = model.Globals(acme=TWO), of_rsa(HOST)
    with serving(settings, OF_ECDSA) as gate:
        looked = Looked(gate, settings, good)
        (found,) = await looked.handshakes()
        assert "get no handshake" in found.cause
        assert "no certificate with an RSA key is offered" in found.cause
        assert looked.judge() == (model.SiteState.UNREACHABLE, [VALID, NOT_SERVED])


async def test_one_of_rsa_that_is_ordered_yet_is_not_missed() -> None:
    settings = model.Globals(acme=TWO)
    with serving(settings, OF_ECDSA) as gate:
        assert await Looked(gate, settings, None).handshakes() == ()


@pytest.mark.parametrize(
    "policy",
    [
        model.TlsPolicy(name="modern", protocols=("TLSv1.3",), ciphers="ECDHE-RSA-AES128-GCM-SHA256"),
        model.TlsPolicy(name="own", protocols=("TLSv1.2",), ciphers="ECDHE-ECDSA-AES128-GCM-SHA256"),
    ],
    ids=lambda policy: policy.name,
)
async def test_old_clients_that_the_owner_refuses_are_not_missed(policy: model.TlsPolicy) -> None:
    settings, good = model.Globals(acme=TWO, tls_policy=policy), of_rsa(HOST)
    with serving(settings, good) as gate:
        assert await Looked(gate, settings, good).handshakes() == ()
