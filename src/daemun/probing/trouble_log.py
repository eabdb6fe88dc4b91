"""Logs servers that stop answering, and that answer again. A site is live as nginx sees it before any of its servers
was tried, so that line alone would be too much."""

import collections.abc

import structlog

from daemun.core import model

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LINES_A_MINUTE = 20
"""Ten thousand sites may lead to one server."""


class TroubleLog:
    """now: seconds of a clock that only goes on."""

    def __init__(self, now: collections.abc.Callable[[], float]) -> None:
        self._now = now
        self._known: dict[tuple[str, str, int], frozenset[str]] = {}
        self._minute = 0
        self._lines = 0
        self._left_out = 0

    def note(self, key: tuple[str, str, int], servers: collections.abc.Iterable[model.ServerLook]) -> None:
        """What the servers of a target were found to be. key: its host, path and place."""
        host, path, _ = key
        bad = {one.server: one for one in servers if one.trouble is not None}
        before = self._known.pop(key, frozenset())
        if bad:
            self._known[key] = frozenset(bad)
        where = host if path == "/" else f"{host}{path}"
        for server in bad.keys() - before:
            if self._may_log():
                log.warning(f"{where}: {bad[server].cause}; {bad[server].cure}", host=host)
        for server in sorted(before - bad.keys()):
            if self._may_log():
                log.info(f"{where}: {server} answers again", host=host)

    def forget(self, is_there: collections.abc.Callable[[tuple[str, str, int]], bool]) -> None:
        """Targets that are gone."""
        self._known = {key: found for key, found in self._known.items() if is_there(key)}

    def _may_log(self) -> bool:
        minute = int(self._now() // 60)
        if minute != self._minute:
            if self._left_out:
                log.warning(f"{self._left_out} more servers stopped or began to answer; `daemun status` names them")
            self._minute, self._lines, self._left_out = minute, 0, 0
        self._lines += 1
        self._left_out += self._lines > LINES_A_MINUTE
        return self._lines <= LINES_A_MINUTE
