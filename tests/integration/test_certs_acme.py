"""Certificates from Pebble, Let's Encrypt's ACME test server; challenges are answered as nginx does it."""

import collections.abc
import contextlib
import datetime
import email.utils
import http.server
import json
import threading

import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from daemun import errors
from daemun.certs.acme import acme_accounts, acme_issuer
from daemun.certs.served import certificate_records, local_ca
from daemun.core import model
from daemun.store import memory_store
from tests.support import certificates, http01, issuing, pebble, ports, serving

pytestmark = pytest.mark.pebble

VALID, FAILING = model.CertificateState.VALID, model.CertificateState.FAILING
MINUTE, DAY = datetime.timedelta(minutes=1), datetime.timedelta(days=1)


def asking(ca: pebble.Pebble, mail: str | None = "me@example.com") -> model.Acme:
    return issuing.asking(issuing.authority(ca, email=mail))


def request(ca: pebble.Pebble, *hosts: str) -> acme_issuer.Request:
    return acme_issuer.Request(name=hosts[0], hosts=hosts, authority=asking(ca).authorities[0])


# --- what goes well ------------------------------------------------------------------------------------------------


async def test_a_certificate_replaces_the_local_one_by_itself(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    certs = await gate.manager(asking(ca), issuing.spec("a.example.com", "www.a.example.com"))
    before = gate.leaf("a.example.com")
    async with certificates.running(certs) as watched:
        status = await watched.until_state("a.example.com", VALID)
    assert status.issuer is not None
    assert status.issuer.startswith("Pebble Intermediate CA")
    assert (status.reason, status.next_attempt) == (None, None)
    assert status.not_before is not None
    assert status.not_after is not None
    assert status.renew_at == status.not_after - (status.not_after - status.not_before) / 3

    found = gate.bundle("a.example.com")
    assert found.leaf != before
    key = found.leaf.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)
    root = x509.load_pem_x509_certificate(ca.root_pem())
    for name in ("a.example.com", "www.a.example.com"):
        assert found.missing([name]) == ()
    assert found.chain[-1].issuer == root.subject
    for signed, issuer in zip(found.chain, (*found.chain[1:], root), strict=True):
        signed.verify_directly_issued_by(issuer)


async def test_a_restart_orders_nothing_and_one_account_serves_all(
    gate: issuing.StateDirectory, ca: pebble.Pebble
) -> None:
    async with certificates.running(await gate.manager(asking(ca), issuing.spec("a.example.com"))) as watched:
        await watched.until_state("a.example.com", VALID)
    both = (issuing.spec("a.example.com"), issuing.spec("b.example.com"))
    async with certificates.running(await gate.manager(asking(ca), *both)) as watched:
        await watched.until_state("b.example.com", VALID)
        assert watched.status("a.example.com").state is VALID
    assert ca.orders == 2
    assert ca.requests("sign-me-up") == 1


