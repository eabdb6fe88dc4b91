"""How many new names the clients of one network may bring, so that one that tries names keeps no other's out.

The time is an argument."""

import collections
import dataclasses
import ipaddress

MINUTE_S, HOUR_S = 60.0, 3600.0
TOGETHER = 10
"""All networks together may bring so many times what one may: a load that the program of `ask` can be made for."""
_MOST_NETWORKS = 10_000
_PREFIXES = {4: 24, 6: 48}
"""What one customer of a provider has, at most."""


@dataclasses.dataclass(slots=True)
class TurnedAway:
    """network: None: all together. count: in the last hour, as far as they follow each other. last: the name."""

    network: str | None
    host: str
    count: int
    last_s: float


class NetworkBudget:
    """Not thread-safe."""

    def __init__(self) -> None:
        self._by_network: collections.OrderedDict[str, collections.deque[float]] = collections.OrderedDict()
        self._together: collections.deque[float] = collections.deque()
        self._turned_away: collections.OrderedDict[str | None, TurnedAway] = collections.OrderedDict()

    def take(self, host: str, network: str | None, per_minute: int, now_s: float) -> TurnedAway | None:
        """None: the program may be queried. network: None: it is unknown where it comes from."""
        own = self._of(network) if network is not None else None
        if own is not None and _count(own, now_s) >= per_minute:
            return self._turn_away(host, network, now_s)
        if _count(self._together, now_s) >= per_minute * (TOGETHER if network is not None else 1):
            return self._turn_away(host, None, now_s)
        self._together.append(now_s)
        if own is not None:
            own.append(now_s)
        return None

    def turned_away(self, now_s: float) -> list[TurnedAway]:
        """In the last hour, the latest last."""
        for network, one in list(self._turned_away.items()):
            if now_s - one.last_s >= HOUR_S:
                del self._turned_away[network]
        return list(self._turned_away.values())

    def _of(self, network: str) -> collections.deque[float]:
        found = self._by_network.setdefault(network, collections.deque())
        self._by_network.move_to_end(network)
        if len(self._by_network) > _MOST_NETWORKS:
            self._by_network.popitem(last=False)
        return found

    def _turn_away(self, host: str, network: str | None, now_s: float) -> TurnedAway:
        before = self._turned_away.get(network)
        if before is None or now_s - before.last_s >= HOUR_S:
            before = TurnedAway(network=network, host=host, count=0, last_s=now_s)
            self._turned_away[network] = before
        before.host, before.last_s = host, now_s
        before.count += 1
        self._turned_away.move_to_end(network)
        if len(self._turned_away) > _MOST_NETWORKS:
            self._turned_away.popitem(last=False)
        return before


def network_of(client: str) -> str | None:
    """Of an address as nginx writes it; None: it is none."""
    try:
        address = ipaddress.ip_address(client.strip("[]"))
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(ipaddress.ip_network((address, _PREFIXES[address.version]), strict=False))


def _count(due_times: collections.deque[float], now_s: float) -> int:
    while due_times and now_s - due_times[0] >= MINUTE_S:
        due_times.popleft()
    return len(due_times)
