"""Which files `include` in daemun.yaml names, and what they hold. Blocking, microseconds for each file.

Bounded in number and size, so that no pattern takes the daemun down. Files whose names begin with a dot match no
pattern: editors write such beside the one that is edited.
"""

import collections.abc
import dataclasses
import errno
import fnmatch
import glob
import os
import pathlib
import types

from daemun import causes, regular_files
from daemun.core import model
from daemun.core.texts import words
from daemun.sources import yaml_positions

KEY = "include"
MOST_FILES = 1000
MOST_BYTES = 16 << 20
"""Of all files together; one may have as many as daemun.yaml."""
_MOST_FOLDERS = 10_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One item of `include`. text: as it was written, a file or a pattern. origin: where. field: of the item."""

    text: str
    origin: model.Origin
    field: tuple[str | int, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Included:
    """One file. name: how messages call it. content: what it holds; None: it cannot be read, for `cause`. target: of a
    link that leads out of its folder, where to."""

    name: str
    path: pathlib.Path
    content: bytes | None = None
    cause: str = ""
    target: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """paths: in the order of the patterns, those of one sorted, each once. problems: of the patterns.
    folders: in which a file may come to be that one of them names. absent: those of them before the first wildcard that
    are not there."""

    paths: tuple[pathlib.Path, ...]
    problems: tuple[model.Problem, ...]
    folders: frozenset[pathlib.Path]
    absent: frozenset[pathlib.Path] = frozenset()


def check_pattern(text: str) -> str:
    """Returns: the text. Raises: ValueError with what is wrong with it, whatever files there are."""
    cause = None
    if not text.strip() or not text.isprintable():
        cause = "is no name of a file; write a pattern such as `sites/*.yaml`"
    elif "**" in text:
        cause = "has `**`, which is not known here; write `*` for each level, as in `sites/*/*.yaml`"
    elif "://" in text or text.startswith("~"):
        cause = "is no path of a file; write one such as `sites/*.yaml`, or `/srv/sites/*.yaml`"
    elif text.endswith("/"):
        cause = f"is a folder; write `{text}*.yaml` for the files in it"
    if cause is not None:
        raise ValueError(f"{words.quoted(text)} {cause}")
    return text


def list_files(
    patterns: collections.abc.Iterable[Pattern],
    main: pathlib.Path,
    served: collections.abc.Collection[pathlib.Path] = (),
    beside: collections.abc.Collection[pathlib.Path] = (),
) -> Listing:
    """main: the file that has the patterns, which is left out where one matches it. served: files of before, which stay
    where the whole folder of a pattern is gone, as one on a share that is not mounted. beside: files that count as if
    they were there. Never raises."""
    found: dict[str, pathlib.Path] = {}
    problems: list[model.Problem] = []
    folders: set[pathlib.Path] = set()
    all_absent: set[pathlib.Path] = set()
    itself = os.path.realpath(main)
    for pattern in patterns:
        try:
            paths, looked, absent = _expand(main.parent, pathlib.Path(pattern.text))
        except OSError as error:
            cause = f"cannot look into {error.filename}: {causes.describe(error)}; correct its rights, or the pattern"
            problems.append(_problem(pattern, cause))
            continue
        folders |= looked
        if looked and looked == absent:  # behind a wildcard, folders come and go as files do
            all_absent |= absent
            paths = [path for path in served if fits(pattern, pathlib.Path(os.path.normpath(path)), main)]
        paths += [one for one in beside if one not in paths and fits(pattern, one, main)]
        if not paths:
            cause = f"{words.quoted(pattern.text)} matches no file{_hint(main.parent, absent)}"
            problems.append(_problem(pattern, cause, model.Severity.WARNING))
        for path in paths:
            real = os.path.realpath(path)
            if real != itself:
                found.setdefault(real, path)
            elif not glob.has_magic(pattern.text):
                problems.append(_problem(pattern, f"{words.quoted(pattern.text)} is this file itself; remove it"))
        if len(found) > MOST_FILES:
            cause = f"names more than {MOST_FILES} files; put the sites of several into one"
            return Listing(paths=(), problems=(*problems, _problem(pattern, cause)), folders=frozenset(folders))
    return Listing(
        paths=tuple(found.values()),
        problems=tuple(problems),
        folders=frozenset(folders),
        absent=frozenset(all_absent),
    )


def _problem(pattern: Pattern, cause: str, severity: model.Severity = model.Severity.ERROR) -> model.Problem:
    message = f"{KEY}: {cause}"
    return model.Problem(origin=pattern.origin, message=message, severity=severity, field=pattern.field)


def _hint(base: pathlib.Path, absent: collections.abc.Iterable[pathlib.Path]) -> str:
    folder = min(absent, default=None)
    if folder is not None:
        return f": there is no folder {name_of(folder, base)}; make it, or correct the pattern"
    return "; no site comes from it until there is one"


def _expand(
    base: pathlib.Path, pattern: pathlib.Path
) -> tuple[list[pathlib.Path], set[pathlib.Path], set[pathlib.Path]]:
    """The files, the folders that were looked into, and those of them that are not there. A name without wildcards is
    a file whether it is there or not. base: where a relative pattern starts, whose own name is none.

    Raises: OSError for a folder that cannot be looked into.
    """
    found, looked, absent = [base / pattern.anchor], set[pathlib.Path](), set[pathlib.Path]()
    for part in pattern.relative_to(pattern.anchor).parts:
        if not glob.has_magic(part):
            found = [one / part for one in found]
            continue
        looked.update(found)
        found = [folder / name for folder in found for name in _names_in(folder, part, absent)]
        if len(found) > _MOST_FOLDERS:
            raise OSError(0, f"more than {_MOST_FOLDERS} files match {words.quoted(part)}", str(found[0].parent))
    if looked:  # behind a wildcard, a plain name is looked for as any other
        found = [one for one in found if os.path.lexists(one)]
    return found, looked, absent


def fits(pattern: Pattern, path: pathlib.Path, main: pathlib.Path) -> bool:
    """Whether the pattern names a file, which need not be there."""
    wanted = pathlib.Path(os.path.normpath(pattern.text))
    base = main.parent / wanted.anchor
    own = wanted.relative_to(wanted.anchor).parts
    ups = own.count("..")  # which lead, after `normpath`
    above = pathlib.Path(os.path.normpath(base.joinpath(*own[:ups]))).parts
    names, own = path.parts[len(above) :], own[ups:]
    return path.parts[: len(above)] == above and len(names) == len(own) and all(map(_matches, names, own))


def _matches(name: str, part: str) -> bool:
    if not glob.has_magic(part):
        return name == part
    return fnmatch.fnmatchcase(name, part) and not name.startswith(".")


def _names_in(folder: pathlib.Path, pattern: str, absent: set[pathlib.Path]) -> list[str]:
    """absent: where the folder is added when it is not there."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names, of which most are not wanted
    except (FileNotFoundError, NotADirectoryError):
        absent.add(folder)
        return []
    return sorted(name for name in names if _matches(name, pattern))


