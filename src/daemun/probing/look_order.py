"""The order of probes that wait: none waits for ever, however many others there are. Pure: the time is an argument."""

import collections.abc
import dataclasses

from daemun.probing import observations

FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 60.0
"""A server in trouble is tried again after the first, then after twice as long, and so on."""


@dataclasses.dataclass(slots=True)
class _Pause:
    """A server in trouble. until_s: it is not tried before."""

    until_s: float
    length_s: float


class Pauses:
    """Servers that are tried again later: those in trouble. Not thread-safe."""

    def __init__(self) -> None:
        self._known: dict[observations.Key, _Pause] = {}

    def note(self, key: observations.Key, now_s: float, *, is_bad: bool) -> None:
        """What a try showed."""
        before = self._known.pop(key, None)  # setting alone would keep its place
        if is_bad:
            length_s = FIRST_PAUSE_S if before is None else min(2 * before.length_s, LONGEST_PAUSE_S)
            self._known[key] = _Pause(until_s=now_s + length_s, length_s=length_s)

    def try_at(self, key: observations.Key, at_s: float) -> None:
        """A further try, of one that may be good. One in trouble has its own."""
        self._known.setdefault(key, _Pause(until_s=at_s, length_s=FIRST_PAUSE_S / 2))

    def forget(self, key: observations.Key) -> None:
        self._known.pop(key, None)

    def due(self, now_s: float) -> collections.abc.Iterator[observations.Key]:
        """Those to be tried again; first the one whose last try is longest ago. Others may be noted meanwhile."""
        return (key for key, pause in list(self._known.items()) if pause.until_s <= now_s)
