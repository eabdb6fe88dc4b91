"""Which servers behind the gate are tried next, and trying them; of sites and of streams alike.

A server is tried when it is new, on request, after errors that nginx logged of it, and again while it is in trouble.
"""

import asyncio
import collections.abc
import contextlib
import time
import traceback
import typing

import structlog

from daemun.core import model
from daemun.core.served import server_answers
from daemun.probing import look_order, observations, server_tries, trouble_log

log: structlog.stdlib.BoundLogger = structlog.get_logger()

TRIES_PER_TICK = 6
"""Servers that are tried without a request in one tick of a prober."""
AGAIN_S = 1.0
"""What went wrong is looked at once more after this before it is believed: a change may just be under way."""
AFTER_ERROR_S = 5.0
"""A server is not tried again sooner because of an error that nginx logged."""
ALL_LOOKED_AT_S = 120.0
"""After the first look at the last site or stream began: what was in trouble before the start is not reported as over
sooner."""
MOST_ENDPOINTS = 16
AT_ONCE = 64
"""Looks that are made side by side for a request."""

Finding = tuple[str, server_answers.ServerFinding]
"""A server, as messages name it, and what was found of it."""
T = typing.TypeVar("T")
FindEndpoints = collections.abc.Callable[[str], tuple[model.Endpoint, ...]]
Explain = collections.abc.Callable[[str, server_answers.ServerFinding], server_answers.ServerFinding]
"""What a finding of that server means where it is used."""


class TargetProbe:
    """Tries every server behind a target. find_endpoints: service name -> its addresses now. ca_bundle: the system's
    roots."""

    def __init__(
        self, find_endpoints: FindEndpoints, *, ca_bundle: str | None, machine: server_tries.ProbeMachine
    ) -> None:
        self._find_endpoints = find_endpoints
        self._contexts = server_tries.Contexts(ca_bundle)
        self._machine = machine

    async def run(
        self, aim: model.Aim, explain: Explain, *, absent_as: str, gate: tuple[model.Address, ...] = ()
    ) -> tuple[Finding, ...]:
        """absent_as: how the server is named when the service has no address. gate: where the gate listens."""
        endpoints: tuple[model.Endpoint | None, ...] = (aim.endpoint,)
        if aim.service is not None:
            endpoints = self._find_endpoints(aim.service)[:MOST_ENDPOINTS]
            if not endpoints:
                return ((absent_as, explain(absent_as, server_answers.absent(aim))),)

        async def try_one(endpoint: model.Endpoint | None) -> Finding:
            one = server_tries.ServerProbe(
                aim=aim, endpoint=endpoint, contexts=self._contexts, machine=self._machine, gate=gate
            )
            return one.server, explain(one.server, await one.run())

        return tuple(await asyncio.gather(*(try_one(one) for one in endpoints)))


class Targets(typing.Protocol):
    """Whose servers are tried."""

    def find_target(self, key: observations.Key) -> model.Aim | None:
        """None: it is not there any more."""

    def find_servers(self, key: observations.Key) -> tuple[model.ServerLook, ...]:
        """What is known of its servers; empty: none was tried yet."""

    async def try_target(self, aim: model.Aim) -> tuple[Finding, ...]: ...

    def note_tried(self, key: observations.Key, aim: model.Aim, found: tuple[Finding, ...], now_s: float) -> None: ...


