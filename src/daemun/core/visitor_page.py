"""The one look of all pages that the gate shows visitors by itself. Short, and nothing in them shows the machine:
strangers read them. Pure."""

import re

FORMS = {
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "text": "text/plain; charset=utf-8",
}
"""In which a client can have one, and the media type of each."""

LOCATION = "@daemun_error_$daemun_wanted"
"""nginx's location of the form that a client wants."""

_HTML = """\
<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 20vh auto; padding: 0 1rem }}
small {{ opacity: .7 }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{text}</p>
<p><small>{footer}</small></p>
</body>
</html>
"""


def html(*, title: str, text: str, footer: str, language: str = "en") -> str:
    """Each of them is HTML already; nginx's variables may stand in them."""
    return _HTML.format(title=title, text=text, footer=footer, language=language)


def choose_language(accept_language: str, known: tuple[str, ...]) -> str:
    """That which a browser prefers (RFC 9110 section 12.5.4); the first of those that are known where it names none."""
    best, found = 0.0, known[0]
    for part in accept_language[:1000].split(","):
        match = re.fullmatch(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?))?\s*", part)
        language = match[1].lower() if match else ""
        if match and language in known and float(match[2] or 1) > best:
            best, found = float(match[2] or 1), language
    return found


def plain(*, title: str, text: str, footer: str) -> str:
    return f"{title}. {text}\n{footer}\n"
