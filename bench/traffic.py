"""What traffic costs: requests, handshakes, WebSockets, large bodies, beside what people would take instead."""

import collections.abc
import contextlib
import dataclasses
import functools
import time

from bench import figures, house, loads, plan, servers, turns, variations
from bench.proxies import caddy, daemun, envoy, haproxy, nginx
from bench.proxies import place as place_


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of load. limits: what daemun's figure may be, of whichever nginx."""

    what: str
    unit: str
    rate: str
    load: loads.Load
    limits: tuple[figures.Target, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """Requests of one protocol, in all variations."""

    protocol: loads.Protocol
    limits: tuple[figures.Target, ...]

    @property
    def what(self) -> str:
        return f"request over {self.protocol.name}"


_THIRD = 1 / 3


def _at_most(
    limits: collections.abc.Mapping[str, float], bundled: collections.abc.Mapping[str, float] | None = None
) -> tuple[figures.Target, ...]:
    """limits: contestant -> how many times its figure daemun may take, in the median; bundled: on the bundled nginx."""
    found = [(daemun.NAME, name, most) for name, most in limits.items()]
    found += [(daemun.BUNDLED, name, most) for name, most in (bundled or {}).items()]
    return tuple(figures.Target(most=most, subject=subject, of=name) for subject, name, most in found)


def _everywhere(most: float, subject: str, of: str) -> figures.Target:
    return figures.Target(most=most, subject=subject, of=of, everywhere=True)


_OF_REQUESTS = _at_most(
    {nginx.TUNED: 1.05, haproxy.NAME: 1.0, nginx.BLOG: _THIRD, caddy.NAME: _THIRD, envoy.NAME: _THIRD},
    {nginx.TUNED_BUNDLED: 1.05},
)
_IN_EVERY_VARIATION = (
    _everywhere(1.05, daemun.NAME, nginx.TUNED),
    _everywhere(1.0, daemun.NAME, haproxy.NAME),
    _everywhere(1.05, daemun.BUNDLED, nginx.TUNED_BUNDLED),
)
_MESSAGES = _at_most({nginx.TUNED: 1.05, caddy.NAME: _THIRD}, {nginx.TUNED_BUNDLED: 1.05})

REQUESTS = (
    Requests(protocol=loads.HTTP1, limits=(*_OF_REQUESTS, *_IN_EVERY_VARIATION)),
    Requests(protocol=loads.HTTPS1, limits=(*_OF_REQUESTS, *_IN_EVERY_VARIATION)),
    Requests(
        protocol=loads.HTTP2,
        limits=tuple(
            target for target in (*_OF_REQUESTS, *_IN_EVERY_VARIATION) if target.of not in {nginx.BLOG, haproxy.NAME}
        ),
    ),
)
KINDS = (
    Kind(
        what="full TLS handshake",
        unit="µs CPU a handshake",
        rate="handshakes/s",
        load=loads.handshakes,
        limits=_at_most({nginx.TUNED: 1.05, nginx.BLOG: 1 / 8}, {nginx.TUNED_BUNDLED: 1.05}),
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
        limits=_at_most({nginx.TUNED: 1.1}, {nginx.TUNED_BUNDLED: 1.1}),
    ),
    Kind(
        what="upload of 100 MB",
        unit="µs CPU a MB",
        rate="MB/s",
        load=loads.upload,
        limits=_at_most({nginx.TUNED: 1.1}, {nginx.TUNED_BUNDLED: 1.1}),
    ),
)
IDLE = "idle WebSocket"
_SOCKETS = 5000
_ROUNDS = 2
_VARIATIONS_WITHIN_S = 390
"""Then no further one is begun, so that a run takes ten minutes at most."""
_ABOUT = """\
Everything is on one machine and on loopback: the programs that make load (h2load, and clients of the benchmark's own
for handshakes, WebSockets and large bodies), the contestants, and the servers behind them (an nginx, a WebSocket
echo, a sink for uploads), the same for all. What counts is the CPU time, user and system, that the processes of a
contestant took for one request, daemun's Python among them. WebSockets, handshakes and bodies are over TLS 1.3.

Requests vary, so that no figure is luck: host names of 3 to 60 signs, paths of 8 to 400, 4 to 30 headers, and answers
of 0.1, 2, 20 and 200 kB, three shapes of each. For each variation all contestants are started anew, and their figure
is one of those whose median, lowest and highest are shown; "the worst" is the highest ratio. A contestant that is
fast with some variations and slow with others, by a quarter and without anything between, fails the run. Of all else,
contestants take turns in each round.

- daemun has its defaults, which means an access log, requests that wait for a server, and its own headers; the
  certificate is the one that the others have (ECDSA P-256). "daemun" runs Debian's newest nginx, as `daemun nginx
  install` brings it (glibc, its own OpenSSL), "bundled" the one that comes with `daemun[nginx]` (static, musl).
- "nginx, hand-tuned" is the same nginx binary with as many workers, kept connections to the servers, a session cache,
  HTTP/2, four headers for the servers, and an access log: the usual combined one, with a buffer. It waits for no
  server, checks no forwarded headers, and knows nothing of `Host` and the name in the handshake differing. The last
  column of the targets is what they come to for it: how far stock nginx goes without any of that.
- "nginx as in blogs" is the same binary as daemun's with one worker, an RSA key of 4,096 bits, three headers, an
  access log as nginx has it, and no kept connections, which is what nginx before 1.29.7 does.
- Caddy, Envoy and HAProxy (Debian's newest) have as many threads as there are cores, HTTP/2, the same certificate,
  and no access log.

Over HTTP/2, nginx writes to the client once for each answer that it buffers, and twice for one that passes as it
comes, as all do with daemun: the end is a frame of its own, even where it came with all the rest. That is 3 to 6 µs
of a request. Of nginx's settings, `http2_chunk_size`, `http2_body_preread_size` and `http2_recv_buffer_size` were
tried with daemun, and none made a difference."""


def measure(planned: plan.Plan) -> figures.Section:
    """Raises: LoadError, StartError when a contestant does not do its work; MissingError without the bundled nginx."""
    with contextlib.ExitStack() as stack:
        folder = house.make_folder(planned.folder, "servers")
        behind = stack.enter_context(servers.running(folder, house.find_bundled()))
        contestants = house.House(planned, behind)
        requests, two_modes = _requests(planned, contestants)
        others = _others(planned, contestants)
        others.insert(3, _idle(planned, contestants))
        return figures.Section(
            name="traffic",
            title="Traffic",
            about=_ABOUT,
            rows=(*requests, *others),
            versions=contestants.versions,
            notes=tuple(contestants.notes),
            limit=nginx.TUNED,
            two_modes=two_modes,
        )


# --- requests, in all variations -------------------------------------------------------------------------------


def _requests(planned: plan.Plan, contestants: house.House) -> tuple[list[figures.Row], tuple[str, ...]]:
    """Returns: the rows, and who shows two modes."""
    measured: dict[str, dict[variations.Variation, turns.Turns]] = {kind.what: {} for kind in REQUESTS}
    amount = loads.Amount(seconds=0.1 if planned.quick else 0.45, folder=planned.folder)
    until_s = time.monotonic() + _VARIATIONS_WITHIN_S
    chosen = variations.FEW if planned.quick else variations.EVERY
    for number, variation in enumerate(chosen):
        if time.monotonic() > until_s:
            contestants.notes.append(f"Only {number} of {len(chosen)} variations were measured: the time was up.")
            break
        with contextlib.ExitStack() as stack:
            started = contestants.start_all(stack, variation.host)
            for kind in REQUESTS:
                load = functools.partial(loads.requests, kind.protocol, variation)
                taken = _take(load, started, amount, back=not planned.quick)
                measured[kind.what][variation] = taken
                told = ", ".join(f"{name} {loaded.cpu_us:.1f}" for name, loaded in taken)
                plan.tell(f"{kind.what}, {variation}, µs CPU a request: {told}")
    found = [one for kind in REQUESTS for one in turns.find_modes(kind.what, measured[kind.what])]
    return [turns.row_of_requests(kind.what, measured[kind.what], kind.limits) for kind in REQUESTS], tuple(found)


def _take(
    load: loads.Load,
    started: collections.abc.Sequence[tuple[house.Contestant, place_.Proxy]],
    amount: loads.Amount,
    *,
    back: bool,
) -> turns.Turns:
    again = tuple(one.name for one, _ in started if one.twice and back)
    return turns.take(load, [proxy for _, proxy in started], amount, again=again)


# --- all else --------------------------------------------------------------------------------------------------


def _others(planned: plan.Plan, contestants: house.House) -> list[figures.Row]:
    """All contestants run all the time, and are loaded in turn."""
    measured: dict[str, dict[str, list[loads.Loaded]]] = {kind.what: {} for kind in KINDS}
    with contextlib.ExitStack() as stack:
        started = contestants.start_all(stack)
        amount = loads.Amount(seconds=0.3 if planned.quick else 1, folder=planned.folder)
        for number in range(1 if planned.quick else _ROUNDS):
            for kind in KINDS:
                for name, loaded in turns.together(_take(kind.load, started, amount, back=not planned.quick)).items():
                    measured[kind.what].setdefault(name, []).append(loaded)
                told = ", ".join(f"{name} {found[-1].cpu_us:.1f}" for name, found in measured[kind.what].items())
                plan.tell(f"round {number + 1}: {kind.what}, {kind.unit}: {told}")
    return [turns.row(kind.what, kind.unit, kind.rate, measured[kind.what], kind.limits) for kind in KINDS]


def _idle(planned: plan.Plan, contestants: house.House) -> figures.Row:
    """A contestant starts anew for this, as memory that it took earlier may be used again."""
    sockets = 500 if planned.quick else _SOCKETS
    series = {}
    for contestant in house.CONTESTANTS:
        with contextlib.ExitStack() as stack:
            proxy = contestants.start(contestant, stack)
            if proxy is not None:
                series[proxy.name] = (loads.idle_kb(proxy, sockets),)
                plan.tell(f"{IDLE}: {proxy.name} {series[proxy.name][0]:.1f} kB")
    return figures.Row(what=f"{IDLE}, of {sockets:,}", unit="kB a socket", series=series, targets=_MESSAGES)
