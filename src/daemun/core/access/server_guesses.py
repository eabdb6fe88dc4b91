"""Who guesses the passwords of servers behind the gate: addresses whose requests with credentials a server answers
with 401, again and again. No I/O; the time is an argument, in seconds.

A program with an old password sends the same one for ever, and shall not lock its household out: what nginx reports of
credentials is one of `KINDS` numbers that follow from them, and one that an address had before is no further guess. Of
a form that was posted there is no such number.
"""

import collections
import dataclasses

from daemun.core.access import guess_limits

KINDS = 50
POSTED = "form"
"""In the place of a number."""


@dataclasses.dataclass(slots=True)
class _Guessing:
    counter: guess_limits.Counter = dataclasses.field(default_factory=guess_limits.Counter)
    seen: set[str] = dataclasses.field(default_factory=set)


class ServerGuesses:
    """Not thread-safe. Addresses that were not heard of for the longest time are forgotten first."""

    def __init__(self) -> None:
        self._networks: collections.OrderedDict[str, _Guessing] = collections.OrderedDict()

    def note(self, address: str, kind: str, now_s: float) -> None:
        """A server refused credentials of this address. kind: a number below `KINDS`, or POSTED."""
        network = guess_limits.network_of(address)
        one = self._networks.setdefault(network, _Guessing())
        self._networks.move_to_end(network)
        if len(self._networks) > guess_limits.MOST_NETWORKS:
            self._networks.popitem(last=False)
        if now_s - one.counter.last_s > guess_limits.FORGOTTEN_AFTER_S:
            one.counter.forget()
            one.seen.clear()
        # Who guesses has soon had all numbers.
        if kind == POSTED or kind not in one.seen or one.counter.wrong >= guess_limits.BY_NETWORK.free:
            one.seen.add(kind)
            one.counter.note_wrong(guess_limits.BY_NETWORK, now_s)

    def find_waits(self, now_s: float) -> guess_limits.Waits:
        return {
            network: (one.counter.wrong, one.counter.until_s - now_s)
            for network, one in self._networks.items()
            if one.counter.until_s > now_s
        }

    def forget(self, network: str) -> None:
        """Count anew."""
        self._networks.pop(network, None)
