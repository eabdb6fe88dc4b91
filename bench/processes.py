"""Programs that are measured: started, asked for CPU time and memory, ended."""

import collections.abc
import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import psutil

_READY_WITHIN_S = 30.0
_GONE_WITHIN_S = 15.0


class StartError(Exception):
    """A program did not start."""


@contextlib.contextmanager
def running(
    command: collections.abc.Sequence[str | os.PathLike[str]],
    log: pathlib.Path,
    ready: collections.abc.Callable[[], bool],
    *,
    environment: collections.abc.Mapping[str, str] | None = None,
) -> collections.abc.Iterator[int]:
    """Yields the process id once `ready` says so. Raises: StartError with the end of what the program said."""
    with log.open("wb") as said:
        # In a session of its own, as daemun's nginx is: Linux shares the processor among sessions (sched(7)).
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment, start_new_session=True
        )
    try:
        deadline_s = time.monotonic() + _READY_WITHIN_S
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline_s:
                text = log.read_text(errors="replace")[-2000:]
                raise StartError(
                    f"cannot start {command[0]}: it was not ready in {_READY_WITHIN_S:g} s; it said: {text}"
                )
            time.sleep(0.02)
        yield process.pid
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Gracefully; what is left of it then, at once."""
    family = [psutil.Process(process.pid), *_children(process.pid)] if process.poll() is None else []
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=_GONE_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for left in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            left.kill()


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def family(*roots: int) -> tuple[int, ...]:
    """These processes and all they started, each once."""
    return tuple(dict.fromkeys((*roots, *(child.pid for root in roots for child in _children(root)))))


def cpu_s(pids: collections.abc.Iterable[int]) -> float:
    """User and system time that these processes took so far, with that of children that ended."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            used = psutil.Process(pid).cpu_times()
            total += used.user + used.system
    return total


def memory_kb(pids: collections.abc.Iterable[int]) -> float:
    """Proportional set size: memory of their own, and their part of what several share (proc(5), smaps_rollup)."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += _pss_kb(pid)
    return total


def _pss_kb(pid: int) -> float:
    """Raises: FileNotFoundError, ProcessLookupError when it is gone."""
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup")
    text = (rollup if rollup.exists() else rollup.with_name("smaps")).read_text()
    return float(sum(int(found) for found in re.findall(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)))
