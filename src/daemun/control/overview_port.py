"""What the first screen needs besides the gate's status: numbers of requests, which site was changed last, room on
disks. Values, and who has them; their callers are in `web`."""

import collections.abc
import dataclasses
import datetime
import typing

from daemun.core.dashboard import gate_totals, site_row
from daemun.core.traffic import traffic_rates


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RecentTraffic:
    """rates: by site, as `core.traffic.traffic_names` has it; of names that no site has by "". span_s: of what time."""

    rates: collections.abc.Mapping[str, traffic_rates.TrafficRate]
    span_s: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RecentChange:
    """An entry of the history. changes: "added shop.example.com"; more: how many besides."""

    number: int
    at: datetime.datetime
    by: str
    user: str
    state: str
    reason: str
    changes: tuple[str, ...]
    more: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KnownChanges:
    """newest: first. by_site: the last change of each host, or of "stream NAME"."""

    newest: tuple[RecentChange, ...] = ()
    by_site: collections.abc.Mapping[str, site_row.LastChange] = dataclasses.field(default_factory=dict)


class OverviewFacts(typing.Protocol):
    """All of it blocks for some milliseconds, and is called from any thread. Each once at a time."""

    def read_traffic(self, now: datetime.datetime) -> RecentTraffic | None:
        """Of the last minutes; None: requests are not counted, or what is stored cannot be read now."""
        ...

    def count_minutes(
        self, sites: collections.abc.Collection[str], now: datetime.datetime
    ) -> collections.abc.Mapping[str, tuple[int, ...]]:
        """Requests of these sites in each of the last MINUTES minutes, the last one is now. Sites without any are left
        out."""
        ...

    def read_changes(self) -> KnownChanges: ...

    def find_domain(self, host: str) -> str:
        """The registered domain of a host; the host where it has none."""
        ...

    def count_open(self) -> int | None:
        """Connections of visitors that are open now; None: it is not known."""
        ...

    def count_revisions(self) -> int:
        """Another number after each round and each look on request: what was made before is of another moment."""
        ...

    def measure_rooms(self) -> tuple[gate_totals.DiskRoom, ...]: ...


MINUTES = 60
