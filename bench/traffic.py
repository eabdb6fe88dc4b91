"""What traffic costs: requests, handshakes, WebSockets, large bodies, beside what people would take instead."""

import collections.abc
import contextlib
import dataclasses
import pathlib
import subprocess
import textwrap

from bench import contestants, figures, loads, pairs, plan, servers
from bench.proxies import caddy, daemun, envoy, haproxy, nginx
from bench.proxies import place as place_
from daemun.nginx import find_nginx, machine_limits
from tests.support import ports


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    name: str
    version: collections.abc.Callable[[place_.Place], str]
    run: collections.abc.Callable[[place_.Place], contextlib.AbstractContextManager[place_.Proxy]]


CONTESTANTS = (
    Contestant(name=daemun.NAME, version=daemun.version, run=daemun.run),
    Contestant(name=nginx.TUNED, version=nginx.version, run=nginx.run_tuned),
    Contestant(name=nginx.BLOG, version=nginx.version, run=nginx.run_blog),
    Contestant(name=caddy.NAME, version=caddy.version, run=caddy.run),
    Contestant(name=envoy.NAME, version=envoy.version, run=envoy.run),
    Contestant(name=haproxy.NAME, version=haproxy.version, run=haproxy.run),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of load. limits: contestant -> how many times its figure daemun may take."""

    what: str
    unit: str
    rate: str
    load: loads.Load
    limits: collections.abc.Mapping[str, float]


_THIRD = 1 / 3
_REQUESTS = {nginx.TUNED: 1.05, nginx.BLOG: _THIRD, caddy.NAME: _THIRD, envoy.NAME: _THIRD, haproxy.NAME: 1.0}
_HTTP2 = {name: most for name, most in _REQUESTS.items() if name != nginx.BLOG}
_MESSAGES = {nginx.TUNED: 1.05, caddy.NAME: _THIRD}

KINDS = (
    Kind(
        what="request over HTTP/1.1",
        unit="µs CPU a request",
        rate="requests/s",
        load=loads.requests_http,
        limits=_REQUESTS,
    ),
    Kind(
        what="request over HTTPS/1.1",
        unit="µs CPU a request",
        rate="requests/s",
        load=loads.requests_https,
        limits=_REQUESTS,
    ),
    Kind(
        what="request over HTTP/2",
        unit="µs CPU a request",
        rate="requests/s",
        load=loads.requests_http2,
        limits=_HTTP2,
    ),
    Kind(
        what="full TLS handshake",
        unit="µs CPU a handshake",
        rate="handshakes/s",
        load=loads.handshakes,
        limits={nginx.TUNED: 1.05, nginx.BLOG: 1 / 8},
    ),
    Kind(
        what="WebSocket message of 64 B",
        unit="µs CPU a message and its echo",
        rate="messages/s",
        load=loads.messages(64),
        limits=_MESSAGES,
    ),
    Kind(
        what="WebSocket message of 16 kB",
        unit="µs CPU a message and its echo",
        rate="messages/s",
        load=loads.messages(16384),
        limits=_MESSAGES,
    ),
    Kind(
        what="download of 100 MB",
        unit="µs CPU a MB",
        rate="MB/s",
        load=loads.download,
        limits={nginx.TUNED: 1.1},
    ),
    Kind(
        what="upload of 100 MB",
        unit="µs CPU a MB",
        rate="MB/s",
        load=loads.upload,
        limits={nginx.TUNED: 1.1},
    ),
)
IDLE = "idle WebSocket"
OTHER = "other-nginx"
"""How a section is named that was measured with a given nginx."""
_SOCKETS = 5000
_ABOUT = """\
Everything is on one machine and on loopback: the programs that make load (wrk, h2load, and clients of the benchmark's
own for handshakes, WebSockets and large bodies), the contestants, and the servers behind them (an nginx that answers
with 117 bytes, a WebSocket echo, a sink for uploads), the same for all. What counts is the CPU time, user and system,
that the processes of a contestant took for one request, daemun's Python among them. Contestants take turns in each
round. WebSockets, handshakes and bodies are over TLS 1.3.

- daemun has its defaults, which means an access log, requests that wait for a server, and its own headers; the
  certificate is the one that the others have (ECDSA P-256). Its connections and requests take memory in pieces of one
  size, which spares an nginx on musl system calls.
- "nginx, hand-tuned" is the same nginx binary with as many workers, kept connections to the servers, a session cache,
  HTTP/2 and four headers for the servers. It writes no access log, waits for no server, checks no forwarded headers,
  and knows nothing of `Host` and the name in the handshake differing. The last column of the targets is what they come
  to for it: how far stock nginx goes without any of that.
- "nginx as in blogs" is the same binary with one worker, an RSA key of 4,096 bits, three headers, an access log as
  nginx has it, and no kept connections, which is what nginx before 1.29.7 does.
- Caddy, Envoy and HAProxy have as many threads as there are cores, HTTP/2, the same certificate, and no access log.

Over HTTP/2, nginx writes to the client once for each answer that it buffers, and twice for one that passes as it comes,
as all do with daemun: the end is a frame of its own, even where it came with all the rest. That is 3 to 6 µs of a
request. Of nginx's settings, `http2_chunk_size`, `http2_body_preread_size` and `http2_recv_buffer_size` were tried with
daemun, and none made a difference."""


def measure(planned: plan.Plan) -> figures.Section:
    """Raises: LoadError, StartError when a contestant does not do its work."""
    binary = find_nginx.find(planned.nginx).path
    with contextlib.ExitStack() as stack:
        behind = stack.enter_context(servers.running(_folder(planned.folder, "servers"), binary))
        house = _House(planned, binary, behind)
        measured = _rounds(planned, house)
        memory = _idle(planned, house)
        rows = [_row(kind, measured) for kind in KINDS]
        rows.insert(6, memory)
        section = figures.Section(
            name="traffic",
            title="Traffic",
            about=_ABOUT,
            rows=tuple(rows),
            versions=house.versions,
            notes=tuple(house.notes),
            limit=nginx.TUNED,
        )
        return section if planned.nginx is None else _of_another(section, binary)


def _of_another(section: figures.Section, binary: str) -> figures.Section:
    """The section stands beside that of the nginx that daemun would choose."""
    told = subprocess.run([binary, "-V"], capture_output=True, text=True, check=True).stderr
    built = "".join(f"    {line}\n" for text in told.strip().splitlines() for line in textwrap.wrap(text, 110))
    return dataclasses.replace(
        section,
        name=f"{section.name}-{OTHER}",
        title=f"{section.title}, with another nginx",
        about=f"The same as above, with another nginx for daemun and for both by hand. It says of itself:\n\n{built}",
    )


class _House:
    """Starts contestants, each time with ports and a folder of its own."""

    def __init__(self, planned: plan.Plan, binary: str, behind: servers.Servers) -> None:
        self._folder = planned.folder
        self._binary = binary
        self._behind = behind
        self._count = 0
        self._ecdsa = pairs.ecdsa(planned.folder)
        self._rsa = pairs.rsa_4096(planned.folder)
        self.versions: dict[str, str] = {}
        self.notes: list[str] = []

    def place(self) -> place_.Place:
        self._count += 1
        return place_.Place(
            folder=_folder(self._folder, f"c{self._count}"),
            http=ports.free_port(),
            https=ports.free_port(),
            app=self._behind.app,
            echo=self._behind.echo,
            sink=self._behind.sink,
            ecdsa=self._ecdsa,
            rsa=self._rsa,
            nginx=self._binary,
            cores=machine_limits.count_cores(),
        )

    def start(self, contestant: Contestant, stack: contextlib.ExitStack) -> place_.Proxy | None:
        """None, and a note, when it is not installed."""
        place = self.place()
        try:
            self.versions[contestant.name] = contestant.version(place)
        except contestants.MissingError as error:
            note = f"{contestant.name} was not measured: {error}."
            if note not in self.notes:
                self.notes.append(note)
                plan.tell(note)
            return None
        return stack.enter_context(contestant.run(place))


def _folder(within: pathlib.Path, name: str) -> pathlib.Path:
    made = within / name
    made.mkdir()
    made.chmod(0o777)  # workers of some contestants run under an account of their own
    return made


_Measured = dict[str, dict[str, list[loads.Loaded]]]
"""What was loaded -> contestant -> one for each round."""


def _rounds(planned: plan.Plan, house: _House) -> _Measured:
    """All contestants run all the time, and are loaded in turn: there and back, so that a machine that gets slower or
    faster meanwhile does so for all of them."""
    measured: _Measured = {kind.what: {} for kind in KINDS}
    with contextlib.ExitStack() as stack:
        proxies = [proxy for one in CONTESTANTS if (proxy := house.start(one, stack)) is not None]
        amount = loads.Amount(seconds=0.3 if planned.quick else 1, folder=planned.folder)
        for number in range(planned.rounds):
            for kind in KINDS:
                for name, loaded in _turns(kind, proxies, amount, back=not planned.quick).items():
                    measured[kind.what].setdefault(name, []).append(loaded)
                told = ", ".join(f"{name} {found[-1].cpu_us:.1f}" for name, found in measured[kind.what].items())
                plan.tell(f"round {number + 1}: {kind.what}, {kind.unit}: {told}")
    return measured


def _turns(
    kind: Kind, proxies: collections.abc.Sequence[place_.Proxy], amount: loads.Amount, *, back: bool
) -> dict[str, loads.Loaded]:
    parts: dict[str, list[loads.Loaded]] = {}
    for proxy in (*proxies, *(reversed(proxies) if back else ())):
        parts.setdefault(proxy.name, []).append(kind.load(proxy, amount))
    return {name: loads.together(found) for name, found in parts.items()}


def _row(kind: Kind, measured: _Measured) -> figures.Row:
    found = measured[kind.what]
    return figures.Row(
        what=kind.what,
        unit=kind.unit,
        series={name: tuple(one.cpu_us for one in loaded) for name, loaded in found.items()},
        beside={
            kind.rate: {name: tuple(one.rate for one in loaded) for name, loaded in found.items()},
            "p99 ms": {name: tuple(one.p99_ms for one in loaded) for name, loaded in found.items()},
        },
        targets=tuple(figures.Target(most=most, subject=daemun.NAME, of=name) for name, most in kind.limits.items()),
    )


def _idle(planned: plan.Plan, house: _House) -> figures.Row:
    """A contestant starts anew for this, as memory that it took earlier may be used again."""
    sockets = 500 if planned.quick else _SOCKETS
    series = {}
    for contestant in CONTESTANTS:
        with contextlib.ExitStack() as stack:
            proxy = house.start(contestant, stack)
            if proxy is not None:
                series[proxy.name] = (loads.idle_kb(proxy, sockets),)
                plan.tell(f"{IDLE}: {proxy.name} {series[proxy.name][0]:.1f} kB")
    limits = {nginx.TUNED: 1.05, caddy.NAME: _THIRD}
    return figures.Row(
        what=f"{IDLE}, of {sockets:,}",
        unit="kB a socket",
        series=series,
        targets=tuple(figures.Target(most=most, subject=daemun.NAME, of=name) for name, most in limits.items()),
    )
