"""Lines of a log as rows that a page shows: short, without control characters, whatever a visitor sent. Pure."""

import collections.abc
import typing

from daemun.core.logged import error_line, line_filter, logged_request

LONGEST = 500
"""Of one value, in signs; its end is cut."""
Json = dict[str, typing.Any]

Hide = collections.abc.Callable[[str], str]
"""Takes secrets out of a text."""


def row_of(found: line_filter.Found, hide: Hide | None = None) -> Json | None:
    """Values by the names of `daemun logs --json`, and `kind`: "request" or "error". None: a line of no form that is
    known, of which nobody knows whom it is about. hide: None: nothing is hidden."""
    match found:
        case None:
            return None
        case error_line.RequestErrorLine():
            kind, values = "error", error_line.to_json(found)
        case logged_request.LoggedRequest():
            kind, values = "request", logged_request.to_json(found)
    shown = {
        name: _shorten(value if hide is None else hide(value)) if isinstance(value, str) else value
        for name, value in values.items()
    }
    return {"kind": kind, **shown}


def shows(row: Json | None, *, text: str, path: str) -> bool:
    """Whether a row has this text, and a path that begins so. For who may not see secrets: compared with the line
    itself, a text that is tried again and again would find out what is hidden, sign by sign."""
    if row is None:
        return False
    values = " ".join(str(value) for value in row.values() if value is not None)
    return text in values and str(row["uri"] or "").partition("?")[0].startswith(path)


def _shorten(text: str) -> str:
    short = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in short)
