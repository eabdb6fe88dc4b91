"""The nginx processes of one state directory: find, start, signal, end.

Rule: a signal only ever goes to a process that was just seen to be an nginx of this very state directory. Any account
may give a process nginx's title and work in the state directory, so a master also runs under daemun's own account and
from a file that is called nginx. Its title names the configuration it was started with, and its working directory is
the state directory itself (compared by inode: a container's nginx may have the same path in its title). Who was that
once stays it for as long as it lives, known by process number and start: its folder may be deleted or moved meanwhile.
"""

import asyncio
import collections.abc
import contextlib
import json
import os
import pathlib
import re
import signal
import time

import psutil

from daemun import regular_files
from daemun.core import layout, model
from daemun.nginx import answers_folder, judge_cache, kernel_processes, master_program, nginx_command, work_folder

_MASTER = re.compile(r"nginx: master process (?P<program>.+) -c (?P<state>/.+)/nginx/current/nginx\.conf -p ")
_HELPERS = ("nginx: worker process", "nginx: cache ")
_WORKER = "nginx: worker process"
_DRAINING = "is shutting down"
RETIRE_S = 5.0
"""How long the start of a new nginx waits until orphaned workers have given up their ports."""

TERMINATE_S = 5.0
"""How long nginx may take to end after SIGTERM before it is killed."""


def find_master(paths: layout.Layout) -> psutil.Process | None:
    """The running master: the one of the pid file, else the one that was found last, else any that runs this state
    directory. Blocking, 1 to 30 ms."""
    with contextlib.suppress(OSError, ValueError, psutil.Error):
        process = psutil.Process(int(regular_files.read(paths.nginx_pid)))
        if _is_master(process, paths) and _works_in(process, paths) is not False:
            return _note(process, paths)
    with contextlib.suppress(KeyError, psutil.Error):
        pid, started = _found[paths.base]
        process = psutil.Process(pid)
        if kernel_processes.read_start(pid) == started and _is_master(process, paths):
            return process
    for process in psutil.process_iter():
        if _is_master(process, paths) and _works_in(process, paths):
            return _note(process, paths)
    return None


def find_masters(paths: layout.Layout) -> list[psutil.Process]:
    """All of them: there are two while another binary takes over. Blocking, some 10 ms."""
    found = [one for one in psutil.process_iter() if _is_master(one, paths) and _works_in(one, paths)]
    known = find_master(paths)  # may be one whose folder was moved
    return found if known is None or known in found else [known, *found]


def find_successor(master: psutil.Process) -> psutil.Process | None:
    """The process that a master started to take over from it, whatever has become of that. Blocking, milliseconds."""
    with contextlib.suppress(psutil.Error):
        return next((child for child in _children(master) if not is_helper(child) and is_alive(child)), None)
    return None


def is_helper(process: psutil.Process) -> bool:
    """Whether it is a worker, or keeps nginx's caches."""
    return _title(process).startswith(_HELPERS)


def read_argv0(master: psutil.Process) -> str | None:
    """What a master executes to be taken over from: the name that it was started as, which its title shows."""
    match = _MASTER.match(_title(master))
    return match["program"] if match is not None else None


def find_program(paths: layout.Layout) -> str | None:
    """The path of the program that serves; None: none does, or its file is gone. Blocking, 1 to 30 ms."""
    master = find_master(paths)
    with contextlib.suppress(OSError):
        path = None if master is None else os.readlink(f"/proc/{master.pid}/exe")  # noqa: PTH115
        return None if path is None or path.endswith(master_program.DELETED) else path
    return None


_found: dict[str, tuple[int, int]] = {}
"""State directory -> process number and start of its master."""


def _note(master: psutil.Process, paths: layout.Layout) -> psutil.Process:
    started = kernel_processes.read_start(master.pid)
    if started is not None:
        _found[paths.base] = (master.pid, started)
    return master


def restore_pid_file(paths: layout.Layout) -> None:
    """Write nginx's pid file again, which nginx itself does only when it starts. Blocking. Raises: OSError."""
    path = pathlib.Path(paths.nginx_pid)
    master = find_master(paths)
    if master is not None and not path.exists():
        path.write_text(f"{master.pid}\n", encoding="ascii")


def find_user(paths: layout.Layout) -> str | None:
    """The account of the workers of the nginx that runs; None: none runs, or they run as it does itself. Blocking."""
    if find_master(paths) is None:
        return None
    with contextlib.suppress(OSError, ValueError):  # gone, damaged, or of another account
        text = regular_files.read(f"{paths.current}/nginx.conf").decode()
        match = re.search(r"^user (\S+)[ ;]", text, re.MULTILINE)
        return match[1] if match is not None else None
    return None


def list_workers(master: psutil.Process) -> tuple[model.Worker, ...]:
    """The master's workers, by process number. Blocking, some milliseconds at most."""
    with contextlib.suppress(psutil.Error):
        titles = sorted((child.pid, _title(child)) for child in _children(master))
        return tuple(
            model.Worker(pid=pid, draining=_DRAINING in title) for pid, title in titles if title.startswith(_WORKER)
        )
    return ()


