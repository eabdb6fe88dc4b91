"""daemun with 10, 100, 1,000 and 10,000 sites: first start, changes, memory; and how it rests."""

import collections.abc
import contextlib
import dataclasses
import os
import pathlib
import signal
import time

from cryptography.hazmat.primitives import serialization

from bench import added, answering, commands, estate, figures, peers, plan, processes, visits
from bench.engine import replayed, shapes
from daemun.certs.served import bundle, local_ca
from daemun.discovery import held_questions
from daemun.store import memory_store
from daemun.wiring import clock

RESTING = 100
"""Sites of the daemun whose rest is looked at."""
_LONGEST_S = 420.0
"""No further start begins after this ..."""
_LONGEST_QUICK_S = 30.0
"""... and this, when it is only looked whether all works."""
_NEW = "a new site is live"
_TARGET = "a changed target is live"
_ENDPOINT = "a container's new address is live"
_CERTIFICATE = "new certificate files are live"
_CHANGES = (_NEW, _TARGET, _ENDPOINT, _CERTIFICATE)
_WITH_A_RELOAD = frozenset({_NEW, _TARGET})
_PLACED = "new certificate files are in their place"
_LOOKING = "looking"
_OWN = "own.test"
_ON_DEMAND = "on-demand.test"
_FIRST_LOOKS_S = 15.0
"""After a start, until each of the sites whose rest is looked at had its first handshake, of which daemun makes 12 a
second."""
_CONTAINERS_ASKED_EVERY_S = held_questions.HOLD_S + 1
_ROUND_S = 1.0
"""SIGHUP makes daemun look at everything, at the certificates first. The time before is over then."""
_ASKED_BEFORE_S = 0.15
"""Both workers of nginx keep the certificate before then."""

ABOUT = """\
`daemun up` from an empty state directory, with sites that are one line of daemun.yaml each (`site-00000.test:
http://127.0.0.1:PORT`), so that each gets a certificate of its own from the local authority. A start ends when the
first and the last site answer 200 over HTTPS. Then things change, and each time ends with the first right answer that
a client gets, who asks every few milliseconds:

- a line is added to daemun.yaml;
- the port of a site is another one;
- a container, of an engine that is replayed (`bench/engine`), is restarted and has another address;
- the owner's certificate files are replaced, and daemun is sent SIGHUP; it ends with the first handshake that shows
  the new certificate.

Containers are changed at moments that are spread evenly over the 4.5 s after which nginx asks for them again, of which
it waits 3.5 s for daemun to tell it of changes; certificates while a client shakes hands all along. Of these it is also
told when daemun has put them where nginx looks. Each kind is changed a few times only, so the highest figure in
brackets stands for p99.
Memory is the daemon's resident set after the start, and the proportional set sizes of nginx's processes, summed, once
the workers of earlier generations have ended. What takes too long is given up, and told below the tables.
With the most sites, CPU is also measured while daemun tries each server and makes a handshake with each name for the
first time, which takes a quarter of an hour; after that there are four handshakes a second.
Then the commands are run, one after the other, while daemun serves; names are added on demand, 16 at a time; and daemun
is killed and started again, which ends when `daemun status --alive` tells that it serves.
Last, a daemun is started whose state directory has as many names on demand as a site may have.

The last rows compare: nginx by hand with a `server` block for each site, Caddy and HAProxy run beside daemun, and
have their turns. A new site is written into their configuration, and they are told to load it; its certificate is
there already, while daemun makes one.
"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured with so many sites. starts: from an empty state. changes: of each kind. within_s: for a
    start, and for all changes of one kind. names: that are added on demand."""

    sites: int
    starts: int
    changes: int
    within_s: float
    names: int = 1_000

    @property
    def name(self) -> str:
        return f"{self.sites:,} sites"


FULL = (
    Extent(sites=10, starts=3, changes=4, within_s=20),
    Extent(sites=100, starts=2, changes=4, within_s=20),
    Extent(sites=1_000, starts=2, changes=4, within_s=25),
    Extent(sites=10_000, starts=1, changes=3, within_s=30),
)
QUICK = (Extent(sites=10, starts=1, changes=1, within_s=10), Extent(sites=100, starts=1, changes=1, within_s=10))


