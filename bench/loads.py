"""Load on one contestant for a while: what was asked, how fast, and what the proxy's processes took for it."""

import collections.abc
import dataclasses
import json
import pathlib
import re
import statistics
import subprocess
import sys

from bench import contestants, processes, servers, variations
from bench.proxies import place

_THREADS = 2
_REQUESTS = 900
_MOST_BYTES = 400_000_000
"""Of the answers of one run of h2load, so that large ones do not take longer than small ones."""
_WEBSOCKETS = 64
_LONGEST_S = 120.0


class LoadError(Exception):
    """Requests failed, so that the figures mean nothing."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a program that makes load says. rate: a second. p99_ms: of the time one took."""

    count: int
    rate: float
    p99_ms: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """cpu_s: what the proxy took for all of `count`."""

    cpu_s: float
    count: float
    rate: float
    p99_ms: float

    @property
    def cpu_us(self) -> float:
        """For one."""
        return self.cpu_s * 1e6 / self.count


def together(parts: collections.abc.Sequence[Loaded]) -> Loaded:
    """Several loads of one contestant as one."""
    return Loaded(
        cpu_s=sum(part.cpu_s for part in parts),
        count=sum(part.count for part in parts),
        rate=statistics.mean(part.rate for part in parts),
        p99_ms=statistics.mean(part.p99_ms for part in parts),
    )


Load = collections.abc.Callable[[place.Proxy, "Amount"], Loaded]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """seconds: how long, about. folder: for logs of the load."""

    seconds: float
    folder: pathlib.Path


def _measured(proxy: place.Proxy, load: collections.abc.Callable[[], Told], *, parts: float = 1.0) -> Loaded:
    """parts: how many of what is counted one thing has, such as MB of a file."""
    family = processes.family(*proxy.roots)
    before_s = processes.cpu_s(family)
    try:
        told = load()
    except LoadError as error:
        raise LoadError(f"{proxy.name}: {error}") from error
    used_s = processes.cpu_s(family) - before_s
    if told.count == 0:
        raise LoadError(f"{proxy.name} answered nothing")
    return Loaded(cpu_s=used_s, count=told.count * parts, rate=told.rate * parts, p99_ms=told.p99_ms)


def _run(command: collections.abc.Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_S, check=False)
    if done.returncode != 0:
        raise LoadError(f"{' '.join(command)} failed: {(done.stdout + done.stderr)[-1000:]}")
    return done.stdout


# --- requests --------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How requests are made. options: h2load's. connections: each with `streams` requests at a time."""

    name: str
    is_tls: bool
    options: tuple[str, ...] = ()
    connections: int = 32
    streams: int = 1


HTTP1 = Protocol(name="HTTP/1.1", is_tls=False, options=("--h1",))
HTTPS1 = Protocol(name="HTTPS/1.1", is_tls=True, options=("--h1",))
HTTP2 = Protocol(name="HTTP/2", is_tls=True, connections=16, streams=8)


def requests(protocol: Protocol, variation: variations.Variation, proxy: place.Proxy, amount: Amount) -> Loaded:
    return _measured(proxy, lambda: _h2load(protocol, variation, proxy, amount))


