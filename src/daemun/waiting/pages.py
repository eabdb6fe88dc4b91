"""What a visitor sees whose request waited in vain. Nothing in it tells of the machine: strangers read it."""

import json
import re

RETRY_AFTER_S = 10

_REQUEST = "@request@"
_STARTING = ("This service is starting", "It does not answer yet. Please try again in a moment.")
_NOT_REACHABLE = ("This service is not reachable", "It does not answer. Please try again later.")
_HTML = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 20vh auto; padding: 0 1rem }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{text}</p>
<p><small>Request {request}</small></p>
</body>
</html>
"""


def _make_pages(title: str, text: str) -> dict[str, tuple[str, str]]:
    error = {"error": f"{title[0].lower()}{title[1:]}", "retry_after": RETRY_AFTER_S, "request_id": _REQUEST}
    return {
        "html": ("text/html; charset=utf-8", _HTML.format(title=title, text=text, request=_REQUEST)),
        "json": ("application/json", json.dumps(error)),
        "text": ("text/plain; charset=utf-8", f"{title}. {text}\nRequest {_REQUEST}\n"),
    }


_PAGES = {True: _make_pages(*_STARTING), False: _make_pages(*_NOT_REACHABLE)}


_FORMS = {"text/html": "html", "application/xhtml+xml": "html", "text/plain": "text"}


def find_page(accept: str, request: str, *, is_starting: bool = True) -> tuple[str, str]:
    """The media type and the text that a client with this `Accept` can read: plain text where it names no other.

    request: its id, as it is in the logs.
    """
    kind, text = _PAGES[is_starting][_find_form(accept)]
    return kind, text.replace(_REQUEST, request)


def _find_form(accept: str) -> str:
    """The first that is wanted in full, else the first that is wanted at all (RFC 9110 section 12.5.1)."""
    wanted: list[tuple[float, str]] = []
    for entry in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in entry.split(";"))
        form = "json" if re.fullmatch(r"application/(?:.+\+)?json", kind) else _FORMS.get(kind)
        values = [part[1:].lstrip(" =") for part in parameters if re.match(r"q\s*=", part)]
        is_full = not values or values[0].startswith("1")
        if form is not None and not (values and re.fullmatch(r"0(?:\.0*)?", values[0])):
            wanted.append((0 if is_full else 1, form))
    return min(wanted, key=lambda one: one[0], default=(0, "text"))[1]
