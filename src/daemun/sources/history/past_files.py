"""What the files held when a configuration was applied, with their secrets again.

Nothing but files that hold them now has the secrets: the last version that could be applied, or what stands at the
same place of the present ones.
"""

import collections.abc
import dataclasses
import pathlib
import types

from daemun.sources import edited_file, yaml_holder, yaml_include
from daemun.sources.history import hidden_secrets, history_entry, secret_masks, written_files

NOT_KEPT = "(not kept)"
"""Stands in a comment where a secret was that is nowhere any more."""


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


def find_wanted(
    main: pathlib.Path, files: history_entry.Files, others: collections.abc.Iterable[str]
) -> dict[str, bytes | None]:
    """What is written so that the files are as they were. others: of `find_others`: they go, with a copy of each beside
    it, but for links. Blocking. Raises: EnvironmentProblemError."""
    others = [*others]
    held = files.get(main.name, b"")
    kept = {name: edited_file.read(main.parent / name) for name in others if not (main.parent / name).is_symlink()}
    copies = {written_files.name_copy(main, name, held, one): one for name, one in kept.items() if one is not None}
    return {**files, **copies, **dict.fromkeys(others)}


def find_since(main: pathlib.Path, files: history_entry.Files) -> dict[str, written_files.WrittenFile]:
    """What was changed since the files were as `files` has them. Blocking. Raises: EnvironmentProblemError."""
    others = find_others(main, yaml_holder.read_all(main), files)
    names = sorted((*files, *others), key=lambda name: name == main.name)
    present = {name: edited_file.read(main.parent / name) for name in names}
    return {
        name: written_files.WrittenFile(
            before=files.get(name), written=now, through=written_files.find_link(main.parent / name)
        )
        for name, now in present.items()
        if now != files.get(name)
    }
