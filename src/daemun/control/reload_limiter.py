"""Keeps the generations of old workers within their budget: holds reloads back, and drains the oldest generation when
that is not enough. The policy is `core.worker_generations`.

Nothing is done and nothing is looked at while no change waits.
"""

import asyncio
import collections.abc
import dataclasses
import time

import structlog

from daemun.control import draining, gate_port, nginx_port, ports
from daemun.core import model, worker_generations
from daemun.core.options import old_workers_option
from daemun.core.worker_generations import ReloadVerdict, Urgency

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LOOK_EVERY_S = 0.5


@dataclasses.dataclass(slots=True)
class _Wait:
    """A change that waits. since_s: monotonic seconds. urgency: the highest of those that were merged.

    is_woken: the loop was woken because it may go live.
    """

    since_s: float
    urgency: Urgency
    limits: old_workers_option.OldWorkersBudget
    held: worker_generations.HeldReload
    is_woken: bool = False


class ReloadLimiter:
    """Implements `control.switcher.Admission`. All methods are called on one event loop; `run` is a background task.

    wake: called when a change that waits may go live. now: monotonic seconds.
    """

    def __init__(
        self,
        old: nginx_port.OldWorkers,
        clock: ports.Clock,
        *,
        wake: collections.abc.Callable[[], None] = lambda: None,
        now: collections.abc.Callable[[], float] = time.monotonic,
    ) -> None:
        self._old = old
        self._clock = clock
        self._now = now
        self._limits = old_workers_option.OldWorkersBudget()
        self._wait: _Wait | None = None
        self._draining: draining.Draining | None = None
        self._begun = asyncio.Event()
        self._wake = wake

    async def admit(
        self, limits: old_workers_option.OldWorkersBudget, urgency: Urgency
    ) -> worker_generations.HeldReload | None:
        """See control.switcher.Admission."""
        self._limits = limits
        old = await self._old.list_old()
        now_s = self._now()
        since_s = now_s
        if self._wait is not None:
            since_s, urgency = self._wait.since_s, max(self._wait.urgency, urgency)
        verdict = worker_generations.judge(old, limits, urgency=urgency, waited_s=now_s - since_s)
        if verdict in {ReloadVerdict.RELOAD, ReloadVerdict.OVERDUE}:
            if verdict is ReloadVerdict.OVERDUE:
                log.warning("a change goes live though old workers exceed their budget", reason=_excess(old, limits))
            return None
        held = worker_generations.hold(_excess(old, limits), limits, now=self._clock.now(), waited_s=now_s - since_s)
        if self._wait is None:
            log.info(f"a change that needs a reload waits: {held}")
        self._wait = _Wait(since_s=since_s, urgency=urgency, limits=limits, held=held)
        self._begun.set()
        return held

    def withdraw(self) -> None:
        """No change waits any more."""
        self._wait = None

    async def look(self) -> gate_port.OldWorkersReport:
        """What there is now, with sockets; for the status."""
        old = await self._old.count_sockets(await self._old.list_old())
        drain = self._draining
        place = None if drain is None else next((i for i, one in enumerate(old) if drain.is_of(one)), None)
        return gate_port.OldWorkersReport(
            old=old,
            limits=self._limits,
            held=self._wait.held if self._wait is not None else None,
            drains=place,
            closed=drain.closed if drain is not None else 0,
        )

    async def run(self) -> None:
        """Never returns."""
        try:
            while True:
                await self._begun.wait()
                if self._wait is None:
                    self._begun.clear()
                    self._end_draining(await self._old.list_old() if self._draining is not None else ())
                    continue
                await self._step(self._wait)
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            self._draining = None

    async def _step(self, wait: _Wait) -> None:
        old = await self._old.list_old()
        if self._draining is not None and not any(self._draining.is_of(one) for one in old):
            self._end_draining(old)
        verdict = worker_generations.judge(old, wait.limits, urgency=wait.urgency, waited_s=self._now() - wait.since_s)
        if verdict is ReloadVerdict.DRAIN:
            await self._drain(old, wait)
        elif verdict is not ReloadVerdict.WAIT and not wait.is_woken:
            wait.is_woken = True
            self._wake()

    async def _drain(self, old: tuple[model.OldGeneration, ...], wait: _Wait) -> None:
        if self._draining is None:
            (target,) = await self._old.count_sockets(old[:1])
            self._draining = draining.Draining(self._old, target, wait.limits, self._now)
            self._draining.log_begin(_excess(old, wait.limits))
        left = next((one for one in old if self._draining.is_of(one)), None)
        if left is not None:
            await self._draining.step(left)

    def _end_draining(self, old: tuple[model.OldGeneration, ...]) -> None:
        if self._draining is not None:
            self._draining.log_end(is_gone=not any(self._draining.is_of(one) for one in old))
            self._draining = None


def _excess(old: tuple[model.OldGeneration, ...], limits: old_workers_option.OldWorkersBudget) -> str:
    return worker_generations.find_excess(old, limits) or "none"
