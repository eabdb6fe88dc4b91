"""End single connections of another process: its descriptor is duplicated, and shut down for reading.

nginx then reads the end of the connection as if the client had gone, and ends it in order: what it was still sending is
sent, its server sees the end, and a worker without connections ends. Neither nginx nor the client has to do anything.
Source: pidfd_getfd(2), shutdown(2), ptrace(2) "Ptrace access mode checking".
"""

import collections.abc
import contextlib
import ctypes
import errno
import os
import signal
import socket

from daemun.core import model
from daemun.errors import EnvironmentProblemError
from daemun.nginx import kernel_processes

_SYS_PIDFD_GETFD = 438
"""The same on every architecture that Python has wheels for. Source: Linux, scripts/syscall.tbl."""


class NoRightError(EnvironmentProblemError):
    """This account may not duplicate descriptors of the other process. The text has the cause and a cure."""


def close_clients(
    worker: model.OldWorker, *, ports: frozenset[int], most: int, closed_before: collections.abc.Collection[int]
) -> tuple[int, ...]:
    """End so many of the connections that clients made to these ports.

    closed_before: inodes that are left alone. Returns: the inodes of those that were ended now; none when the worker is
    gone. Blocking.
    Raises: NoRightError.
    """
    closed: list[int] = []
    with contextlib.ExitStack() as stack:
        try:
            process = _open(worker)
            if process is None:
                return ()
            stack.callback(os.close, process)
            established = kernel_processes.list_established(ports)
            for number, inode in kernel_processes.list_sockets(worker.pid).items():
                if len(closed) == most:
                    break
                if inode in established and inode not in closed_before and _end(process, number, inode, ports):
                    closed.append(inode)
        except OSError as error:
            raise NoRightError(
                f"cannot close single connections of nginx's worker {worker.pid}: {error.strerror}; daemun needs the "
                "right CAP_SYS_PTRACE for it (docker: --cap-add SYS_PTRACE), or, under the same account as the worker, "
                "kernel.yama.ptrace_scope = 0"
            ) from error
    return tuple(closed)


def terminate(worker: model.OldWorker) -> bool:
    """End a worker with all its connections at once (nginx.org/en/docs/control.html). Returns: False when it is gone.

    Raises: OSError.
    """
    process = _open(worker)
    if process is None:
        return False
    try:
        signal.pidfd_send_signal(process, signal.SIGTERM)
    except ProcessLookupError:
        return False
    finally:
        os.close(process)
    return True


def _open(worker: model.OldWorker) -> int | None:
    """A descriptor of exactly this process: the number cannot pass to another one while it is open. None: it is gone.

    Raises: OSError where the kernel, or a sandbox, has no pidfd_open(2).
    """
    try:
        process = os.pidfd_open(worker.pid)
    except ProcessLookupError:
        return None
    if kernel_processes.read_start(worker.pid) == worker.started:
        return process
    os.close(process)
    return None


def _end(process: int, number: int, inode: int, ports: frozenset[int]) -> bool:
    """Whether the descriptor still was what it was taken for, and its connection was shut down. Raises: OSError."""
    try:
        duplicate = _duplicate(process, number)
    except OSError as error:
        if error.errno in {errno.ESRCH, errno.EBADF}:  # gone, or closed meanwhile
            return False
        raise
    # Nothing but these calls: flags of the descriptor, such as O_NONBLOCK, are nginx's, too.
    with socket.socket(fileno=duplicate) as connection:
        is_meant = connection.family in {socket.AF_INET, socket.AF_INET6} and os.fstat(duplicate).st_ino == inode
        if not is_meant or connection.getsockname()[1] not in ports:
            return False
        try:
            connection.shutdown(socket.SHUT_RD)
        except OSError:  # ENOTCONN: it ended meanwhile
            return False
    return True


def _duplicate(process: int, number: int) -> int:
    """pidfd_getfd(2), which Python does not have. The new descriptor is closed on exec. Raises: OSError."""
    found = int(_LIBC.syscall(_SYS_PIDFD_GETFD, process, number, 0))
    if found < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return found


_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long
_LIBC.syscall.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_int, ctypes.c_uint)
