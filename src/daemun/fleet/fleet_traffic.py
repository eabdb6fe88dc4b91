"""What every node of the fleet counted of requests in the last day, for its dashboard. Blocking."""

import datetime
import threading
import time

from daemun.control import fleet_port, ports
from daemun.core.traffic import traffic_usage
from daemun.fleet import node_traffic, shared_traffic

HOURS = 24
FRESH_S = 30.0
"""An open page sends a request every few seconds; nodes store what they counted once a minute."""
_MOST_S = 5.0
"""100 nodes with 10,000 sites each store more than a page could wait for: the newest hours are shown then."""
_MOST_KNOWN = 64


class FleetTraffic:
    """shared: what all have, without a copy. node: the name of this one. For any thread."""

    def __init__(self, shared: ports.Store, node: str, clock: ports.Clock) -> None:
        self._shared = shared
        self._node = node
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str | None, tuple[float, fleet_port.NodesTraffic]] = {}

    def read(self, site: str | None) -> fleet_port.NodesTraffic:
        """site: by `core.traffic.traffic_names`; None: all together. Raises: EnvironmentProblemError."""
        with self._lock:
            read_at_s, found = self._known.get(site, (0.0, None))
            if found is None or time.monotonic() - read_at_s > FRESH_S:
                found = self._read(site)
                self._known.pop(site, None)
                self._known[site] = (time.monotonic(), found)
                if len(self._known) > _MOST_KNOWN:
                    del self._known[next(iter(self._known))]
            return found

    def _read(self, site: str | None) -> fleet_port.NodesTraffic:
        now_s = self._clock.now().timestamp()
        since_s = now_s - (HOURS - 1) * node_traffic.HOUR_S
        stored = shared_traffic.read_all(self._shared, since_s, now_s, site=site, most_s=_MOST_S)
        return fleet_port.NodesTraffic(
            node=self._node,
            since=datetime.datetime.fromtimestamp(stored.since_hour * node_traffic.HOUR_S, datetime.UTC),
            by_node={node: traffic_usage.total(found) for node, found in sorted(stored.found.items())},
            total=traffic_usage.total(one for found in stored.found.values() for one in found),
            unusable=stored.unusable,
        )
