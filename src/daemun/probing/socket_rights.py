"""Whether a unix socket is one, and whether the account of nginx's workers may open it, judged by modes: daemun as root
may open each."""

import grp
import os
import pathlib
import stat

from daemun.core import model


def find_other_kind(path: str) -> str | None:
    """What lies there instead of a unix socket, in words; None: a socket, or nothing that can be seen. Blocking,
    microseconds."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except (OSError, ValueError):
        return None
    if stat.S_ISSOCK(mode):
        return None
    return "a folder" if stat.S_ISDIR(mode) else "a file" if stat.S_ISREG(mode) else "something else"


def find_refusal(path: str, account: model.WorkerAccount) -> str | None:
    """The socket, or the first folder on the way to it, that the account may not use; None: it may, or that is not
    known, as where access control lists (acl(5)) decide. Blocking, microseconds."""
    if account.uid == 0:
        return None
    groups = _find_groups(account)
    try:
        real = pathlib.Path(path).resolve(strict=True)
        for folder in reversed(real.parents):
            if not _may(str(folder), stat.S_IXOTH, account.uid, groups):
                return str(folder)
        return None if _may(str(real), stat.S_IWOTH, account.uid, groups) else path
    except (OSError, RuntimeError):  # a loop of links
        return None


def _find_groups(account: model.WorkerAccount) -> frozenset[int]:
    """As initgroups(3) gives them to nginx's workers."""
    named = (one.gr_gid for one in grp.getgrall() if account.user in one.gr_mem)
    return frozenset({account.gid, *named})


def _may(path: str, bit: int, uid: int, groups: frozenset[int]) -> bool:
    """bit: of others; the first class that the account is in decides, as in path_resolution(7)."""
    found = os.stat(path)  # noqa: PTH116
    if found.st_uid == uid:
        return bool(found.st_mode & bit << 6)
    if found.st_gid in groups:
        return bool(found.st_mode & bit << 3) or _has_list(path)
    return bool(found.st_mode & bit) or _has_list(path)


def _has_list(path: str) -> bool:
    try:
        return "system.posix_acl_access" in os.listxattr(path)
    except OSError:
        return False
