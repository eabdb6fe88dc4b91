"""What the first screen needs besides the gate's status (`control.overview_port`)."""

import collections.abc
import datetime

from daemun.alerts import gate_facts
from daemun.control import gate_port, overview_port, ports
from daemun.core import layout
from daemun.core.dashboard import gate_totals
from daemun.nginx import kernel_processes, worker_register
from daemun.sources.history import history_store, recent_changes
from daemun.traffic import traffic_counter
from daemun.web import overview_snapshots

_MOST_DOMAINS = 100_000


def make(
    gate: gate_port.GatePort,
    paths: layout.Layout,
    store: ports.Store,
    counter: traffic_counter.TrafficCounter,
    count_revisions: collections.abc.Callable[[], int],
) -> overview_snapshots.OverviewSnapshots:
    facts = GateOverviewFacts(paths, store, counter, count_revisions)
    return overview_snapshots.OverviewSnapshots(gate, facts)


class GateOverviewFacts:
    """Implements `control.overview_port.OverviewFacts`."""

    def __init__(
        self,
        paths: layout.Layout,
        store: ports.Store,
        counter: traffic_counter.TrafficCounter,
        count_revisions: collections.abc.Callable[[], int],
    ) -> None:
        self.count_revisions = count_revisions
        self._folders = (paths.state, paths.store, paths.live, paths.logs, paths.run)
        self._layout = paths
        self._counter = counter
        self._domains: dict[str, str] = {}
        self._changes = recent_changes.RecentChanges(history_store.HistoryStore(store))

    def read_traffic(self, now: datetime.datetime) -> overview_port.RecentTraffic | None:
        found = self._counter.read_rates(now)
        return None if found is None else overview_port.RecentTraffic(rates=found[0], span_s=found[1])

    def count_minutes(
        self, sites: collections.abc.Collection[str], now: datetime.datetime
    ) -> collections.abc.Mapping[str, tuple[int, ...]]:
        return self._counter.count_minutes(sites, now, overview_port.MINUTES)

    def read_changes(self) -> overview_port.KnownChanges:
        return self._changes.read()

    def find_domain(self, host: str) -> str:
        known = self._domains.get(host)
        if known is None:
            # The list of public suffixes is loaded only when the first screen is requested.
            from daemun.certs.acme import rate_limit_domains  # noqa: PLC0415

            if len(self._domains) >= _MOST_DOMAINS:
                self._domains.clear()
            known = self._domains[host] = min(rate_limit_domains.domains_of([host]))
        return known

    def count_open(self) -> int | None:
        try:
            ports_of_nginx = worker_register.Register(self._layout).read().ports
            return sum(kernel_processes.count_established(ports_of_nginx).values())
        except OSError:
            return None

    def measure_rooms(self) -> tuple[gate_totals.DiskRoom, ...]:
        return tuple(
            gate_totals.DiskRoom(folder=one.folder, free_bytes=one.free_bytes, total_bytes=one.total_bytes)
            for one in gate_facts.measure(self._folders)
        )
