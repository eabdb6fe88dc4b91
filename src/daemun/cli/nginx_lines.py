"""What differs in nginx's files between two configurations, for commands: found in the history and the file, and as
lines. No secret is in them."""

import collections.abc
import dataclasses
import typing

from daemun import errors, settings
from daemun.cli import history_access, history_lines, output

if typing.TYPE_CHECKING:
    from daemun.core.plan import nginx_diff
    from daemun.sources.history import history_book

Json = dict[str, typing.Any]

NOTHING = "no configuration"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NginxDiff:
    """before, after: what is compared, for people. tree: what differs. notes: what the files lack."""

    before: str
    after: str
    tree: "nginx_diff.TreeDiff"
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    what: str
    files: dict[str, bytes]
    notes: tuple[str, ...] = ()
    moved: frozenset[str] = frozenset()


def compare(chosen: settings.Settings, book: "history_book.Book", one: str, other: str) -> NginxDiff:
    """As `daemun diff` names them. Raises: DaemunError."""
    before = _find(chosen, book, one, {})
    return _compare(before, _find(chosen, book, other, before.files))


def compare_with_file(chosen: settings.Settings) -> NginxDiff:
    """What was applied last, if anything was, with what the file holds. Where that cannot be, a note has the reason."""
    try:
        book = history_access.open_book(chosen)
        names = book.find_secrets(history_access.file_of(chosen).name)
        before = _find(chosen, book, history_access.NOW, {})
    except errors.ConfigError:
        names, before = {}, _Side(what=NOTHING, files={})
    try:
        return _compare(before, _find_file(chosen, names, before.files))
    except errors.DaemunError as error:
        return _compare(before, dataclasses.replace(before, notes=(str(error),)))


def _compare(before: _Side, after: _Side) -> NginxDiff:
    from daemun.core.plan import nginx_diff

    tree = nginx_diff.compare(before.files, after.files, moved=after.moved)
    return NginxDiff(before=before.what, after=after.what, tree=tree, notes=(*before.notes, *after.notes))


def _find(chosen: settings.Settings, book: "history_book.Book", word: str, before: dict[str, bytes]) -> _Side:
    """before: nginx's files of the other side, which this one follows."""
    from daemun.sources.history import secret_stand_ins

    names = book.find_secrets(history_access.file_of(chosen).name)
    if word == history_access.FILE:
        return _find_file(chosen, names, before)
    entry = history_access.find(book, word)
    what = f"number {entry.number}"
    if entry.files and not entry.can_be_restored:
        raise errors.ConfigError(
            f"cannot make nginx's files of {what}: what the file held then was no YAML that can be read, and was not "
            "kept; name another number of `daemun history`"
        )
    side = _render(chosen, what, secret_stand_ins.fill_entry(entry, names), before)
    lacks = (f"what containers requested at {what} is not in its files",) if entry.routes else ()
    return dataclasses.replace(side, notes=(*side.notes, *lacks))


def _find_file(chosen: settings.Settings, names: collections.abc.Mapping[str, str], before: dict[str, bytes]) -> _Side:
    from daemun.sources.history import secret_stand_ins

    file = history_access.file_of(chosen)
    masked = history_access.mask_file(file)
    return _render(chosen, str(file), secret_stand_ins.fill_files(masked, names), before)


def _render(chosen: settings.Settings, what: str, files: dict[str, bytes], before: dict[str, bytes]) -> _Side:
    from daemun.wiring.offline import past_rendering

    try:
        made = past_rendering.render(chosen, history_access.file_of(chosen), files, before=before)
    except errors.RenderError as error:
        raise errors.ConfigError(f"cannot make nginx's files of {what}: {error}") from error
    notes = tuple(f"not all of {what} can be made into nginx's files now: {one}" for one in made.problems)
    return _Side(what=what, files=made.files, notes=notes, moved=made.moved)


def lines_of(found: NginxDiff) -> list[str]:
    """Pure."""
    lines = [f"note: {one}" for one in found.notes]
    if not found.tree.files:
        return [*lines, f"no difference for nginx between {found.before} and {found.after}"]
    lines.append(f"nginx's files, from {found.before} to {found.after}:")
    for one in found.tree.files:
        lines.append(f"{history_lines.SIGNS[one.kind.value]} {one.file}")
        lines += [f"    {line}" for line in one.lines]
        if one.more:
            lines.append(f"    ... {output.count(one.more, 'more line')}")
    if found.tree.more:
        lines.append(f"... {output.count(found.tree.more, 'more file')}")
    return lines


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
