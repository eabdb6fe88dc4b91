"""Changes of directories that survive a power cut: what rename(2) and fsync(2) promise, in one place."""

import os
import pathlib


def sync_directory(directory: pathlib.Path) -> None:
    """Make renames, creations and removals in a directory last (fsync(2), NOTES). Raises: OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def point_link(link: pathlib.Path, target: pathlib.PurePath | str) -> None:
    """Make `link` a symbolic link to `target`, in one step and for good: whoever follows it meanwhile sees the old
    target or the new one. Raises: OSError; then the link is as it was."""
    draft = link.with_name(f".~{link.name}")
    draft.unlink(missing_ok=True)
    draft.symlink_to(target)
    draft.replace(link)
    sync_directory(link.parent)
