"""A tree of small files, written and read whole: ten thousand of them in the time of a few.

A file that another tree holds already is linked, not written; one that did not change since it was read is not read
again. What is done for every file calls the system without pathlib between.
"""

import collections.abc
import contextlib
import dataclasses
import os
import types

from daemun import durable, regular_files

Stamp = tuple[int, int, int]
"""What distinguishes a file from a changed one: inode, bytes, time of the last change in ns. The same for all its
links."""

SYNCED_ONE_BY_ONE = 32
"""More new files than these are brought to the disk by one call for the whole file system, which waits for what others
wrote there, too."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FileTree:
    """folder: absolute. files: path below it -> content, sorted. stamps: of each file."""

    folder: str
    files: collections.abc.Mapping[str, bytes]
    stamps: collections.abc.Mapping[str, Stamp]


def read(folder: str, known: FileTree | None = None) -> FileTree:
    """What a folder holds now. known: what it, or another tree that shares files with it, held before.

    Raises: OSError.
    """
    stamps = _find_stamps(folder)
    if known is None:
        known = FileTree(folder=folder, files={}, stamps={})
    elif known.folder == folder and known.stamps == stamps:
        return known
    files = {
        name: known.files[name] if known.stamps.get(name) == stamps[name] else _read_file(f"{folder}/{name}")
        for name in sorted(stamps)
    }
    return FileTree(folder=folder, files=types.MappingProxyType(files), stamps=stamps)


def find_changed(tree: FileTree) -> dict[str, bytes | None]:
    """What is not as it was when the tree was written or read: its content, None where it is gone, and nothing is read
    of a file that is new. One look at each folder, and one at each file. Raises: OSError."""
    stamps = _find_stamps(tree.folder)
    names = [name for name in {**tree.stamps, **stamps} if tree.stamps.get(name) != stamps.get(name)]
    return {
        name: None if name not in stamps else b"" if name not in tree.stamps else _read_file(f"{tree.folder}/{name}")
        for name in names
    }


def write(
    folder: str, files: collections.abc.Mapping[str, bytes], *, base: FileTree | None
) -> tuple[FileTree, tuple[str, ...]]:
    """Make a new folder that holds these files. base: a tree whose files may be shared.

    Returns: it, and which of its files are new; neither is on the disk before `sync`. Raises: OSError; then a part of
        it may be there.
    """
    _make_folders(folder, files)
    stamps: dict[str, Stamp] = {}
    new: list[str] = []
    for name, content in files.items():
        if base is not None and base.files.get(name) == content and _link(f"{base.folder}/{name}", f"{folder}/{name}"):
            stamps[name] = base.stamps[name]
        else:
            stamps[name] = _write_file(f"{folder}/{name}", content)
            new.append(name)
    return FileTree(folder=folder, files=types.MappingProxyType(dict(files)), stamps=stamps), tuple(new)


def sync(tree: FileTree, new: collections.abc.Collection[str]) -> None:
    """Bring a tree to the disk. new: of `write`. Raises: OSError."""
    if len(new) > SYNCED_ONE_BY_ONE:
        durable.sync_file_system(tree.folder)
        return
    for name in new:
        durable.sync_file(f"{tree.folder}/{name}")
    for path in _folders(tree.folder, tree.files):
        durable.sync_directory(path)


def _find_stamps(folder: str) -> dict[str, Stamp]:
    stamps: dict[str, Stamp] = {}
    pending = [""]
    while pending:
        prefix = pending.pop()
        with os.scandir(f"{folder}/{prefix}") as rows:
            for row in rows:
                if row.is_dir(follow_symlinks=False):
                    pending.append(f"{prefix}{row.name}/")
                elif row.is_file():
                    found = row.stat()
                    stamps[f"{prefix}{row.name}"] = (found.st_ino, found.st_size, found.st_mtime_ns)
    return stamps


def _read_file(path: str) -> bytes:
    with regular_files.open_for_reading(path) as file:
        return file.read()


def _folders(folder: str, files: collections.abc.Iterable[str]) -> list[str]:
    """Those that the files are in, each after the one that holds it."""
    found = {folder}
    for name in files:
        above, slash, _ = name.rpartition("/")
        while slash and f"{folder}/{above}" not in found:
            found.add(f"{folder}/{above}")
            above, slash, _ = above.rpartition("/")
    return sorted(found)


def _make_folders(folder: str, files: collections.abc.Iterable[str]) -> None:
    for path in _folders(folder, files):
        os.mkdir(path)  # noqa: PTH102
        os.chmod(path, 0o755)  # noqa: PTH101, S103 - whatever the umask; nginx/ above keeps others out


def _link(source: str, target: str) -> bool:
    with contextlib.suppress(OSError):  # not every file system has hard links
        os.link(source, target)
        return True
    return False


def _write_file(path: str, content: bytes) -> Stamp:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    try:
        os.fchmod(descriptor, 0o644)
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
        found = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    return found.st_ino, found.st_size, found.st_mtime_ns
