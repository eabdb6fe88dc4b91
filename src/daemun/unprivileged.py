"""Processes without rights, the judge and that of the dashboard: their logs, and the account that each runs under when
daemun is root. Nothing else has that account.

It is not that of nginx's workers, whose group reads private keys, and which a hole in nginx would give to a visitor:
the judge knows hashed passwords. It is not nobody either, as which anything may run. It needs no file of this machine,
so a number without a name will do: one of those that Linux distributions and systemd leave alone (systemd's UIDS-GIDS:
60706 to 61183 are unused), which maps into every container with 65536 accounts.
"""

import collections.abc
import contextlib
import ctypes
import grp
import hashlib
import os
import pathlib
import pwd
import resource

FIRST, LAST = 60706, 61183
_LARGEST_LOG_BYTES = 1 << 20
_NOBODY = 65534
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38


def choose(state: str) -> int | None:
    """The number for the process of a path, a state directory's or below it, of user and group; None: daemun is not
    root, and the process runs as it does. Blocking, some 10 ms."""
    if os.geteuid() != 0:
        return None
    import psutil  # noqa: PLC0415 - the processes themselves have no use for it

    count = LAST - FIRST + 1
    first = int.from_bytes(hashlib.sha256(os.path.realpath(state).encode()).digest()[:4], "big")
    taken = {entry.pw_uid for entry in pwd.getpwall()} | {entry.gr_gid for entry in grp.getgrall()}
    for process in psutil.process_iter():
        try:
            taken.update(process.uids())
        except psutil.Error:
            continue
    numbers = (FIRST + (first + offset) % count for offset in range(count))
    return next((number for number in numbers if number not in taken), _NOBODY)


@contextlib.contextmanager
def open_log(path: pathlib.Path) -> collections.abc.Iterator[int]:
    """Where such a process writes its few lines, as a descriptor; nowhere when the disk is full. Blocking."""
    try:
        if path.exists() and path.stat().st_size > _LARGEST_LOG_BYTES:
            path.unlink()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError:
        descriptor = os.open(os.devnull, os.O_WRONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def give_up_rights(number: int | None) -> None:
    """Become this account for good, without groups and capabilities, and let no other process look inside: no core
    dump, no ptrace (prctl(2), credentials(7)). Raises: OSError when it is not possible: never go on then."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number is not None:
        os.setgroups([])
        os.setresgid(number, number, number)
        os.setresuid(number, number, number)
        if os.geteuid() == 0 or os.getegid() == 0:
            raise PermissionError("the process still has root's rights")
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in ((_PR_SET_NO_NEW_PRIVS, 1), (_PR_SET_DUMPABLE, 0)):
        if libc.prctl(option, value, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
