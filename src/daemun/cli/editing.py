"""Edits of the file, live or undone: nothing is ever reported as saved that is not live (DESIGN.md decision 7)."""

import collections.abc
import pathlib
import typing

from daemun import errors, settings
from daemun.cli import client, output, problems, running, verdict

Json = dict[str, typing.Any]

Edit = collections.abc.Callable[[pathlib.Path], bytes | None]
"""Changes the file and returns what it held before; None: it did not exist. Raises: ConfigError, the file untouched."""


def change(chosen: settings.Settings, *, host: str, edit: Edit) -> None:
    """Edit the file and wait until the site `host` is as it says.

    Without a daemon the edited file is validated instead.
    Raises: DaemunError with the reason after the file was put back as it was.
    """
    daemon = client.Client(chosen)
    try:
        before = daemon.status()
    except client.NotRunningError:
        _change_alone(chosen, host=host, edit=edit)
        return
    file = running.config_of(chosen, before)
    with _Undo(file, edit) as undo:
        refusal = _refusal_of(daemon, host=host, before=before)
        if refusal is None:
            undo.keep()
    if refusal is not None:
        daemon.apply()
        raise errors.DaemunError(f"{refusal}\n{file} is as it was before")
    output.say(f"live, and saved in {file}")


def _refusal_of(daemon: client.Client, *, host: str, before: Json) -> str | None:
    """Apply, and say why the edit is not live; None: it is."""
    report = daemon.apply()
    found = verdict.new_errors(host=host, before=before["problems"], after=report["problems"])
    if found:
        return "\n".join(problems.lines_of(found))
    if report["error"]:
        return f"error: {report['error']}"
    sites = [site for site in daemon.status()["sites"] if site["host"] == host]
    waiting = [site for site in sites if site["state"] not in verdict.AT_REST]
    return f"error: {host} is {waiting[0]['state']}: {waiting[0]['reason']}" if waiting else None


def _change_alone(chosen: settings.Settings, *, host: str, edit: Edit) -> None:
    """Without a daemon."""
    from daemun import wiring
    from daemun.web import json as web_json

    before = web_json.problems_json(wiring.check(chosen)) if chosen.config.exists() else []
    with _Undo(chosen.config, edit) as undo:
        after = web_json.problems_json(wiring.check(chosen))
        found = verdict.new_errors(host=host, before=before, after=after)
        if found:
            raise errors.ConfigError("\n".join([*problems.lines_of(found), f"{chosen.config} is as it was before"]))
        undo.keep()
    output.say(f"saved in {chosen.config}; no daemon is running, so it becomes live with the next `daemun up`")


class _Undo:
    """The file edited while the block runs, and put back at its end unless it is kept, whatever ended it."""

    def __init__(self, file: pathlib.Path, edit: Edit) -> None:
        self._file = file
        self._edit = edit
        self._is_kept = False
        self._old: bytes | None = None
        self._new = b""

    def keep(self) -> None:
        self._is_kept = True

    def __enter__(self) -> "_Undo":
        self._old = self._edit(self._file)
        self._new = self._file.read_bytes()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._is_kept:
            self._put_back()

    def _put_back(self) -> None:
        """What somebody else wrote in between is theirs, and stays."""
        if self._file.read_bytes() != self._new:
            raise errors.DaemunError(f"cannot put {self._file} back as it was: somebody else changed it meanwhile")
        if self._old is None:
            self._file.unlink()
        else:
            self._file.write_bytes(self._old)
