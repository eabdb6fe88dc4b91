"""What a visitor sees whose request waited in vain. Nothing in it tells of the machine: strangers read it."""

import json

RETRY_AFTER_S = 10

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
</body>
</html>
"""


def _make_pages(title: str, text: str) -> dict[str, tuple[str, str]]:
    error = {"error": f"{title[0].lower()}{title[1:]}", "retry_after": RETRY_AFTER_S}
    return {
        "html": ("text/html; charset=utf-8", _HTML.format(title=title, text=text)),
        "json": ("application/json", json.dumps(error)),
        "text": ("text/plain; charset=utf-8", f"{title}. {text}\n"),
    }


_PAGES = {True: _make_pages(*_STARTING), False: _make_pages(*_NOT_REACHABLE)}


def find_page(accept: str, *, is_starting: bool = True) -> tuple[str, str]:
    """The media type and the text that a client with this `Accept` can read: plain text where it names no other."""
    accept = accept.lower()
    kind = "html" if "text/html" in accept else "json" if "json" in accept else "text"
    return _PAGES[is_starting][kind]
