"""Problems in daemun's own log: each once, and none that settles by itself within a moment."""

import asyncio
import collections.abc

import structlog

from daemun.core import model

log: structlog.stdlib.BoundLogger = structlog.get_logger()

SETTLES_WITHIN_S = 1.0
"""A container that is removed is stopped first, so for some milliseconds its site has no server."""


class ProblemLog:
    """Logs each problem once, after it has lasted for a moment. Called on one event loop."""

    def __init__(self) -> None:
        self._now: dict[str, model.Problem] = {}
        self._logged: dict[str, model.Problem] = {}
        self._is_first = True

    def update(self, problems: collections.abc.Iterable[model.Problem]) -> None:
        """What is wrong now. At the first call it is logged at once: there may be no second one."""
        before, self._now = self._now, {str(problem): problem for problem in problems}
        if self._is_first:
            self._is_first = False
            self._log(self._now)
        elif fresh := self._now.keys() - before.keys() - self._logged.keys():
            asyncio.get_running_loop().call_later(SETTLES_WITHIN_S, self._log, fresh)
        solved = [self._logged.pop(text) for text in sorted(self._logged.keys() - self._now.keys())]
        errors = [problem for problem in solved if _is_error(problem)]
        if solved and not self._now:
            log.info("all problems of the configuration are solved")
        elif errors and not any(map(_is_error, self._now.values())):
            log.info("all errors are solved; warnings remain", warnings=len(self._now))
        else:
            for problem in errors:
                log.info("solved", problem=str(problem))

    def _log(self, texts: collections.abc.Iterable[str]) -> None:
        """Those that are still there, in the order in which they were found."""
        wanted = set(texts)
        for text, problem in self._now.items():
            if text in wanted and text not in self._logged:
                self._logged[text] = problem
                write = log.error if _is_error(problem) else log.warning
                write(text, **({"host": problem.host} if problem.host else {}))


def _is_error(problem: model.Problem) -> bool:
    return problem.severity is model.Severity.ERROR
