"""C3, C4, O6: a CA that asks to wait is left alone, one in trouble is blamed on nobody, and costs little."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import datetime
import http.server
import json
import pathlib
import threading

import pytest

from daemun import errors
from daemun.certs import certificate_manager
from daemun.certs.acme import acme_issuer
from daemun.certs.preflight import ca_directory
from daemun.core import doctor_findings, model
from daemun.core.issuance.preflight import ca_answers, facts
from tests.support import certificates, clock, http01, issuing, pebble, ports, serving

HOST = "a.example.com"
PROBLEM = "application/problem+json"
FAILING = model.CertificateState.FAILING


@dataclasses.dataclass(kw_only=True)
class Ca:
    """What it answers to requests that are signed; directory: to that for its directory, None: it is good."""

    status: int
    body: str = ""
    kind: str = "text/html"
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    is_directory_good: bool = True
    asked: int = 0
    url: str = ""


@contextlib.contextmanager
def running(ca: Ca) -> collections.abc.Iterator[Ca]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(200, "", {"Replay-Nonce": "bm9uY2U"})

        def do_GET(self) -> None:
            base = f"http://{self.headers['Host']}"
            if ca.is_directory_good:
                urls = {name: f"{base}/{name}" for name in ("newNonce", "newAccount", "newOrder")}
                self.answer(200, json.dumps(urls), {"Content-Type": "application/json"})
            else:
                self.refuse()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.refuse()

        def refuse(self) -> None:
            ca.asked += 1
            self.answer(ca.status, ca.body, {"Content-Type": ca.kind, **ca.headers})

        def answer(self, status: int, body: str, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with serving.in_thread(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        ca.url = f"http://127.0.0.1:{server.server_port}/dir"
        yield ca


def problem(code: str, detail: str = "") -> str:
    return json.dumps({"type": f"urn:ietf:params:acme:error:{code}", "detail": detail})


# --- C4 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ca",
    [
        Ca(status=503, body="<h1>503 Service Temporarily Unavailable</h1>"),
        Ca(status=503, body="<h1>maintenance</h1>", is_directory_good=False),
        Ca(status=503, body="", is_directory_good=False),
        Ca(status=503, body=problem("serverInternal", "down for maintenance"), kind=PROBLEM),
        Ca(status=503, body=problem("malformed", "Service busy; retry later."), kind=PROBLEM),
        Ca(status=500, body=problem("serverInternal", "Error creating new order"), kind=PROBLEM),
        Ca(status=502, body="<html>Bad gateway</html>", is_directory_good=False),
        Ca(status=504, body='{"message": "Endpoint request timed out"}', kind="application/json"),
        Ca(status=522, body="cloudflare", is_directory_good=False),
        Ca(status=429, body="<html>Too Many Requests</html>", is_directory_good=False),
    ],
    ids=lambda ca: f"{ca.status} {ca.kind}",
)
def test_c4_a_ca_in_trouble_is_said_to_be(gate: issuing.StateDirectory, ca: Ca) -> None:
    with running(ca):
        told = refused(gate, ca)
    assert f"the CA at {ca.url} is " in told
    assert f"(HTTP {ca.status}); nothing to do here, daemun tries again by itself" in told
    assert "acme.directory" not in told


@pytest.mark.parametrize(("status", "body"), [(404, "<h1>not found</h1>"), (200, "<h1>welcome</h1>"), (403, "no")])
def test_c4_what_is_no_ca_is_still_said_to_be_none(gate: issuing.StateDirectory, status: int, body: str) -> None:
    with running(Ca(status=status, body=body, is_directory_good=False)) as ca:
        assert "answers with something else than ACME" in refused(gate, ca)


def refused(gate: issuing.StateDirectory, ca: Ca) -> str:
    asked = model.Authority(directory=ca.url)
    with pytest.raises(errors.RetryableError) as caught:
        acme_issuer.obtain(
            acme_issuer.Request(name=HOST, hosts=(HOST,), authority=asked),
            store=gate.store,
            clock=gate.clock,
            stop=threading.Event(),
        )
    return str(caught.value)


@pytest.mark.parametrize("status", [429, 500, 503, 521])
async def test_c4_so_does_the_doctor(status: int) -> None:
    with running(Ca(status=status, is_directory_good=False)) as ca:
        asked = model.Authority(directory=ca.url)
        found = await ca_directory.fetch_directory(asked, clock.FakeClock())
        assert found.answer is facts.CaAnswer.IN_TROUBLE
        (finding,) = ca_answers.judge_ca(found, asked, clock.FakeClock().now())
        assert f"is in trouble or in maintenance (HTTP {status})" in finding.message


async def test_c4_the_next_try_is_known_and_waits_as_asked(gate: issuing.StateDirectory) -> None:
    with running(Ca(status=503, headers={"Retry-After": "3600"})) as ca:
        acme = issuing.asking(model.Authority(directory=ca.url))
        async with certificates.running(await gate.manager(acme, issuing.spec(HOST))) as watched:
            status = await watched.until_state(HOST, FAILING)
    assert status.next_attempt == gate.clock.now() + datetime.timedelta(hours=1)


# --- C3 --------------------------------------------------------------------------------------------------------------


def limited(retry_after: str = "7200") -> Ca:
    return Ca(status=429, body=problem("rateLimited", "too many"), kind=PROBLEM, headers={"Retry-After": retry_after})


async def test_c3_a_renewal_says_until_when_the_ca_asked_to_wait(gate: issuing.StateDirectory) -> None:
    with running(limited()) as ca:
        acme = issuing.asking(model.Authority(directory=ca.url))
        async with certificates.running(await gate.manager(acme, issuing.spec(HOST))) as watched:
            status = await watched.until_state(HOST, FAILING)
            until = gate.clock.now() + datetime.timedelta(hours=2)
            assert (status.held_until, status.next_attempt) == (until, until)
            with pytest.raises(errors.RetryableError, match=f"before {until:%Y-%m-%d %H:%M} UTC, as the CA asked"):
                watched.manager.renew(HOST)
            assert watched.status(HOST).reason == status.reason, "nothing is forgotten"
            asked = ca.asked
            assert watched.manager.renew(HOST, force=True)
            await watched.until(lambda: ca.asked > asked and not watched.manager.busy)

            finding = doctor_findings.judge_certificate(watched.status(HOST))
            assert "certs renew" not in (finding.cure or "")
            assert f"{until:%Y-%m-%d %H:%M UTC}, as the CA asked it to wait" in (finding.cure or "")

            gate.clock.advance(datetime.timedelta(hours=3))
            assert watched.manager.renew(HOST), "the wait is over"


async def test_c3_a_name_of_several_certificates_is_renewed_in_all_or_in_none(gate: issuing.StateDirectory) -> None:
    with running(limited()) as ca:
        acme = issuing.asking(model.Authority(directory=ca.url))
        local = dataclasses.replace(issuing.spec("a.test", HOST), mode=model.TlsMode.LOCAL)
        async with certificates.running(await gate.manager(acme, local, issuing.spec(HOST))) as watched:
            await watched.until_state(HOST, FAILING)
            before = watched.status("a.test").fingerprint
            with pytest.raises(errors.RetryableError):
                watched.manager.renew(HOST)
            await watched.manager.serve_stored(())  # whatever was asked for has its turn before the next answer
            assert not watched.manager.busy
            assert watched.status("a.test").fingerprint == before
            assert watched.manager.renew(HOST, force=True)
            await watched.until(lambda: watched.status("a.test").fingerprint != before)


async def test_c3_another_ca_is_asked_at_once_while_the_first_is_left_alone(gate: issuing.StateDirectory) -> None:
    with running(limited()) as first, running(Ca(status=500)) as second:
        acme = issuing.asking(model.Authority(directory=first.url), model.Authority(directory=second.url))
        async with certificates.running(await gate.manager(acme, issuing.spec(HOST))) as watched:
            status = await watched.until_state(HOST, FAILING)
            assert status.held_until is None
            counts = first.asked, second.asked
            assert watched.manager.renew(HOST)
            await watched.until(lambda: second.asked > counts[1] and not watched.manager.busy)
            assert first.asked == counts[0]


async def test_c3_a_failure_without_a_wait_is_tried_at_once(gate: issuing.StateDirectory) -> None:
    with running(Ca(status=503)) as ca:
        acme = issuing.asking(model.Authority(directory=ca.url))
        async with certificates.running(await gate.manager(acme, issuing.spec(HOST))) as watched:
            await watched.until_state(HOST, FAILING)
            asked = ca.asked
            assert watched.manager.renew(HOST)
            await watched.until(lambda: ca.asked > asked)


# --- O6 --------------------------------------------------------------------------------------------------------------

MINUTE = datetime.timedelta(minutes=1)
MANY = [issuing.spec(f"{number:03}.example.com") for number in range(100)]


class Rounds:
    """Lets a test wait until a manager has nothing to do."""

    def __init__(self) -> None:
        self._is_idle = asyncio.Event()
        self._certs: certificate_manager.Manager | None = None

    async def manager(
        self, gate: issuing.StateDirectory, acme: model.Acme, *specs: model.CertificateSpec
    ) -> certificate_manager.Manager:
        self._certs = await gate.manager(acme, *specs, wait=self._wait)
        return self._certs

    async def _wait(self, woken: asyncio.Event, _: datetime.datetime | None) -> None:
        assert self._certs is not None
        if not self._certs.busy and not woken.is_set():
            self._is_idle.set()
        await woken.wait()

    async def idle(self) -> None:
        assert self._certs is not None
        self._is_idle.clear()
        self._certs.wake()
        async with asyncio.timeout(30):
            await self._is_idle.wait()


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "3600"}], ids=["", "with Retry-After"])
async def test_o6_many_names_wait_together_for_a_ca_that_is_down(
    gate: issuing.StateDirectory, headers: dict[str, str]
) -> None:
    rounds = Rounds()
    with running(Ca(status=503, is_directory_good=False, headers=headers)) as ca:
        acme = issuing.asking(model.Authority(directory=ca.url))
        async with certificates.running(await rounds.manager(gate, acme, *MANY[:50])) as watched:
            await watched.until(lambda: any(one.state is FAILING for one in watched.manager.status()))
            await rounds.idle()
            at_first = ca.asked
            assert 1 <= at_first <= 16

            for spec in MANY[50:]:
                await watched.manager.add(spec)
            await rounds.idle()
            assert ca.asked == at_first, "names that are added cost no order"
            status = watched.status(MANY[-1].host)
            assert status.state is model.CertificateState.PENDING
            until = gate.clock.now() + (60 * MINUTE if headers else MINUTE)
            assert status.next_attempt == until
            waits = f"the CA at {ca.url} is down and will be asked again by itself"
            assert status.reason == f"{waits}; until then one of the local CA is served"
            assert status.held_until is None, "a person may ask at once"
            assert watched.manager.renew(MANY[-1].host)
            await watched.until(lambda: ca.asked == at_first + 1)
            await rounds.idle()

            asked = ca.asked
            gate.clock.advance(until - gate.clock.now())
            await rounds.idle()
            assert ca.asked == asked + 1, "one finds out for all"


async def test_o6_a_ca_that_is_back_serves_all_that_waited(
    gate: issuing.StateDirectory, tmp_path: pathlib.Path
) -> None:
    rounds = Rounds()
    with contextlib.ExitStack() as stack:
        listen = ports.free_port()
        port = stack.enter_context(http01.answering(gate.thumbprint))
        ca_file = tmp_path / "pebble.pem"
        acme = model.Acme(
            authorities=(model.Authority(directory=f"https://127.0.0.1:{listen}/dir", ca_file=str(ca_file)),)
        )
        pebble.write_certificates(tmp_path)
        (tmp_path / "ca.pem").rename(ca_file)
        async with certificates.running(await rounds.manager(gate, acme, *MANY[:20])) as watched:
            await watched.until(lambda: any(one.state is FAILING for one in watched.manager.status()))
            await rounds.idle()
            failing = [one for one in watched.manager.status() if one.state is FAILING]
            assert len(failing) <= 16
            ca = stack.enter_context(pebble.running_pebble(port, listen_port=listen))
            ca_file.write_bytes(ca.ca_file.read_bytes())
            gate.clock.advance(MINUTE)
            watched.manager.wake()
            for spec in MANY[:20]:
                await watched.until_state(spec.host, model.CertificateState.VALID)


async def test_o6_with_a_second_ca_only_the_first_is_left_out(gate: issuing.StateDirectory) -> None:
    rounds = Rounds()
    failing = Ca(status=500, body=problem("serverInternal"), kind=PROBLEM)
    with running(Ca(status=503, is_directory_good=False)) as first, running(failing) as second:
        acme = issuing.asking(model.Authority(directory=first.url), model.Authority(directory=second.url))
        async with certificates.running(await rounds.manager(gate, acme, *MANY)) as watched:
            await watched.until(lambda: all(one.state is FAILING for one in watched.manager.status()))
            await rounds.idle()
            assert 1 <= first.asked <= 16
            assert second.asked >= len(MANY)
            assert any(f"the CA at {first.url} is down; " in (one.reason or "") for one in watched.manager.status())


async def test_o6_a_ca_that_fails_with_one_order_holds_up_no_others(gate: issuing.StateDirectory) -> None:
    with running(Ca(status=500, body=problem("serverInternal"), kind=PROBLEM)) as ca:
        acme = issuing.asking(model.Authority(directory=ca.url))
        async with certificates.running(await gate.manager(acme, *MANY[:40])) as watched:
            await watched.until(lambda: all(one.state is FAILING for one in watched.manager.status()))
