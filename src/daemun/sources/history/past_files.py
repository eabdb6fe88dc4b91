"""What the files held when a configuration was applied, with their secrets again, and writing that.

Nothing but files that hold them now has the secrets: the last version that could be applied, or what stands at the
same place of the present ones.
"""

import collections.abc
import contextlib
import dataclasses
import pathlib
import types
import typing

from daemun.sources import edited_file, yaml_holder, yaml_include
from daemun.sources.history import hidden_secrets, history_entry, secret_masks

NEW_FILE_MODE = 0o600
UNDONE = ".undone"
"""How the copy of a file ends that is not there any more, or not as it was."""
NOT_KEPT = "(not kept)"
"""Stands in a comment where a secret was that is nowhere any more."""


class IncludedLink(typing.NamedTuple):
    """An included file that was a link, and is deleted: what it leads to stays as it is."""

    target: str


Replaced = bytes | IncludedLink | None
"""What stood at a path; None: nothing."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RestorableFiles:
    """files: as they were. taken: the places of secrets that were other ones then, or may have been: what stands there
    now is taken. missing: the places of those that are nowhere any more, without which the files cannot be written.
    blanks: of those in comments."""

    files: dict[str, bytes]
    taken: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    blanks: tuple[str, ...] = ()


def find_past(
    entry: history_entry.HistoryEntry,
    present: hidden_secrets.MaskedFiles,
    names: collections.abc.Mapping[str, str],
    kept_files: hidden_secrets.MaskedFiles = types.MappingProxyType({}),
) -> RestorableFiles:
    """entry: whole. present: the files of now. names: of secrets that are known, as they are written. kept_files: the
    last version that could be applied. Pure."""
    by_name = {name: written for written, name in names.items()}
    by_place = {
        (name, secret.path): secret.written
        for name, one in (*kept_files.items(), *present.items())
        if one
        for secret in one.secrets
    }
    files: dict[str, bytes] = {}
    taken, missing, blanks = list[str](), list[str](), list[str]()
    for file in entry.files:
        written: list[str] = []
        for kept in file.secrets:
            place, found = f"{file.name}: {kept.path}", by_name.get(kept.name)
            if found is None and (found := by_place.get((file.name, kept.path))) is not None:
                taken.append(place)
            elif found is None:
                found = NOT_KEPT
                (blanks if kept.path.startswith("# ") else missing).append(place)
            written.append(found)
        files[file.name] = secret_masks.fill(file.text or "", written).encode()
        # A text over several lines may be indented otherwise now.
        again = secret_masks.mask(files[file.name])
        if not missing and not blanks and (again is None or again.text != file.text):
            missing.append(f"{file.name}: a secret, which is written in another way now")
    return RestorableFiles(files=files, taken=tuple(taken), missing=tuple(missing), blanks=tuple(blanks))


def find_lost(
    present: hidden_secrets.MaskedFiles,
    past: RestorableFiles,
    mask_all: hidden_secrets.MaskAll = hidden_secrets.mask_all,
) -> tuple[str, ...]:
    """The places of secrets of now that the files would not hold any more, and that nothing else keeps. Pure."""
    kept = {secret.written for one in mask_all(past.files).values() if one for secret in one.secrets}
    return tuple(
        f"{name}: {secret.path}"
        for name, one in present.items()
        if one is not None
        for secret in one.secrets
        if secret.written not in kept and not secret.is_in_comment
    )


def find_others(main: pathlib.Path, present: collections.abc.Iterable[str], files: history_entry.Files) -> list[str]:
    """Those of the present files that are to go when these are written, which would include them otherwise. What these
    do not include stays: it may be somebody's own file, which `include` came to name by a mistake."""
    patterns = yaml_holder.find_patterns_of(main, files.get(main.name, b""))
    return [
        name
        for name in present
        if name not in files and any(yaml_include.fits(one, main.parent / name, main) for one in patterns)
    ]


def name_copy(main: pathlib.Path, name: str, files: history_entry.Files) -> str:
    """Of a file beside it, which daemun.yaml does not include as `files` has it."""
    copy = pathlib.PurePath(f"{name}{UNDONE}")
    patterns = yaml_holder.find_patterns_of(main, files.get(main.name, b""))
    is_included = any(yaml_include.fits(one, main.parent / copy, main) for one in patterns)
    return str(copy.with_name(f".{copy.name}") if is_included else copy)


def write(
    main: pathlib.Path,
    files: history_entry.Files,
    *,
    others: collections.abc.Iterable[str] = (),
    keeps_others: bool = False,
) -> dict[str, Replaced]:
    """Write what differs, what daemun.yaml includes first. others: files that are included now, and were not then: they
    are deleted. keeps_others: with a copy of each beside it, but for links. Blocking, under `edited_file.alone`.

    Returns: what was replaced, for `put_back`. Raises: EnvironmentProblemError, after what was done was undone.
    """
    before: dict[str, Replaced] = {}
    wanted: dict[str, bytes | None] = {name: content for name, content in files.items() if name != main.name}
    others = [*others]
    if keeps_others:
        kept = {name: edited_file.read(main.parent / name) for name in others if not (main.parent / name).is_symlink()}
        wanted |= {name_copy(main, name, files): content for name, content in kept.items() if content is not None}
    wanted |= dict.fromkeys(others)
    if main.name in files:
        wanted[main.name] = files[main.name]
    try:
        for name, content in wanted.items():
            path = main.parent / name
            held: Replaced = edited_file.read(path)
            if content is None and path.is_symlink():
                held = IncludedLink(str(path.readlink()))
            if held != content:
                with contextlib.suppress(OSError):  # which is reported when the file is written
                    path.parent.mkdir(parents=True, exist_ok=True)
                edited_file.restore(path, content, mode=NEW_FILE_MODE)
                before[name] = held
    except BaseException:
        put_back(main, before)
        raise
    return before


def put_back(main: pathlib.Path, before: collections.abc.Mapping[str, Replaced]) -> None:
    """Undo `write`. Blocking. Raises: EnvironmentProblemError."""
    for name, held in reversed([*before.items()]):
        if isinstance(held, IncludedLink):
            edited_file.restore_link(main.parent / name, held.target)
        else:
            edited_file.restore(main.parent / name, held, mode=NEW_FILE_MODE)
