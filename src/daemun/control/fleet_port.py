"""What a node of a fleet knows of the others: the contracts between the room that finds it out (`fleet`), the store
that nodes share, and those that show it."""

import collections.abc
import dataclasses
import datetime
import typing

from daemun.control import stored_values
from daemun.core.fleet import node_states
from daemun.core.traffic import traffic_usage

SILENT_S = node_states.SILENT_S
_ROUNDED_S = 1.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ListedNode:
    """format: the version of the tables that it knows. seen_revision: up to which it follows the store. beat: when
    its last heartbeat was, in seconds of the database's clock, which all nodes see alike; age_s: how long ago. began:
    by the same clock, since when it beats without a pause. stamp: of that heartbeat, as the node gave it; it rises with
    each. about: as it wrote it; None: as when it was listed last. digest: of `about`."""

    name: str
    format: int
    seen_revision: int
    beat: float
    began: float
    age_s: float
    stamp: int
    about: str | None
    digest: str

    def has_beaten_within(self, seconds: float) -> bool:
        """A time that lies ahead is none: it has no proof."""
        return -_ROUNDED_S < self.age_s < seconds


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NodeListing:
    """epoch, revision: of the store now. unproven: names, as they are, by which something lies in the database that no
    machine with the fleet's key wrote, or at a time that is none."""

    epoch: int
    revision: int
    nodes: tuple[ListedNode, ...]
    unproven: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """Hostile: of all that is there, proven or not."""
        return frozenset((*self.unproven, *(one.name for one in self.nodes)))


class NodeRegister(typing.Protocol):
    """Where nodes say that they live. Blocking."""

    def beat(
        self,
        node: str,
        about: str,
        seen: stored_values.Cursor,
        *,
        stamp: int,
        silent_s: float = SILENT_S,
        changed_s: float | None = None,
    ) -> NodeListing:
        """That this node lives, what others are to know of it, and how far it dealt with changes of the store.

        stamp: higher than any that this node knows of. silent_s: after a pause of so long it begins to beat anew.
        changed_s: of what was not changed within that time, `about` is None; None: it is always there.
        Returns: every node that was seen; of this one what was known before.
        Raises: EnvironmentProblemError.
        """
        ...

    def list_nodes(self) -> NodeListing:
        """Every one that was seen. Raises: EnvironmentProblemError."""
        ...

    def forget_node(self, node: str) -> None:
        """It left the fleet. Raises: EnvironmentProblemError."""
        ...

    def clean(self) -> None:
        """Forget what was deleted, once every node has seen it. Raises: EnvironmentProblemError."""
        ...


class FleetView(typing.Protocol):
    """The nodes, as this one sees them."""

    def status(self) -> node_states.FleetStatus:
        """Never blocks: by what was known at the last heartbeat."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NodesTraffic:
    """What nodes counted since then, by their names, and together. node: this one. unusable: so many hours of nodes
    could not be used."""

    node: str
    since: datetime.datetime
    by_node: collections.abc.Mapping[str, traffic_usage.Usage]
    total: traffic_usage.Usage
    unusable: int = 0


ReadTraffic = collections.abc.Callable[[str | None], NodesTraffic | None]
"""Of a site, as `core.traffic.traffic_names` has it, or of all together; None: there is no fleet, or it is not open.
Blocking. Raises: EnvironmentProblemError."""
