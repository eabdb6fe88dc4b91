"""Files that a change of the configuration writes, with what they held before: written all of them or none, and undone
file by file, with what others wrote meanwhile. Blocking, under `edited_file.alone`.
"""

import collections.abc
import contextlib
import dataclasses
import itertools
import os
import pathlib
import stat
import typing

from daemun.errors import ConflictError, EnvironmentProblemError
from daemun.sources import edited_file, three_way_merge, yaml_holder, yaml_include

NEW_FILE_MODE = 0o600
UNDONE = ".undone"
"""How the copy of a file ends that is not there any more, or not as it was."""


class IncludedLink(typing.NamedTuple):
    """An included file that was a link, and is deleted: what it leads to stays as it is."""

    target: str


Replaced = bytes | IncludedLink | None
"""What stood at a path; None: nothing."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WrittenFile:
    """before: what it held. written: what it is to hold; None: it is deleted. through: where the link at its path
    leads, which stays; None: there is none."""

    before: Replaced
    written: bytes | None
    through: str | None = None


WrittenFiles = collections.abc.Mapping[str, WrittenFile]
"""By their names from the folder of daemun.yaml, in the order in which they are written: it comes last."""

FindUnkept = collections.abc.Callable[
    [collections.abc.Mapping[str, bytes], collections.abc.Mapping[str, bytes]], collections.abc.Collection[str]
]
"""Of files that are replaced (what they hold, what all are to hold then) the names of those of which a copy stays."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FileUndo:
    """What a file is to hold when its change is undone. lost: what it holds no more then. loses_others: what others
    wrote is of that."""

    content: Replaced
    lost: bytes | None = None
    loses_others: bool = False


def plan(main: pathlib.Path, wanted: collections.abc.Mapping[str, bytes | None]) -> dict[str, WrittenFile]:
    """What writing these contents would change. main: daemun.yaml. None: the file is deleted.

    Raises: EnvironmentProblemError."""
    names = sorted(wanted, key=lambda name: name == main.name)
    found = {name: _plan(main.parent / name, wanted[name]) for name in names}
    return {name: one for name, one in found.items() if one.before != one.written}


def _plan(path: pathlib.Path, written: bytes | None) -> WrittenFile:
    through = None if written is None else find_link(path)
    return WrittenFile(before=_read(path, written), written=written, through=through)


def find_link(path: pathlib.Path) -> str | None:
    """Where the link at a path leads; None: there is none."""
    return str(path.readlink()) if path.is_symlink() else None


def check(main: pathlib.Path, files: WrittenFiles) -> None:
    """Right before they are written. Raises: ConflictError when one is not what it was any more, with nothing written;
    EnvironmentProblemError."""
    for name, one in files.items():
        if _plan(main.parent / name, one.written) != one:
            raise ConflictError(f"cannot write {name}: it was changed meanwhile, and nothing is written; try again")


def _read(path: pathlib.Path, wanted: bytes | None) -> Replaced:
    if wanted is None and path.is_symlink():
        return IncludedLink(str(path.readlink()))
    return edited_file.read(path)


def write(main: pathlib.Path, files: WrittenFiles) -> None:
    """Raises: EnvironmentProblemError, when some may be written."""
    for name, one in files.items():
        path = main.parent / name
        with contextlib.suppress(OSError):  # which is reported when the file is written
            path.parent.mkdir(parents=True, exist_ok=True)
        edited_file.restore(path, one.written, mode=NEW_FILE_MODE)


