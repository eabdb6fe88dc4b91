"""Which file a master was started from, and the link as which nginx is started."""

import contextlib
import os
import pathlib

from daemun import durable
from daemun.core import layout

DELETED = " (deleted)"
"""What the kernel adds to the path of a folder or a file that is gone. Source: proc(5), /proc/pid/cwd."""


def path_of(pid: int) -> str:
    """Leads to the file that a process runs, also when it was deleted or replaced meanwhile."""
    return f"/proc/{pid}/exe"


def is_running_file(pid: int, path: str) -> bool | None:
    """Whether a process runs the very file at a path, not one that it took the place of; None: this account may not
    know. Blocking."""
    try:
        return os.path.samestat(os.stat(path_of(pid)), os.stat(path))  # noqa: PTH116
    except PermissionError:
        return None
    except OSError:
        return False


def is_replaced(pid: int) -> bool:
    """Whether the file that a process was started from was deleted, or another one is in its place. Blocking."""
    with contextlib.suppress(OSError):
        return os.readlink(path_of(pid)).endswith(DELETED)  # noqa: PTH115 - no path to follow
    return False


def point(paths: layout.Layout, binary: str) -> str:
    """Let the link as which nginx is started lead to a binary. Blocking.

    Returns: its path; the binary's own where the link cannot be made, as on a full disk: another one can take over only
    after a new start then.
    """
    path = pathlib.Path(paths.nginx_program)
    with contextlib.suppress(OSError):
        if not path.is_symlink() or str(path.readlink()) != binary:
            durable.point_link(path, binary, lasting=False)  # each start makes it anew
        return paths.nginx_program
    return binary
