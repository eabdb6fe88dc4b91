"""Places for orders at CAs, bounded at each CA by itself.

An order waits for its CA nearly all of its time, up to half an hour when the CA never finishes it. So each CA has its
own places: one that hangs keeps its own orders waiting, and no other CA's.
"""

import asyncio
import collections
import collections.abc
import contextlib

ORDERS_AT_ONE_CA = 16
"""More would only queue for the interpreter."""

Which = collections.abc.Callable[[str], bool]
"""Whether a CA is meant, by the URL of its directory."""


class CaPlaces:
    """Limits how many orders run at each CA, by the URL of its directory. Not thread-safe. freed: called when an order
    went on to another CA."""

    def __init__(self, freed: collections.abc.Callable[[], None]) -> None:
        self.freed = freed
        self._known = collections.defaultdict[str, asyncio.Semaphore](lambda: asyncio.Semaphore(ORDERS_AT_ONE_CA))
        self._closed: list[Which] = []
        self._inside: collections.Counter[str] = collections.Counter()
        self._changed = asyncio.Event()

    def has_free(self, directory: str) -> bool:
        """False, too, when an order waits for the next place, and while the CA is closed."""
        return not self._is_closed(directory) and not self._known[directory].locked()

    async def take(self, directory: str) -> "OrderPlace":
        """Waits for a free place, in the order of the calls, and until the CA is open."""
        await self._known[directory].acquire()
        while self._is_closed(directory):
            self._known[directory].release()
            await self.wait_for_change()
            await self._known[directory].acquire()
        self._inside[directory] += 1
        return OrderPlace(self, directory)

    def leave(self, directory: str) -> None:
        self._inside[directory] -= 1
        self._known[directory].release()
        self._changed.set()

    @contextlib.contextmanager
    def closed(self, which: Which) -> collections.abc.Iterator[None]:
        """No order begins at these CAs, or goes on to them, while the block runs. Those that are there stay."""
        self._closed.append(which)
        try:
            yield
        finally:
            self._closed.remove(which)
            self._changed.set()
            self.freed()

    def _is_closed(self, directory: str) -> bool:
        return any(which(directory) for which in self._closed)

    def is_any_at(self, which: Which) -> bool:
        """Whether an order is at one of these CAs."""
        return any(count and which(directory) for directory, count in self._inside.items())

    async def wait_for_change(self) -> None:
        """Until an order left its place, or a CA is open again."""
        self._changed.clear()
        await self._changed.wait()


class OrderPlace:
    """Where one order is: at a single CA at a time."""

    def __init__(self, places: CaPlaces, directory: str) -> None:
        self._places = places
        self._at: str | None = directory

    @property
    def at(self) -> str | None:
        """The CA; None: on the way to another one."""
        return self._at

    async def move(self, directory: str) -> bool:
        """Be at this CA. The place before is free at once, so that no other order waits there meanwhile.

        Returns: whether one had to be waited for.
        """
        if self._at == directory:
            return False
        self.leave()
        self._places.freed()
        is_waiting = not self._places.has_free(directory)
        await self._places.take(directory)
        self._at = directory
        return is_waiting

    def leave(self) -> None:
        """Does nothing when it was left before."""
        if self._at is not None:
            self._places.leave(self._at)
            self._at = None
