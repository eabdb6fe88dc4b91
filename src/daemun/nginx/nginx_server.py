"""nginx as the loop sees it: one configuration that is live, and a way to the next one.

The switch of the link comes before the reload. Whatever happens between the two, `read_actual` has both numbers,
and the next `activate` brings them together.
"""

import asyncio
import collections.abc
import contextlib
import pathlib
import signal

import psutil

from daemun import errors, regular_files
from daemun.control import nginx_port
from daemun.core import layout, model, render_environment
from daemun.core.nginx_builds import initial_servers
from daemun.core.options import logs_option
from daemun.core.plan import hand_edits, variable_definitions
from daemun.core.served import liveness
from daemun.nginx import (
    binary_in_use,
    config_test,
    confirmation_socket,
    directories,
    error_diagnosis,
    generation_folders,
    judge_cache,
    kernel_processes,
    log_rotation,
    old_workers,
    process,
    takeover,
    worker_register,
)


class NginxServer(nginx_port.ReverseProxy, nginx_port.Succession):
    """The nginx of one state directory. `stage`, `activate` and `stop` are called by one task at a time; the others by
    any task at any time.

    It outlives this object and this program: another one finds it by its pid file and goes on with it.
    """

    def __init__(
        self,
        binary: render_environment.Nginx,
        paths: layout.Layout,
        account: model.WorkerAccount | None = None,
        *,
        find_next: binary_in_use.FindNext | None = None,
        find_endpoints: initial_servers.FindEndpoints = lambda _: (),
    ) -> None:
        """find_next: None: this object is there for looks only, for others may hold the state directory's lock."""
        self._binaries = binary_in_use.BinaryInUse(binary, paths, find_next)
        self._is_owner = find_next is not None
        self._find_endpoints = find_endpoints
        self._layout = paths
        self._account = account
        self._generations = generation_folders.Generations(paths)
        self.workers = worker_register.Register(paths)
        """Which of nginx's workers run which generation."""
        self._staged: int | None = None
        self._ports: frozenset[int] = frozenset()
        self._running: int | None = None
        self._confirm_socket = paths.confirm_socket
        self._reloads = 0

    @property
    def binary(self) -> render_environment.Nginx:
        """See nginx_port.Succession."""
        return self._binaries.judge

    def offer(self, successor: render_environment.Nginx | None) -> None:
        """See nginx_port.Succession."""
        self._binaries.offer(successor)

    async def find_successor(self) -> render_environment.Successor | None:
        """See nginx_port.Succession."""
        return await asyncio.to_thread(self._binaries.find_successor)

    @property
    def reloads(self) -> int:
        """How often the master that runs was reloaded since it was started, as of the last call of a method."""
        return self._reloads

    async def is_running(self) -> bool:
        return await asyncio.to_thread(process.find_master, self._layout) is not None

    async def look_at_liveness(self) -> liveness.Liveness:
        """Query the workers. Takes seconds when they do not answer."""
        master, suspended = await asyncio.to_thread(self._find_suspended)
        if master is None:
            return liveness.Liveness()
        edits = await asyncio.to_thread(self._describe_hand_edits)
        if suspended:
            return liveness.Liveness(answers=False, suspended=suspended, edits=edits)
        is_answered = await confirmation_socket.query_generation(self._layout) is not None
        # Nginx may just have ended, or begun.
        if not is_answered and await asyncio.to_thread(process.find_master, self._layout) is not None:
            is_answered = await confirmation_socket.query_generation(self._layout) is not None
        return liveness.Liveness(answers=is_answered, edits=edits)

    def prepare(self) -> None:
        """Make what is missing of the state directory's folders, and of nginx's pid file. Blocking.

        Raises: EnvironmentProblemError.
        """
        directories.prepare(self._layout, self._account)
        try:
            process.restore_pid_file(self._layout)
        except OSError as error:
            raise error_diagnosis.os_problem(f"write {self._layout.nginx_pid}", error) from error

    def list_workers(self) -> frozenset[tuple[int, int]]:
        """Process number and start of every worker that lives, old and orphaned ones, too. Blocking."""
        master = process.find_master(self._layout)
        orphans = process.find_orphans(self._layout, master)
        workers = () if master is None else process.list_workers(master)
        pids = [*(worker.pid for worker in workers), *(orphan.pid for orphan in orphans)]
        starts = ((pid, kernel_processes.read_start(pid)) for pid in pids)
        return frozenset((pid, started) for pid, started in starts if started is not None)

    def is_named(self, resolver: str) -> bool:
        """Whether nginx runs, or would be started, with this address as its resolver. Blocking."""
        with contextlib.suppress(OSError):
            return f" {resolver};".encode() in regular_files.read(f"{self._layout.current}/nginx.conf")
        return False

    async def adopt(self) -> None:
        """Learn which workers run what nginx runs now, where no earlier daemon wrote it down. Once, at the start."""
        number = await confirmation_socket.query_generation(self._layout)
        files = await asyncio.to_thread(self._generations.read_current)
        await self._remember(number, worker_register.find_ports(files or {}), with_orphans=True)

    async def read_actual(self) -> model.Actual:
        await self._settle()
        master, workers, current, files = await asyncio.to_thread(self._look)
        self._running = None if master is None else await confirmation_socket.query_generation(self._layout)
        return model.Actual(
            pid=master,
            generation=self._running,
            current_generation=current,
            files=files,
            workers=workers,
            has_successor=master is not None and self._binaries.successor is not None,
        )

    async def stage(self, files: collections.abc.Mapping[str, bytes]) -> nginx_port.TestFailure | None:
        """See nginx_port.ReverseProxy."""
        self._staged = None
        if self._binaries.successor is not None:
            files = initial_servers.add(files, self._find_endpoints)
        await asyncio.to_thread(directories.prepare, self._layout, self._account)
        await asyncio.to_thread(self._choose_confirm_socket)
        with contextlib.suppress(OSError):  # nginx reports what is missing
            await asyncio.to_thread(judge_cache.prepare, files.get(variable_definitions.FILE, b""))
        number = await asyncio.to_thread(self._generations.write, files, confirm_socket=self._confirm_socket)
        # The disk and nginx take their time side by side.
        failure, problem = await asyncio.gather(
            config_test.test(self.binary.path, self._layout, number),
            asyncio.to_thread(self._tidy_generations, number),
            return_exceptions=True,
        )
        if isinstance(problem, BaseException):
            raise problem
        if isinstance(failure, BaseException):
            raise failure
        if failure is None:
            self._staged = number
            self._ports = worker_register.find_ports(files)
        return failure

    async def activate(self) -> int:
        """See nginx_port.ReverseProxy. With nothing staged, nginx is brought to the generation that `current` names."""
        before = await asyncio.to_thread(self._generations.read_link)
        staged = self._staged
        number = staged or await asyncio.to_thread(self._generations.current)
        if number is None:
            message = "cannot activate a generation: none is staged, and there is no current one"
            raise errors.ApplyError(message, stage="start", restored=False)
        self._staged = None
        await asyncio.to_thread(directories.prepare, self._layout, self._account)
        successor = self._binaries.successor if staged is not None else None
        master = await asyncio.to_thread(process.find_master, self._layout) if successor is not None else None
        if master is not None and successor is not None:
            return await self._hand_over(master, number, successor)
        await asyncio.to_thread(self._generations.switch, number)
        # The disk and nginx take their time side by side.
        failure, unkept = await asyncio.gather(
            self._bring_up(number), asyncio.to_thread(self._generations.sync_link), return_exceptions=True
        )
        if isinstance(failure, BaseException):
            raise failure
        if failure is None:
            self._running = number
            if isinstance(unkept, BaseException):
                raise unkept
            return number
        stage, refusal = failure
        problem = await asyncio.to_thread(self._machine_problem, refusal.words)
        restored = await self._go_back(before, number, refusal)
        raise _error(number, stage, refusal, restored=restored, problem=problem)

    async def stop(self, *, grace_s: float) -> None:
        await process.stop(self._layout, grace_s=grace_s)
        self._running = None

    async def reopen_logs(self) -> None:
        """Let nginx, orphaned workers too, open its log files anew."""
        await asyncio.to_thread(self._signal_reopen)

    async def rotate_logs(self, settings: logs_option.Logs) -> bool:
        """Rename the logs that grew too large; nginx goes on with new ones, and no line is lost.

        Returns: whether any was. Raises: EnvironmentProblemError when a file cannot be renamed.
        """
        due = await asyncio.to_thread(log_rotation.rotate, self._layout, settings)
        if due:
            await self.reopen_logs()
        return due

    async def _hand_over(self, master: psutil.Process, number: int, successor: render_environment.Nginx) -> int:
        """Let another binary take over, with this generation. See `activate`."""
        await asyncio.to_thread(takeover.check, self._layout, master, successor.path)
        await asyncio.to_thread(self._remember_all)
        await asyncio.to_thread(takeover.begin, self._layout, self._generations, master, number)
        try:
            await asyncio.to_thread(self._generations.switch, number)
            await asyncio.to_thread(self._generations.sync_link)
            within_s = await asyncio.to_thread(self._patience_s, number)
            await takeover.run(self._layout, master, number, successor.path, within_s=within_s)
        except (takeover.TakeoverError, errors.EnvironmentProblemError) as error:
            await takeover.undo(self._layout, self._generations, master)
            raise errors.ApplyError(
                f"cannot let {successor.path} take over: {error}; the nginx that served goes on as before",
                stage="take over",
                restored=True,
                stderr=str(error),
            ) from error
        self._running = number
        self._binaries.settle(successor)
        await takeover.finish(self._layout, master)
        await self._remember(number, self._ports, with_orphans=True)
        return number

    async def _settle(self) -> None:
        """After a call that was cancelled in the middle of a takeover."""
        if self._is_owner and await takeover.settle(self._layout):
            await asyncio.to_thread(self._binaries.adopt)

    async def _bring_up(self, number: int) -> tuple[str, confirmation_socket.GenerationRefusal] | None:
        """Make nginx run what `current` names, which is generation `number`. Returns: how far it came and why not."""
        with contextlib.closing(confirmation_socket.ErrorLogTail(self._layout)) as log:
            master, old = await asyncio.to_thread(self._reload)
            if master is None:
                words = await process.start(self.binary.path, self._layout)
                if words is not None:
                    return "start", confirmation_socket.GenerationRefusal(words=words)
                self._binaries.settle(self.binary)
            within_s = await asyncio.to_thread(self._patience_s, number)
            refusal = await confirmation_socket.wait_until_running(
                self._layout, number, before=old, log=log, within_s=within_s
            )
        if refusal is None:
            # A master that was killed may have left workers that no look at it has seen yet.
            await self._remember(number, self._ports, with_orphans=master is None)
            return None
        if master is None:
            return "start", refusal
        return ("reload" if refusal.master_went_on else "confirm"), refusal

    async def _go_back(self, before: str | None, number: int, refusal: confirmation_socket.GenerationRefusal) -> bool:
        """Put the link back, and nginx to what it names. Returns: whether that is live."""
        await asyncio.to_thread(self._generations.restore, before)
        previous = await asyncio.to_thread(self._generations.current)
        if previous is None:
            if not refusal.master_went_on:
                await self.stop(grace_s=0)
            return False
        if previous == number:
            return False  # it was the current one before, and just failed
        if refusal.master_went_on and await confirmation_socket.query_generation(self._layout) == previous:
            self._running = previous
            return True
        restored = await self._bring_up(previous) is None
        self._running = previous if restored else None
        return restored

    async def _remember(self, number: int | None, ports_: frozenset[int], *, with_orphans: bool = False) -> None:
        await asyncio.to_thread(
            old_workers.remember, self.workers, self._layout, number, ports_, with_orphans=with_orphans
        )

    def _look(self) -> tuple[int | None, tuple[model.Worker, ...], int | None, dict[str, bytes] | None]:
        master = process.find_master(self._layout)
        self._binaries.follow_file(master)
        self._reloads = 0 if master is None else process.read_reloads(self._layout, master)
        workers = () if master is None else process.list_workers(master)
        return (
            None if master is None else master.pid,
            workers,
            self._generations.current(),
            self._generations.read_current(),
        )

    def _remember_all(self) -> None:
        """Before a takeover: the workers that no look has seen yet, so that they are counted once they are old."""
        if self._running is not None:
            old_workers.remember(self.workers, self._layout, self._running, frozenset())

    def _find_suspended(self) -> tuple[int | None, tuple[int, ...]]:
        """The master, and which of it and its workers are suspended."""
        master = process.find_master(self._layout)
        if master is None:
            return None, ()
        pids = (master.pid, *(worker.pid for worker in process.list_workers(master)))
        return master.pid, tuple(pid for pid in pids if kernel_processes.is_suspended(pid))

    def find_hand_edits(self) -> tuple[hand_edits.HandEdit, ...]:
        """What of the files that nginx runs with was edited by hand. Blocking."""
        return self._generations.find_hand_edits()

    def _describe_hand_edits(self) -> tuple[model.Problem, ...]:
        found = self.find_hand_edits()
        return (hand_edits.describe(found, self._layout.current),) if found else ()

    def _choose_confirm_socket(self) -> None:
        """The one that is there. When it was deleted under an nginx that runs, the other one: nginx keeps what it
        listens on across reloads, and makes no new file for it."""
        default, other = self._layout.confirm_sockets
        existing = [path for path in (default, other) if pathlib.Path(path).exists()]
        if existing:
            self._confirm_socket = existing[0]
        elif process.find_master(self._layout) is None:
            self._confirm_socket = default
        else:
            self._confirm_socket = other if self._confirm_socket == default else default

    def _tidy_generations(self, number: int) -> None:
        """What the disk has to do with a new generation."""
        self._generations.sync(number)
        self._generations.remove_old(in_use=frozenset() if self._running is None else frozenset({self._running}))

    def _reload(self) -> tuple[int | None, frozenset[int]]:
        """Signal the master to reload. Returns: its number, None when there is none; the workers that are to go."""
        master = process.find_master(self._layout)
        if master is None:
            self._reloads = 0
            return None, frozenset()
        old = frozenset(worker.pid for worker in process.list_workers(master) if not worker.draining)
        if not process.send(master, signal.SIGHUP):
            return None, frozenset()
        self._reloads = process.read_reloads(self._layout, master) + 1
        process.write_reloads(self._layout, master, self._reloads)
        return master.pid, old

    def _signal_reopen(self) -> None:
        masters = process.find_masters(self._layout)
        # Of two, the old one may not listen to signals any more: its workers get theirs as orphaned ones do.
        orphans = process.find_orphans(self._layout, process.find_master(self._layout))
        for found in (*masters, *orphans):
            process.send(found, signal.SIGUSR1)

    def _machine_problem(self, words: str) -> errors.EnvironmentProblemError | None:
        own = frozenset(found.pid for found in process.find_family(self._layout))
        return error_diagnosis.machine_problem(words, binary=self.binary.path, paths=self._layout, own=own)

    def _patience_s(self, number: int) -> float:
        sites = pathlib.Path(self._layout.generation(number), "sites")
        return confirmation_socket.timeout_s(len(list(sites.glob("*.conf"))))


def _error(
    number: int,
    stage: str,
    refusal: confirmation_socket.GenerationRefusal,
    *,
    restored: bool,
    problem: errors.EnvironmentProblemError | None,
) -> errors.DaemunError:
    """What to raise for a generation that nginx does not run. Pure."""
    now = "the previous one is live" if restored else "nothing is live"
    if problem is not None:
        text = f"{problem} (generation {number} was not activated, {now})"
        if isinstance(problem, nginx_port.ListenError):
            return nginx_port.ListenError(problem.denied, text)
        return errors.EnvironmentProblemError(text)
    words = error_diagnosis.join_emergencies(refusal.words)
    return errors.ApplyError(
        f"cannot {stage} nginx with generation {number}: {words}; {now}",
        stage=stage,
        restored=restored,
        stderr=refusal.words,
    )
