"""The log of one site for its page (`control.site_port`): access and error lines together, as values."""

import collections.abc
import dataclasses
import functools
import pathlib
import threading

from daemun import causes
from daemun.control import site_port
from daemun.core import layout
from daemun.core.logged import error_line, line_filter, log_query, log_rows
from daemun.core.texts import secret_forms
from daemun.errors import EnvironmentProblemError
from daemun.nginx import log_tail, request_log


class SiteLogReader:
    def __init__(self, paths: layout.Layout) -> None:
        self._layout = paths

    def read_last(self, query: log_query.LogQuery, most: int, *, shows_secrets: bool) -> site_port.LogRows:
        """Without a log there are no rows: `logs: {access: false}`, or nobody came yet."""
        rows = list[dict[str, object]]()
        is_whole = True
        for path, log_filter, is_of_errors in _find_logs(self._layout, query, shows_secrets=shows_secrets):
            try:
                found = log_tail.read_last(path, log_filter, most, is_of_errors=is_of_errors)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise _cannot_read(path, error) from error
            rows += _rows_of(found.lines, log_filter, shows_secrets=shows_secrets)
            is_whole &= found.is_whole
        rows.sort(key=lambda one: str(one["time"] or ""))
        return site_port.LogRows(rows=tuple(rows[-most:]), is_whole=is_whole)

    def follow(self, query: log_query.LogQuery, *, shows_secrets: bool) -> "FollowedLogs":
        found = _find_logs(self._layout, query, shows_secrets=shows_secrets)
        return FollowedLogs(found, shows_secrets=shows_secrets)


class FollowedLogs:
    """Implements `control.site_port.FollowedLog`."""

    def __init__(self, logs: "collections.abc.Iterable[_Log]", *, shows_secrets: bool) -> None:
        self._shows_secrets = shows_secrets
        self._lock = threading.Lock()
        self._tails = [
            (log_tail.LogTail(path, log_filter, is_of_errors=errs), log_filter, path) for path, log_filter, errs in logs
        ]

    def read(self) -> site_port.LogRows:
        with self._lock:
            pieces = [self._read(*one) for one in self._tails]
        rows = tuple(row for one in pieces for row in one.rows)
        return site_port.LogRows(rows=rows, skipped=sum(one.skipped for one in pieces))

    def _read(
        self, tail: log_tail.LogTail, log_filter: line_filter.LineFilter, path: pathlib.Path
    ) -> site_port.LogRows:
        try:
            found = tail.read()
        except OSError as error:
            raise _cannot_read(path, error) from error
        rows = _rows_of(found.lines, log_filter, shows_secrets=self._shows_secrets)
        return site_port.LogRows(rows=tuple(rows), skipped=found.skipped)

    def close(self) -> None:
        """After a `read` that is under way in another thread."""
        with self._lock:
            for tail, _, _ in self._tails:
                tail.close()


_Log = tuple[pathlib.Path, line_filter.LineFilter, bool]


def _find_logs(paths: layout.Layout, query: log_query.LogQuery, *, shows_secrets: bool) -> list[_Log]:
    """Each with its filter, and whether it is nginx's error log. Who sees no secrets looks for nothing but what is
    shown."""
    requests, holds = query.requests, query.text.encode("utf-8", "surrogateescape")
    fits: collections.abc.Callable[[line_filter.Found], bool] | None = None
    if not shows_secrets and (query.text or requests.path):
        fits = functools.partial(_fits, query.text, requests.path)
        requests, holds = dataclasses.replace(requests, path=""), b""
    read = request_log.make_reader(paths).read
    of_requests = line_filter.LineFilter(read=read, requests=requests, holds=holds, fits=fits)
    found: list[_Log] = [(request_log.path_of(paths), of_requests, False)]
    if query.has_errors:
        of_errors = line_filter.LineFilter(read=error_line.read, requests=requests, holds=holds, fits=fits)
        found.append((pathlib.Path(paths.logs, "error.log"), of_errors, True))
    return found


def _fits(text: str, path: str, found: line_filter.Found) -> bool:
    return log_rows.shows(log_rows.row_of(found, secret_forms.hide), text=text, path=path)


def _rows_of(
    lines: collections.abc.Iterable[bytes], log_filter: line_filter.LineFilter, *, shows_secrets: bool
) -> list[dict[str, object]]:
    rows = (log_rows.row_of(log_filter.read(line), None if shows_secrets else secret_forms.hide) for line in lines)
    return [row for row in rows if row is not None]


def _cannot_read(path: pathlib.Path, error: OSError) -> EnvironmentProblemError:
    return EnvironmentProblemError(f"cannot read {path}: {causes.describe(error)}; run this as the owner of daemun")
