"""Which file a command edits: daemun.yaml, or the one of those that it includes which holds the site. Blocking."""

import collections
import collections.abc
import dataclasses
import os
import pathlib

from daemun.core import value_parsers
from daemun.core.texts import words
from daemun.errors import ConfigError, EnvironmentProblemError
from daemun.sources import (
    edited_file,
    file_access,
    yaml_blocks,
    yaml_excerpt,
    yaml_include,
    yaml_positions,
    yaml_reader,
)

StrPath = str | os.PathLike[str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A file to be edited. name: how messages call it. main: daemun.yaml. is_included: that includes it. has_site: the
    site is in it already. others: the hosts that other files have. unread: the names of those that cannot be read.
    files: how they are read and written."""

    path: pathlib.Path
    name: str
    main: pathlib.Path
    is_included: bool = False
    has_site: bool = False
    others: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()
    files: file_access.EditedFiles = file_access.DISK


def of_path(path: StrPath) -> Holder:
    """The file at a path, which is daemun.yaml itself."""
    return Holder(path=pathlib.Path(path), name=pathlib.Path(path).name, main=pathlib.Path(path))


def find(
    main: pathlib.Path, host: str, *, file: str | None = None, files: file_access.EditedFiles = file_access.DISK
) -> Holder:
    """The file that holds the site, or where a new one is written.

    main: daemun.yaml. file: which one is to hold a new site, as a person named it; None: daemun.yaml. files: how they
    are read and written.
    Raises: ConfigError when two files hold the site, or `file` is none of those that are included, or another one
    than holds it; EnvironmentProblemError when daemun.yaml cannot be read.
    """
    patterns = find_patterns(main, files)
    named = _find_named(main, host, file, patterns) if file is not None else None
    paths = files.list_included(patterns, main)
    held = {path: _find_hosts(path, files) for path in ((main, *paths) if paths else ())}
    holding = [path for path, hosts in held.items() if hosts is not None and host_of(host) in hosts]
    if len(holding) > 1:
        listed = words.listed([_name(one, main) for one in holding], last="and")
        cause = f"it is in {listed}; take it out of all but one by hand"
        raise ConfigError(f"cannot edit {words.quoted(host)}: {cause}")
    chosen = next(iter(holding), named or main)
    if named is not None and os.path.realpath(chosen) != os.path.realpath(named):
        cause = f"{_name(chosen, main)} has the site already; leave `--file` out to edit it there"
        raise ConfigError(f"cannot write {words.quoted(host)} into {_name(named, main)}: {cause}")
    return Holder(
        path=chosen,
        name=_name(chosen, main),
        main=main,
        is_included=chosen != main,
        has_site=bool(holding),
        others=frozenset(one for path, hosts in held.items() if path != chosen for one in hosts or ()),
        unread=tuple(_name(path, main) for path, hosts in held.items() if hosts is None),
        files=files,
    )


def find_all(
    main: pathlib.Path, hosts: collections.abc.Iterable[str], *, files: file_access.EditedFiles = file_access.DISK
) -> list[tuple[Holder, frozenset[str]]]:
    """The files that hold these sites, each with its own of them, as `host_of` has them.

    Raises: ConfigError when one of them is in no file, or in two; EnvironmentProblemError."""
    names = frozenset(map(host_of, hosts))
    paths = (main, *files.list_included(find_patterns(main, files), main))
    held = {path: found for path in paths if (found := _find_hosts(path, files)) is not None}
    counts = collections.Counter(host for found in held.values() for host in found & names)
    if missing := sorted(names - counts.keys()):
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise ConfigError(
            f"cannot edit {words.listed(map(words.quoted, missing[:3]), last='and')}{more}: {main.name} and the files "
            "that it includes have no such site"
        )
    if twice := next((host for host, count in counts.items() if count > 1), None):
        raise ConfigError(f"cannot edit {words.quoted(twice)}: two files have it; take it out of one by hand")
    return [
        (
            Holder(path=path, name=_name(path, main), main=main, is_included=path != main, has_site=True, files=files),
            found & names,
        )
        for path, found in held.items()
        if found & names
    ]


def read_all(main: pathlib.Path) -> dict[str, bytes]:
    """What daemun.yaml holds, by its name, and those that it includes, by theirs. Without those that are not there or
    cannot be read. Raises: EnvironmentProblemError when daemun.yaml cannot be read."""
    content = edited_file.read(main)
    paths = yaml_include.list_files(find_patterns(main, file_access.DISK), main).paths if content is not None else ()
    included = {one.name: one.content for one in yaml_include.read(paths, main.parent) if one.content is not None}
    return ({} if content is None else {main.name: content}) | included


def host_of(key: str) -> str:
    """The host that a key of `sites` is for. What is no host name stays, as where the file is read."""
    try:
        return value_parsers.parse_host(key)
    except ValueError:
        return key


def _name(path: pathlib.Path, main: pathlib.Path) -> str:
    return yaml_include.name_of(path, main.parent)


def find_patterns(main: pathlib.Path, files: file_access.EditedFiles) -> tuple[yaml_include.Pattern, ...]:
    """Of `include` in daemun.yaml. Raises: EnvironmentProblemError."""
    return find_patterns_of(main, files.read(main) or b"")


def find_patterns_of(main: pathlib.Path, content: bytes) -> tuple[yaml_include.Pattern, ...]:
    """content: of daemun.yaml."""
    text = yaml_positions.decode(content, [])
    if text is None or yaml_include.KEY not in text:
        return ()
    excerpt = yaml_excerpt.make(text, lambda _: False)
    return yaml_reader.Reader(main.name, main.parent).read(text if excerpt is None else excerpt.text).include


def _find_hosts(path: pathlib.Path, files: file_access.EditedFiles) -> frozenset[str] | None:
    """The hosts that a file has. None: it cannot be read."""
    try:
        return find_hosts(files.read(path) or b"")
    except EnvironmentProblemError:
        return None


def find_hosts(content: bytes) -> frozenset[str] | None:
    """The hosts that a file with this content has. None: it cannot be read."""
    text = yaml_positions.decode(content, [])
    if text is None:
        return None
    excerpt = yaml_excerpt.make(text, lambda _: False)
    document = yaml_positions.load(text if excerpt is None else excerpt.text)
    if document.value is None and document.faults:
        return None
    left_out = () if excerpt is None else excerpt.keys
    return frozenset(map(host_of, (*yaml_blocks.keys_of(document), *left_out)))


def _find_named(
    main: pathlib.Path, host: str, file: str, patterns: collections.abc.Iterable[yaml_include.Pattern]
) -> pathlib.Path:
    """The file that a person named, from where the command was started or from the folder of daemun.yaml."""
    what = f"cannot write {words.quoted(host)} into {words.quoted(file)}"
    candidates = [pathlib.Path(os.path.normpath(base / file)) for base in (pathlib.Path.cwd(), main.parent)]
    for path in dict.fromkeys(candidates):
        if path == main or any(yaml_include.fits(one, path, main) for one in patterns):
            if not path.parent.is_dir():
                raise ConfigError(f"{what}: there is no folder {path.parent}; make it first")
            return path
    known = [words.quoted(one.text) for one in patterns]
    if not known:
        raise ConfigError(f"{what}: {main.name} includes no files; write `include: sites/*.yaml` at its top")
    raise ConfigError(f"{what}: {main.name} does not include it; its `include` names {words.listed(known, last='and')}")