async def test_an_alias_more_gets_a_new_certificate(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    certs = await gate.manager(asking(ca), issuing.spec("a.example.com"))
    async with certificates.running(certs) as watched:
        await watched.until_state("a.example.com", VALID)
        await certs.prepare([issuing.spec("a.example.com", "b.example.com")])
        await certs.confirm()
        assert watched.status("a.example.com").state is model.CertificateState.PENDING
        await watched.until_state("a.example.com", VALID)
    found = gate.bundle("a.example.com")
    assert found.missing(["a.example.com", "b.example.com"]) == ()


async def test_renewed_when_a_third_of_the_lifetime_is_left(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    then = gate.clock.now() - 59 * DAY
    old = local_ca.load_or_create(memory_store.MemoryStore(), then).issue(["a.example.com"], then)
    certificate_records.write_issued(
        gate.store,
        certificate_records.issued_key("a.example.com"),
        certificate_records.Issued(directory=ca.directory, bundle=old),
    )
    certs = await gate.manager(asking(ca), issuing.spec("a.example.com"))
    async with certificates.running(certs) as watched:
        assert watched.status("a.example.com").state is VALID
        assert gate.leaf("a.example.com") == old.leaf
        gate.clock.advance(2 * DAY)
        certs.wake()
        await watched.until(lambda: gate.leaf("a.example.com") != old.leaf)
        await watched.until_state("a.example.com", VALID)
    assert ca.orders == 1


async def test_renewed_on_request(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    certs = await gate.manager(asking(ca), issuing.spec("a.example.com"))
    async with certificates.running(certs) as watched:
        await watched.until_state("a.example.com", VALID)
        before = gate.leaf("a.example.com")
        assert certs.renew("a.example.com")
        await watched.until(lambda: gate.leaf("a.example.com") != before)
    assert ca.orders == 2


async def test_an_ip_address_is_a_name_like_others(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    async with certificates.running(await gate.manager(asking(ca), issuing.spec("127.0.0.1"))) as watched:
        await watched.until_state("127.0.0.1", VALID)


async def test_half_of_all_nonces_refused(gate: issuing.StateDirectory) -> None:
    with (
        http01.answering(gate.thumbprint) as port,
        pebble.running_pebble(port, nonce_reject_percent=50) as ca,
    ):
        async with certificates.running(await gate.manager(asking(ca), issuing.spec("a.example.com"))) as watched:
            await watched.until_state("a.example.com", VALID)
        assert ca.orders == 1


async def test_the_ca_is_told_of_a_new_email_address(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    certs = await gate.manager(asking(ca, "old@example.com"), issuing.spec("a.example.com"))
    async with certificates.running(certs) as watched:
        await watched.until_state("a.example.com", VALID)
        told = ca.requests("my-account")
        certs.configure(asking(ca, "new@example.com"))
        await certs.prepare([issuing.spec("a.example.com"), issuing.spec("b.example.com")])
        await certs.confirm()
        await watched.until_state("b.example.com", VALID)
    assert ca.requests("my-account") == told + 1
    registration = acme_accounts.read_registration(gate.store, ca.directory)
    assert registration is not None
    assert registration.email == "new@example.com"


async def test_a_ca_that_forgot_the_account_gets_a_new_one(gate: issuing.StateDirectory) -> None:
    with http01.answering(gate.thumbprint) as port:
        listen = ports.free_port()
        for host in ("a.example.com", "b.example.com"):
            with pebble.running_pebble(port, listen_port=listen) as ca:
                async with certificates.running(await gate.manager(asking(ca), issuing.spec(host))) as watched:
                    await watched.until_state(host, VALID)


# --- going on after a kill -----------------------------------------------------------------------------------------


async def test_a_daemun_killed_right_after_ordering_goes_on_with_that_order(
    gate: issuing.StateDirectory, ca: pebble.Pebble
) -> None:
    store = issuing.StoreThatStops(gate)
    with pytest.raises(errors.RetryableError, match="the next start goes on"):
        acme_issuer.obtain(request(ca, "a.example.com"), store=store, clock=gate.clock, stop=store.stop)
    await assert_continued(gate, ca)


async def test_a_daemun_killed_while_the_ca_validates_goes_on_with_that_order(gate: issuing.StateDirectory) -> None:
    stop = threading.Event()
    with (
        http01.answering(gate.thumbprint, on_request=stop.set) as port,
        pebble.running_pebble(port) as ca,
    ):
        with pytest.raises(errors.RetryableError, match="the next start goes on"):
            acme_issuer.obtain(request(ca, "a.example.com"), store=gate.store, clock=gate.clock, stop=stop)
        await assert_continued(gate, ca)


async def test_a_daemun_killed_before_it_stored_the_certificate_fetches_it_again(
    gate: issuing.StateDirectory, ca: pebble.Pebble
) -> None:
    lost = acme_issuer.obtain(request(ca, "a.example.com"), store=gate.store, clock=gate.clock, stop=threading.Event())
    await assert_continued(gate, ca)
    assert gate.leaf("a.example.com") == lost.bundle.leaf


async def assert_continued(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    """A new manager on the same store ends the order that is there, and makes no other."""
    order = certificate_records.read_order(gate.store, "a.example.com")
    assert order is not None
    async with certificates.running(await gate.manager(asking(ca), issuing.spec("a.example.com"))) as watched:
        await watched.until_state("a.example.com", VALID)
    assert ca.orders == 1
    found = gate.bundle("a.example.com")
    assert found.key_pem == order.key_pem
    assert certificate_records.read_order(gate.store, "a.example.com") is None


async def test_an_order_for_other_names_is_not_continued(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    acme_issuer.obtain(request(ca, "a.example.com"), store=gate.store, clock=gate.clock, stop=threading.Event())
    wanted = issuing.spec("a.example.com", "b.example.com")
    async with certificates.running(await gate.manager(asking(ca), wanted)) as watched:
        await watched.until_state("a.example.com", VALID)
    assert ca.orders == 2


# --- what goes wrong -----------------------------------------------------------------------------------------------


async def test_failures_are_told_in_words_and_tried_again_on_the_ladder(
    gate: issuing.StateDirectory, ca: pebble.Pebble
) -> None:
    ca.break_dns("a.example.com")
    start = gate.clock.now()
    with structlog.testing.capture_logs() as logs:
        async with certificates.running(await gate.manager(asking(ca), issuing.spec("a.example.com"))) as watched:
            status = await watched.until_state("a.example.com", FAILING)
            assert status.reason is not None
            assert status.reason.startswith('cannot validate "a.example.com": the CA finds no address for it in DNS')
            assert status.next_attempt == start + MINUTE
            gate.clock.advance(MINUTE)
            watched.manager.wake()
            await watched.until(lambda: watched.status("a.example.com").next_attempt == start + 11 * MINUTE)
        # The ladder is kept across a restart, and nothing is asked before its time.
        async with certificates.running(await gate.manager(asking(ca), issuing.spec("a.example.com"))) as watched:
            assert watched.status("a.example.com").state is FAILING
            assert watched.status("a.example.com").next_attempt == start + 11 * MINUTE
            assert ca.orders == 2
            # A person who repaired it need not wait.
            ca.repair_dns("a.example.com")
            assert watched.manager.renew("a.example.com")
            await watched.until_state("a.example.com", VALID)
    assert ca.orders == 3
    assert "PRIVATE KEY" not in repr(logs)
    assert gate.thumbprint not in repr(logs)
    assert gate.store.list("certs") == [f"certs/a.example.com/{name}.json" for name in ("certificate", "renewal")]


async def test_the_ladder_starts_anew_when_the_names_change(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    ca.break_dns("b.example.com")
    certs = await gate.manager(asking(ca), issuing.spec("a.example.com", "b.example.com"))
    async with certificates.running(certs) as watched:
        await watched.until_state("a.example.com", FAILING)
        await certs.prepare([issuing.spec("a.example.com")])
        await certs.confirm()
        await watched.until_state("a.example.com", VALID)


async def test_a_name_that_fails_does_not_hold_up_another(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    ca.break_dns("bad.example.com")
    specs = (issuing.spec("bad.example.com"), issuing.spec("good.example.com"))
    async with certificates.running(await gate.manager(asking(ca), *specs)) as watched:
        await watched.until_state("good.example.com", VALID)
        await watched.until_state("bad.example.com", FAILING)
        assert watched.status("good.example.com").state is VALID
    assert gate.leaf("bad.example.com")


async def test_every_name_that_fails_is_named(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    ca.break_dns("a.example.com")
    ca.break_dns("b.example.com")
    message = refused(gate, request(ca, "a.example.com", "b.example.com", "c.example.com"))
    assert 'cannot validate "a.example.com"' in message or 'cannot validate "b.example.com"' in message
    assert '"c.example.com"' not in message


def test_nothing_listens_on_port_80(gate: issuing.StateDirectory) -> None:
    with pebble.running_pebble(ports.free_port()) as ca:
        message = refused(gate, request(ca, "a.example.com"))
    assert 'cannot validate "a.example.com": nothing accepts the CA\'s connection to port 80 there; open' in message
    assert "connection refused" in message


def test_another_server_answers_on_port_80(gate: issuing.StateDirectory) -> None:
    with http01.answering("someone-else") as port, pebble.running_pebble(port) as ca:
        message = refused(gate, request(ca, "a.example.com"))
    assert "another server than this daemun answers the CA on port 80; check" in message


def test_a_name_the_ca_does_not_take(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    message = refused(gate, request(ca, "under_score.example.com"))
    assert message.startswith('cannot get a certificate for "under_score.example.com": the CA refused (malformed)')
    assert "illegal character" in message


@pytest.mark.parametrize(
    ("directory", "ca_file", "message"),
    [
        ("https://127.0.0.1:{closed}/dir", None, "cannot be reached (Connection refused); check `acme.directory`"),
        ("https://no-such-name.invalid/dir", None, "cannot be reached ("),
        ("{directory}", None, "is not trusted; if it is a private CA, give its root as `acme.ca_file`"),
        ("{directory}", "/no/such/file.pem", "`acme.ca_file` (/no/such/file.pem) cannot be read"),
        ("{directory}", __file__, f"`acme.ca_file` ({__file__})"),
        ("http://127.0.0.1:{http}/dir", None, "answers with something else than ACME (HTTP 404)"),
    ],
)
def test_a_directory_that_cannot_be_used(
    gate: issuing.StateDirectory, directory: str, ca_file: str | None, message: str
) -> None:
    with http01.answering(gate.thumbprint) as port, pebble.running_pebble(port) as ca:
        url = directory.format(closed=ports.free_port(), http=port, directory=ca.directory)
        authority = model.Authority(directory=url, ca_file=ca_file)
        found = refused(gate, acme_issuer.Request(name="a", hosts=("a.example.com",), authority=authority))
    assert found.startswith('cannot get a certificate for "a.example.com": ')
    assert message in found


def refused(gate: issuing.StateDirectory, wanted: acme_issuer.Request) -> str:
    with pytest.raises(errors.RetryableError) as caught:
        acme_issuer.obtain(wanted, store=gate.store, clock=gate.clock, stop=threading.Event())
    assert certificate_records.read_order(gate.store, wanted.name) is None
    return str(caught.value)


@pytest.mark.parametrize(
    ("retry_after", "expected_s"), [("7200", 7200.0), ("{date}", 7200.0), ("soon", None), (None, None)]
)
def test_a_rate_limit_says_when_to_come_back(
    gate: issuing.StateDirectory, retry_after: str | None, expected_s: float | None
) -> None:
    """Pebble has no rate limits, so a server that only knows them answers here."""
    moment = gate.clock.now() + datetime.timedelta(seconds=7200)
    value = retry_after and retry_after.format(date=email.utils.format_datetime(moment, usegmt=True))
    with rate_limiting(value) as directory, pytest.raises(errors.RetryableError, match="rate limit") as caught:
        wanted = acme_issuer.Request(name="a", hosts=("a.example.com",), authority=model.Authority(directory=directory))
        acme_issuer.obtain(wanted, store=gate.store, clock=gate.clock, stop=threading.Event())
    assert caught.value.retry_after_s == expected_s
    assert "too many certificates" in str(caught.value)


@contextlib.contextmanager
def rate_limiting(retry_after: str | None) -> collections.abc.Iterator[str]:
    """An ACME server that refuses every POST. Yields its directory URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Replay-Nonce", "bm9uY2U")
            self.end_headers()

        def do_GET(self) -> None:
            base = f"http://{self.headers['Host']}"
            self.answer(200, {"newNonce": f"{base}/nonce", "newAccount": f"{base}/account"})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            problem = {"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many certificates"}
            self.answer(429, problem)

        def answer(self, status: int, value: dict[str, str]) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if status == 200 else "application/problem+json")
            self.send_header("Content-Length", str(len(body)))
            if retry_after and status != 200:
                self.send_header("Retry-After", retry_after)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with serving.in_thread(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield f"http://127.0.0.1:{server.server_port}/dir"
