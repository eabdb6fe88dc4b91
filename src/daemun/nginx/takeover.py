"""Another nginx binary takes over from the one that serves, and no connection is lost.

Source: nginx.org/en/docs/control.html#upgrade. On USR2 a master executes what its argv[0] names (hence the link,
`master_program.point`), and hands it the listening sockets. Both serve until the new one has answered; then the old
one gets QUIT, and its workers finish their connections. nginx leaves a master alive for as long as one of them does,
and refuses another USR2 to the new one until then (ngx_signal_handler, "ignore the signal in the new binary if its
parent is not changed"): with WebSockets that would be days. So the old master is killed once all of its workers have
got QUIT. They go on without one, as after a crash of it.

Whatever fails before that is undone: the new master is ended, the old one has never noticed.
"""

import asyncio
import collections.abc
import contextlib
import pathlib
import signal
import time
import typing

import psutil

from daemun import errors, regular_files
from daemun.core import layout
from daemun.nginx import (
    confirmation_socket,
    error_diagnosis,
    generation_folders,
    kernel_processes,
    master_program,
    process,
    takeover_journal,
)

PAUSE_S = 0.01
LEAVE_S = 5.0
"""How long the old master's workers may take to notice that they are to finish."""
GRACE_S = 2.0
"""How long a new master that is ended again may finish what it accepted."""


class TakeoverError(Exception):
    """The old nginx serves on. The text is the reason, in the words of nginx where it wrote any."""


def check(paths: layout.Layout, master: psutil.Process, binary: str) -> None:
    """Blocking. Raises: EnvironmentProblemError when this master would not execute the binary."""
    named = process.read_argv0(master)
    if named is None or _is_link(paths, named) or _is_same_file(named, binary):
        return
    raise errors.EnvironmentProblemError(
        f"cannot let {binary} take over: nginx (process {master.pid}) was started as {named}, by an earlier daemun, "
        "and hands over only to what lies there; `daemun stop` and `daemun up` start the new one once, and from then "
        "on nothing is dropped"
    )


def begin(
    paths: layout.Layout, generations: generation_folders.Generations, master: psutil.Process, number: int
) -> None:
    """Write down what to go back to. Blocking. Raises: EnvironmentProblemError; then nothing has changed."""
    started = kernel_processes.read_start(master.pid)
    link = pathlib.Path(paths.nginx_program)
    try:
        process.restore_pid_file(paths)  # without it nginx refuses
        journal = takeover_journal.Takeover(
            pid=master.pid,
            started=0 if started is None else started,
            number=number,
            current=generations.read_link(),
            program=str(link.readlink()) if link.is_symlink() else None,
        )
        takeover_journal.write(paths, journal)
    except OSError as error:
        raise error_diagnosis.os_problem("write down that another nginx takes over", error) from error


async def run(paths: layout.Layout, master: psutil.Process, number: int, binary: str, *, within_s: float) -> None:
    """Start the new master, and wait until its workers answer with the generation that `current` names.

    Raises: TakeoverError; then `undo` has to follow.
    """
    with contextlib.closing(confirmation_socket.ErrorLogTail(paths)) as log, _Words(master) as words:
        changed = await asyncio.to_thread(_read_change, paths)
        await asyncio.to_thread(master_program.point, paths, binary)
        if not process.send(master, signal.SIGUSR2):
            raise TakeoverError("the nginx that serves ended by itself")
        refusal = await _wait_until_answered(paths, master, number, changed=changed, within_s=within_s)
        if refusal is not None:
            written = f"{words.read()}\n{log.read()}"
            raise TakeoverError(_find_reason(written) or refusal)


async def finish(paths: layout.Layout, master: psutil.Process) -> None:
    """The old master's workers take no new connections from now on, and it ends."""
    process.send(master, signal.SIGQUIT)
    await _wait_until(lambda: not _is_working(master))
    await asyncio.to_thread(_leave_workers, master)
    await asyncio.to_thread(_tidy, paths)


async def undo(paths: layout.Layout, generations: generation_folders.Generations, master: psutil.Process) -> None:
    """End the new master, and let the links and the pid file be what they were. The old one serves on.

    Raises: EnvironmentProblemError when a link cannot be written.
    """
    while (successor := await asyncio.to_thread(process.find_successor, master)) is not None:
        family = [successor, *await asyncio.to_thread(process.find_children, successor)]
        await process.end(family, grace_s=GRACE_S)
    await asyncio.to_thread(_restore, paths, generations)
    await _wait_until(lambda: _has_pid(paths, master.pid))  # the old master renames its file back itself
    with contextlib.suppress(OSError):
        await asyncio.to_thread(process.restore_pid_file, paths)