@dataclasses.dataclass(slots=True)
class Found:
    """By what was measured, then by contestant."""

    taken: dict[str, dict[str, list[float]]] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)

    def add(self, what: str, contestant: str, figure: float) -> None:
        self.taken.setdefault(what, {}).setdefault(contestant, []).append(figure)

    def series(self, what: str, contestants: collections.abc.Iterable[str]) -> figures.Series:
        found = self.taken.get(what, {})
        return {name: tuple(found.get(name, ())) for name in contestants}

    @contextlib.contextmanager
    def giving_up(self, what: str) -> collections.abc.Iterator[None]:
        try:
            yield
        except visits.NeverError as error:
            self.notes.append(f"{what}: given up, {error}.")
            plan.tell(self.notes[-1])


def measure(given: plan.Plan) -> figures.Section:
    found = Found()
    extents = QUICK if given.quick else FULL
    end_s = time.monotonic() + (_LONGEST_QUICK_S if given.quick else _LONGEST_S)
    versions = peers.compare(given, (10,) if given.quick else (10, 1_000), found.add, found.notes)
    for extent, number in _starts(extents):
        if time.monotonic() > end_s:
            found.notes.append(f"start {number + 1} with {extent.name}: left out, all took too long.")
            continue
        folder = given.folder / f"{extent.sites}-{number}"
        folder.mkdir(mode=0o755)
        with found.giving_up(f"start with {extent.name}"), _served(folder, extent) as served:
            found.add("start", extent.name, served.started_s)
            found.add("start, CPU", extent.name, served.started_cpu_s)
            plan.tell(f"{extent.name}: up after {served.started_s:.2f} s")
            if number == 0:
                _look_closer(served, extent, found, given)
    if time.monotonic() < end_s:
        with found.giving_up("names on demand"):
            added.measure(given, found.add)
    else:
        found.notes.append("names on demand: left out, all took too long.")
    return figures.Section(
        name="sites",
        title="Many sites",
        about=ABOUT,
        rows=tuple(row for row in find_rows(found, extents) if any(row.series.values())),
        versions=versions,
        notes=tuple(found.notes),
    )


def _starts(extents: tuple[Extent, ...]) -> collections.abc.Iterator[tuple[Extent, int]]:
    """The first start with each number of sites before any further one, which only narrows what is known already."""
    for number in range(max(extent.starts for extent in extents)):
        yield from ((extent, number) for extent in extents if number < extent.starts)


# --- one daemun ------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A daemun that is up. owner: who makes the certificates that are the owner's own. started_cpu_s: of the daemon."""

    estate: estate.Estate
    behind: answering.Answering
    engine: replayed.Replayed
    owner: local_ca.LocalCa
    started_s: float
    started_cpu_s: float


@contextlib.contextmanager
def _served(folder: pathlib.Path, extent: Extent) -> collections.abc.Iterator[Served]:
    """Raises: visits.NeverError."""
    owner = local_ca.load_or_create(memory_store.MemoryStore(), clock.SystemClock().now())
    with answering.running(folder) as behind, replayed.running(folder, behind.addressed) as engine:
        engine.do("appear 0 1")
        targets = dict.fromkeys(estate.hosts(extent.sites), behind.first)
        one = estate.Estate(folder, estate.Plots(targets=targets, docker=engine.url, own=_OWN))
        _put(one, owner)
        with one.up(within_s=extent.within_s) as started_s:
            cpu_s = processes.cpu_s([one.pid])
            yield Served(
                estate=one, behind=behind, engine=engine, owner=owner, started_s=started_s, started_cpu_s=cpu_s
            )


def _put(one: estate.Estate, owner: local_ca.LocalCa) -> bundle.Bundle:
    new = owner.issue([_OWN], clock.SystemClock().now())
    (one.folder / "own.pem").write_bytes(new.fullchain_pem)
    (one.folder / "own.key").write_bytes(new.key_pem)
    return new


