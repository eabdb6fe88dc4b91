"""Files that a change of the configuration writes, with what they held before: written all of them or none, and undone
file by file, with what others wrote meanwhile. Blocking, under `edited_file.alone`.
"""

import collections.abc
import contextlib
import dataclasses
import pathlib
import typing

from daemun.sources import edited_file, line_merge, yaml_holder, yaml_include

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
    """before: what it held. written: what it is to hold; None: it goes."""

    before: Replaced
    written: bytes | None


WrittenFiles = collections.abc.Mapping[str, WrittenFile]
"""By their names from the folder of daemun.yaml, in the order in which they are written: it comes last."""

FindUnkept = collections.abc.Callable[
    [collections.abc.Mapping[str, bytes], collections.abc.Mapping[str, bytes]], collections.abc.Collection[str]
]
"""Of files that are replaced (what they hold, what all are to hold then) the names of those of which a copy stays."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WayOfFile:
    """What a file is to hold when its change is undone. goes: what it holds no more then. loses_others: what others
    wrote is of that."""

    content: Replaced
    goes: bytes | None = None
    loses_others: bool = False


def plan(main: pathlib.Path, wanted: collections.abc.Mapping[str, bytes | None]) -> dict[str, WrittenFile]:
    """What writing these contents would change. main: daemun.yaml. None: the file goes.

    Raises: EnvironmentProblemError."""
    names = sorted(wanted, key=lambda name: name == main.name)
    found = {name: WrittenFile(before=_read(main.parent / name, wanted[name]), written=wanted[name]) for name in names}
    return {name: one for name, one in found.items() if one.before != one.written}


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
    where that can be told from the change; else it is copied beside.

    Returns: of which files there is a copy, and where it is. Raises: EnvironmentProblemError; it can be repeated."""
    present = {name: _read(main.parent / name, one.written) for name, one in files.items()}
    ways = {name: find_way(one, present[name]) for name, one in files.items()}
    goes = {name: way.goes for name, way in ways.items() if way.goes is not None}
    comes = {name: way.content for name, way in ways.items() if isinstance(way.content, bytes)}
    copied = {name for name, way in ways.items() if way.loses_others} | {*find_unkept(goes, comes)}
    held = comes[main.name] if main.name in comes else edited_file.read(main) or b""
    copies = dict[str, pathlib.Path]()
    for name, now in present.items():
        if name in copied and isinstance(now, bytes):
            copies[name] = main.parent / name_copy(main, name, held)
            edited_file.replace(copies[name], now, NEW_FILE_MODE)
    for name in reversed([*files]):
        if (content := ways[name].content) != present[name]:
            _restore(main.parent / name, content)
    return copies


def _restore(path: pathlib.Path, content: Replaced) -> None:
    if isinstance(content, IncludedLink):
        edited_file.restore_link(path, content.target)
    else:
        edited_file.restore(path, content, mode=NEW_FILE_MODE)


def find_way(one: WrittenFile, now: Replaced) -> WayOfFile:
    """now: what is there. Pure."""
    before, content = one.before, now if isinstance(now, bytes) else None
    if now in {before, None}:
        return WayOfFile(content=before)
    if now == one.written:
        return WayOfFile(content=before, goes=content)
    merged = None
    if isinstance(before, bytes) and content is not None and one.written is not None:
        merged = line_merge.merge(one.written, before, content)
    if merged is None or yaml_holder.find_hosts(merged) is None:
        return WayOfFile(content=before, goes=content, loses_others=True)
    return WayOfFile(content=merged, goes=one.written)


def name_copy(main: pathlib.Path, name: str, held: bytes) -> str:
    """Of a file beside it, which daemun.yaml does not include. held: what that holds then."""
    copy = pathlib.PurePath(f"{name}{UNDONE}")
    patterns = yaml_holder.find_patterns_of(main, held)
    is_included = any(yaml_include.fits(one, main.parent / copy, main) for one in patterns)
    return str(copy.with_name(f".{copy.name}") if is_included else copy)
