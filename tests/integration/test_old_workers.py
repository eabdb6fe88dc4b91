"""Connections of another process: found, counted, and told their end one by one. This process plays the worker."""

import collections.abc
import contextlib
import dataclasses
import os
import signal
import socket
import subprocess
import sys

import psutil
import pytest

from daemun.core import model
from daemun.nginx import foreign_connections, kernel_processes
from daemun.nginx import process as nginx_process
from tests.support import until

LOOPBACK = "127.0.0.1"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """It listens on `port`. inside: its ends of the connections; outside: the clients'."""

    identity: model.OldWorker
    port: int
    inside: list[socket.socket]
    outside: list[socket.socket]


@pytest.fixture
def worker() -> collections.abc.Iterator[Worker]:
    started = kernel_processes.read_start(os.getpid())
    assert started is not None
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server((LOOPBACK, 0)))
        port = server.getsockname()[1]
        inside, outside = [], []
        for _ in range(3):
            outside.append(stack.enter_context(socket.create_connection((LOOPBACK, port), timeout=20)))
            accepted, _ = server.accept()
            accepted.settimeout(20)
            inside.append(stack.enter_context(accepted))
        identity = model.OldWorker(pid=os.getpid(), started=started)
        yield Worker(identity=identity, port=port, inside=inside, outside=outside)


def inodes(sockets: collections.abc.Iterable[socket.socket]) -> set[int]:
    return {os.fstat(one.fileno()).st_ino for one in sockets}


def close(worker: Worker, most: int, told: collections.abc.Collection[int] = ()) -> tuple[int, ...]:
    return foreign_connections.close_clients(
        worker.identity, ports=frozenset({worker.port}), most=most, closed_before=told
    )


def test_only_what_came_in_is_counted(worker: Worker) -> None:
    established = kernel_processes.list_established(frozenset({worker.port}))
    assert inodes(worker.inside) <= established
    assert established.isdisjoint(inodes(worker.outside)), "to the process these are connections to a server behind it"
    assert kernel_processes.list_established(frozenset()) == frozenset()
    assert inodes([*worker.inside, *worker.outside]) <= set(kernel_processes.list_sockets(os.getpid()).values())


def test_connections_end_one_by_one_and_in_order(worker: Worker) -> None:
    first = close(worker, 1)
    assert len(first) == 1
    second = close(worker, 5, first)
    assert {*first, *second} == inodes(worker.inside)
    assert close(worker, 5, {*first, *second}) == ()
    for inside, outside in zip(worker.inside, worker.outside, strict=True):
        assert inside.recv(1) == b"", "to the worker it looks as if the client had gone"
        inside.sendall(b"the rest")
        assert outside.recv(8) == b"the rest", "what it still had to say arrives"
        assert inside.getblocking() or inside.gettimeout(), "how the worker uses its descriptor is untouched"


def test_another_process_of_the_same_number_is_left_alone(worker: Worker) -> None:
    other = dataclasses.replace(worker.identity, started=worker.identity.started - 1)
    assert foreign_connections.close_clients(other, ports=frozenset({worker.port}), most=5, closed_before=()) == ()
    assert not foreign_connections.terminate(other)
    worker.outside[0].sendall(b"x")
    assert worker.inside[0].recv(1) == b"x"


def test_a_worker_that_is_gone() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = kernel_processes.read_start(process.pid)
        assert started is not None
        identity = model.OldWorker(pid=process.pid, started=started)
        assert kernel_processes.read_anonymous_memory(process.pid) > 0
        assert foreign_connections.terminate(identity)
        assert process.wait(20) == -signal.SIGTERM
    assert kernel_processes.read_start(identity.pid) != started
    assert not foreign_connections.terminate(identity)
    assert foreign_connections.close_clients(identity, ports=frozenset({80}), most=1, closed_before=()) == ()
    assert kernel_processes.list_sockets(identity.pid) == {}
    with pytest.raises(ProcessLookupError):
        kernel_processes.read_shared_memory(identity.pid)


def test_memory_of_this_process() -> None:
    shared, anonymous = (
        kernel_processes.read_shared_memory(os.getpid()),
        kernel_processes.read_anonymous_memory(os.getpid()),
    )
    assert shared is not None
    assert 1 << 20 < shared < 4 << 30
    assert 1 << 20 < anonymous < 4 << 30
    assert kernel_processes.age_s(kernel_processes.read_start(os.getpid()) or 0) >= 0


def test_a_worker_that_was_forked_and_did_not_run_yet_is_one() -> None:
    """It has its master's title until it runs; a generation can be confirmed by another worker before that."""
    program = "import os\nif os.fork():\n    input()\nelse:\n    os.kill(os.getpid(), 19)\n"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as master:
        seen = psutil.Process(master.pid)
        try:
            until.true(lambda: nginx_process.list_taking(seen) != ())
            assert nginx_process.list_taking(seen) == tuple(child.pid for child in seen.children())
        finally:
            for child in seen.children():
                child.kill()
