"""What a thousand container events at once do to daemun: how long until all is served, and how often nginx reloads."""

import collections.abc
import dataclasses
import time

from bench import answering, estate, figures, plan, processes, visits
from bench.engine import replayed, shapes

EVENTS = 1000
_LONGEST_S = 60.0
_ROUNDS_S = 40.0
"""No further round begins after this."""
_AFTER_S = 2.0
"""How long reloads are counted after all was served."""
_OURS = "daemun"

ABOUT = """\
`daemun up` with 10 sites and the containers of an engine, to which 1,000 events happen as fast as it can tell them. The
time ends when the container that was told of last is served over HTTPS; all others are then asked for, too, and where
one of them is not served yet, the time goes on until it is. Reloads are counted until two seconds later.

No real engine on a small machine starts a thousand containers at once, so this one is replayed: a program that tells in
Docker's recorded words (`bench/engine`) of containers that are addresses on loopback. Its own work counts, too.
"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """cpu_s: of the daemon, until two seconds after all was served."""

    settled_s: float
    reloads: int
    cpu_s: float


def measure(given: plan.Plan) -> figures.Section:
    came: list[Burst] = []
    moved: list[Burst] = []
    notes: list[str] = []
    new, restarted = EVENTS // len(shapes.APPEARS), EVENTS // len(shapes.MOVES)
    end_s = time.monotonic() + _ROUNDS_S
    for number in range(1 if given.quick else 5):
        if time.monotonic() > end_s:
            break
        folder = given.folder / str(number)
        folder.mkdir(mode=0o755)
        try:
            with answering.running(folder) as behind, replayed.running(folder, behind.addressed) as engine:
                plots = estate.Plots(targets=dict.fromkeys(estate.hosts(10), behind.first), docker=engine.url)
                one = estate.Estate(folder, plots)
                with one.up(within_s=_LONGEST_S):
                    came.append(
                        _burst(one, engine, f"appear 0 {new}", [shapes.Shape(number=n, port=0) for n in range(new)])
                    )
                    after = [shapes.Shape(number=n, port=0, moves=1) for n in range(restarted)]
                    moved.append(_burst(one, engine, f"move 0 {restarted}", after))
        except visits.NeverError as error:
            notes.append(f"A round was given up: {error}.")
    rows = (*_rows(f"{new} containers are started", came), *_rows(f"{restarted} of them are restarted", moved))
    return figures.Section(
        name="containers", title="A thousand container events", about=ABOUT, rows=rows, notes=tuple(notes)
    )


def _burst(
    one: estate.Estate, engine: replayed.Replayed, command: str, expected: collections.abc.Sequence[shapes.Shape]
) -> Burst:
    """Raises: visits.NeverError."""
    one.settle()
    before, cpu_s = one.reloads(), processes.cpu_s([one.pid])
    began_s = time.monotonic()
    events = engine.do(command)
    settled_s = 0.0
    for shape in reversed(expected):
        if settled_s == 0.0 or one.visitor.ask(shape.host) != shape.address:
            one.until(shape.host, shape.address, within_s=_LONGEST_S)
            settled_s = time.monotonic() - began_s
    time.sleep(_AFTER_S)
    used_s = processes.cpu_s([one.pid]) - cpu_s
    found = Burst(settled_s=settled_s, reloads=one.reloads() - before, cpu_s=used_s)
    plan.tell(f"{events} events: {found.settled_s:.1f} s, {found.reloads} reloads")
    return found


def _rows(what: str, bursts: collections.abc.Sequence[Burst]) -> tuple[figures.Row, ...]:
    most = (figures.Target(most=3, subject=_OURS),)
    settled = figures.Row(
        what=f"{EVENTS:,} events: {what}",
        unit="s until all answer",
        series={_OURS: tuple(one.settled_s for one in bursts)},
        beside={"s CPU of the daemon": {_OURS: tuple(one.cpu_s for one in bursts)}},
        targets=most,
    )
    reloads = {_OURS: tuple(float(one.reloads) for one in bursts)}
    return settled, dataclasses.replace(settled, unit="reloads", series=reloads, beside={})
