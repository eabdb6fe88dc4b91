"""What a visitor sees whose request waited in vain. It shows nothing of the machine: strangers read it."""

import json
import re

from daemun.core import visitor_page

RETRY_AFTER_S = 10

_REQUEST = "@request@"
_STARTING = ("This service is starting", "It does not answer yet. Please try again in a moment.")
_NOT_REACHABLE = ("This service is not reachable", "It does not answer. Please try again later.")


def _make_pages(title: str, text: str) -> dict[str, tuple[str, str]]:
    error = {"error": f"{title[0].lower()}{title[1:]}", "retry_after": RETRY_AFTER_S, "request_id": _REQUEST}
    footer = f"Request {_REQUEST}"
    texts = {
        "html": visitor_page.html(title=title, text=text, footer=footer),
        "json": json.dumps(error),
        "text": visitor_page.plain(title=title, text=text, footer=footer),
    }
    return {form: (kind, texts[form]) for form, kind in visitor_page.FORMS.items()}


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