class ServerTurns:
    """Tries the servers behind targets, at a bounded rate. Not thread-safe. kind: what has the targets, as the log
    names it: "host" or "stream"."""

    def __init__(self, targets: Targets, kind: str) -> None:
        self._targets = targets
        self._kind = kind
        self._waiting: dict[observations.Key, None] = {}
        self._pauses = look_order.Pauses()
        self._troubles = trouble_log.TroubleLog(time.monotonic)
        self._tried_at_s: dict[observations.Key, float] = {}
        self._under_way: set[observations.Key] = set()

    @property
    def waiting(self) -> collections.abc.Set[observations.Key]:
        """Those of `add` that were not begun yet."""
        return self._waiting.keys()

    @property
    def is_trying(self) -> bool:
        return bool(self._waiting or self._under_way)

    def add(self, keys: collections.abc.Iterable[observations.Key]) -> None:
        """Try these soon."""
        self._waiting |= dict.fromkeys(keys)

    def begin(self) -> None:
        """What was under way ended with the loop that ran it."""
        self._under_way.clear()

    def start(
        self,
        group: asyncio.TaskGroup,
        now_s: float,
        is_known: collections.abc.Callable[[observations.Key], bool] = lambda _: False,
    ) -> None:
        """Those whose turn it is, in a bounded number. is_known: whether one need not be tried."""
        left = TRIES_PER_TICK
        while self._waiting and left:
            self._waiting.pop(key := next(iter(self._waiting)))
            if is_known(key):
                continue
            left -= 1
            group.create_task(self.try_now(key), name=f"try {key}")
        for key in self._pauses.due(now_s) if left else ():
            if not left:
                break
            if self._targets.find_target(key) is None:
                self._pauses.forget(key)
            elif key not in self._under_way:
                left -= 1
                group.create_task(self.try_now(key), name=f"try {key}")

    async def try_now(self, key: observations.Key, *, is_requested: bool = False) -> None:
        """Never raises but when cancelled."""
        aim = self._targets.find_target(key)
        if aim is None or (key in self._under_way and not is_requested):
            return
        self._under_way.add(key)
        try:
            found = await self._targets.try_target(aim)
            is_bad = any(one.trouble is not None for _, one in found)
            if is_bad and not is_requested and not self._targets.find_servers(key):
                await asyncio.sleep(AGAIN_S)  # it was just added, and may be about to start
                found = await self._targets.try_target(aim)
            self._targets.note_tried(key, aim, found, asyncio.get_running_loop().time())
        except asyncio.CancelledError:
            self._waiting[key] = None  # its own turn may have passed meanwhile
            raise
        except Exception:
            stack = traceback.format_exc()
            log.error("a server could not be tried", **{self._kind: key[0]}, stack=stack)  # noqa: TRY400
        finally:
            self._under_way.discard(key)

    def note(
        self,
        key: observations.Key,
        servers: collections.abc.Sequence[model.ServerLook],
        now_s: float,
        *,
        logged_as: observations.Key,
    ) -> bool:
        """What a try showed. logged_as: see `TroubleLog.note`. Returns: whether a server is in trouble."""
        is_bad = any(one.trouble is not None for one in servers)
        self._tried_at_s[key] = now_s
        self._pauses.note(key, now_s, is_bad=is_bad)
        self._troubles.note(logged_as, servers)
        return is_bad

    def note_error(self, keys: collections.abc.Iterable[observations.Key], now_s: float) -> None:
        """nginx logged an error of their servers."""
        for key in keys:
            again_s = self._tried_at_s.get(key, -AFTER_ERROR_S) + AFTER_ERROR_S
            if now_s < again_s:
                # Not left out: it may have ended right after the last try, and no further request may come.
                self._pauses.try_at(key, again_s)
            else:
                self._tried_at_s[key] = now_s
                self._waiting[key] = None

    def forget(self, is_logged: collections.abc.Callable[[observations.Key], bool]) -> None:
        """What is gone. is_logged: whether what was noted by this key of the log is still there."""
        is_there = self._targets.find_target
        self._tried_at_s = {key: at_s for key, at_s in self._tried_at_s.items() if is_there(key) is not None}
        self._troubles.forget(is_logged)


async def run_within(
    within_s: float, work: collections.abc.Sequence[collections.abc.Coroutine[object, object, None]]
) -> int:
    """Side by side, `AT_ONCE` of them. Returns: how many were not done in time."""
    places, done = asyncio.Semaphore(AT_ONCE), 0

    async def limited(one: collections.abc.Awaitable[None]) -> None:
        nonlocal done
        async with places:
            await one
        done += 1

    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s), asyncio.TaskGroup() as group:
                for one in work:
                    group.create_task(limited(one))
    finally:
        for one in work:  # those that had no turn; a coroutine that nothing awaits is warned of
            one.close()
    return len(work) - done


async def confirmed(look: collections.abc.Callable[[], collections.abc.Awaitable[T | None]]) -> T | None:
    """What a look finds wrong, when a second one finds it, too; None: nothing."""
    found = await look()
    if found is not None:
        await asyncio.sleep(AGAIN_S)
        found = await look()
    return found
