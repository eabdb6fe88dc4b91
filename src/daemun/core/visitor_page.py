"""The one look of all pages that the gate shows visitors by itself. Short, and nothing in them shows the machine:
strangers read them. Pure."""

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
<html lang="en">
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


def html(*, title: str, text: str, footer: str) -> str:
    """Each of them is HTML already; nginx's variables may stand in them."""
    return _HTML.format(title=title, text=text, footer=footer)


def plain(*, title: str, text: str, footer: str) -> str:
    return f"{title}. {text}\n{footer}\n"
