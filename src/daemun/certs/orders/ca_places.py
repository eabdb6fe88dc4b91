"""Places for orders at CAs, bounded at each CA by itself.

An order waits for its CA nearly all of its time, up to half an hour when the CA never finishes it. So each CA has its
own places: one that hangs keeps its own orders waiting, and no other CA's.
"""

import asyncio
import collections
import collections.abc

ORDERS_AT_ONE_CA = 16
"""More would only queue for the interpreter."""


class CaPlaces:
    """Of CAs, by the URL of their directory. Not thread-safe. freed: called when an order went on to another CA."""

    def __init__(self, freed: collections.abc.Callable[[], None]) -> None:
        self.freed = freed
        self._known = collections.defaultdict[str, asyncio.Semaphore](lambda: asyncio.Semaphore(ORDERS_AT_ONE_CA))

    def has_free(self, directory: str) -> bool:
        """False, too, when an order waits for the next place."""
        return not self._known[directory].locked()

    async def take(self, directory: str) -> "Place":
        """Waits for a free place, in the order of the calls."""
        await self._known[directory].acquire()
        return Place(self, directory)

    def leave(self, directory: str) -> None:
        self._known[directory].release()


class Place:
    """Where one order is: at a single CA at a time."""

    def __init__(self, places: CaPlaces, directory: str) -> None:
        self._places = places
        self._at: str | None = directory

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
