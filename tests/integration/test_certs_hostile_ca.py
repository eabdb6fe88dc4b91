"""A CA that means harm, or is broken: each try ends with a clear reason, and nothing else is stopped."""

import collections.abc
import contextlib
import datetime
import http.server
import json
import pathlib
import random
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from daemun import errors
from daemun.certs.acme import acme_issuer, acme_network
from daemun.certs.orders import ca_places
from daemun.certs.served import certificate_records, local_ca
from daemun.core import model
from daemun.core.issuance import renewal_time
from daemun.store import memory_store
from tests.support import acme_server, certificates, clock, http01, issuing, pebble, serving

HOST = "a.example.com"
DAY = datetime.timedelta(days=1)
END = threading.Event()

Answer = collections.abc.Callable[[http.server.BaseHTTPRequestHandler], None]


def send(handler: http.server.BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def drip(handler: http.server.BaseHTTPRequestHandler, before: bytes = b"") -> None:
    """A byte now and then, for as long as anybody reads."""
    handler.close_connection = True
    with contextlib.suppress(OSError):
        handler.wfile.write(before)
        while not END.wait(0.02):
            handler.wfile.write(b" ")
            handler.wfile.flush()


def links(base: str) -> Answer:
    """A good directory with links to another place."""
    body = json.dumps({name: f"{base}/{name}" for name in ("newNonce", "newAccount", "newOrder")})
    return lambda handler: send(handler, 200, body.encode(), Content_Type="application/json")


@contextlib.contextmanager
def answering(answer: Answer) -> collections.abc.Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with contextlib.suppress(OSError):
                answer(self)

        do_HEAD = do_GET  # noqa: N815 - a name of the standard library

        def log_message(self, *_: object) -> None: ...

    END.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    with serving.in_thread(server):
        try:
            yield f"http://127.0.0.1:{server.server_port}/dir"
        finally:
            END.set()


def refused(
    gate: issuing.StateDirectory, authority: model.Authority, pause: acme_network.Pause = acme_network.pause_really
) -> str:
    with pytest.raises(errors.RetryableError) as caught:
        acme_issuer.obtain(
            acme_issuer.Request(name=HOST, hosts=(HOST,), authority=authority),
            store=gate.store,
            clock=gate.clock,
            stop=threading.Event(),
            limits_of=lambda _: (),
            pause=pause,
        )
    assert certificate_records.read_issued(gate.store, HOST) is None
    return str(caught.value)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda handler: send(handler, 200, b" " * (10 << 20)), "an answer of more than 1024 kB"),
        (lambda handler: send(handler, 500, b" " * (10 << 20)), "an answer of more than 1024 kB"),
        (lambda handler: drip(handler, b"HTTP/1.1 200 OK\r\n\r\n"), "is too slow: its answer does not end within 1 s"),
        (lambda handler: drip(handler, b"HTTP/1.1 200 OK\r\nX: "), "is too slow: its answer does not end within 1 s"),
        (lambda handler: drip(handler, b"HTTP"), "is too slow: its answer does not end within 1 s"),
        (lambda handler: send(handler, 302, b"", Location="http://127.0.0.1:1/x"), "a redirect to http://127.0.0.1:1"),
        (lambda handler: send(handler, 307, b"", Location="file:///etc/passwd"), "a redirect to file://"),
        (links("http://localhost:1"), "a link to http://localhost:1, which is this machine"),
        (links("http://[::1]:1"), "a link to http://[::1]:1, which is this machine"),
        (links("http://169.254.169.254"), "a link to http://169.254.169.254, which is this machine"),
        (links("file://"), "a link to file://"),
    ],
)
def test_an_answer_that_is_none(
    gate: issuing.StateDirectory, answer: Answer, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acme_network, "ANSWER_S", 1.0)
    with answering(answer) as url:
        said = refused(gate, model.Authority(directory=url))
    assert said.startswith(f'cannot get a certificate for "{HOST}": the CA at {url} ')
    assert reason in said


def test_a_redirect_within_the_ca_is_followed(gate: issuing.StateDirectory) -> None:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        if handler.path == "/dir":
            send(handler, 302, b"", Location="/there")
        else:
            send(handler, 503, b"")

    with answering(answer) as url:
        assert "(HTTP 503)" in refused(gate, model.Authority(directory=url))


# --- orders ------------------------------------------------------------------------------------------------------