def list_taking(master: psutil.Process) -> tuple[int, ...]:
    """The process numbers of the workers that take connections, and of those that were forked and did not run yet,
    which still have their master's title. Blocking, some milliseconds at most."""
    with contextlib.suppress(psutil.Error):
        unnamed = _title(master)
        titles = sorted((child.pid, _title(child)) for child in _children(master))
        return tuple(pid for pid, title in titles if title == unnamed or (is_worker(title) and not is_draining(title)))
    return ()


def _children(master: psutil.Process) -> list[psutil.Process]:
    """As the kernel lists them; where it does not (no CONFIG_PROC_CHILDREN), all processes are gone through.

    Raises: psutil.Error.
    """
    if not master.is_running():  # the number may be another process's now
        raise psutil.NoSuchProcess(master.pid)
    # One may be missing in the list while another ends (proc_pid_children(5)), but not twice in a row.
    listed, again = read_children(master.pid), read_children(master.pid)
    while listed != again:
        listed, again = again, read_children(master.pid)
    if listed is None:
        return master.children()
    found = []
    for word in listed.split():
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(int(word)))
    return found


def read_children(master: int) -> str | None:
    """The numbers of a master's children, as the kernel writes them; None where it does not list them, or the master is
    gone. Blocking, microseconds."""
    with contextlib.suppress(OSError):  # a master has one thread
        return pathlib.Path(f"/proc/{master}/task/{master}/children").read_text(encoding="ascii")
    return None


def find_orphans(paths: layout.Layout, master: psutil.Process | None) -> list[psutil.Process]:
    """Workers that outlived their master (it was killed): they still hold its ports and its connections. Blocking."""
    alive = None if master is None else master.pid
    return [
        process
        for process in psutil.process_iter()
        if _title(process).startswith(_HELPERS) and _parent(process) != alive and _was_ours(process, paths)
    ]


def title_of(pid: int) -> str:
    """What a process calls itself; empty when it is gone. Blocking."""
    try:
        return _title(psutil.Process(pid))
    except psutil.Error:
        return ""


def is_worker(title: str) -> bool:
    """Pure."""
    return title.startswith(_WORKER)


def is_draining(title: str) -> bool:
    """Whether a worker of this title takes no new connections any more. Pure."""
    return _DRAINING in title


async def start(binary: str, paths: layout.Layout) -> str | None:
    """Start nginx on `current`; it puts itself into the background, in a session of its own.

    Orphaned workers first give up their ports and go on with their connections only.

    Returns: nginx's words when it refused to start, None when it started.
    Raises: EnvironmentProblemError when the binary cannot be run.
    """
    await asyncio.to_thread(_make_way, paths)
    program = await asyncio.to_thread(master_program.point, paths, binary)
    # The order of the arguments is what _MASTER looks for; the working directory is what _works_in looks for.
    arguments = ("-c", f"{paths.current}/nginx.conf", "-p", paths.base)
    finished = await nginx_command.run(program, *arguments, cwd=paths.base)
    return None if finished.status == 0 else finished.output


def send(process: psutil.Process, number: signal.Signals) -> bool:
    """Send a signal to a master or a worker (nginx.org/en/docs/control.html). Returns: False when it does not live any
    more."""
    try:
        process.send_signal(number)  # checks that the process number was not given to another process meanwhile
    except psutil.NoSuchProcess:
        return False
    return True


def retire(master: psutil.Process, workers: collections.abc.Container[int]) -> None:
    """Let these workers of a master take no more connections, and finish those they have. Blocking, milliseconds."""
    with contextlib.suppress(psutil.Error):
        for child in _children(master):
            if child.pid in workers and is_worker(_title(child)):
                send(child, signal.SIGQUIT)


async def stop(paths: layout.Layout, *, grace_s: float) -> None:
    """Signal the master, its workers and orphaned ones to finish their requests, for grace_s at most, then end them."""
    await end(await asyncio.to_thread(find_family, paths), grace_s=grace_s)
    await asyncio.to_thread(judge_cache.remove, paths)


async def end(family: list[psutil.Process], *, grace_s: float) -> None:
    """Masters with their workers, or orphaned ones: let them finish for grace_s at most, then end them."""
    for number, wait_s in ((signal.SIGQUIT, grace_s), (signal.SIGTERM, TERMINATE_S), (signal.SIGKILL, TERMINATE_S)):
        members = {process.pid for process in family}
        for process in family:
            # A master passes QUIT and TERM on to its workers itself, and not to the one that takes over from it.
            if number == signal.SIGKILL or not is_helper(process) or _parent(process) not in members:
                send(process, number)
        family = await _wait_for_end(family, wait_s)


def leave_work_folder(paths: layout.Layout) -> None:
    """Remove the folder where nginx works in memory unless it serves from there. For who holds the lock in it.
    Blocking."""
    if paths.work is not None and find_master(paths) is None:
        work_folder.remove(paths.work)


