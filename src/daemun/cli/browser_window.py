"""Opens an address with a secret in it in the person's browser.

Whoever lists processes sees the arguments of each, so the browser is given a private file that leads there
(jupyter_server, `serverapp.py`, "redirect file").
"""

import html
import os
import pathlib
import tempfile
import webbrowser

from daemun import errors


def open_secret(url: str) -> None:
    """Raises: EnvironmentProblemError."""
    if os.geteuid() == 0:
        raise errors.EnvironmentProblemError(
            "cannot open a browser as root: it would run with all rights; open the address in your own"
        )
    path = _write(url)
    if not webbrowser.open(pathlib.Path(path).as_uri()):
        pathlib.Path(path).unlink(missing_ok=True)
        raise errors.EnvironmentProblemError("cannot open a browser: none is found; open the address in your own")


def _write(url: str) -> str:
    """For its owner alone. It is left there, for the browser reads it when it has started; the address is good once."""
    address = html.escape(url, quote=True)
    text = (
        '<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer">'
        f'<meta http-equiv="refresh" content="0; url={address}"><a href="{address}">daemun</a>\n'
    )
    folder = os.environ.get("XDG_RUNTIME_DIR", "")
    folder = folder if pathlib.Path(folder or "/none").is_dir() else tempfile.gettempdir()
    try:
        descriptor, path = tempfile.mkstemp(prefix="daemun-dashboard-", suffix=".html", dir=folder)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise errors.EnvironmentProblemError(
            f"cannot open a browser: {error.strerror}; open the address in your own"
        ) from (error)
    return path