def _look_closer(served: Served, extent: Extent, found: Found, given: plan.Plan) -> None:
    one = served.estate
    with found.giving_up(f"the old workers of {extent.name}"):
        one.settle()
        found.add("daemon", extent.name, one.daemon_mb)
        found.add("nginx", extent.name, one.nginx_mb)
    if extent.sites == RESTING:
        time.sleep(0 if given.quick else _FIRST_LOOKS_S)
        _rest(one, found, "rest", 3.0 if given.quick else 20.0)
    elif extent is FULL[-1]:
        _rest(one, found, _LOOKING, 20.0)
    for what, change in {
        _NEW: _add_site,
        _TARGET: _change_target,
        _ENDPOINT: _move_container,
        _CERTIFICATE: _replace_certificate,
    }.items():
        with found.giving_up(f"{what}, with {extent.name}"):
            end_s = time.monotonic() + extent.within_s
            for number in range(extent.changes):
                if time.monotonic() > end_s:
                    break
                for name, seconds in change(served, number, extent).items():
                    found.add(name, extent.name, 1000 * seconds)
                if what in _WITH_A_RELOAD:
                    one.settle()
    found.add("daemon at most", extent.name, one.daemon_peak_mb)
    with found.giving_up(f"commands, with {extent.name}"):
        commands.measure(
            one,
            on_demand=_ON_DEMAND,
            names=20 if given.quick else extent.names,
            add=lambda what, figure: found.add(what, extent.name, figure),
        )


def _rest(one: estate.Estate, found: Found, what: str, seconds: float) -> None:
    """What it does when nobody asks anything."""
    time.sleep(2)
    before = (estate.cpu_ns([one.pid]), estate.cpu_ns(one.nginx_pids))
    began_s = time.monotonic()
    time.sleep(seconds)
    took_s = time.monotonic() - began_s
    after = (estate.cpu_ns([one.pid]), estate.cpu_ns(one.nginx_pids))
    for name, start, end in zip(("daemon", "nginx"), before, after, strict=True):
        found.add(what, name, 100 * (end - start) / 1e9 / took_s)
    if what == "rest":
        found.add("rest, MB", "daemon", one.daemon_mb)
        found.add("rest, MB", "nginx", one.nginx_mb)


# --- what changes: each returns seconds by what took them, and raises visits.NeverError -------------------------


def _add_site(served: Served, number: int, extent: Extent) -> dict[str, float]:
    one, host = served.estate, f"new-{number}.test"
    one.plots.targets[host] = served.behind.first
    one.write()
    return {_NEW: one.until(host, str(served.behind.first), within_s=extent.within_s)}


def _change_target(served: Served, number: int, extent: Extent) -> dict[str, float]:
    one, host = served.estate, estate.hosts(1)[0]
    port = served.behind.first if number % 2 else served.behind.second
    one.plots.targets[host] = port
    one.write()
    return {_TARGET: one.until(host, str(port), within_s=extent.within_s)}


def _move_container(served: Served, number: int, extent: Extent) -> dict[str, float]:
    # Since the change before, when nginx was answered.
    time.sleep(_CONTAINERS_ASKED_EVERY_S * _share(number, extent))
    after = shapes.Shape(number=0, port=0, moves=number + 1)
    served.engine.do("move 0 1")
    return {_ENDPOINT: served.estate.until(after.host, after.address, within_s=extent.within_s)}


def _replace_certificate(served: Served, _number: int, extent: Extent) -> dict[str, float]:
    one, before = served.estate, served.estate.live_certificate(_OWN)
    time.sleep(_ROUND_S)
    asked_since_s = time.monotonic()
    while time.monotonic() < asked_since_s + _ASKED_BEFORE_S:
        one.visitor.certificate(_OWN)
        time.sleep(visits.PAUSE_S)
    new = _put(one, served.owner).leaf.public_bytes(serialization.Encoding.DER)
    os.kill(one.pid, signal.SIGHUP)
    began_s = time.monotonic()
    placed_s: list[float] = []

    def look() -> bytes | None:
        if not placed_s and one.live_certificate(_OWN) != before:
            placed_s.append(time.monotonic() - began_s)
        return one.visitor.certificate(_OWN)

    seconds = visits.wait(look, new, within_s=extent.within_s)
    return {_CERTIFICATE: seconds, _PLACED: placed_s[0] if placed_s else seconds}


