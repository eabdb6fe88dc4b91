"""The requests that nginx logged, from `access.log` and its rotated files. Blocking."""

import collections.abc
import contextlib
import datetime
import pathlib

from daemun import regular_files
from daemun.core import layout
from daemun.core.logged import line_filter, line_form, logged_request
from daemun.nginx import log_files

_MOST_CONF_BYTES = 64 << 20


def path_of(paths: layout.Layout) -> pathlib.Path:
    return pathlib.Path(paths.logs, "access.log")


def make_reader(paths: layout.Layout) -> logged_request.LineReader:
    """Reads lines of the form in which nginx writes them now, and of the usual ones."""
    return logged_request.LineReader(_find_form(paths))


def newest_first(
    paths: layout.Layout, *, since: datetime.datetime | None = None, holds: bytes = b""
) -> collections.abc.Generator[logged_request.LoggedRequest, None, None]:
    """Every request that is known, the newest first. since: aware; older ones are left out. holds: what is in the line,
    which is much quicker than to read all of them; a quote, a backslash and what is not ASCII are written otherwise.

    Raises: OSError when there is no log, or it cannot be read.
    """
    reader = make_reader(paths)
    with log_files.LogFiles(path_of(paths)) as files:
        for line in files.backwards():
            if holds and holds not in line:
                continue
            request = reader.read(line)
            if request is None:
                continue
            if since is not None and request.at is not None and request.at < since:
                if request.at < since - line_filter.OUT_OF_ORDER:
                    return
                continue
            yield request


def find_by_id(paths: layout.Layout, request_id: str) -> logged_request.LoggedRequest | None:
    """The newest request of that id, as error pages and lines name it. Raises: OSError."""
    holds = request_id.encode("ascii", "replace")
    found = newest_first(paths, holds=b"" if b"?" in holds else holds)
    with contextlib.closing(found):
        return next((request for request in found if request.request_id == request_id), None)


def complete_id(paths: layout.Layout, beginning: str) -> str | None:
    """The one id that begins so, of ASCII; None: none does, or more than one. Raises: OSError."""
    known: str | None = None
    with contextlib.closing(newest_first(paths, holds=beginning.encode("ascii"))) as found:
        for request in found:
            if request.request_id is None or not request.request_id.startswith(beginning):
                continue
            if known not in {None, request.request_id}:
                return None
            known = request.request_id
    return known


def _find_form(paths: layout.Layout) -> line_form.LineForm | None:
    with contextlib.suppress(OSError):
        text = regular_files.read(pathlib.Path(paths.current, "nginx.conf"), _MOST_CONF_BYTES)
        return line_form.find_form(text.decode("utf-8", "replace"), logged_request.FORMAT_NAME)
    return None
