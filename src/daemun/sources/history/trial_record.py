"""What is written down of a change before it is made, with the secrets of the files, so that also a daemon that comes
after it can undo it; and of what was confirmed, so that no later trial goes back past it."""

import contextlib
import dataclasses
import datetime
import json
import typing

from daemun.control import damaged_keys, history_port, ports
from daemun.errors import NotFoundInStoreError
from daemun.sources.history import history_entry, history_store, written_files

Json = dict[str, typing.Any]

KEY = "history/trial"
_FOLLOWS = "a configuration that was on trial stays as it is; delete the file"
KEY_CONFIRMED = "history/confirmed"
_CONFIRMED_FOLLOWS = "a trial may go back to what was before the configuration that was confirmed last; delete the file"
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


def write_confirmed(store: ports.Store, newest: history_entry.HistoryEntry) -> None:
    """newest: the entry that is on trial no more, however fresh it is. Raises: EnvironmentProblemError."""
    store.write(KEY_CONFIRMED, json.dumps(_confirmed_json(newest)).encode())


def find_confirmed(store: ports.Store, history: history_store.HistoryStore) -> int:
    """The number of what was confirmed last; 0: there is none in this history, which may have begun anew, or what is
    written of it is damaged, which is reported. Raises: EnvironmentProblemError."""
    number, stored = damaged_keys.read(store, KEY_CONFIRMED, _decode_confirmed, follows=_CONFIRMED_FOLLOWS) or (0, {})
    entry = history.read(number) if number else None
    return number if entry is not None and _confirmed_json(entry) == stored else 0


def _confirmed_json(entry: history_entry.HistoryEntry) -> Json:
    return {"number": entry.number, "at": entry.at.isoformat()}


def _decode_confirmed(content: bytes) -> tuple[int, Json]:
    stored: Json = json.loads(content)
    return int(stored["number"]), stored


def _encode(trial: Trial) -> bytes:
    stored: Json = {"number": trial.number, "until": trial.until.isoformat() if trial.is_ready else None}
    if trial.base is not None:
        stored["files"] = {name: _text(content) for name, content in trial.base.items()}
    else:
        stored["changes"] = {name: _change_json(one) for name, one in trial.files.items()}
    return json.dumps(stored).encode()


def _change_json(one: written_files.WrittenFile) -> Json:
    if isinstance(one.before, written_files.IncludedLink):
        return {"link": one.before.target, "written": _text(one.written)}
    return {"before": _text(one.before), "written": _text(one.written), "through": one.through}


def _decode(content: bytes) -> Trial:
    stored = json.loads(content)
    until = _OVERDUE if stored["until"] is None else datetime.datetime.fromisoformat(stored["until"])
    if until.tzinfo is None:
        raise ValueError("a time without a zone")
    files, changes = stored.get("files"), stored.get("changes", {})
    return Trial(
        number=int(stored["number"]),
        until=until,
        files={str(name): _decode_change(one) for name, one in changes.items()},
        base=None if files is None else {str(name): text.encode(*_FORM) for name, text in files.items()},
        is_ready=stored["until"] is not None,
    )


def _decode_change(stored: Json) -> written_files.WrittenFile:
    before = written_files.IncludedLink(str(stored["link"])) if "link" in stored else _bytes(stored["before"])
    through = stored.get("through")
    return written_files.WrittenFile(
        before=before, written=_bytes(stored["written"]), through=None if through is None else str(through)
    )


_FORM = ("utf-8", "surrogateescape")
"""A file that is no text comes back as it was, too."""


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode(*_FORM)


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode(*_FORM)
