"""One applied configuration, or what the files hold now, looked at and compared: for commands and the API. Blocking.

No secret is in what comes of it.
"""

import dataclasses
import pathlib
import typing

from daemun import errors
from daemun.control import applied_port
from daemun.sources import yaml_holder
from daemun.sources.history import file_changes, hidden_secrets, history_entry, history_store

Json = dict[str, typing.Any]

NOW, FILE = "now", "file"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ComparedSide:
    """One of two configurations that are compared. what: for people. files: without secrets, by their names.
    entry: None: the file as it is now."""

    what: str
    files: dict[str, str]
    entry: history_entry.HistoryEntry | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """changes: of the files. routes: of containers, as of `file_changes.compare_routes`."""

    before: ComparedSide
    after: ComparedSide
    changes: tuple[file_changes.FileChange, ...]
    routes: tuple[tuple[str, str], ...] = ()


def find(history: history_store.HistoryStore, word: str) -> history_entry.HistoryEntry:
    """An entry by its number, or `now`: what was applied last. Raises: UnknownEntryError."""
    if word == NOW:
        found = next(iter(history.newest()), None)
        if found is None:
            raise applied_port.UnknownEntryError(
                "cannot show what was applied: the history is empty; `daemun up` begins it"
            )
        return found
    entry = history.read(int(word)) if word.isascii() and word.isdecimal() and len(word) < 16 else None
    if entry is None:
        numbers = history.numbers()
        known = f"{numbers[0]} to {numbers[-1]}" if numbers else "none"
        raise applied_port.UnknownEntryError(
            f'cannot find "{word[:50]}" in the history: expected a number ({known} are kept), `{NOW}` or `{FILE}`; '
            "`daemun history -n 0` lists all"
        )
    return entry


def find_side(history: history_store.HistoryStore, word: str, main: pathlib.Path) -> ComparedSide:
    """main: daemun.yaml. Raises: ConfigError, EnvironmentProblemError."""
    if word != FILE:
        entry = find(history, word)
        return ComparedSide(what=f"number {entry.number}", files=hidden_secrets.show_entry(entry), entry=entry)
    files = mask_file(main)
    names = history.find_secrets(main.name)
    return ComparedSide(what=str(main), files=hidden_secrets.show_files(files, names), entry=None)


def mask_file(main: pathlib.Path) -> hidden_secrets.MaskedFiles:
    """daemun.yaml and what it includes, as they are now. Raises: ConfigError, EnvironmentProblemError."""
    files = hidden_secrets.mask_all(yaml_holder.read_all(main))
    unread = [name for name, one in files.items() if one is None]
    if unread:
        raise errors.ConfigError(
            f"cannot compare {', '.join(unread)}: it is no YAML that can be read; see `daemun check`"
        )
    return files


def compare(history: history_store.HistoryStore, one: str, other: str, main: pathlib.Path) -> Comparison:
    """Raises: as `find_side`."""
    before, after = (find_side(history, word, main) for word in (one, other))
    routes: tuple[tuple[str, str], ...] = ()
    if before.entry is not None and after.entry is not None:
        routes = file_changes.compare_routes(before.entry, after.entry)
    return Comparison(
        before=before, after=after, changes=file_changes.compare(before.files, after.files), routes=routes
    )


# --- as JSON: keys may be added, never renamed -----------------------------------------------------------------------


def entry_json(entry: history_entry.HistoryEntry) -> Json:
    """All that is known of an entry. `content`: null of a file that was no YAML."""
    texts = hidden_secrets.show_entry(entry)
    routes = [{"host": one.host, "path": one.path, "container": one.origin} for one in entry.routes]
    held = {one.name: texts[one.name] if one.text is not None else None for one in entry.files}
    return {**history_entry.summary_json(entry), "content": held, "containers": routes}


def comparison_json(found: Comparison) -> Json:
    return {
        "from": found.before.what,
        "to": found.after.what,
        "changes": [change_json(change) for change in found.changes],
        "containers": [{"kind": "added" if sign == "+" else "removed", "what": what} for sign, what in found.routes],
    }


def change_json(one: file_changes.FileChange) -> Json:
    key = "host" if one.is_site else "key"
    return {key: one.name, "kind": one.kind.value, "file": one.file, "lines": list(one.lines)}