def name_of(path: pathlib.Path, base: pathlib.Path) -> str:
    """How messages call a file: from the folder of daemun.yaml, where it is in there."""
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)


def read(
    paths: collections.abc.Iterable[pathlib.Path],
    base: pathlib.Path,
    instead: collections.abc.Mapping[pathlib.Path, bytes] = types.MappingProxyType({}),
) -> tuple[Included, ...]:
    """base: the folder of daemun.yaml. instead: of what these files hold. Never raises."""
    left = MOST_BYTES
    found = []
    for path in paths:
        name = name_of(path, base)
        drafted = instead.get(path)
        one = _read(path, name, left) if drafted is None else Included(name=name, path=path, content=drafted)
        left -= len(one.content or b"")
        found.append(one)
    return tuple(found)


def _read(path: pathlib.Path, name: str, most_bytes: int) -> Included:
    if not name.isprintable():
        # Such a name would be more than one line of messages and of nginx's files, or no text at all.
        cause = "has signs in its name that cannot be printed, such as a line break; give it another name"
        return Included(name=ascii(name)[1:-1], path=path, cause=cause)
    try:
        with open(path, "rb", opener=regular_files.open_descriptor) as file:
            content = file.read(min(yaml_positions.MAX_BYTES, most_bytes) + 1)
            target = _find_target(path, file.fileno())
    except OSError as error:
        return Included(name=name, path=path, cause=f"cannot be read: {_cause_of(path, name, error)}")
    if len(content) > most_bytes:
        cause = f"is too large: the files that `{KEY}` names may have {MOST_BYTES} bytes together"
        return Included(name=name, path=path, cause=cause)
    return Included(name=name, path=path, content=content, target=target)


def _find_target(path: pathlib.Path, descriptor: int) -> str | None:
    """Of the file that is open, as the link may be another one by now."""
    try:
        target = pathlib.Path(f"/proc/self/fd/{descriptor}").readlink()
    except OSError:
        target = pathlib.Path(os.path.realpath(path))
    is_within = target == path or target.is_relative_to(os.path.realpath(path.parent))
    return None if is_within else str(target)


def _cause_of(path: pathlib.Path, name: str, error: OSError) -> str:
    """With what to do."""
    cause = causes.describe(error)
    if path.is_symlink() and isinstance(error, FileNotFoundError):
        return f"it is a link to {path.readlink()}, which is not there; correct the link, or remove it"
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        cause = cause if path.parent.is_dir() else "its folder is not there"
        return f"{cause}; put it back, or take it out of `{KEY}`"
    if isinstance(error, IsADirectoryError):
        return f"it {cause}; give it another name, or write `{name}/*.yaml` for the files in it"
    if isinstance(error, PermissionError):
        return f"{cause}; let the account of daemun read it"
    if error.errno == errno.ELOOP:
        return f"{cause}; correct the link, or remove it"
    what = f"it {cause}" if error.errno == errno.EINVAL else cause
    return f"{what}; put a file of sites in its place, or remove it"