def _share(number: int, extent: Extent) -> float:
    """The middle of one of as many equal parts as there are changes."""
    return (number + 0.5) / extent.changes


# --- what it comes to ------------------------------------------------------------------------------------------


def find_rows(found: Found, extents: collections.abc.Sequence[Extent]) -> collections.abc.Iterator[figures.Row]:
    names = [extent.name for extent in extents]
    few, many = FULL[0].name, FULL[-1].name
    yield figures.Row(
        what="`daemun up` until HTTPS answers 200",
        unit="s",
        series=found.series("start", names),
        beside={"s CPU of the daemon": found.series("start, CPU", names)},
        targets=(figures.Target(most=1.5, subject=few), figures.Target(most=5, subject=many)),
    )
    within = figures.Target(most=150, subject=few)
    slow, flat = figures.Target(most=1000, subject=many), figures.Target(most=1.5, subject=many, of=few)
    for what in _CHANGES:
        further = slow if what in _WITH_A_RELOAD else flat
        beside = {"ms until daemun has put them in their place": found.series(_PLACED, names)}
        yield figures.Row(
            what=what,
            unit="ms",
            series=found.series(what, names),
            beside=beside if what == _CERTIFICATE else {},
            targets=(within, further),
        )
    yield figures.Row(
        what="memory of the daemon",
        unit="MB",
        series=found.series("daemon", names),
        beside={"MB at most, until after the changes": found.series("daemon at most", names)},
        targets=(figures.Target(most=300, subject=many),),
    )
    yield figures.Row(
        what="memory of nginx",
        unit="MB",
        series=found.series("nginx", names),
        targets=(figures.Target(most=250, subject=many),),
    )
    yield from _costs(found)
    rest = ("daemon", "nginx")
    yield figures.Row(
        what=f"at rest with {RESTING} sites",
        unit="% of a core",
        series=found.series("rest", rest),
        targets=(figures.Target(most=0.2, subject="daemon"),),
    )
    yield figures.Row(
        what="",
        unit="MB",
        series=found.series("rest, MB", rest),
        targets=(figures.Target(most=80, subject="daemon"),),
    )
    yield figures.Row(
        what=f"while {FULL[-1].sites:,} sites have their first looks",
        unit="% of a core",
        series=found.series(_LOOKING, rest),
        targets=(figures.Target(most=15, subject="daemon"),),
    )
    yield from commands.rows(names, lambda what: found.series(what, names))
    yield from added.rows(lambda what: found.series(what, found.taken.get(what, {})))
    for what in peers.compared(found.taken):
        yield figures.Row(what=what, unit="ms", series=found.series(what, peers.NAMES))


def _costs(found: Found) -> collections.abc.Iterator[figures.Row]:
    """Of a site more, among few and among many: the second is to be no more than the first."""
    few, some, many = FULL[1:]
    steps = (f"{few.sites:,} to {some.sites:,} sites", f"{some.sites:,} to {many.sites:,} sites")
    for what, figure, unit, scale in (
        ("a site more: start", "start", "ms", 1000),
        ("a site more: a new site is live", _NEW, "ms", 1),
        ("a site more: memory of the daemon", "daemon", "kB", 1000),
        ("a site more: memory of nginx", "nginx", "kB", 1000),
    ):
        series: dict[str, tuple[float, ...]] = {}
        for step, (low, high) in zip(steps, ((few, some), (some, many)), strict=True):
            below, above = (found.taken.get(figure, {}).get(one.name, []) for one in (low, high))
            both = below and above
            added = high.sites - low.sites
            series[step] = (
                ((figures.spread(above).median - figures.spread(below).median) * scale / added,) if both else ()
            )
        yield figures.Row(
            what=what, unit=unit, series=series, targets=(figures.Target(most=1.1, subject=steps[1], of=steps[0]),)
        )