class Wrong(acme_server.Authority):
    """Signs something else than was ordered. kind: what."""

    kind = ""

    def _issue(self, order: acme_server._Order, csr_der: bytes) -> None:
        if self.kind == "never":
            order.status = "processing"
            return
        super()._issue(order, csr_der)
        asked, now = x509.load_der_x509_csr(csr_der).public_key(), self._clock.now()
        other = ec.generate_private_key(ec.SECP256R1()).public_key()
        if self.kind == "names":
            _, order.chain_pem = self.sign(["other.example.com"], asked, now, 90 * DAY)
        elif self.kind == "key":
            _, order.chain_pem = self.sign([HOST], other, now, 90 * DAY)
        elif self.kind == "expired":
            _, order.chain_pem = self.sign([HOST], asked, now - 200 * DAY, 90 * DAY)
        elif self.kind == "garbage":
            order.chain_pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (
            "names",
            f'cannot use the certificate that the CA issued for "{HOST}": it is not for {HOST}; nothing to do here',
        ),
        ("key", "the key does not fit the (first) certificate"),
        ("garbage", "cannot use the certificate that the CA issued"),
        ("never", "the CA has not finished the order after 60 looks; nothing to do, daemun goes on with it later"),
    ],
)
def test_an_order_that_ends_badly(gate: issuing.StateDirectory, tmp_path: pathlib.Path, kind: str, reason: str) -> None:
    passing = clock.SharedClock(gate.clock.now())
    gate.clock = passing
    with http01.answering(gate.thumbprint) as port:
        ca = Wrong("ca", passing, random.Random(1), acme_server.Behaviour(profiles={"classic": 90 * DAY}), port)
        ca.kind = kind
        with acme_server.running(tmp_path, passing, (ca,)) as (url, ca_file):
            authority = model.Authority(directory=f"{url}/ca/dir", ca_file=str(ca_file))
            assert reason in refused(gate, authority, pause=passing.pause)
    if kind == "never":
        assert certificate_records.read_order(gate.store, HOST) is not None


@pytest.mark.parametrize("status", [400, 403, 404, 409, 500])
@pytest.mark.parametrize("problem", ["alreadyReplaced", "malformed", "notFound", "serverInternal", "unauthorized"])
def test_what_an_order_replaces_never_stands_in_its_way(
    gate: issuing.StateDirectory, tmp_path: pathlib.Path, problem: str, status: int
) -> None:
    """Pebble answers 500 while it has not yet noted the order of the certificate that is replaced."""
    passing = clock.SharedClock(gate.clock.now())
    gate.clock = passing
    with http01.answering(gate.thumbprint) as port:
        behaviour = acme_server.Behaviour(profiles={"classic": 90 * DAY}, unreplaceable=(status, problem))
        ca = acme_server.Authority("ca", passing, random.Random(1), behaviour, port)
        with acme_server.running(tmp_path, passing, (ca,)) as (url, ca_file):
            authority = model.Authority(directory=f"{url}/ca/dir", ca_file=str(ca_file))
            request = acme_issuer.Request(
                name=HOST, hosts=(HOST,), authority=authority, replaces="AAAA.AAAA", is_same_set=True
            )
            got = acme_issuer.obtain(
                request, store=gate.store, clock=passing, stop=threading.Event(), pause=passing.pause
            )
    assert [(event.hosts, event.replaces) for event in ca.orders] == [((HOST,), False)]
    assert got.bundle.names() == (HOST,)


async def test_one_that_has_expired_is_shown_to_nobody(gate: issuing.StateDirectory, tmp_path: pathlib.Path) -> None:
    passing = clock.SharedClock(gate.clock.now())
    gate.clock = passing
    with http01.answering(gate.thumbprint) as port:
        ca = Wrong("ca", passing, random.Random(1), acme_server.Behaviour(profiles={"classic": 90 * DAY}), port)
        ca.kind = "expired"
        with acme_server.running(tmp_path, passing, (ca,)) as (url, ca_file):
            acme = issuing.asking(model.Authority(directory=f"{url}/ca/dir", ca_file=str(ca_file)))
            certs = await gate.manager(acme, issuing.spec(HOST), pause=passing.pause, limits_of=lambda _: ())
            before = gate.leaf(HOST)
            async with certificates.running(certs) as watched:
                status = await watched.until_state(HOST, model.CertificateState.FAILING)
    assert f'cannot rely on the new certificate of "{HOST}": it is valid from ' in (status.reason or "")
    assert gate.leaf(HOST) == before


# --- other CAs beside it -----------------------------------------------------------------------------------------


