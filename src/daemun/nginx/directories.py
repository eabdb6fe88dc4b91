"""The directories that nginx needs in the state directory, with the rights they need and no more.

When daemun is root, nginx's workers read certificates, challenges and log files by name under an account of their own,
so its group may pass there. The configuration is read by the master, which is root. Else all is one account's, whose
group may be everybody's: no other may pass.
"""

import contextlib
import os
import pathlib
import stat

from daemun import errors
from daemun.core import layout, model
from daemun.nginx import answers_folder, error_diagnosis, pairs_folder

LONGEST_SOCKET_PATH = 107
"""Bytes of a unix socket's path: sun_path holds 108 with the closing zero (unix(7))."""


def prepare(paths: layout.Layout, account: model.WorkerAccount | None) -> None:
    """Make what is missing and set owners and modes. Blocking, below a millisecond when all is there.

    Raises: EnvironmentProblemError when the path is too long for a socket, the workers' account cannot reach the
        state directory, the disk is full, or a right is missing.
    """
    _check_length(paths)
    group = None if account is None else account.gid
    try:
        pathlib.Path(paths.base).mkdir(mode=0o755, parents=True, exist_ok=True)
        _close_to_others(paths.base)
        for path, mode in (
            (paths.nginx, 0o700),
            (f"{paths.nginx}/gen", 0o700),
            *(_of_state(paths) if paths.work is None else ()),
            (paths.logs, 0o750),
            (paths.run, 0o710),
            (paths.temp, 0o710),
            (paths.bans, 0o710),
        ):
            _make(path, mode if group is not None else 0o700, group)
        pairs_folder.lead_there(paths)
        answers_folder.prepare(paths, account)
        if account is not None:
            _give_error_log(paths, account)
    except OSError as error:
        raise error_diagnosis.os_problem(f"prepare the state directory {paths.state}", error) from error
    if account is not None:
        _check_reach(paths.state, account)


def _of_state(paths: layout.Layout) -> tuple[tuple[str, int], ...]:
    """What stays there wherever nginx works. Each after the one that holds it."""
    above = () if paths.pairs_name is None else ((os.path.dirname(paths.pairs), 0o710),)  # noqa: PTH120
    return (*above, (paths.pairs, 0o750), (paths.challenges, 0o750))


def _give_error_log(paths: layout.Layout, account: model.WorkerAccount) -> None:
    """To the workers, as nginx does when logs are rotated: their own file is not shown by links of root's, and nginx
    writes the paths of certificates there that it cannot load. root's group may write, for a root without all rights.
    """
    with contextlib.suppress(OSError):
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(f"{paths.logs}/error.log", flags, 0o644)
        try:
            found = os.fstat(descriptor)
            if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
                os.fchown(descriptor, account.uid, -1)
                os.fchmod(descriptor, 0o664)
        finally:
            os.close(descriptor)


def _make(path: str, mode: int, group: int | None) -> None:
    pathlib.Path(path).mkdir(mode=mode, exist_ok=True)
    found = os.stat(path)  # noqa: PTH116 - the plain call reads best beside chown
    if group is not None and found.st_gid != group:
        os.chown(path, -1, group)
    if stat.S_IMODE(found.st_mode) != mode:
        pathlib.Path(path).chmod(mode)


def _close_to_others(state: str) -> None:
    """Who may write to the state directory may put files of their own in the place of daemun's. A daemun that was
    started with umask 0 left it open to all."""
    found = os.stat(state)  # noqa: PTH116
    if found.st_mode & stat.S_IWOTH and found.st_uid == os.geteuid():
        pathlib.Path(state).chmod(stat.S_IMODE(found.st_mode) & ~(stat.S_IWGRP | stat.S_IWOTH))


def _check_length(paths: layout.Layout) -> None:
    longest = max((paths.confirm_socket, paths.control_socket), key=len)
    excess = len(os.fsencode(longest)) - LONGEST_SOCKET_PATH
    if excess > 0:
        message = f"cannot use the state directory {paths.state}: its path is {excess} bytes too long, a socket's path "
        raise errors.EnvironmentProblemError(
            message + f"({longest}) may have {LONGEST_SOCKET_PATH} bytes; choose a shorter one with --state DIR"
        )


def _check_reach(state: str, account: model.WorkerAccount) -> None:
    if account.uid == 0:
        return
    groups = set(os.getgrouplist(account.user, account.gid))
    real = pathlib.Path(state).resolve()
    for folder in (*reversed(real.parents), real):
        found = folder.stat()
        if found.st_uid == account.uid:
            needed = stat.S_IXUSR
        elif found.st_gid in groups:
            needed = stat.S_IXGRP
        else:
            needed = stat.S_IXOTH
        if not found.st_mode & needed:
            cause = (
                f'nginx\'s workers run as "{account.user}", who may not enter {folder} (mode {found.st_mode & 0o777:o})'
            )
            way = f"choose another one with --state DIR, or open it with `chmod o+x {folder}`"
            raise errors.EnvironmentProblemError(f"cannot use the state directory {state}: {cause}; {way}")
