"""Ends everything in the network namespaces that it was told of, when whoever told it ends: also by SIGKILL.

    python -m tests.support.namespace_guard FOLDER

Reads the path of a namespace from each line of standard input, and keeps it open: the number of one that is gone (its
inode, namespaces(7)) is soon another's. At the end of that it kills and removes FOLDER.
"""

import collections.abc
import contextlib
import os
import pathlib
import shutil
import signal
import sys
import time


def find(namespaces: collections.abc.Container[int]) -> list[int]:
    """The processes in them."""
    found = []
    for folder in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):  # it ended, or is about to
            if folder.name.isdecimal() and (folder / "ns" / "net").stat().st_ino in namespaces:
                found.append(int(folder.name))
    return found


def send(namespaces: collections.abc.Container[int], number: signal.Signals) -> None:
    """A signal to every process in them."""
    for pid in find(namespaces):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def state(pid: int) -> str:
    """One letter (proc_pid_stat(5)); none of a process that is gone."""
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return ""


def end(namespaces: collections.abc.Container[int]) -> None:
    """Kill every process in them, and what those start meanwhile; returns when none is left."""
    while find(namespaces):
        send(namespaces, signal.SIGKILL)
        time.sleep(0.01)


if __name__ == "__main__":
    files = []
    for line in sys.stdin:
        files.append(os.open(line.strip(), os.O_RDONLY))
        print(flush=True)
    end({os.fstat(file).st_ino for file in files})
    shutil.rmtree(sys.argv[1], ignore_errors=True)
