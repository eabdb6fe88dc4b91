"""Which names handshakes are made with next. Pure: the time is an argument, seconds of any clock that only goes on.

Three kinds share the rate: names that are new, or whose certificate is; those whose last handshake failed; and all, one
after another. So ten thousand names cost what a hundred do, and a whole turn takes longer.
"""

import collections
import collections.abc

Name = tuple[str, str]
"""A site's host, and one of its names."""

NEW_SHAKES_PER_S = 12.0
"""After changes. Each takes nginx and this process a millisecond."""
TURN_S = 300.0
"""Each name has its turn so often, where they are few; else SHAKES_IN_TURN_PER_S are made. With a turn a minute,
handshakes were half of what a daemon with a hundred sites does at rest."""
SHAKES_IN_TURN_PER_S = 4.0
BAD_SHAKE_EVERY_S = 5.0
_MOST_SAVED_S = 1.0
"""After a pause no more is made up for than this."""


class HandshakeTurns:
    """Chooses the names of the next handshakes, at a bounded rate. Not thread-safe."""

    def __init__(self) -> None:
        self._new: dict[Name, None] = {}
        self._turn: collections.deque[Name] = collections.deque()
        self._started_at: float | None = None
        self._new_owed = 1.0
        self._turn_owed = 0.0
        self._bad_at: float | None = None

    def add_new(self, name: Name) -> None:
        """Make one soon, before those whose turn it is."""
        self._new[name] = None

    def follow(self, names: collections.abc.Iterable[Name]) -> None:
        """All that there are. Those that were there keep their place, and new ones come last: a turn that began anew
        with each change would reach the first ones alone where changes are frequent."""
        wanted = dict.fromkeys(names)
        self._turn = collections.deque(dict.fromkeys([*(one for one in self._turn if one in wanted), *wanted]))
        self._new = {one: None for one in self._new if one in wanted}

    @property
    def waiting(self) -> collections.abc.Set[Name]:
        """Those of `add_new` that were not handed out yet."""
        return self._new.keys()

    def take_due(self, now_s: float, bad: collections.abc.Sequence[Name]) -> tuple[Name, ...]:
        """Those to be made now, each once. bad: those whose last one failed, all of them."""
        passed_s = 0.0 if self._started_at is None else min(max(now_s - self._started_at, 0.0), _MOST_SAVED_S)
        self._started_at = now_s
        chosen = [*self._take_new(passed_s), *self._take_bad(now_s, bad), *self._take_turn(passed_s)]
        return tuple(dict.fromkeys(chosen))

    def _take_new(self, passed_s: float) -> collections.abc.Iterator[Name]:
        self._new_owed = min(self._new_owed + passed_s * NEW_SHAKES_PER_S, max(NEW_SHAKES_PER_S * _MOST_SAVED_S, 1.0))
        while self._new and self._new_owed >= 1:
            self._new_owed -= 1
            one = next(iter(self._new))
            del self._new[one]
            yield one

    def _take_bad(self, now_s: float, bad: collections.abc.Sequence[Name]) -> collections.abc.Sequence[Name]:
        if self._bad_at is not None and now_s - self._bad_at < BAD_SHAKE_EVERY_S:
            return ()
        self._bad_at = now_s
        return bad[: int(SHAKES_IN_TURN_PER_S * BAD_SHAKE_EVERY_S)]

    def _take_turn(self, passed_s: float) -> collections.abc.Iterator[Name]:
        per_s = min(len(self._turn) / TURN_S, SHAKES_IN_TURN_PER_S)
        self._turn_owed = min(self._turn_owed + per_s * passed_s, max(SHAKES_IN_TURN_PER_S * _MOST_SAVED_S, 1.0))
        while self._turn and self._turn_owed >= 1:
            self._turn_owed -= 1
            yield self._turn[0]
            self._turn.rotate(-1)
