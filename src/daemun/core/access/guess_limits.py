"""How many wrong guesses are looked at, by address and by user. No I/O; the time is an argument, in seconds.

Those that are being verified count, too, so that a thousand at once are no way around. After a number of wrong ones
there is a wait, twice as long with each further one. Where a user signed in before, the user's wait does not hold: who
guesses from everywhere shall not lock out the user at home.

The memory is bounded: addresses that were not heard of for the longest time are forgotten first; users share a fixed
number of counters, so that made-up names push none of them out.
"""

import collections
import collections.abc
import contextlib
import dataclasses
import hashlib
import ipaddress
import math

FORGOTTEN_AFTER_S = 3600.0
MOST_NETWORKS = 10_000
Waits = dict[str, tuple[int, float]]
"""Networks that have to wait -> how many of their guesses were wrong, and for how many seconds."""

_USER_COUNTERS = 1 << 16
_IPV6_PREFIX = 64
_WIDE_IPV6_PREFIX = 48


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """free: wrong guesses without a wait. longest_wait_s: the wait doubles from a second up to this."""

    free: int
    longest_wait_s: float


BY_NETWORK = Allowance(free=20, longest_wait_s=900.0)
BY_USER = Allowance(free=100, longest_wait_s=60.0)


@dataclasses.dataclass(slots=True)
class Counter:
    """Of one network or user. pending: guesses that are being verified. wrong: until last_s."""

    pending: int = 0
    wrong: int = 0
    last_s: float = -math.inf
    until_s: float = -math.inf

    def find_wait_s(self, allowance: Allowance, now_s: float) -> float:
        if now_s - self.last_s > FORGOTTEN_AFTER_S:
            self.wrong = 0
        if self.pending and self.wrong + self.pending >= allowance.free:
            return max(1.0, self.until_s - now_s)  # once it is scarce, one after the other
        return max(0.0, self.until_s - now_s)

    def forget(self) -> None:
        """Count anew; what is being verified counts still."""
        self.wrong, self.last_s, self.until_s = 0, -math.inf, -math.inf

    def note_wrong(self, allowance: Allowance, now_s: float) -> None:
        self.wrong += 1
        self.last_s = now_s
        excess = self.wrong - allowance.free
        if excess >= 0:
            self.until_s = now_s + min(2.0 ** min(excess, 32), allowance.longest_wait_s)


@dataclasses.dataclass(slots=True)
class Guess:
    """What came of it, to be set: whether it was right, and when that was known."""

    was_right: bool = False
    ended_s: float = 0.0


class GuessLimits:
    """Not thread-safe."""

    def __init__(self, key: bytes, by_network: Allowance = BY_NETWORK) -> None:
        """key: random, so that no visitor can choose names that share a counter with a user."""
        self._key = key
        self._by_network = by_network
        self._networks: collections.OrderedDict[str, Counter] = collections.OrderedDict()
        self._users: dict[int, Counter] = {}
        self._at_home: collections.OrderedDict[tuple[int, str], None] = collections.OrderedDict()

    def find_wait_s(self, network: str, user: str, now_s: float) -> float:
        """How long no guess of this network, or for this user, is looked at; 0: one is now. user: with its policy."""
        wait_s = self._networks[network].find_wait_s(self._by_network, now_s) if network in self._networks else 0.0
        number = self._number_of(user)
        if number in self._users and (number, network) not in self._at_home:
            wait_s = max(wait_s, self._users[number].find_wait_s(BY_USER, now_s))
        return wait_s

    @contextlib.contextmanager
    def guess(self, network: str, user: str) -> collections.abc.Iterator["Guess"]:
        """One guess is verified meanwhile."""
        guess, number = Guess(), self._number_of(user)
        counters = (self._counter_of(network), self._users.setdefault(number, Counter()))
        for one in counters:
            one.pending += 1
        try:
            yield guess
        finally:
            for one in counters:
                one.pending -= 1
        if guess.was_right:
            self._at_home[number, network] = None
            self._at_home.move_to_end((number, network))
            if len(self._at_home) > MOST_NETWORKS:
                self._at_home.popitem(last=False)
        else:
            for one, allowance in zip(counters, (self._by_network, BY_USER), strict=True):
                one.note_wrong(allowance, guess.ended_s)

    def find_waits(self, now_s: float) -> Waits:
        """Networks whose guesses are not looked at now."""
        return {
            network: (one.wrong, one.until_s - now_s) for network, one in self._networks.items() if one.until_s > now_s
        }

    def forget(self, network: str) -> None:
        """Count anew; what is being verified counts still."""
        if network in self._networks:
            self._networks[network].forget()

    def _counter_of(self, network: str) -> Counter:
        found = self._networks.setdefault(network, Counter())
        self._networks.move_to_end(network)
        if len(self._networks) > MOST_NETWORKS:
            self._networks.popitem(last=False)
        return found

    def _number_of(self, user: str) -> int:
        digest = hashlib.blake2b(user.encode(), key=self._key, digest_size=4).digest()
        return int.from_bytes(digest, "big") % _USER_COUNTERS


def network_of(address: str) -> str:
    """What one visitor has: an IPv4 address, or a /64 of IPv6. What is no address (a unix socket) is one network."""
    try:
        found = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return "-"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found), _IPV6_PREFIX), strict=False))
    return str(found)


def widen(network: str) -> str:
    """What one customer of a provider may have, of one of `network_of`: a /48 of IPv6, or the IPv4 address."""
    if ":" not in network:
        return network
    return str(ipaddress.IPv6Network(network).supernet(new_prefix=_WIDE_IPV6_PREFIX))


def longest(waits: collections.abc.Iterable[collections.abc.Mapping[str, tuple[int, float]]]) -> Waits:
    """Of several who count, each network's longest wait."""
    found: Waits = {}
    for network, row in ((network, row) for one in waits for network, row in one.items()):
        found[network] = max(found.get(network, (0, 0.0)), row, key=lambda known: known[1])
    return found
