"""Which nodes of a fleet live, which are silent and since when, which are behind. Pure: the time is an argument.

Spans are measured by the clock of whoever looks, from one look at the database to the next: neither the clocks of other
machines nor that of the database need to be right.
"""

import collections.abc
import dataclasses
import datetime
import enum
import math

from daemun.core import model
from daemun.core.fleet import node_about

BEAT_S = 2.0
"""From one heartbeat of a node to the next."""
SILENT_S = 8.0
"""A node without a heartbeat for so long is down; the database without an answer for so long is not reached."""
BEHIND_S = 30.0
"""A node that has not followed a change for so long is behind."""
_ORIGIN = model.Origin(source="fleet")


class NodeState(enum.Enum):
    """ALIVE: it beats. DOWN: it does not, seen by one who looked all the while. UNKNOWN: nobody can say from here: the
    database is not reached, or has been for moments only."""

    ALIVE = "alive"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SeenNode:
    """silent_s: since its last heartbeat. beat, began: when that was, and since when it beat without a pause, in
    seconds of the database's clock, which all nodes see alike. seen_revision: of the store, up to which it follows."""

    name: str
    silent_s: float
    beat: float
    began: float
    seen_revision: int = 0
    about: node_about.NodeAbout = dataclasses.field(default_factory=node_about.NodeAbout)

    @property
    def up_s(self) -> float:
        return 0.0 if math.isinf(self.began) else max(0.0, self.beat - self.began)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SeenDatabase:
    """silent_s: since the last answer. looked_s: for how long it was looked at without a pause. cause: why the last
    request failed; "": it did not. settled_revision: of the store, the newest that is older than BEHIND_S."""

    silent_s: float
    looked_s: float
    cause: str = ""
    settled_revision: int = 0

    @property
    def is_reached(self) -> bool:
        return self.silent_s < SILENT_S

    @property
    def is_settled(self) -> bool:
        return self.is_reached and self.looked_s >= SILENT_S


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """since: since when it is in this state; of UNKNOWN when it was seen last. is_behind: it does not follow what the
    nodes share. is_old: the configuration that it serves is not the newest that a living node serves. is_other: another
    version of daemun than here. beat, began: as SeenNode."""

    name: str
    state: NodeState
    since: datetime.datetime
    beat: float
    began: float
    about: node_about.NodeAbout
    is_self: bool = False
    is_behind: bool = False
    is_old: bool = False
    is_other: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FleetStatus:
    """name: of this node. nodes: by name. unreached_since: when the database answered last; None: it is reached. cause:
    why it is not. is_twice: another machine beats under this node's name. is_settled: it was looked at for so long that
    every node that lives was seen."""

    name: str
    nodes: tuple[NodeStatus, ...] = ()
    unreached_since: datetime.datetime | None = None
    cause: str = ""
    is_twice: bool = False
    is_settled: bool = False

    @property
    def down(self) -> tuple[NodeStatus, ...]:
        return tuple(one for one in self.nodes if one.state is NodeState.DOWN)

    @property
    def alive(self) -> tuple[NodeStatus, ...]:
        return tuple(one for one in self.nodes if one.state is NodeState.ALIVE)


def judge(
    name: str,
    version: str,
    nodes: collections.abc.Iterable[SeenNode],
    database: SeenDatabase,
    now: datetime.datetime,
    *,
    is_twice: bool = False,
) -> FleetStatus:
    """name, version: of this node."""
    seen = tuple(nodes)
    states = {one.name: _judge_state(one, database, is_self=one.name == name) for one in seen}
    newest = max(
        (one.about.revision or 0 for one in seen if states[one.name] is NodeState.ALIVE),
        default=0,
    )
    return FleetStatus(
        name=name,
        nodes=tuple(
            NodeStatus(
                name=one.name,
                state=(state := states[one.name]),
                since=now - datetime.timedelta(seconds=one.silent_s + (one.up_s if state is NodeState.ALIVE else 0)),
                beat=one.beat,
                began=one.began,
                about=one.about,
                is_self=one.name == name,
                is_behind=state is NodeState.ALIVE
                and database.looked_s >= BEHIND_S
                and one.up_s >= BEHIND_S
                and one.seen_revision < database.settled_revision,
                is_old=state is NodeState.ALIVE and one.about.revision is not None and one.about.revision < newest,
                is_other=bool(one.about.version) and one.about.version != version,
            )
            for one in sorted(seen, key=lambda one: one.name)
        ),
        unreached_since=None if database.is_reached else now - datetime.timedelta(seconds=database.silent_s),
        cause="" if database.is_reached else database.cause,
        is_twice=is_twice and database.is_reached,
        is_settled=database.is_settled,
    )


def _judge_state(one: SeenNode, database: SeenDatabase, *, is_self: bool) -> NodeState:
    if is_self:
        return NodeState.ALIVE
    if not database.is_reached:
        return NodeState.UNKNOWN
    if one.silent_s < SILENT_S:
        return NodeState.ALIVE
    # Where the database was away, nobody could beat: all get the time to do it.
    return NodeState.DOWN if database.is_settled else NodeState.UNKNOWN


def find_problems(status: FleetStatus) -> tuple[model.Problem, ...]:
    """What of the fleet deserves a look on every node; each goes on serving."""
    found = [] if status.unreached_since is None else [describe_database(status)]
    found += [describe_down(one) for one in status.down]
    if status.is_twice:
        found.append(
            f'another machine is in the fleet as "{status.name}", too, so the others cannot tell them apart; give each '
            "a name of its own: `fleet: {name: ...}` in daemun.yaml, and restart daemun"
        )
    return tuple(model.Problem(origin=_ORIGIN, message=one, severity=model.Severity.WARNING) for one in found)


def describe_down(one: NodeStatus) -> str:
    return f'machine "{one.name}" {CAUSE_DOWN} since {moment(one.since)}; {cure_down(one)}'


def describe_database(status: FleetStatus) -> str:
    assert status.unreached_since is not None
    cause = status.cause or "it does not answer"
    return f"{cause} (since {moment(status.unreached_since)}; {UNREACHED})"


CAUSE_DOWN = "of the fleet gives no sign of life"
UNREACHED = "this machine serves on by what it knows, and nothing that machines share can change here until then"


def cure_down(one: NodeStatus) -> str:
    return (
        f"look whether its machine runs, daemun on it, and whether it reaches the database; if it is gone for good: "
        f"`daemun fleet leave {one.name}`"
    )


def moment(at: datetime.datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")
