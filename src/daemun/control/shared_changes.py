"""Follows changes that other machines of a fleet, and other processes of this one, make in the store: parts that keep
stored values in memory register their keys here.

Needed where several daemons have one store, and only run there: else the store has nothing that its daemon did not
write.
"""

import asyncio
import collections.abc
import dataclasses

import structlog

from daemun import errors
from daemun.control import ports, stored_values

log: structlog.stdlib.BoundLogger = structlog.get_logger()

RETRY_S = 1.0

Take = collections.abc.Callable[[collections.abc.Sequence[str]], collections.abc.Awaitable[None]]
"""Called on the event loop with the keys that were changed, each once: also with those that this daemon changed itself.
A key that cannot be used is reported by whoever reads it; what raises anything is tried again."""


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class _Follower:
    prefixes: tuple[str, ...]
    take: Take
    waiting: dict[str, None] = dataclasses.field(default_factory=dict)
    changed: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)


class SharedChanges:
    """Watches the store and hands changed keys to those who follow them. All methods are called on one event loop,
    `follow` before `run`. after: of the store; None: from `run` on."""

    def __init__(self, store: ports.Store, *, after: stored_values.Cursor | None = None) -> None:
        self._store = store
        self._after = after
        self._followers: list[_Follower] = []
        self._beside: list[collections.abc.Callable[[], collections.abc.Coroutine[None, None, None]]] = []

    def follow(self, *prefixes: str, take: Take, missed: collections.abc.Sequence[str] = ()) -> None:
        """prefixes: each a key, or what keys begin with before a "/". missed: taken at once, and until that works."""
        one = _Follower(prefixes=prefixes, take=take)
        self._followers.append(one)
        if missed:
            one.waiting.update(dict.fromkeys(missed))
            one.changed.set()

    def run_beside(self, run: collections.abc.Callable[[], collections.abc.Coroutine[None, None, None]]) -> None:
        """What else goes on while changes are followed; it never returns."""
        self._beside.append(run)

    async def run(self) -> None:
        """Never returns."""
        changes = self._store.watch("", after=self._after)
        async with asyncio.TaskGroup() as tasks:
            for one in self._followers:
                tasks.create_task(_serve(one), name=f"changes of {one.prefixes[0]}")
            for run in self._beside:
                tasks.create_task(run())
            async for found in changes:
                self._hand_out([one.key for one in found.keys])

    def _hand_out(self, keys: collections.abc.Iterable[str]) -> None:
        for key in keys:
            for one in self._followers:
                if any(key == each or key.startswith(f"{each}/") for each in one.prefixes):
                    one.waiting[key] = None
                    one.changed.set()


async def _serve(one: _Follower) -> None:
    """One that is slow holds up no other, and neither does one that fails: nobody's bans wait for another's files."""
    has_failed = False
    while True:
        await one.changed.wait()
        one.changed.clear()
        keys, one.waiting = one.waiting, {}
        try:
            await one.take(tuple(keys))
        except errors.DaemunError as error:
            log.debug("what others changed is not followed yet", of=one.prefixes, reason=str(error))
        except Exception:
            if not has_failed:
                log.exception("what others changed cannot be followed; it is tried again", of=one.prefixes)
            has_failed = True
        else:
            has_failed = False
            continue
        one.waiting = keys | one.waiting
        await asyncio.sleep(RETRY_S)
        one.changed.set()
