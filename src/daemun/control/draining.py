"""Ends the connections of the oldest generation of workers, a few a second, so that its clients do not all reconnect at
once."""

import collections.abc

import structlog

from daemun.control import nginx_port
from daemun.core import model, worker_generations
from daemun.core.options import old_workers_option
from daemun.errors import EnvironmentProblemError

log: structlog.stdlib.BoundLogger = structlog.get_logger()

STEP_S = 1.0


class Draining:
    """Ends the connections of one generation of workers. `step` may be called at any rate; it acts at most once a
    second."""

    def __init__(
        self,
        old: nginx_port.OldWorkers,
        target: model.OldGeneration,
        limits: old_workers_option.OldWorkersBudget,
        now: collections.abc.Callable[[], float],
    ) -> None:
        """target: with its sockets counted. now: monotonic seconds."""
        self._old = old
        self._target = target
        self._now = now
        self._per_s = worker_generations.sockets_per_s(target.sockets or 0, limits)
        self._pause_s = worker_generations.worker_pause_s(len(target.workers))
        self._stepped_at = -STEP_S
        self._moved_at = now()
        self._ended_at: float | None = None
        self._refusal: str | None = None
        self.closed = 0

    @property
    def number(self) -> int | None:
        return self._target.number

    def is_of(self, one: model.OldGeneration) -> bool:
        """Whether what is looked at now is left of this one."""
        return not set(one.workers).isdisjoint(self._target.workers)

    def log_begin(self, why: str) -> None:
        """why: the budget's words."""
        log.warning(
            "the oldest generation of workers is drained, because a change waits",
            generation=self.number,
            age=f"{self._target.age_s:.0f} s",
            sockets=self._target.sockets,
            closed_per_second=self._per_s,
            reason=why,
        )

    def log_end(self, *, is_gone: bool) -> None:
        what = "an old generation of workers was drained" if is_gone else "the draining of old workers ends early"
        reason = {} if is_gone else {"reason": "nothing waits for it any more"}
        log.info(what, generation=self.number, sockets_closed=self.closed, **reason)

    async def step(self, left: model.OldGeneration) -> None:
        """left: what is left of the generation. Errors are logged: the change goes live in the end anyway."""
        now = self._now()
        if now - self._stepped_at < STEP_S:
            return
        self._stepped_at = now
        if self._refusal is None:
            try:
                closed = await self._old.close_sockets(left, self._per_s)
            except EnvironmentProblemError as error:
                self._log_refusal(error)
            else:
                self.closed += closed
                self._moved_at = now if closed else self._moved_at
        if self._refusal is not None or now - self._moved_at > worker_generations.IDLE_S:
            await self._end_one(left, now)

    async def _end_one(self, left: model.OldGeneration, now: float) -> None:
        """What cannot be closed one by one ends with its worker, one worker after the other."""
        if not left.workers or (self._ended_at is not None and now - self._ended_at < self._pause_s):
            return
        self._ended_at = now
        worker = left.workers[0]
        try:
            await self._old.end_worker(worker)
        except EnvironmentProblemError as error:
            log.warning(str(error), generation=self.number)
            return
        log.warning("an old worker was ended with all its connections", generation=self.number, worker=worker.pid)

    def _log_refusal(self, error: EnvironmentProblemError) -> None:
        self._refusal = str(error)
        log.warning(
            f"{error}; until then its workers are ended one after another, each with all its connections",
            generation=self.number,
        )
