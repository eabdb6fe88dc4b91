"""The generations of workers that were replaced: what they hold, and how that is ended. Implements
`control.nginx_port.OldWorkers` for the nginx of one state directory.
"""

import asyncio
import contextlib
import dataclasses

from daemun.control import nginx_port
from daemun.core import layout, model
from daemun.errors import EnvironmentProblemError
from daemun.nginx import foreign_connections, kernel_processes, process, worker_register


class OldWorkerGenerations(nginx_port.OldWorkers):
    """Lists the workers of earlier generations and ends their connections. It keeps no background task; several tasks
    may call its methods."""

    def __init__(self, paths: layout.Layout, register: worker_register.Register) -> None:
        self._layout = paths
        self._register = register
        self._closed: dict[model.OldWorker, frozenset[int]] = {}

    async def list_old(self) -> tuple[model.OldGeneration, ...]:
        """See nginx_port.OldWorkers."""
        return await asyncio.to_thread(self._list_old)

    async def count_sockets(self, old: tuple[model.OldGeneration, ...]) -> tuple[model.OldGeneration, ...]:
        """See nginx_port.OldWorkers."""
        return await asyncio.to_thread(self._count_sockets, old) if old else ()

    async def close_sockets(self, one: model.OldGeneration, most: int) -> int:
        """See nginx_port.OldWorkers."""
        return await asyncio.to_thread(self._close_sockets, one, most)

    async def end_worker(self, worker: model.OldWorker) -> None:
        """See nginx_port.OldWorkers."""
        try:
            await asyncio.to_thread(foreign_connections.terminate, worker)
        except OSError as error:
            message = f"cannot end nginx's old worker {worker.pid}: {error.strerror}; `kill {worker.pid}` as root does"
            raise EnvironmentProblemError(message) from error

    def _list_old(self) -> tuple[model.OldGeneration, ...]:
        workers = find_workers(self._layout, self._register.read())
        old: list[model.OldWorker] = []
        for worker in workers:
            started = kernel_processes.read_start(worker.pid) if worker.draining else None
            if started is not None:
                old.append(model.OldWorker(pid=worker.pid, started=started))
        groups = worker_register.group(old, self._register.read())
        found = (_describe(number, members) for number, members in groups)
        return tuple(one for one in found if one is not None)

    def _count_sockets(self, old: tuple[model.OldGeneration, ...]) -> tuple[model.OldGeneration, ...]:
        established = kernel_processes.list_established(self._register.read().ports)
        return tuple(dataclasses.replace(one, sockets=_count(one, established)) for one in old)

    def _close_sockets(self, one: model.OldGeneration, most: int) -> int:
        """One worker after the other: the first one to end gives its memory back."""
        ports_ = self._register.read().ports
        self._closed = {worker: before for worker, before in self._closed.items() if worker in one.workers}
        closed = 0
        for worker in one.workers:
            before = self._closed.get(worker, frozenset())
            now = foreign_connections.close_clients(worker, ports=ports_, most=most - closed, closed_before=before)
            self._closed[worker] = before | frozenset(now)
            closed += len(now)
            if closed == most:
                break
        return closed


def find_workers(paths: layout.Layout, seen: worker_register.WorkerGenerations) -> tuple[model.Worker, ...]:
    """Every worker of this nginx, by process number, also those whose master was killed. Blocking, milliseconds."""
    master = process.find_master(paths)
    found = {} if master is None else {worker.pid: worker for worker in process.list_workers(master)}
    for pid, started in seen.workers:
        if pid not in found and kernel_processes.read_start(pid) == started:
            title = process.title_of(pid)
            if process.is_worker(title):
                found[pid] = model.Worker(pid=pid, draining=process.is_draining(title))
    return tuple(worker for _, worker in sorted(found.items()))


def remember(
    register: worker_register.Register,
    paths: layout.Layout,
    number: int | None,
    ports_: frozenset[int],
    *,
    with_orphans: bool = False,
) -> None:
    """Write down that whoever takes connections now runs this generation, which listens on these ports.

    number: None: not known; they are distinguished by their starts then. with_orphans: and those that an earlier master
    left, which takes a look at every process. Blocking.
    """
    master = process.find_master(paths)
    workers: dict[worker_register.Key, int | None] = {}
    for orphan in process.find_orphans(paths, master) if with_orphans else ():
        workers |= _keyed(orphan.pid, None)
    for pid in () if master is None or number is None else process.list_taking(master):
        workers |= _keyed(pid, number)
    register.write(workers, ports_, alive=lambda key: kernel_processes.read_start(key[0]) == key[1])


def _keyed(pid: int, number: int | None) -> dict[worker_register.Key, int | None]:
    started = kernel_processes.read_start(pid)
    return {} if started is None else {(pid, started): number}


def _describe(number: int | None, workers: tuple[model.OldWorker, ...]) -> model.OldGeneration | None:
    """None: its last worker ended meanwhile."""
    memory, is_estimate = 0, False
    left: list[model.OldWorker] = []
    for worker in workers:
        with contextlib.suppress(ProcessLookupError):
            shared = kernel_processes.read_shared_memory(worker.pid)
            is_estimate |= shared is None
            memory += kernel_processes.read_anonymous_memory(worker.pid) if shared is None else shared
            left.append(worker)
    if not left:
        return None
    return model.OldGeneration(
        number=number,
        age_s=kernel_processes.age_s(left[0].started),
        workers=tuple(left),
        memory_bytes=memory,
        is_estimate=is_estimate,
    )


def _count(one: model.OldGeneration, established: frozenset[int]) -> int | None:
    """None: this account may not know."""
    try:
        return sum(
            len(established.intersection(kernel_processes.list_sockets(worker.pid).values())) for worker in one.workers
        )
    except PermissionError:
        return None
