"""Limits a repeated message to one line a minute for each cause, with their number. No I/O; the time is an argument, in
seconds."""

import collections.abc
import math

QUIET_S = 60.0
_MOST_CAUSES = 1000


class Repeats:
    """Not thread-safe. Bounded: the cause that came first is forgotten first."""

    def __init__(self) -> None:
        self._seen: dict[collections.abc.Hashable, tuple[float, int]] = {}

    def note(self, cause: collections.abc.Hashable, now_s: float) -> int | None:
        """How many were left out since the last line of this cause; None: this one is left out, too.

        now_s: of any clock that only goes on."""
        began_s, left_out = self._seen.get(cause, (-math.inf, 0))
        if now_s - began_s < QUIET_S:
            self._seen[cause] = (began_s, left_out + 1)
            return None
        self._seen[cause] = (now_s, 0)
        if len(self._seen) > _MOST_CAUSES:
            self._seen.pop(next(iter(self._seen)))
        return left_out


def add_left_out(line: str, left_out: int) -> str:
    return f"{line} ({left_out} more like this since the last line)" if left_out else line
