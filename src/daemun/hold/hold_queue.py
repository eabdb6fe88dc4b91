"""Requests wait here; servers are looked for only while they do.

Each route with waiting requests is looked at about seven times a second by connecting to its servers. The first one
that accepts releases all that wait for the route: nginx gets its address, because nginx's own knowledge may be two
seconds old. Releases are spread over all servers that accept.
"""

import asyncio
import collections.abc
import dataclasses
import datetime

from daemun.core import model
from daemun.core.services import dns_service
from daemun.hold import hold_limits, server_probe

LOOK_EVERY_S = 0.15
FRESH_S = 0.1
"""How long others get what was seen, and need not wait then: many come while nginx has an old address."""
FIRST_PUBLISH_S = 30.0

START_S = 60.0
"""A server that takes longer to start than this is not called starting."""

FindFault = collections.abc.Callable[[str], model.ServerFault | None]
"""Route -> why none of its servers serves, as far as is known; None: one does, or that is not known."""

Answer = str | hold_limits.HoldRefusal
"""The server to send the request to, as nginx gets it; or why there is none."""


@dataclasses.dataclass(slots=True)
class _Queue:
    """Those who wait for one route. ready: what accepted connections at seen_s. turn: of the servers that are ready.
    away_since_s: since when none accepts; None: one did at the last look."""

    waiters: set[asyncio.Future[Answer]] = dataclasses.field(default_factory=set)
    ready: tuple[str, ...] = ()
    seen_s: float = 0.0
    turn: int = 0
    is_looked_for: bool = False
    away_since_s: float | None = None

    def take(self) -> str:
        self.turn += 1
        return self.ready[self.turn % len(self.ready)]