def _h2load(protocol: Protocol, variation: variations.Variation, proxy: place.Proxy, amount: Amount) -> Told:
    """Again and again: nginx closes a connection after 1,000 requests where nothing else is said, and h2load opens no
    other one."""
    program = contestants.debian("h2load", "nghttp2-client")
    log = amount.folder / "h2load.log"
    port = proxy.https if protocol.is_tls else proxy.http
    requests_each = max(20, min(_REQUESTS, _MOST_BYTES // (variations.SIZES[variation.size] * protocol.connections)))
    command = [
        program,
        *protocol.options,
        f"-t{_THREADS}",
        f"-c{protocol.connections}",
        f"-m{protocol.streams}",
        f"-n{protocol.connections * requests_each}",
        f"--connect-to=127.0.0.1:{port}",
        f"--log-file={log}",
        *(f"-H{line}" for line in (*variation.lines, *proxy.headers)),
        f"{'https' if protocol.is_tls else 'http'}://{proxy.host}:{port}{variation.path}",
    ]
    times_us: list[int] = []
    took_s = 0.0
    while took_s < amount.seconds:
        log.unlink(missing_ok=True)
        one_s, these_us = read_h2load(_run(command), log.read_text(), "h2" if protocol is HTTP2 else "http/1.1")
        took_s += one_s
        times_us += these_us
    times_us.sort()
    p99_ms = times_us[int(len(times_us) * 0.99)] / 1000
    return Told(count=len(times_us), rate=len(times_us) / took_s, p99_ms=p99_ms)


def read_h2load(said: str, log: str, protocol: str) -> tuple[float, list[int]]:
    """How long it took, s, and the time of each request, µs.

    log: a line for each answer: when, status, µs. protocol: as h2load calls it. Raises: LoadError when requests failed.
    """
    took = re.search(r"finished in ([\d.]+)(us|ms|s),", said)
    lines = [line.split("\t") for line in log.splitlines()]
    if f"Application protocol: {protocol}\n" not in said or took is None or not lines:
        raise LoadError(f"cannot read what h2load says: {said}")
    if " 0 failed, 0 errored, 0 timeout" not in said or any(status != "200" for _, status, _ in lines):
        raise LoadError(f"h2load met errors: {said}")
    times_us = [int(took_us) for _, _, took_us in lines]
    return float(took.group(1)) * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[took.group(2)], times_us


# --- own clients -----------------------------------------------------------------------------------------------


def handshakes(proxy: place.Proxy, amount: Amount) -> Loaded:
    return _measured(proxy, lambda: _at_once(2, "handshakes", str(proxy.https), str(amount.seconds)))


def download(proxy: place.Proxy, amount: Amount) -> Loaded:
    """CPU and rate are those of a MB."""
    return _measured(proxy, lambda: _at_once(1, "download", str(proxy.https), "1"), parts=servers.FILE_MB)


def upload(proxy: place.Proxy, amount: Amount) -> Loaded:
    return _measured(proxy, lambda: _at_once(1, "upload", str(proxy.https), "1"), parts=servers.FILE_MB)


def messages(size: int) -> Load:
    """size: bytes of a message."""

    def load(proxy: place.Proxy, amount: Amount) -> Loaded:
        arguments = ("messages", str(proxy.https), str(amount.seconds), str(_WEBSOCKETS), str(size))
        with _Client(*arguments) as client:
            client.ready()
            return _measured(proxy, client.go)

    return load


def idle_kb(proxy: place.Proxy, sockets: int) -> float:
    """What one open WebSocket holds of the proxy's memory, kB."""
    parts = 2
    family = processes.family(*proxy.roots)
    before_kb = processes.memory_kb(family)
    clients = [_Client("idle", str(proxy.https), str(sockets // parts)) for _ in range(parts)]
    try:
        for client in clients:
            client.ready()
        taken_kb = processes.memory_kb(processes.family(*proxy.roots)) - before_kb
        count = sum(client.go().count for client in clients)
    finally:
        for client in clients:
            client.end()
    return taken_kb / count


def _at_once(clients: int, *arguments: str) -> Told:
    """Several clients at once, as one."""
    started = [_Client(*arguments) for _ in range(clients)]
    try:
        told = [client.told() for client in started]
    finally:
        for client in started:
            client.end()
    return Told(
        count=sum(one.count for one in told),
        rate=sum(one.rate for one in told),
        p99_ms=max(one.p99_ms for one in told),
    )


class _Client:
    """`bench.clients` as a process; it may wait at "ready" until it is told to go."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.clients", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "_Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def ready(self) -> None:
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            self._fail()

    def go(self) -> Told:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self.told()

    def told(self) -> Told:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._fail()
        given = json.loads(line)
        return Told(count=given["count"], rate=given["rate"], p99_ms=given["p99"])

    def _fail(self) -> None:
        self._process.kill()
        _, said = self._process.communicate()
        raise LoadError(f"the client {' '.join(self._arguments)} failed: {said[-1000:]}")

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()
