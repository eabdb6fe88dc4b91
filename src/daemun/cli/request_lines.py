"""A logged request on one line of a terminal. Pure."""

import collections.abc
import datetime
import os

from daemun.cli import output
from daemun.core.logged import logged_request

LEAST_WIDTH = 40
_LEAST_ROOM = 12
"""A path is not cut to less; then the server is left out."""
_STATUS_COLOURS = {2: "32", 3: "36", 4: "33", 5: "31"}
_FAINT, _BOLD = "2", "1"
"""Source: ECMA-48, SGR."""
_SLOW_S = 1.0


def is_coloured(environ: collections.abc.Mapping[str, str] = os.environ) -> bool:
    return not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def date_of(request: logged_request.LoggedRequest) -> datetime.date | None:
    """Where the machine is."""
    return None if request.at is None else request.at.astimezone().date()


def line_of(request: logged_request.LoggedRequest, *, width: int, colours: bool) -> str:
    """Time, status, time taken, method, host with path, server; what is too long for the terminal is cut in its middle.

    width: of the terminal, in columns.
    """
    clock = "--:--:--" if request.at is None else f"{request.at.astimezone():%H:%M:%S}"
    status = "---" if request.status is None else str(request.status)
    taken = took(request.request_s)
    method = _clean(request.method or "-")[:8]
    head = f"{clock} {status} {taken:>6} {method:<4} "
    room = max(width, LEAST_WIDTH) - len(head)
    where = _clean(f"{request.host or ''}{request.uri or ''}") or "-"
    server = server_of(request)
    if server and room - len(server) - 1 < min(len(where), _LEAST_ROOM):
        server = ""
    where = _cut(where, room - (len(server) + 1 if server else 0))
    if not colours:
        return f"{head}{where} {server}".rstrip()
    is_slow = request.request_s is not None and request.request_s >= _SLOW_S and request.status != 101
    colour = _STATUS_COLOURS.get((request.status or 0) // 100, "0")
    shown = [
        _paint(clock, _FAINT),
        _paint(status, colour),
        _paint(f"{taken:>6}", "33" if is_slow else _FAINT),
        f"{method:<4}",
        where,
    ]
    return " ".join([*shown, _paint(server, _FAINT)] if server else shown)


def took(seconds: float | None) -> str:
    """ "12ms", "1.25s", "3m12s", "2h05m"."""
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    if seconds < 100:
        return f"{seconds:.2f}s" if seconds < 10 else f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest:02}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02}m"


def server_of(request: logged_request.LoggedRequest) -> str:
    """The one that answered, and that it was not the first that was tried; "": none was."""
    tries = request.tries
    if not tries:
        return ""
    note = f" (try {len(tries)})" if len(tries) > 1 else ""
    return f"> {_clean(tries[-1].address)}{note}"


def _clean(text: str) -> str:
    return output.without_controls(text).replace("\n", " ").replace("\t", " ")


def _cut(text: str, room: int) -> str:
    if len(text) <= room:
        return text
    tail = room // 3
    return f"{text[: room - tail - 1]}…{text[len(text) - tail :]}"


def _paint(text: str, colour: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m"
