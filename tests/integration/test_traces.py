"""What servers behind the gate receive of a trace, and what a collector receives of a request."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import http.client
import json
import pathlib
import threading

import pytest

from daemun.control import damage_report
from daemun.core import layout as layout_
from daemun.core import model
from daemun.core.options import catalogue, tracing_option, trusted_proxies_option
from daemun.traffic import span_feeder
from tests.support import clients, collector, echo, ports, receivers, rendered, sites

pytestmark = pytest.mark.nginx

TRUSTED, STRANGER = "127.0.0.2", "127.0.0.1"
TRACE, PARENT = "a" * 32, "b" * 16
SENT = f"00-{TRACE}-{PARENT}-01"


@dataclasses.dataclass(frozen=True)
class Gate:
    """The nginx under test, and a collector of what it logs. damage: what the status would report."""

    running: rendered.Running
    receiver: receivers.Receiver
    tracing: tracing_option.Tracing
    damage: damage_report.DamageReport
    dead: int

    def ask(self, *headers: tuple[str, str], source: str = STRANGER, path: str = "/") -> tuple[str, str]:
        """`traceparent` and `tracestate` as the server received them."""
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", self.running.http, timeout=60, source_address=(source, 0))
        ) as connection:
            connection.putrequest("GET", path, skip_host=True)
            for name, value in (("Host", "plain.test"), *headers):
                connection.putheader(name, value)
            connection.endheaders()
            said = echo.Said.parse(connection.getresponse().read())
        return said.headers["traceparent"], said.headers.get("tracestate", "")

    def wait(self, is_there: collections.abc.Callable[[collector.Received], bool]) -> collector.Received:
        """The first such span."""
        found = collector.wait_for(self.receiver, lambda spans: any(map(is_there, spans)))
        return next(filter(is_there, found))


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> collections.abc.Iterator[Gate]:
    folder = tmp_path_factory.mktemp("traces")
    (folder / "key").write_text("s3cret\n")
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(echo.echo_server("one"))
        websocket = stack.enter_context(echo.websocket_server())
        receiver = stack.enter_context(receivers.receiving())
        tracing = tracing_option.Tracing(
            endpoint=receiver.url,
            sample=tracing_option.EVERY,
            headers={"X-Key": model.Secret(file=str(folder / "key"))},
            service="front",
        )
        settings = model.Globals(
            options=catalogue.values(
                tracing_option.OPTION.set(tracing), trusted_proxies_option.OPTION.set((f"{TRUSTED}/32",))
            )
        )
        dead = ports.free_port()
        running = stack.enter_context(
            rendered.running(
                sites.site("plain.test", server.url, http=model.HttpMode.SERVE),
                sites.site(
                    "routes.test",
                    sites.route("/", server.url),
                    sites.route("/ws/", f"http://127.0.0.1:{websocket}"),
                    sites.route("/retried/", sites.proxy(f"http://127.0.0.1:{dead}", server.url)),
                    sites.route("/gone/", model.Respond(status=503)),
                ),
                settings=settings,
            )
        )
        damage = damage_report.DamageReport()
        stack.enter_context(feeding(running.layout, tracing, damage))
        yield Gate(running, receiver, tracing, damage, dead)


@contextlib.contextmanager
def feeding(
    layout: layout_.Layout, tracing: tracing_option.Tracing, damage: damage_report.DamageReport
) -> collections.abc.Iterator[None]:
    """What the daemon does with the lines, on a loop of its own."""
    with asyncio.Runner() as runner, contextlib.ExitStack() as stack:
        started = asyncio.Event()
        ended = asyncio.Event()
        loop = runner.get_loop()

        async def reopen() -> None:
            """nginx opens its logs anew."""

        async def live() -> None:
            feeder = span_feeder.SpanFeeder(layout, damage, reopen=reopen)
            feeder.configure(tracing)
            task = asyncio.create_task(feeder.run())
            started.set()
            await ended.wait()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

        thread = threading.Thread(target=runner.run, args=(live(),))
        thread.start()
        stack.callback(thread.join)
        stack.callback(lambda: loop.call_soon_threadsafe(ended.set))
        yield


def test_a_trace_begins_with_the_request(gate: Gate) -> None:
    sent, state = gate.ask(("traceparent", SENT), ("tracestate", "evil=1"), path="/begun?token=s3cret")
    version, trace, span, flags = sent.split("-")
    assert (version, flags, state) == ("00", "01", "")
    assert trace != TRACE, "a stranger's"
    server = gate.wait(lambda one: one.attributes.get("url.path") == "/begun")
    client = gate.wait(lambda one: one.parent == server.id)
    assert (server.trace, server.parent, server.kind, server.name) == (trace, "", "SERVER", "GET /")
    assert (client.trace, client.id, client.kind) == (trace, span, "CLIENT")
    assert server.attributes["daemun.request_id"] == trace
    assert server.attributes["http.response.status_code"] == client.attributes["http.response.status_code"] == 200
    assert server.resource["service.name"] == "front"
    assert server.start_ns <= client.start_ns <= client.end_ns <= server.end_ns
    assert "s3cret" not in str(server)
    assert {one.headers["x-key"] for one in gate.receiver.posts} == {"s3cret"}
    access_log = pathlib.Path(gate.running.layout.logs, "access.log")
    clients_ = collector.wait_for(gate.receiver, lambda _: f"request_id={trace}" in access_log.read_text())
    assert clients_


def test_the_trace_of_a_trusted_proxy_goes_on(gate: Gate) -> None:
    parts = (("tracestate", "a=1,b=2"), ("tracestate", "c@d=3"))
    sent, state = gate.ask(("traceparent", SENT), *parts, source=TRUSTED, path="/on")
    _, trace, span, flags = sent.split("-")
    assert (trace, flags) == (TRACE, "01")
    assert span != PARENT
    assert state == "a=1,b=2, c@d=3"
    server = gate.wait(lambda one: one.attributes.get("url.path") == "/on")
    assert (server.trace, server.parent) == (TRACE, PARENT)
    assert gate.wait(lambda one: one.parent == server.id).id == span


def test_what_a_trusted_proxy_does_not_sample_is_not_exported(gate: Gate) -> None:
    sent, _ = gate.ask(("traceparent", f"{SENT[:-2]}02"), source=TRUSTED, path="/unsampled")
    assert (sent[:36], sent[-3:]) == (f"00-{TRACE}-", "-00")
    gate.ask(path="/after-unsampled")
    gate.wait(lambda one: one.attributes.get("url.path") == "/after-unsampled")
    assert "/unsampled" not in str(collector.spans_of(gate.receiver.posts))


MALFORMED = (
    f"ff-{SENT[3:]}",
    f"{SENT}-more",
    SENT.upper(),
    f"00-{'0' * 32}-{PARENT}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    SENT[:-1],
    "\x80\xff" * 20,
    "x" * 4000,
)


def test_a_malformed_trace_is_never_passed_on(gate: Gate) -> None:
    for one in MALFORMED:
        sent, state = gate.ask(("traceparent", one), ("tracestate", "a=1"), source=TRUSTED)
        assert (TRACE not in sent, len(sent), sent[-3:], state) == (True, 55, "-01", ""), one
    twice, _ = gate.ask(("traceparent", SENT), ("traceparent", SENT), source=TRUSTED)
    assert TRACE not in twice
    later, _ = gate.ask(("traceparent", f"cc-{SENT[3:]}-what"), source=TRUSTED)
    assert later.startswith(f"00-{TRACE}-"), "a later version, of which we know the beginning"


def test_a_malformed_state_is_left_out(gate: Gate) -> None:
    for one in ("=", "", "x" * 600, "a=\x80"):
        sent, state = gate.ask(("traceparent", SENT), ("tracestate", one), source=TRUSTED)
        assert (sent[3:35], state) == (TRACE, ""), one


async def test_websockets(gate: Gate) -> None:
    async with clients.websocket(gate.running.clients, "routes.test", "/ws/x") as socket:
        greeting = json.loads(await socket.recv())
    trace = greeting["headers"]["traceparent"][3:35]
    server = await asyncio.to_thread(gate.wait, lambda one: one.trace == trace and one.kind == "SERVER")
    assert (server.name, server.attributes["http.response.status_code"]) == ("GET /ws/", 101)
    assert not server.is_error


def test_http2(gate: Gate) -> None:
    answer = gate.running.get("https://routes.test/two", http2=True)
    trace = echo.Said.parse(answer.content).headers["traceparent"][3:35]
    server = gate.wait(lambda one: one.trace == trace and one.kind == "SERVER")
    assert server.attributes["network.protocol.version"] == "2"
    assert server.attributes["url.scheme"] == "https"


def test_each_try_is_a_span(gate: Gate) -> None:
    for _ in range(4):
        answer = gate.running.get("https://routes.test/retried/x")
    assert answer.status_code == 200
    failed = gate.wait(lambda one: one.attributes.get("server.port") == gate.dead)
    assert failed.is_error
    assert failed.attributes["error.type"] == "no_answer"
    again = gate.wait(lambda one: one.parent == failed.parent and one.id != failed.id)
    assert (again.trace, again.attributes["http.request.resend_count"], again.is_error) == (failed.trace, 1, False)


def test_an_answer_of_the_gate_is_one_span(gate: Gate) -> None:
    assert gate.running.get("https://routes.test/gone/x").status_code == 503
    server = gate.wait(lambda one: one.attributes.get("url.path") == "/gone/x")
    assert (server.name, server.is_error, server.attributes["error.type"]) == ("GET /gone/", True, "503")
    assert not any(one.parent == server.id for one in collector.spans_of(gate.receiver.posts))


def test_a_gate_without_traces_leaves_them_alone() -> None:
    with echo.echo_server() as server, rendered.running(sites.site("plain.test", server.url)) as running:
        said = running.said("https://plain.test/", traceparent=SENT, tracestate="a=1")
        assert (said.headers["traceparent"], said.headers["tracestate"]) == (SENT, "a=1")
        used = "".join(content.decode() for content in running.files.values())
        assert "daemun_trace" not in used
        assert not pathlib.Path(running.layout.logs, "spans.log").exists()