class HoldQueue:
    """Implements `control.ports.HeldRequests`. All methods are called on one event loop."""

    def __init__(
        self,
        find_endpoints: server_probe.FindEndpoints,
        limits: hold_limits.HoldLimits | None = None,
        *,
        is_out_of_reach: collections.abc.Callable[[str], bool] = lambda _: False,
        find_fault: FindFault = lambda _: None,
    ) -> None:
        """is_out_of_reach: whether a service has nothing to wait for. find_fault: what keeps a route's servers."""
        self._find_endpoints = find_endpoints
        self._is_out_of_reach = is_out_of_reach
        self._find_fault = find_fault
        self._limits = limits or hold_limits.HoldLimits()
        self._waits: dict[str, dns_service.HeldRoute] = {}
        self._last: dict[str, dns_service.HeldRoute] = {}
        self._queues: dict[str, _Queue] = {}
        self._is_published = asyncio.Event()
        self._wake = asyncio.Event()
        self._is_closed = False
        self._early = 0

    def publish(self, waits: collections.abc.Collection[dns_service.HeldRoute]) -> None:
        """As `control.ports.HeldRequests`. What was published the last time stays known: nginx may go on with it."""
        self._last, self._waits = self._waits, {wait.name: wait for wait in waits}
        known = self._waits.keys() | self._last.keys()
        self._queues = {name: queue for name, queue in self._queues.items() if name in known or queue.waiters}
        self._is_published.set()

    def counts(self) -> tuple[int, int]:
        return self._limits.held, self._limits.total

    def answer_at_once(self, request: hold_limits.HoldRequest) -> str | None:
        """A server that accepted a connection a moment ago, for a request that no server has tried yet."""
        queue = self._queues.get(request.route)
        now_s = asyncio.get_running_loop().time()
        if queue is None or not queue.ready or request.tries or now_s - queue.seen_s > FRESH_S:
            return None
        return queue.take()

    def is_starting(self, request: hold_limits.HoldRequest) -> bool:
        """Whether the servers of a request that waited in vain may just be starting: not when a setting is wrong, nor
        when they have been away for longer than a start takes, or take connections and serve none."""
        fault, wait = self._find_fault(request.route), self._waits.get(request.route)
        if wait is not None and self._is_in_vain(wait):
            return False
        if fault is not None:
            age_s = (datetime.datetime.now(datetime.UTC) - fault.since).total_seconds()
            if fault.is_permanent or age_s >= START_S:
                return False
        queue = self._queues.get(request.route)
        since_s = queue.away_since_s if queue is not None else None
        is_long = since_s is not None and asyncio.get_running_loop().time() - since_s >= START_S
        return not is_long and request.visits < len(hold_limits.PAUSES_S)

    async def wait(self, request: hold_limits.HoldRequest) -> Answer:
        """Until a server is ready or the wait is over. Cancelled, it gives its place back."""
        if not self._is_published.is_set() and (refusal := await self._wait_for_routes()) is not None:
            return refusal
        wait = self._waits.get(request.route) or self._last.get(request.route)
        if wait is None:
            return hold_limits.HoldRefusal.UNKNOWN
        fault = self._find_fault(request.route)
        # Where a person has to change something first, requests do not wait.
        if self._is_in_vain(wait) or (fault is not None and fault.is_permanent):
            return hold_limits.HoldRefusal.OVER
        loop = asyncio.get_running_loop()
        ticket = self._limits.enter(request, wait, loop.time())
        if isinstance(ticket, hold_limits.HoldRefusal):
            return ticket
        try:
            async with asyncio.timeout_at(ticket.until_s):
                await asyncio.sleep(ticket.look_s - loop.time())
                return await self._queue_up(request.route)
        except TimeoutError:
            return hold_limits.HoldRefusal.OVER
        finally:
            self._limits.leave(ticket)

    async def run(self) -> None:
        """Look for servers while requests wait. Never ends by itself; cancelled, it releases all."""
        self._is_closed = False
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    await self._wake.wait()
                    self._wake.clear()
                    for name, queue in self._queues.items():
                        if queue.waiters and not queue.is_looked_for:
                            queue.is_looked_for = True
                            group.create_task(self._look(name, queue))
        finally:
            self._is_closed = True
            for queue in self._queues.values():
                queue.is_looked_for = False
                _release(queue, lambda: hold_limits.HoldRefusal.OVER)

    async def _wait_for_routes(self) -> hold_limits.HoldRefusal | None:
        """nginx goes on while daemun starts, so requests may be here before the first round."""
        if self._early >= hold_limits.MOST_HELD_PER_SITE:
            return hold_limits.HoldRefusal.FULL
        self._early += 1
        try:
            async with asyncio.timeout(FIRST_PUBLISH_S):
                await self._is_published.wait()
        except TimeoutError:
            return hold_limits.HoldRefusal.OVER
        finally:
            self._early -= 1
        return None

    async def _queue_up(self, route: str) -> Answer:
        if self._is_closed:
            return hold_limits.HoldRefusal.OVER
        queue = self._queues.setdefault(route, _Queue())
        waiter: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        queue.waiters.add(waiter)
        self._wake.set()
        try:
            return await waiter
        finally:
            queue.waiters.discard(waiter)

    async def _look(self, name: str, queue: _Queue) -> None:
        if asyncio.get_running_loop().time() - queue.seen_s > START_S:
            queue.away_since_s = None  # what was in between is not known: no request waited
        while queue.waiters:
            wait = self._waits.get(name) or self._last.get(name)
            if wait is not None and self._is_in_vain(wait):
                _release(queue, lambda: hold_limits.HoldRefusal.OVER)
                break
            queue.ready = (
                await server_probe.find_ready(server_probe.find_places(wait, self._find_endpoints)) if wait else ()
            )
            queue.seen_s = asyncio.get_running_loop().time()
            if queue.ready:
                queue.away_since_s = None
                _release(queue, queue.take)
            else:
                queue.away_since_s = queue.away_since_s or queue.seen_s
                await asyncio.sleep(LOOK_EVERY_S)
        queue.is_looked_for = False

    def _is_in_vain(self, wait: dns_service.HeldRoute) -> bool:
        return bool(wait.servers) and all(
            one.service is not None and self._is_out_of_reach(one.service) for one in wait.servers
        )


def _release(queue: _Queue, answer: collections.abc.Callable[[], Answer]) -> None:
    for waiter in queue.waiters:
        if not waiter.done():
            waiter.set_result(answer())
    queue.waiters.clear()