async def settle(paths: layout.Layout, *, within_s: float = confirmation_socket.timeout_s(0)) -> bool:
    """Bring a takeover to its end that was interrupted: whichever master serves is kept. At the start, before anything
    else is done with nginx, and after a cancellation.

    Returns: whether there was one. Raises: EnvironmentProblemError.
    """
    journal = await asyncio.to_thread(takeover_journal.read, paths)
    if journal is None:
        return False
    generations = generation_folders.Generations(paths)
    masters = await asyncio.to_thread(process.find_masters, paths)
    old = next((one for one in masters if _is_of(journal, one)), None)
    if old is None:
        # Who else serves now runs what `current` names. With none left, what worked last is started.
        if not masters:
            await asyncio.to_thread(_restore, paths, generations)
        await asyncio.to_thread(_tidy, paths)
        return True
    successor = await asyncio.to_thread(process.find_successor, old)
    is_leaving = not await asyncio.to_thread(_is_working, old)
    refusal: str | None = "it was not started"
    if successor is not None and not is_leaving:
        refusal = await _wait_until_answered(paths, old, journal.number, changed=None, within_s=within_s)
    if is_leaving or refusal is None:
        if successor is None:
            await asyncio.to_thread(_restore, paths, generations)
        await finish(paths, old)
    else:
        await undo(paths, generations, old)
    return True


async def _wait_until_answered(
    paths: layout.Layout, master: psutil.Process, number: int, *, changed: int | None, within_s: float
) -> str | None:
    """Only the new master's workers can answer with this generation; the old ones are on the same socket, and answer
    with theirs. changed: the pid file's change before the signal; None: the new process was seen.

    Returns: why there is no answer.
    """
    deadline = time.monotonic() + within_s
    while True:
        if await confirmation_socket.query_generation(paths) == number:
            return None
        if await asyncio.to_thread(process.find_successor, master) is None:
            if not process.is_alive(master):
                return "the nginx that serves ended by itself"
            # The old master renames its pid file before it executes the new program, and back once that ended.
            if changed is None or (_has_pid(paths, master.pid) and _read_change(paths) != changed):
                return "the new nginx ended by itself"
        if time.monotonic() > deadline:
            return f"the new nginx did not answer within {within_s:g} s"
        await asyncio.sleep(PAUSE_S)


async def _wait_until(is_so: collections.abc.Callable[[], bool]) -> None:
    """LEAVE_S at most."""
    deadline = time.monotonic() + LEAVE_S
    while time.monotonic() < deadline and not await asyncio.to_thread(is_so):  # noqa: ASYNC110 - there is no event
        await asyncio.sleep(PAUSE_S)


def _is_link(paths: layout.Layout, named: str) -> bool:
    path = pathlib.Path(named)
    return path.name == pathlib.Path(paths.nginx_program).name and _is_same_file(str(path.parent), paths.run)


def _is_same_file(one: str, other: str) -> bool:
    with contextlib.suppress(OSError):
        return pathlib.Path(one).samefile(other)
    return False


def _is_of(journal: takeover_journal.Takeover, master: psutil.Process) -> bool:
    return master.pid == journal.pid and kernel_processes.read_start(master.pid) == journal.started


def _is_working(master: psutil.Process) -> bool:
    """Whether one of its workers takes new connections."""
    return any(not worker.draining for worker in process.list_workers(master))


def _leave_workers(master: psutil.Process) -> None:
    """Whoever has not got the master's signal gets ours: it may be suspended."""
    for child in process.find_children(master):
        if process.is_helper(child) and not process.is_draining(process.title_of(child.pid)):
            process.send(child, signal.SIGQUIT)
    if process.send(master, signal.SIGKILL):
        with contextlib.suppress(psutil.TimeoutExpired):
            master.wait(LEAVE_S)


def _tidy(paths: layout.Layout) -> None:
    """The old master is gone, whose pid file nginx renamed."""
    with contextlib.suppress(OSError):
        pathlib.Path(f"{paths.nginx_pid}.oldbin").unlink(missing_ok=True)
    takeover_journal.remove(paths)


def _restore(paths: layout.Layout, generations: generation_folders.Generations) -> None:
    journal = takeover_journal.read(paths)
    if journal is None:
        return
    generations.restore(journal.current)
    if journal.program is not None:
        master_program.point(paths, journal.program)
    takeover_journal.remove(paths)


def _read_change(paths: layout.Layout) -> int:
    with contextlib.suppress(OSError):
        return pathlib.Path(paths.nginx_pid).stat().st_ctime_ns
    return 0


def _has_pid(paths: layout.Layout, pid: int) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return int(regular_files.read(paths.nginx_pid)) == pid
    return False


def _find_reason(text: str) -> str:
    """What nginx wrote of it; empty when it is nothing that matters."""
    lines = [line for line in error_diagnosis.parse_lines(text) if line.level in {"emerg", "alert"}]
    return "\n".join(dict.fromkeys(line.words for line in lines if not line.is_retried and not line.is_passed_over))


class _Words:
    """What nginx writes to standard error from now on: the new master has the old one's, a file in memory
    (`nginx_command`)."""

    def __init__(self, master: psutil.Process) -> None:
        self._file: typing.BinaryIO | None = None
        with contextlib.suppress(OSError):
            self._file = regular_files.open_for_reading(pathlib.Path(f"/proc/{master.pid}/fd/2"))
            self._file.seek(0, 2)

    def __enter__(self) -> "_Words":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def read(self) -> str:
        return "" if self._file is None else self._file.read().decode(errors="replace")
