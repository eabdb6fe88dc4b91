"""What is written down of a change before it is made, with the secrets of the files, so that also a daemon that comes
after it can undo it."""

import contextlib
import dataclasses
import datetime
import json
import typing

from daemun.control import damaged_keys, history_port, ports
from daemun.errors import NotFoundInStoreError
from daemun.sources.history import written_files

Json = dict[str, typing.Any]

KEY = "history/trial"
_FOLLOWS = "a configuration that was on trial stays as it is; delete the file"
_OVERDUE = datetime.datetime.min.replace(tzinfo=datetime.UTC)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trial(history_port.TrialReport):
    """files: what the change writes, and what they held before. base: where that is not known yet, what they are to
    hold again, by their names: all that comes until the end is undone. is_ready: False: the change is being made, and
    a daemon that finds it so undoes it at once."""

    files: written_files.WrittenFiles = dataclasses.field(default_factory=dict)
    base: dict[str, bytes] | None = None
    is_ready: bool = True


def write(store: ports.Store, trial: Trial) -> None:
    """Raises: EnvironmentProblemError."""
    store.write(KEY, _encode(trial))


def read(store: ports.Store) -> Trial | None:
    """Raises: EnvironmentProblemError. None: there is none, or it is damaged, which is reported."""
    return damaged_keys.read(store, KEY, _decode, follows=_FOLLOWS)


def delete(store: ports.Store) -> None:
    """Nothing happens where there is none. Raises: EnvironmentProblemError."""
    with contextlib.suppress(NotFoundInStoreError):
        store.delete(KEY)


def _encode(trial: Trial) -> bytes:
    held: Json = {"number": trial.number, "until": trial.until.isoformat() if trial.is_ready else None}
    if trial.base is not None:
        held["files"] = {name: _text(content) for name, content in trial.base.items()}
    else:
        held["changes"] = {name: _change_json(one) for name, one in trial.files.items()}
    return json.dumps(held).encode()


def _change_json(one: written_files.WrittenFile) -> Json:
    if isinstance(one.before, written_files.IncludedLink):
        return {"link": one.before.target, "written": _text(one.written)}
    return {"before": _text(one.before), "written": _text(one.written)}


def _decode(content: bytes) -> Trial:
    held = json.loads(content)
    until = _OVERDUE if held["until"] is None else datetime.datetime.fromisoformat(held["until"])
    if until.tzinfo is None:
        raise ValueError("a time without a zone")
    files, changes = held.get("files"), held.get("changes", {})
    return Trial(
        number=int(held["number"]),
        until=until,
        files={str(name): _decode_change(one) for name, one in changes.items()},
        base=None if files is None else {str(name): text.encode(*_FORM) for name, text in files.items()},
        is_ready=held["until"] is not None,
    )


def _decode_change(held: Json) -> written_files.WrittenFile:
    before = written_files.IncludedLink(str(held["link"])) if "link" in held else _bytes(held["before"])
    return written_files.WrittenFile(before=before, written=_bytes(held["written"]))


_FORM = ("utf-8", "surrogateescape")
"""A file that is no text comes back as it was, too."""


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode(*_FORM)


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode(*_FORM)
