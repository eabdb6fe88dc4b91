"""A lock that is held for a time: what `control.ports.Store.lock` gives.

Its holder works on while the store renews it. When that fails for too long, or another took it, the holder notices by
its own clock, before anybody else can get the lease, and stops; a write that is late all the same is refused by its
token (Kleppmann, "How to do distributed locking", 2016).
"""

import collections.abc
import dataclasses
import threading
import time

from daemun import errors

LEASE_S = 60.0
"""How long others wait for what a dead process holds."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, order=True)
class FencingToken:
    """Rises each time that the lock is taken. epoch: rises when a store may have forgotten tokens: numbers are given
    twice after that."""

    epoch: int
    number: int


def monotonic_s() -> float:
    """As `time.monotonic`, and goes on while the machine sleeps (clock_gettime(2))."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lease:
    """A lock that is held. Thread-safe."""

    def __init__(
        self,
        name: str,
        token: FencingToken,
        *,
        lease_s: float,
        sent_at_s: float,
        clock: collections.abc.Callable[[], float] = monotonic_s,
    ) -> None:
        """sent_at_s: by the clock, before the request for it was sent: an answer that took long prolongs nothing."""
        self.name = name
        self.token = token
        self.lease_s = lease_s
        self._ends_at_s = sent_at_s + lease_s
        self._clock = clock
        self._guard = threading.Lock()
        self._is_over = False

    @property
    def ends_at_s(self) -> float:
        """By the clock; later after each renewal."""
        return self._ends_at_s

    @property
    def is_held(self) -> bool:
        if not self._is_over and self._clock() >= self._ends_at_s:
            self.lose()
        return not self._is_over

    def check(self) -> None:
        """Before each step that another holder must not see. Raises: LeaseLostError."""
        if not self.is_held:
            raise errors.LeaseLostError(
                f'cannot go on with "{self.name}": its lease of {self.lease_s:.0f} s was not renewed in time, and '
                "another process may hold it; nothing to do, it is tried again"
            )

    # --- for stores ------------------------------------------------------------------------------------------------

    def prolong(self, *, sent_at_s: float) -> None:
        """It was renewed by a request that was sent then. One that is over stays over."""
        with self._guard:
            if not self._is_over and self._clock() < self._ends_at_s:
                self._ends_at_s = max(self._ends_at_s, sent_at_s + self.lease_s)

    def lose(self) -> None:
        """It is over, by no will of its holder."""
        self._end()

    def release(self) -> None:
        """Its holder is done with it."""
        self._end()

    def _end(self) -> None:
        with self._guard:
            self._is_over = True
