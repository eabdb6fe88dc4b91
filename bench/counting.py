"""What counting requests costs daemun: 10,000 sites, 40,000 requests a second, and whether all of them are counted."""

import collections.abc
import json
import pathlib
import random
import subprocess
import time

import psutil

from bench import answering, estate, figures, plan, visits
from daemun.core import layout
from daemun.core.traffic import traffic_names

_SITES = 10_000
_RATE = 40_000
_SECONDS = 60
_WRITES_PER_S = 4
_START_S = 60.0
_COUNTED_S = 60.0
_IDLE_S = 20.0

ALIKE, VARIED = "answers alike", "answers varied"

ABOUT = f"""\
A daemun with {_SITES:,} sites of one line, and {_RATE:,} requests a second for {_SECONDS} s. No machine of two cores
has nginx serve so many, so what nginx writes of them is written in its place: the lines of nginx's own format, into its
file, {_WRITES_PER_S} times a second. Half of the requests go to the 100 sites that are visited most (Zipf's law).

- `{ALIKE}`: a site's answers have one size and one time, as those of a load tool have.
- `{VARIED}`: times and sizes are spread (logarithmic normal distribution), so that nearly each line is a new one.

CPU is that of the daemon beyond what it takes while nothing is requested.
"""


def measure(given: plan.Plan) -> figures.Section:
    taken: dict[str, dict[str, tuple[float, ...]]] = {}
    notes: list[str] = []
    for name in (ALIKE, VARIED):
        folder = given.folder / name.replace(" ", "-")
        folder.mkdir(mode=0o755)
        try:
            _look(folder, name, taken, quick=given.quick)
        except visits.NeverError as error:
            notes.append(f"{name}: given up, {error}.")
    return figures.Section(
        name="counting", title="Counting requests", about=ABOUT, rows=tuple(_rows(taken)), notes=tuple(notes)
    )


def _look(folder: pathlib.Path, name: str, taken: dict[str, dict[str, tuple[float, ...]]], *, quick: bool) -> None:
    sites, seconds = (100, 2) if quick else (_SITES, _SECONDS)

    def note(what: str, figure: float) -> None:
        taken.setdefault(what, {})[name] = (figure,)

    with answering.running(folder) as behind:
        one = estate.Estate(folder, estate.Plots(targets=dict.fromkeys(estate.hosts(sites), behind.first)))
        with one.up(within_s=_START_S):
            daemon = psutil.Process(one.pid)
            time.sleep(1 if quick else 30)  # what a start leaves to do
            before_mb = one.daemon_mb
            idle = _share_of_a_core(daemon, lambda: time.sleep(1 if quick else _IDLE_S))
            counted_before = _count(one)
            written = 0

            def write() -> None:
                nonlocal written
                written = _write(one, _make_lines(name, sites), seconds)

            note("CPU", max(_share_of_a_core(daemon, write) - idle, 0.0))
            note("resident memory", one.daemon_mb)
            note("resident memory before", before_mb)
            visits.wait(lambda: _count(one) - counted_before >= written, True, within_s=_COUNTED_S)
            note("disk", sum(path.stat().st_size for path in _stored(folder)) / 1e6)
            note("lost or counted twice", abs(_count(one) - counted_before - written))
            note("requests/s", written / seconds)


def _share_of_a_core(daemon: psutil.Process, do: collections.abc.Callable[[], None]) -> float:
    """Percent, while that is done."""
    began_s, before = time.monotonic(), daemon.cpu_times()
    do()
    after = daemon.cpu_times()
    return 100 * (after.user + after.system - before.user - before.system) / (time.monotonic() - began_s)


def _make_lines(name: str, sites: int) -> collections.abc.Iterator[bytes]:
    """For each write."""
    chance = random.Random(name)
    hosts = estate.hosts(sites)
    weights = [1 / (rank + 1) for rank in range(sites)]
    while True:
        chosen = chance.choices(range(sites), weights, k=_RATE // _WRITES_PER_S)
        lines = []
        for number in chosen:
            time_s = 0.002 if name == ALIKE else chance.lognormvariate(-5, 1.2)
            size = 1700 if name == ALIKE else int(chance.lognormvariate(8, 1.5))
            length = 410 if name == ALIKE else chance.randrange(350, 700)
            of = traffic_names.encode(hosts[number], "/")
            lines.append(f"{of} 200{time_s:.3f}{size} {length}TLSv1.3 127.0.0.1:9000|{time_s:.3f}\n")
        yield "".join(lines).encode()


def _write(one: estate.Estate, lines: collections.abc.Iterator[bytes], seconds: int) -> int:
    """Into the file that nginx has open, also after daemun renamed it. Returns: how many lines."""
    path = pathlib.Path(layout.Layout(str(one.folder / "s")).logs) / layout.TRAFFIC_LOG
    written = 0
    began_s = time.monotonic()
    for turn in range(seconds * _WRITES_PER_S):
        piece = next(lines)
        time.sleep(max(0.0, began_s + turn / _WRITES_PER_S - time.monotonic()))
        with path.open("ab") as file:
            file.write(piece)
        written += piece.count(b"\n")
    return written


def _stored(folder: pathlib.Path) -> list[pathlib.Path]:
    store = pathlib.Path(layout.Layout(str(folder / "s")).traffic_store)
    return list(store.parent.glob(f"{store.name}*"))


def _count(one: estate.Estate) -> int:
    """Requests that daemun knows of."""
    made = subprocess.run(
        one.command("traffic", "--json"), capture_output=True, text=True, check=True, timeout=_START_S
    )
    return int(json.loads(made.stdout)["total"]["requests"])


def _rows(taken: dict[str, dict[str, tuple[float, ...]]]) -> collections.abc.Iterator[figures.Row]:
    def series(what: str) -> figures.Series:
        return {name: taken.get(what, {}).get(name, ()) for name in (ALIKE, VARIED)}

    targets = tuple(figures.Target(most=2.0, subject=name) for name in (ALIKE, VARIED))
    yield figures.Row(
        what="counting",
        unit="% of a core",
        series=series("CPU"),
        beside={"requests/s": series("requests/s")},
        targets=targets,
    )
    yield figures.Row(
        what="memory",
        unit="MB resident",
        series=series("resident memory"),
        beside={"MB before": series("resident memory before")},
    )
    yield figures.Row(what="the store of numbers", unit="MB", series=series("disk"))
    exact = tuple(figures.Target(most=0.0, subject=name) for name in (ALIKE, VARIED))
    what = "lost or counted twice"
    yield figures.Row(what=what, unit="requests", series=series(what), targets=exact)
