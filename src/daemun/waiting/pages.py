"""What a visitor sees whose request waited in vain. Nothing in it tells of the machine: strangers read it."""

import json

RETRY_AFTER_S = 10

_TITLE = "This service is starting"
_TEXT = "It does not answer yet. Please try again in a moment."
_HTML = f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_TITLE}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 20vh auto; padding: 0 1rem }}
</style>
</head>
<body>
<h1>{_TITLE}</h1>
<p>{_TEXT}</p>
</body>
</html>
"""

_PAGES = {
    "html": ("text/html; charset=utf-8", _HTML),
    "json": (
        "application/json",
        json.dumps({"error": f"{_TITLE[0].lower()}{_TITLE[1:]}", "retry_after": RETRY_AFTER_S}),
    ),
    "text": ("text/plain; charset=utf-8", f"{_TITLE}. {_TEXT}\n"),
}


def find_page(accept: str) -> tuple[str, str]:
    """The media type and the text that a client with this `Accept` can read: plain text where it names no other."""
    accept = accept.lower()
    kind = "html" if "text/html" in accept else "json" if "json" in accept else "text"
    return _PAGES[kind]
