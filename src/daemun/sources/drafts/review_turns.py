"""Drafts are looked at one at a time, each for a bounded time, in a thread that ends before the next one begins."""

import asyncio
import collections.abc
import typing

from daemun.errors import ConfigError, TooManyAtOnceError
from daemun.sources import shielded_work

LONGEST_S = 120.0
_MOST_WAITING = 4

_T = typing.TypeVar("_T")


class ReviewTurns:
    """Runs one review at a time, each for a bounded time. Called on one event loop."""

    def __init__(self) -> None:
        self._free = asyncio.Lock()
        self._waiting = 0

    async def look(self, work: collections.abc.Callable[[shielded_work.WorkingThread], _T]) -> _T:
        """Raises: what the work does; TooManyAtOnceError; ConfigError when it takes too long: its thread ends soon
        then, and others wait until it has."""
        if self._waiting >= _MOST_WAITING:
            raise TooManyAtOnceError("cannot look at the draft now: others are looked at; try again in a moment")
        self._waiting += 1
        try:
            async with asyncio.timeout(LONGEST_S):
                await self._free.acquire()
            return await shielded_work.run_for(LONGEST_S, work, ended=self._free.release)
        except TimeoutError:
            raise ConfigError(
                f"cannot look at the draft: it took longer than {LONGEST_S:g} s; `daemun check` has no limit"
            ) from None
        finally:
            self._waiting -= 1