def find_family(paths: layout.Layout) -> list[psutil.Process]:
    """Every master, its children and orphaned workers. Blocking, some 10 ms."""
    masters = find_masters(paths)
    family = dict.fromkeys([*find_orphans(paths, None), *masters])
    for master in masters:
        family |= dict.fromkeys(find_children(master))
    return list(family)


def find_children(master: psutil.Process) -> list[psutil.Process]:
    """Whatever a master started; nothing when it is gone. Blocking, milliseconds."""
    with contextlib.suppress(psutil.Error):
        return _children(master)
    return []


def read_reloads(paths: layout.Layout, master: psutil.Process) -> int:
    """How often this master was reloaded. Blocking."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, psutil.Error):
        kept = json.loads(regular_files.read(paths.nginx_reloads))
        if kept["pid"] == master.pid and kept["started"] == master.create_time():
            return int(kept["reloads"])
    return 0


def write_reloads(paths: layout.Layout, master: psutil.Process, reloads: int) -> None:
    """Keep the number for as long as this master lives. Blocking. A number for people: a full disk may lose it."""
    path = pathlib.Path(paths.nginx_reloads)
    with contextlib.suppress(OSError, psutil.Error):
        kept = {"pid": master.pid, "started": master.create_time(), "reloads": reloads}
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(kept), encoding="ascii")
        draft.replace(path)


def _make_way(paths: layout.Layout) -> None:
    with contextlib.suppress(OSError):  # nginx reports what is missing
        judge_cache.prepare_current(paths)
    writers = find_orphans(paths, None)
    if not writers:
        answers_folder.tidy(paths)
    orphans = [process for process in writers if _DRAINING not in _title(process)]
    for orphan in orphans:
        send(orphan, signal.SIGQUIT)
    deadline = time.monotonic() + RETIRE_S
    while time.monotonic() < deadline and any(_holds_ports(orphan) for orphan in orphans):
        time.sleep(0.01)
    # A killed nginx leaves its socket's file behind, and a new one could not bind to it.
    prefix = pathlib.Path(paths.passed_prefix)
    for path in (*map(pathlib.Path, paths.confirm_sockets), *prefix.parent.glob(f"{prefix.name}*.sock")):
        path.unlink(missing_ok=True)


async def _wait_for_end(family: list[psutil.Process], wait_s: float) -> list[psutil.Process]:
    """Those still alive after wait_s at most."""
    deadline = time.monotonic() + wait_s
    alive = [process for process in family if is_alive(process)]
    while alive and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
        alive = [process for process in alive if is_alive(process)]
    return alive


def _is_master(process: psutil.Process, paths: layout.Layout) -> bool:
    match = _MASTER.match(_title(process))
    if match is None or os.path.realpath(match["state"]) != os.path.realpath(paths.base):
        return False
    return _is_own_account(process) and _runs_nginx(process)


def _is_own_account(process: psutil.Process) -> bool:
    """Whether every user number of a process is daemun's: what is under another account cannot have been started by
    daemun, and a master gives nothing up."""
    try:
        return set(process.uids()) == {os.geteuid()}
    except psutil.Error:
        return False


def _runs_nginx(process: psutil.Process) -> bool:
    """Whether the file that a process runs is called nginx, also when it was replaced meanwhile. Where this account may
    not know, as in a container without CAP_SYS_PTRACE, its own account's title is believed."""
    try:
        name = pathlib.PurePath(os.readlink(f"/proc/{process.pid}/exe")).name  # noqa: PTH115 - no path to follow
    except PermissionError:
        return True
    except OSError:
        return False
    return "nginx" in name.removesuffix(master_program.DELETED)


def _works_in(process: psutil.Process, paths: layout.Layout) -> bool | None:
    """Whether the state directory is the process's working directory; None when this account may not know."""
    link = f"/proc/{process.pid}/cwd"
    try:
        # Of a folder that was deleted the path is left. It means something only where the paths are daemun's own.
        if os.readlink(link) == f"{os.path.realpath(paths.base)}{master_program.DELETED}":  # noqa: PTH115 - no path to follow
            return _shares_mounts(process)
        return os.path.samestat(os.stat(link), os.stat(paths.base))  # noqa: PTH116
    except PermissionError:
        return None
    except OSError:
        return False


def _shares_mounts(process: psutil.Process) -> bool:
    """Raises: OSError."""
    namespaces = (os.stat(f"/proc/{pid}/ns/mnt") for pid in (process.pid, "self"))  # noqa: PTH116
    return os.path.samestat(*namespaces)


def _was_ours(process: psutil.Process, paths: layout.Layout) -> bool:
    """A container's root may not know where a worker of another account works. There, daemun is the first process, and
    a worker whose master is gone was given to it."""
    found = _works_in(process, paths)
    return _parent(process) == os.getpid() if found is None else found


def _holds_ports(worker: psutil.Process) -> bool:
    return is_alive(worker) and _DRAINING not in _title(worker)


def is_alive(process: psutil.Process) -> bool:
    """A zombie is not: its parent may be a program that never waits for it, as the first process of a container."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _parent(process: psutil.Process) -> int | None:
    try:
        return process.ppid()
    except psutil.Error:
        return None


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
