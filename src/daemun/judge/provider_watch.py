"""In the daemon: whether each identity provider answers as one does, for the status. Visitors do not wait for it."""

import asyncio
import collections.abc
import math

from daemun import ticks
from daemun.core import model, problem_report
from daemun.core.access import login_providers

LOOK_S = 600.0
AGAIN_S = 60.0
"""After a failure."""
NEW_S = 5.0
"""How soon another configuration is noticed."""

Providers = tuple[login_providers.Provider, ...]


class ProviderWatch:
    """find: the providers that there are now."""

    def __init__(self, find: collections.abc.Callable[[], Providers]) -> None:
        self._find = find
        self._looked_at: Providers = ()
        self._troubles: dict[str, str] = {}

    def problems(self) -> tuple[model.Problem, ...]:
        report = problem_report.ProblemReport(host=None, origin=model.NOWHERE)
        names = {one.key: one.name for one in self._find()}
        for key, cause in sorted(self._troubles.items()):
            if key in names:
                text = f"nobody can sign in with {names[key]} now: {cause}; `daemun doctor` tries again"
                report.add(text, "login", "providers", severity=model.Severity.WARNING)
        return tuple(report.problems)

    async def run(self) -> None:
        """Never returns."""
        loop = asyncio.get_running_loop()
        due_s = -math.inf
        while True:
            providers = self._find()
            if providers and (providers != self._looked_at or loop.time() >= due_s):
                self._looked_at = providers
                self._troubles = await _try_all(providers)
                due_s = loop.time() + (AGAIN_S if self._troubles else LOOK_S)
            await ticks.sleep(NEW_S)


async def _try_all(providers: Providers) -> dict[str, str]:
    from daemun.judge.providers import provider_trial  # noqa: PLC0415 - slow, and few gates have any

    return await provider_trial.find_troubles(providers)