class Dripping:
    """A CA with a good directory that never ends another answer."""

    def __init__(self) -> None:
        self.orders: list[str] = []
        """A line for each order that began: each fetches the directory once."""

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        if handler.path == "/dir":
            self.orders.append(handler.path)
            links(f"http://{handler.headers['Host']}")(handler)
        else:
            drip(handler, b"HTTP/1.1 200 OK\r\nX: ")


HOSTILE = [f"{number:02}.hostile.example.com" for number in range(ca_places.ORDERS_AT_ONE_CA + 4)]


@pytest.mark.pebble
async def test_one_that_never_ends_an_order_keeps_no_order_of_another_waiting(gate: issuing.StateDirectory) -> None:
    dripping = Dripping()
    with (
        http01.answering(gate.thumbprint) as port,
        pebble.running_pebble(port) as good,
        answering(dripping.answer) as url,
    ):
        hostile = [issuing.spec(host, authority=model.Authority(directory=url)) for host in HOSTILE]
        async with certificates.running(await gate.manager(issuing.asking(good), *hostile)) as watched:
            for number in range(3):
                await watched.manager.add(issuing.spec(f"{number}.example.com"))
                await watched.until_state(f"{number}.example.com", model.CertificateState.VALID)
            await watched.until(lambda: watched.manager.busy == ca_places.ORDERS_AT_ONE_CA)
            assert len(dripping.orders) <= ca_places.ORDERS_AT_ONE_CA
            END.set()
            failing = model.CertificateState.FAILING
            await watched.until(
                lambda: sum(one.state is failing for one in watched.manager.status()) >= ca_places.ORDERS_AT_ONE_CA
            )


@pytest.mark.pebble
async def test_nor_when_it_is_asked_after_the_other_has_refused(gate: issuing.StateDirectory) -> None:
    dripping = Dripping()
    with (
        http01.answering(gate.thumbprint) as port,
        pebble.running_pebble(port, refused_domains=["hostile.example.com"]) as good,
        answering(dripping.answer) as url,
    ):
        acme = issuing.asking(issuing.authority(good), model.Authority(directory=url))
        specs = [issuing.spec(host) for host in (*HOSTILE, HOST)]
        async with certificates.running(await gate.manager(acme, *specs)) as watched:
            await watched.until_state(HOST, model.CertificateState.VALID)
            await watched.until(lambda: watched.manager.busy == len(HOSTILE))
            await watched.manager.add(issuing.spec("late.example.com"))
            await watched.until_state("late.example.com", model.CertificateState.VALID)
            assert watched.manager.busy >= len(HOSTILE)
            assert len(dripping.orders) <= ca_places.ORDERS_AT_ONE_CA
            END.set()


@pytest.mark.pebble
async def test_nor_what_another_says_of_renewal(gate: issuing.StateDirectory) -> None:
    other, now = "b.example.com", gate.clock.now()
    old = local_ca.load_or_create(memory_store.MemoryStore(), now).issue([other], now)
    with (
        http01.answering(gate.thumbprint) as port,
        pebble.running_pebble(port) as good,
        answering(drip) as url,
    ):
        certificate_records.write_issued(gate.store, other, certificate_records.Issued(directory=url, bundle=old))
        specs = issuing.spec(HOST), issuing.spec(other, authority=model.Authority(directory=url))
        async with certificates.running(await gate.manager(issuing.asking(good), *specs)) as watched:
            await watched.until(lambda: certificate_records.read_advice(gate.store, HOST) is not None)
            assert certificate_records.read_advice(gate.store, other) is None, "it is still waited for"
            assert watched.manager.busy
            END.set()


@pytest.mark.parametrize(
    "waits", ["99999999999999999999", "0", "-5", "Thu, 01 Jan 1970 00:00:00 GMT", "soon", "\u0663"]
)
def test_a_wait_that_makes_no_sense(gate: issuing.StateDirectory, waits: str) -> None:
    """Years are cut to a week when they are used (`renewal_time.hold_until`); what lies behind is no wait."""

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        send(handler, 503, b"", Retry_After=waits.encode().decode("latin-1"))

    with answering(answer) as url, pytest.raises(errors.RetryableError) as caught:
        acme_issuer.obtain(
            acme_issuer.Request(name=HOST, hosts=(HOST,), authority=model.Authority(directory=url)),
            store=gate.store,
            clock=gate.clock,
            stop=threading.Event(),
        )
    until = renewal_time.hold_until(gate.clock.now(), caught.value.retry_after_s)
    assert until == (gate.clock.now() + 7 * DAY if waits.startswith("999") else None)
