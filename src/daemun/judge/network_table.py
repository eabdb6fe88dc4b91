"""A bounded table of values for visitors who have not signed in, with a limit for each network. No I/O.

Bounded: by network, by wide network (many hosters give each customer hundreds of /64 of IPv6), and in all. Where all is
full, the network that has most gives its oldest, so that no one network pushes out what others have.
"""

import typing

from daemun.core.access import guess_limits

_T = typing.TypeVar("_T")


class NetworkTable(typing.Generic[_T]):
    """A bounded table whose entries are counted by network; a full one drops the oldest of the largest network. Not
    thread-safe."""

    def __init__(self, *, most: int, most_of_wide: int, most_of_network: int) -> None:
        """most_of_network: of one of `guess_limits.network_of`; most_of_wide: of one of `guess_limits.widen`."""
        self._most, self._most_of_wide, self._most_of_network = most, most_of_wide, most_of_network
        self._found: dict[str, tuple[str, _T]] = {}
        self._keys: dict[str, dict[str, dict[str, None]]] = {}
        """By wide network and network, the oldest first."""

    def __len__(self) -> int:
        return len(self._found)

    def add(self, key: str, network: str, value: _T) -> None:
        """It takes the place of another with its key."""
        self.take(key)
        wide = guess_limits.widen(network)
        while len(self._keys.get(wide, {}).get(network, {})) >= self._most_of_network:
            self._evict(wide, network)
        while self._count(wide) >= self._most_of_wide:
            self._evict(wide)
        while len(self._found) >= self._most:
            self._evict(max(self._keys, key=self._count))
        self._found[key] = (network, value)
        self._keys.setdefault(wide, {}).setdefault(network, {})[key] = None

    def take(self, key: str) -> _T | None:
        """It is used up by this."""
        if key not in self._found:
            return None
        network, value = self._found.pop(key)
        wide = guess_limits.widen(network)
        networks = self._keys[wide]
        del networks[network][key]
        if not networks[network]:
            del networks[network]
        if not networks:
            del self._keys[wide]
        return value

    def _count(self, wide: str) -> int:
        return sum(map(len, self._keys.get(wide, {}).values()))

    def _evict(self, wide: str, network: str | None = None) -> None:
        """The oldest of the network, or of the one that has most."""
        networks = self._keys[wide]
        fullest = network or max(networks, key=lambda one: len(networks[one]))
        self.take(next(iter(networks[fullest])))
