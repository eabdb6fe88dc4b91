"""The folder of the response cache (`core.render.response_cache`), which nginx makes and its workers own.

What goes wrong with it must cost the cache and nothing else: nginx cuts an answer that it cannot write there, answers
with 500 where it may not open what it kept, and does not start where the folder cannot be. It gives the folder itself
to the workers' account and nothing below it, and leaves the temporary files of workers that were killed
(ngx_create_paths, ngx_http_file_cache_add_file).
"""

import contextlib
import os
import pathlib
import re
import shutil
import stat
import tempfile
import threading
import time

from daemun import regular_files
from daemun.core import layout, model
from daemun.core.plan import variable_definitions

_LEAST_FREE_BYTES = 64 << 20
"""nginx itself removes what it keeps from 256 MB on, which helps as long as it keeps anything."""
_LEAST_FREE_FILES = 1024
_FIRST_LEVEL = re.compile("[0-9a-f]")
_TEMPORARY = re.compile("[0-9a-f]{32}[.][0-9]{10}")
_REMOVED = ".removed-"


def is_possible(paths: layout.Layout) -> bool:
    """Whether nginx could use or make the folder: no link to a disk that is away is in its place, and no file.
    Blocking, microseconds."""
    return os.path.isdir(paths.answers) or not os.path.lexists(paths.answers)  # noqa: PTH112


def find_refusal(paths: layout.Layout) -> str | None:
    """Why it is not possible, and what to do. Blocking, microseconds."""
    if is_possible(paths):
        return None
    place = pathlib.Path(paths.answers)
    if place.is_symlink():
        cause, cure = f"is a link to {os.fspath(place.readlink())}, which is not there", "mount that disk"
    else:
        cause, cure = "is no folder", "move it away"
    return f"{place} {cause}: no answers are kept (`cache`), and all requests go to their servers; {cure}, or delete it"


def is_missing(paths: layout.Layout) -> bool:
    """Whether nginx runs a configuration that needs the folder, and it was deleted. Blocking, below a millisecond."""
    return not os.path.lexists(paths.answers) and _is_used(paths)


def prepare(paths: layout.Layout, account: model.WorkerAccount | None) -> None:
    """Make it again when it was deleted, take away what another account of workers kept, and let nginx keep answers
    there if it can. Blocking, below a millisecond when nothing is to be done."""
    if paths.work is None:
        with contextlib.suppress(OSError):  # then nothing is kept
            _mend(paths, _owner(account))
        note_room(paths, account)


def _mend(paths: layout.Layout, owner: int) -> None:
    if is_missing(paths):
        os.mkdir(paths.answers, 0o700)  # noqa: PTH102
    if os.path.isdir(paths.answers):  # noqa: PTH112
        _take_away(paths, owner)
        if os.stat(paths.answers).st_uid != owner:  # noqa: PTH116
            os.chown(paths.answers, owner, -1)


def note_room(paths: layout.Layout, account: model.WorkerAccount | None) -> None:
    """Let nginx keep further answers while it can write them, and not otherwise. Blocking, microseconds."""
    with contextlib.suppress(OSError):
        if _has_room(paths, _owner(account)):
            descriptor = os.open(paths.answers_room, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            os.fchmod(descriptor, 0o644)  # workers open what they test for (`disable_symlinks`)
            os.close(descriptor)
        else:
            pathlib.Path(paths.answers_room).unlink(missing_ok=True)


def tidy(paths: layout.Layout) -> threading.Thread:
    """Delete what is not used any more, beside all else: temporary files of workers that were killed, and what
    `prepare` took away. Only while no worker runs that may write there. Returns: what does it."""
    thread = threading.Thread(target=_tidy, args=(paths, time.time()), daemon=True)
    thread.start()
    return thread


def _owner(account: model.WorkerAccount | None) -> int:
    return os.geteuid() if account is None else account.uid


def _is_used(paths: layout.Layout) -> bool:
    with contextlib.suppress(OSError):
        found = regular_files.read(f"{paths.current}/{variable_definitions.FILE}")
        named = rb'^\s*proxy_cache_path\s+"?' + re.escape(os.fsencode(paths.answers)) + rb'"?\s'
        return re.search(named, found, re.MULTILINE) is not None
    return False


def _has_room(paths: layout.Layout, owner: int) -> bool:
    place = paths.answers
    try:
        found = os.stat(place)  # noqa: PTH116
    except FileNotFoundError:
        if os.path.lexists(place) or _is_used(paths):
            return False
        place = paths.state  # nginx makes it when it is first needed
    except OSError:
        return False
    else:
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & stat.S_IRWXU != stat.S_IRWXU:
            return False
    return is_roomy(os.statvfs(place))


def is_roomy(disk: os.statvfs_result) -> bool:
    """Whether further answers can be written to a disk. Pure. Some file systems count no files."""
    has_files = disk.f_files == 0 or disk.f_favail >= _LEAST_FREE_FILES
    return disk.f_bavail * disk.f_frsize >= _LEAST_FREE_BYTES and has_files and not disk.f_flag & os.ST_RDONLY


def _take_away(paths: layout.Layout, owner: int) -> None:
    """What workers of another account kept, and those of this one may not open. A disk of its own has other folders,
    too."""
    with os.scandir(paths.answers) as entries:
        of_others = [
            one.path
            for one in entries
            if _FIRST_LEVEL.fullmatch(one.name) and one.stat(follow_symlinks=False).st_uid != owner
        ]
    if not of_others:
        return
    beside = tempfile.mkdtemp(prefix=f"{os.path.basename(paths.answers)}{_REMOVED}", dir=paths.state)  # noqa: PTH119
    for path in of_others:
        try:
            os.rename(path, f"{beside}/{os.path.basename(path)}")  # noqa: PTH104, PTH119
        except OSError:  # another disk
            shutil.rmtree(path, ignore_errors=True)
    threading.Thread(target=shutil.rmtree, args=(beside,), kwargs={"ignore_errors": True}, daemon=True).start()


def _tidy(paths: layout.Layout, before_s: float) -> None:
    place = pathlib.Path(paths.answers)
    for left in place.parent.glob(f"{place.name}{_REMOVED}*"):
        shutil.rmtree(left, ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):  # nothing was ever kept
        for _, _, names, descriptor in os.fwalk(os.path.realpath(place), follow_symlinks=False):
            for name in filter(_TEMPORARY.fullmatch, names):
                _delete_older(name, descriptor, before_s)


def _delete_older(name: str, folder: int, before_s: float) -> None:
    with contextlib.suppress(OSError):
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISREG(found.st_mode) and found.st_mtime < before_s:
            os.unlink(name, dir_fd=folder)
