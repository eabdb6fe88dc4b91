"""Sums of the last minute or two by when they were read: what rates are made of. Pure.

Kept only by who looks, as `daemun top` does: it begins with what the store has of the last minutes as one slice, which
is used until the slices that came after it are long enough. Times are of a clock that nobody sets.
"""

import collections
import collections.abc
import dataclasses

from daemun.core.traffic import traffic_sums

LONGEST_S = 60.0
"""Of the spans that can be queried."""
_SLICE_S = 1.0
"""A slice shorter than this grows instead of being followed by another, which bounds their number."""

Found = tuple[tuple[traffic_sums.Series, traffic_sums.Sums], ...]


@dataclasses.dataclass(slots=True)
class _Slice:
    began_s: float
    ended_s: float
    sums: dict[traffic_sums.Series, traffic_sums.Sums]

    def add(self, sums: collections.abc.Iterable[tuple[traffic_sums.Series, traffic_sums.Sums]]) -> None:
        for series, one in sums:
            self.sums.setdefault(series, traffic_sums.Sums()).add(one)


class RecentSums:
    """A sliding window of sums. Not thread-safe. first: what ended from `began_s` until `now_s`."""

    def __init__(self, first: Found, began_s: float, now_s: float) -> None:
        earlier = _Slice(began_s, now_s, {})
        earlier.add(first)
        self._slices = collections.deque([earlier])

    def add(self, sums: collections.abc.Mapping[traffic_sums.Key, traffic_sums.Sums], now_s: float) -> None:
        """What ended since the last time."""
        newest = self._slices[-1]
        if len(self._slices) == 1 or newest.ended_s - newest.began_s >= _SLICE_S:
            newest = _Slice(newest.ended_s, now_s, {})
            self._slices.append(newest)
        newest.ended_s = now_s
        newest.add((series, one) for (_, series), one in sums.items())
        while len(self._slices) > 2 and now_s - self._slices[1].began_s >= LONGEST_S:
            self._slices.popleft()

    def within(self, span_s: float) -> tuple[Found, float]:
        """Each series once, of the shortest time that is as long as this, and how long it is. What is known of less is
        all there is."""
        found = _Slice(0.0, 0.0, {})
        ended_s = began_s = self._slices[-1].ended_s
        for one in reversed(self._slices):
            if ended_s - began_s >= span_s:
                break
            found.add(one.sums.items())
            began_s = one.began_s
        return tuple(found.sums.items()), ended_s - began_s
