"""What differs in nginx's files between two configurations: applied ones, and what the file holds. No secret is in
them. Blocking."""

import collections.abc
import dataclasses
import pathlib
import typing

from daemun import errors, settings
from daemun.core.plan import nginx_diff
from daemun.sources.history import compared_entries, hidden_secrets, history_store, secret_stand_ins
from daemun.wiring.offline import past_rendering

Json = dict[str, typing.Any]

NOTHING = "no configuration"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NginxDiff:
    """before, after: what is compared, for people. tree: what differs. notes: what the files lack."""

    before: str
    after: str
    tree: nginx_diff.TreeDiff
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    what: str
    files: dict[str, bytes]
    notes: tuple[str, ...] = ()
    moved: frozenset[str] = frozenset()


def compare(
    chosen: settings.Settings, history: history_store.HistoryStore, main: pathlib.Path, one: str, other: str
) -> NginxDiff:
    """As `daemun diff` names them. main: daemun.yaml. Raises: DaemunError."""
    before = _find(chosen, history, main, one, {})
    return _compare(before, _find(chosen, history, main, other, before.files))


def compare_with_file(
    chosen: settings.Settings, history: history_store.HistoryStore | None, main: pathlib.Path
) -> NginxDiff:
    """What was applied last, if anything was, with what the file holds. Where that cannot be, a note has the reason."""
    names, before = dict[str, str](), _Side(what=NOTHING, files={})
    try:
        if history is not None:
            names, before = history.find_secrets(main.name), _find(chosen, history, main, compared_entries.NOW, {})
    except errors.ConfigError:
        names = {}
    try:
        return _compare(before, _find_file(chosen, main, names, before.files))
    except errors.DaemunError as error:
        return _compare(before, dataclasses.replace(before, notes=(str(error),)))


def compare_files(
    chosen: settings.Settings,
    history: history_store.HistoryStore,
    main: pathlib.Path,
    before: collections.abc.Mapping[str, bytes],
    after: collections.abc.Mapping[str, bytes],
) -> NginxDiff:
    """What files hold, by their names, daemun.yaml (`main`) first, with what they are to hold. Raises: DaemunError."""
    names = history.find_secrets(main.name)
    sides = [hidden_secrets.mask_all(files) for files in (before, after)]
    if unread := [name for masked in sides for name, one in masked.items() if one is None]:
        raise errors.ConfigError(f"cannot compare {', '.join(unread)}: it is no YAML that can be read")
    old, new = (secret_stand_ins.fill_files(masked, names) for masked in sides)
    one = _render(chosen, main, f"{main.name} as it is", old, {})
    return _compare(one, _render(chosen, main, "the draft", new, one.files))


def _compare(before: _Side, after: _Side) -> NginxDiff:
    tree = nginx_diff.compare(before.files, after.files, moved=after.moved)
    return NginxDiff(before=before.what, after=after.what, tree=tree, notes=(*before.notes, *after.notes))


def _find(
    chosen: settings.Settings,
    history: history_store.HistoryStore,
    main: pathlib.Path,
    word: str,
    before: dict[str, bytes],
) -> _Side:
    """before: nginx's files of the other side, which this one follows."""
    names = history.find_secrets(main.name)
    if word == compared_entries.FILE:
        return _find_file(chosen, main, names, before)
    entry = compared_entries.find(history, word)
    what = f"number {entry.number}"
    if entry.files and not entry.can_be_restored:
        raise errors.ConfigError(
            f"cannot make nginx's files of {what}: what the file held then was no YAML that can be read, and was not "
            "kept; name another number of `daemun history`"
        )
    side = _render(chosen, main, what, secret_stand_ins.fill_entry(entry, names), before)
    lacks = (f"what containers requested at {what} is not in its files",) if entry.routes else ()
    return dataclasses.replace(side, notes=(*side.notes, *lacks))


def _find_file(
    chosen: settings.Settings,
    main: pathlib.Path,
    names: collections.abc.Mapping[str, str],
    before: dict[str, bytes],
) -> _Side:
    masked = compared_entries.mask_file(main)
    return _render(chosen, main, str(main), secret_stand_ins.fill_files(masked, names), before)


def _render(
    chosen: settings.Settings, main: pathlib.Path, what: str, files: dict[str, bytes], before: dict[str, bytes]
) -> _Side:
    try:
        made = past_rendering.render(chosen, main, files, before=before)
    except errors.RenderError as error:
        raise errors.ConfigError(f"cannot make nginx's files of {what}: {error}") from error
    notes = tuple(f"not all of {what} can be made into nginx's files now: {one}" for one in made.problems)
    return _Side(what=what, files=made.files, notes=notes, moved=made.moved)


def diff_json(found: NginxDiff) -> Json:
    """Keys may be added, never renamed."""
    return {
        "nginx_files": [
            {"file": one.file, "kind": one.kind.value, "lines": list(one.lines), "more_lines": one.more}
            for one in found.tree.files
        ],
        "more_nginx_files": found.tree.more,
        "notes": list(found.notes),
    }