def undo(main: pathlib.Path, files: WrittenFiles, find_unkept: FindUnkept = lambda *_: ()) -> dict[str, pathlib.Path]:
    """Make the files what they were, whether all of them were written, some or none. What others wrote meanwhile stays
    where that can be told from the change; else it is copied beside. A link that others put there is moved beside, and
    what it leads to stays.

    Returns: of which files there is a copy, and where it is. Raises: EnvironmentProblemError; it can be repeated."""
    strange = {name for name, one in files.items() if _is_strange_link(main.parent / name, one)}
    present = {name: None if name in strange else _read(main.parent / name, one.written) for name, one in files.items()}
    undos = {name: find_undo(one, present[name]) for name, one in files.items()}
    lost = {name: undo.lost for name, undo in undos.items() if undo.lost is not None}
    comes = {name: undo.content for name, undo in undos.items() if isinstance(undo.content, bytes)}
    copied = {name for name, undo in undos.items() if undo.loses_others} | {*find_unkept(lost, comes)}
    held = comes[main.name] if main.name in comes else edited_file.read(main) or b""
    copies = dict[str, pathlib.Path]()
    for name, now in present.items():
        if name in copied and isinstance(now, bytes):
            copies[name] = main.parent / name_copy(main, name, held, now)
            if not _holds(copies[name], now):
                edited_file.create(copies[name], now, NEW_FILE_MODE)
        elif name in strange:
            copies[name] = main.parent / name_copy(main, name, held)
            _move(main.parent / name, copies[name])
    for name in reversed([*files]):
        if (content := undos[name].content) != present[name]:
            _restore(main.parent / name, content, files[name].through)
    return copies


def _is_strange_link(path: pathlib.Path, one: WrittenFile) -> bool:
    """Whether others put a link there: what it leads to is none of these files."""
    known = one.before.target if isinstance(one.before, IncludedLink) else one.through
    return find_link(path) not in {None, known}


def _move(path: pathlib.Path, to: pathlib.Path) -> None:
    try:
        path.rename(to)
    except OSError as error:
        raise EnvironmentProblemError(f"cannot move {path}: {(error.strerror or str(error)).lower()}") from error


def _restore(path: pathlib.Path, content: Replaced, through: str | None) -> None:
    if isinstance(content, IncludedLink):
        edited_file.restore_link(path, content.target)
        return
    if through is not None and content is not None and not os.path.lexists(path):
        edited_file.restore_link(path, through)
    edited_file.restore(path, content, mode=NEW_FILE_MODE)


def find_undo(one: WrittenFile, now: Replaced) -> FileUndo:
    """now: what is there. Pure."""
    before, content = one.before, now if isinstance(now, bytes) else None
    if now in {before, None}:
        return FileUndo(content=before)
    if now == one.written:
        return FileUndo(content=before, lost=content)
    merged = None
    if isinstance(before, bytes) and content is not None and one.written is not None:
        merged = three_way_merge.merge(one.written, before, content)
    if merged is None or yaml_holder.find_hosts(merged) is None:
        return FileUndo(content=before, lost=content, loses_others=True)
    return FileUndo(content=merged, lost=one.written)


def name_copy(main: pathlib.Path, name: str, held: bytes, content: bytes | None = None, *, suffix: str = UNDONE) -> str:
    """Of a file beside it, which daemun.yaml does not include, and in whose place nothing is yet, or a copy that holds
    the content already. held: what daemun.yaml holds then. suffix: how it ends. Blocking."""
    patterns = yaml_holder.find_patterns_of(main, held)
    for number in itertools.count(1):
        copy = pathlib.PurePath(f"{name}{suffix}{'' if number == 1 else f'.{number}'}")
        if any(yaml_include.fits(one, main.parent / copy, main) for one in patterns):
            copy = copy.with_name(f".{copy.name}")
        if not os.path.lexists(main.parent / copy) or _holds(main.parent / copy, content):
            return str(copy)
    raise AssertionError


def _holds(path: pathlib.Path, content: bytes | None) -> bool:
    """Whether it is such a copy: a file by itself, which nobody else may read."""
    try:
        found = path.lstat()
        is_copy = stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) == NEW_FILE_MODE
        return is_copy and content is not None and edited_file.read(path) == content
    except (OSError, EnvironmentProblemError):
        return False
