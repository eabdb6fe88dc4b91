"""The folder in which nginx remembers whom the judge let in (`core.render.judge_memory`).

The files hold what visitors signed in with, so the folder is in memory, apart from the state directory, and nginx makes
it for its workers alone inside one of ours. Where no folder in memory is to be had, nothing is remembered there.
"""

import contextlib
import hashlib
import os
import pathlib
import re
import shutil
import stat

import psutil

from daemun import errors, regular_files
from daemun.core import layout
from daemun.core.plan import variable_definitions

_MEMORY = frozenset({"tmpfs", "ramfs"})
_PLACES = ("/dev/shm", "/run")  # noqa: S108 - what is there is used only when this account owns it
_NAMED = re.compile(rb"^\s*proxy_cache_path\s+(?P<folder>/\S+)/(?:judge|remembered)\s", re.MULTILINE)


def find(state: str) -> str | None:
    """The path, the same each time, whether the folder is there or not; None: there is no memory to have it in.
    Blocking, a millisecond."""
    name = f"daemun-judge-{hashlib.sha256(os.path.realpath(state).encode()).hexdigest()[:12]}"
    own = os.environ.get("XDG_RUNTIME_DIR") if os.geteuid() != 0 else None
    kinds = {part.mountpoint: part.fstype for part in psutil.disk_partitions(all=True)}
    for place in (own, *_PLACES):
        if place is None or kinds.get(os.path.realpath(place)) not in _MEMORY or not os.access(place, os.W_OK):
            continue
        if _is_usable(f"{place}/{name}"):
            return f"{place}/{name}"
    return None


def prepare(configuration: bytes) -> None:
    """Make the folder that a file of nginx's names, if any; nginx makes what is in it, and gives it to its workers,
    following links: so it must not begin in a folder of another account.

    Blocking. Raises: OSError; EnvironmentProblemError: another account has made the folder meanwhile.
    """
    match = _NAMED.search(configuration)
    if match is None:
        return
    folder = os.fsdecode(match["folder"])
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, 0o711)  # noqa: PTH102
        os.chmod(folder, 0o711)  # noqa: PTH101, S103 - the workers pass
    if not _is_ours(folder):
        raise errors.EnvironmentProblemError(
            f"cannot let nginx remember sign-ins in {folder}: another account has made that folder or can write there; "
            f"remove it, and find out whose it is (`ls -ld {folder}`)"
        )


def prepare_current(paths: layout.Layout) -> None:
    """The same for what nginx is to run: the memory may have been lost meanwhile. Blocking. Raises: as `prepare`."""
    with contextlib.suppress(FileNotFoundError):
        prepare(regular_files.read(f"{paths.current}/{variable_definitions.FILE}"))


def remove(paths: layout.Layout) -> None:
    """Forget all, once nginx has ended. Blocking."""
    path = find(paths.state)
    if path is not None and _is_ours(path):
        shutil.rmtree(path, ignore_errors=True)


def _is_usable(path: str) -> bool:
    return _is_ours(path) or not os.path.lexists(path)


def _is_ours(path: str) -> bool:
    """Whether no other account can have put anything there."""
    try:
        found = pathlib.Path(path).lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022
