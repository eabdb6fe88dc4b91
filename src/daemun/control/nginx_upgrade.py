"""Another nginx binary takes over from the one that serves, in a round of its own: on request, or by itself where the
file says so. It is rendered for, tested with and switched as any change is, and a round that it fails is followed by
one for the nginx that still serves.
"""

import asyncio
import collections.abc
import contextlib
import time

import structlog

from daemun.control import gate_port, nginx_port, reconciler
from daemun.core import render_environment
from daemun.core.worker_generations import Urgency
from daemun.errors import EnvironmentProblemError

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LOOK_EVERY_S = 10.0
QUERIED_S = 3.0
"""By then the new nginx has got what is behind names from daemun, and the addresses in its files are taken out."""
FIRST_PAUSE_S = 60.0
LONGEST_PAUSE_S = 3600.0
"""Between two tries with a binary that could not take over. It may be one of an update that is still under way."""

Apply = collections.abc.Callable[[], collections.abc.Awaitable[gate_port.ApplyReport]]
RunOnce = collections.abc.Callable[[Urgency], collections.abc.Awaitable[reconciler.Outcome]]


class NginxUpgrade:
    """All methods are called on one event loop. `run_round` is called by one task at a time."""

    def __init__(
        self,
        proxy: nginx_port.Succession,
        *,
        wake: collections.abc.Callable[[], None] = lambda: None,
        now: collections.abc.Callable[[], float] = time.monotonic,
    ) -> None:
        """wake: lets a round begin soon. now: monotonic seconds."""
        self._proxy = proxy
        self._wake = wake
        self._now = now
        self._offered: render_environment.Nginx | None = None
        self._is_new = False
        self._failure: str | None = None
        self._found: render_environment.Successor | None = None
        self._tried: render_environment.Nginx | None = None
        self._pause_s = 0.0
        self._next_try_s = 0.0

    @property
    def serving(self) -> render_environment.Nginx:
        """The binary that serves, or would be started."""
        return self._proxy.binary

    @property
    def found(self) -> render_environment.Successor | None:
        """What could take over, as of the last look."""
        return self._found

    @property
    def failure(self) -> str | None:
        """Why the last one that was to take over did not."""
        return self._failure if self._found is not None else None

    async def look(self) -> render_environment.Successor | None:
        """Raises nothing: where none can be found, none can take over."""
        try:
            self._found = await self._proxy.find_successor()
        except EnvironmentProblemError:
            self._found = None
        return self._found

    async def request(self, apply: Apply) -> gate_port.UpgradeReport:
        """Let the nginx that would be started now take over. apply: runs a round.

        Raises: EnvironmentProblemError when there is none that could be used.
        """
        before = self._proxy.binary
        found = await self._proxy.find_successor()
        if found is None:
            return gate_port.UpgradeReport(ok=True, version=_text(before), path=before.path)
        self._offered, self._failure = found.binary, None
        report = await apply()
        waits = report.waits if self._offered is not None else None
        now = self._proxy.binary
        await self.look()
        return gate_port.UpgradeReport(
            ok=waits is None and self._failure is None,
            version=_text(now),
            path=now.path,
            former=_text(before) if now is not before else None,
            error=self._failure,
            waits=waits,
        )

    async def run_round(self, run_once: RunOnce, urgency: Urgency) -> reconciler.Outcome:
        """A round, in which the binary that is wanted takes over."""
        offered = self._offered
        if offered is None:
            urgency, self._is_new = Urgency.NEEDED if self._is_new else urgency, False
            return await run_once(urgency)
        before = self._proxy.binary
        self._proxy.offer(offered)
        try:
            outcome = await run_once(urgency)
        except Exception:
            self._offered = None  # it is requested again, if it is still wanted
            raise
        finally:
            self._proxy.offer(None)
        if outcome.held is not None:
            return outcome  # it is still wanted; the round that may reload lets it
        self._offered = None
        if self._proxy.binary is offered:
            log.info("another nginx took over", nginx=_text(offered), path=offered.path, before=_text(before))
            self._tried, self._pause_s = None, 0.0
            self._is_new = True
            asyncio.get_running_loop().call_later(QUERIED_S, self._wake)
            return outcome
        self._failure = outcome.error or "the round did not come so far"
        log.error("another nginx did not take over", nginx=_text(offered), path=offered.path, reason=self._failure)
        return await run_once(Urgency.NEEDED)

    async def watch(self, apply: Apply, is_automatic: collections.abc.Callable[[], bool]) -> None:
        """Where that is wanted, look for another nginx now and then, and let it take over. Never returns."""
        last: render_environment.Nginx | None = None
        while True:
            found = await self.look() if is_automatic() else None
            binary = None if found is None else found.binary
            # Not at its first sight: an update may be under way, and what would be started is another in a moment.
            if binary is not None and binary == last and self._is_due(binary):
                await self._try(binary, apply)
            last = binary
            await asyncio.sleep(LOOK_EVERY_S)

    def _is_due(self, binary: render_environment.Nginx) -> bool:
        if binary.version < self._proxy.binary.version:
            return False
        return binary != self._tried or self._now() >= self._next_try_s

    async def _try(self, binary: render_environment.Nginx, apply: Apply) -> None:
        longer_s = min(self._pause_s * 2, LONGEST_PAUSE_S) if binary == self._tried else FIRST_PAUSE_S
        self._tried, self._pause_s = binary, max(longer_s, FIRST_PAUSE_S)
        self._next_try_s = self._now() + self._pause_s
        with contextlib.suppress(EnvironmentProblemError):  # it is gone again
            await self.request(apply)


def _text(binary: render_environment.Nginx) -> str:
    return ".".join(map(str, binary.version))
