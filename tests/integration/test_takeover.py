"""Another nginx binary takes over from a real one that serves: both links, both masters, the pid file; whatever goes
wrong leaves the old one as it was; a takeover that was interrupted at any step is brought to its end."""

import asyncio
import collections.abc
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import time

import httpx
import psutil
import pytest

from daemun import errors
from daemun.core import layout as layout_
from daemun.core import model, render_environment
from daemun.nginx import (
    confirmation_socket,
    find_nginx,
    generation_folders,
    master_program,
    master_watch,
    nginx_server,
    old_workers,
    process,
    takeover,
    takeover_journal,
    worker_account,
)
from tests.support import binaries, nginx_state, ports

pytestmark = pytest.mark.nginx


class Machine:
    """Two nginx that differ in nothing but their files; `server` begins with the first."""

    def __init__(self, layout: layout_.Layout) -> None:
        self.layout = layout
        self.port = ports.free_port()
        folder = pathlib.Path(layout.state)
        self.paths = [folder / name / "nginx" for name in ("one", "two")]
        for path in self.paths:
            path.parent.mkdir()
            shutil.copy(binaries.nginx_path(), path)
        self.next = self.paths[0]
        self.server = self.make_server()

    def make_server(self) -> nginx_server.NginxServer:
        """As each daemun makes one, with what serves."""
        master = process.find_master(self.layout)
        serving = find_nginx.examine(str(self.next) if master is None else f"/proc/{master.pid}/exe")
        assert isinstance(serving, render_environment.Nginx)
        account = worker_account.choose(None)
        return nginx_server.NginxServer(
            serving, self.layout, account, find_next=lambda: find_nginx.find(str(self.next))
        )

    def files(self, text: str) -> dict[str, bytes]:
        site = f'listen 127.0.0.1:{self.port};\nlocation / {{ return 200 "{text}"; }}'
        return nginx_state.configuration(self.layout, site)

    async def go_live(self, text: str) -> None:
        assert await self.server.stage(self.files(text)) is None
        await self.server.activate()

    async def take_over(self, path: pathlib.Path, text: str) -> None:
        """As a round with a successor."""
        self.next = path
        found = await self.server.find_successor()
        assert found is not None
        self.server.offer(found.binary)
        try:
            assert (await self.server.read_actual()).has_successor
            assert await self.server.stage(self.files(text)) is None
            await self.server.activate()
        finally:
            self.server.offer(None)

    def master(self) -> psutil.Process:
        (found,) = process.find_masters(self.layout)
        return found

    def kill_all(self) -> None:
        """All of nginx, and also a new master that the old one is about to start, or that has no title yet."""
        masters = process.find_masters(self.layout)
        for master in masters:
            master.suspend()  # it starts no more from now on
        while left := self._list_started(masters):
            for one in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
            time.sleep(0.01)
        for master in masters:
            master.kill()
        psutil.wait_procs(masters, timeout=30)

    def _list_started(self, masters: list[psutil.Process]) -> list[psutil.Process]:
        """Whoever runs beside the masters; a suspended one keeps its ended children as zombies."""
        found = {one for master in masters for one in master.children(recursive=True)}
        found |= {*process.find_family(self.layout)} - {*masters}
        return [one for one in found if _is_running(one)]

    def serving(self) -> pathlib.Path:
        return pathlib.Path(f"/proc/{self.master().pid}/exe").readlink()

    async def get(self) -> str:
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            return (await client.get(f"http://127.0.0.1:{self.port}/")).text

    def is_clean(self) -> bool:
        """Whether nothing shows that anything was tried."""
        left = [pathlib.Path(self.layout.nginx_takeover), pathlib.Path(f"{self.layout.nginx_pid}.oldbin")]
        pid = pathlib.Path(self.layout.nginx_pid)
        return not any(path.exists() for path in left) and int(pid.read_text()) == self.master().pid


def _is_running(one: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return one.status() != psutil.STATUS_ZOMBIE
    return False


@pytest.fixture
def machine() -> collections.abc.Iterator[Machine]:
    with nginx_state.state_directory() as layout:
        yield Machine(layout)


async def test_back_and_forth_while_connections_stay_open(machine: Machine) -> None:
    await machine.go_live("start")
    first = machine.master().pid
    with contextlib.ExitStack() as stack:
        for number in range(4):
            kept = stack.enter_context(socket.create_connection(("127.0.0.1", machine.port)))
            kept.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")  # a request that does not end
            path = machine.paths[(number + 1) % 2]
            await machine.take_over(path, f"by {number}")
            assert (await machine.get(), machine.serving()) == (f"by {number}", path)
            assert machine.server.binary.path == str(path)
            assert machine.is_clean()
        assert machine.master().pid != first, "it is another master, and the only one"
        actual = await machine.server.read_actual()
        assert actual.generation == actual.current_generation
        old = await old_workers.OldWorkerGenerations(machine.layout, machine.server.workers).list_old()
        assert [one.number for one in old] == [1, 2, 3, 4], "workers with connections go on, and are counted"


async def test_reload_after_a_takeover(machine: Machine) -> None:
    await machine.go_live("one")
    await machine.take_over(machine.paths[1], "two")
    await machine.go_live("three")
    assert (await machine.get(), machine.server.reloads, machine.serving()) == ("three", 1, machine.paths[1])


class Clients:
    """Requests one after another, each on a connection of its own, for as long as it is entered."""

    def __init__(self, transport: collections.abc.Callable[[], httpx.AsyncHTTPTransport], url: str) -> None:
        self._transport = transport
        self._url = url
        self.answers: list[str] = []

    async def __aenter__(self) -> "Clients":
        self._task = asyncio.create_task(self._go())
        await self.answered()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task  # of which a failed request is an error here

    async def answered(self, number: int = 10) -> None:
        """Wait until so many more were."""
        wanted = len(self.answers) + number
        async with asyncio.timeout(60):
            while len(self.answers) < wanted:
                if self._task.done():
                    self._task.result()
                await asyncio.sleep(0.01)

    async def _go(self) -> None:
        while True:
            async with httpx.AsyncClient(transport=self._transport(), timeout=60) as client:
                answer = await client.get(self._url)
            assert answer.status_code == 200
            self.answers.append(answer.text)


async def test_sockets_of_the_owners_own_are_handed_over(machine: Machine) -> None:
    """One for each worker (`reuseport`), of the file system, and of the abstract kind that has no file."""
    folder = pathlib.Path(machine.layout.state)
    path, port = folder / "own.sock", ports.free_port()
    own = f"""
        listen 127.0.0.1:{machine.port};
        listen 127.0.0.1:{port} reuseport;
        listen "unix:{path}";
        location / {{ return 200 "TEXT"; }}
    """

    def files(text: str) -> dict[str, bytes]:
        return nginx_state.configuration(machine.layout, own.replace("TEXT", text))

    machine.files = files  # type: ignore[method-assign]
    await machine.go_live("one")
    inode = path.stat().st_ino
    over_tcp = Clients(httpx.AsyncHTTPTransport, f"http://127.0.0.1:{port}/")
    over_unix = Clients(lambda: httpx.AsyncHTTPTransport(uds=str(path)), "http://own/")
    async with over_tcp, over_unix:
        for number in range(4):
            text = f"by {number}"
            await machine.take_over(machine.paths[(number + 1) % 2], text)
            await over_tcp.answered()
            await over_unix.answered()
            assert (over_tcp.answers[-1], over_unix.answers[-1]) == (text, text)
            assert machine.is_clean()
            assert path.stat().st_ino == inode, "the old master leaves the file where it is"
    # The new master is the one that deletes it.
    await machine.go_live("after")
    assert await machine.get() == "after"
    await process.stop(machine.layout, grace_s=5)
    assert not path.exists()


async def test_a_takeover_that_fails_leaves_the_owners_sockets(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, port = pathlib.Path(machine.layout.state) / "own.sock", ports.free_port()
    own = f'listen 127.0.0.1:{machine.port}; listen 127.0.0.1:{port} reuseport; listen "unix:{path}";'

    def files(text: str) -> dict[str, bytes]:
        return nginx_state.configuration(machine.layout, f'{own} location / {{ return 200 "{text}"; }}')

    machine.files = files  # type: ignore[method-assign]
    await machine.go_live("one")
    over_tcp = Clients(httpx.AsyncHTTPTransport, f"http://127.0.0.1:{port}/")
    over_unix = Clients(lambda: httpx.AsyncHTTPTransport(uds=str(path)), "http://own/")
    async with over_tcp, over_unix:
        # It comes up, gets the sockets, and its workers never answer.
        with monkeypatch.context() as patched:
            patched.setattr(confirmation_socket, "timeout_s", lambda _: 2.0)
            patched.setattr(confirmation_socket, "query_generation", _no_generation)
            with pytest.raises(errors.ApplyError, match="the nginx that served goes on as before"):
                await machine.take_over(machine.paths[1], "two")
        await over_tcp.answered()
        await over_unix.answered()
        assert {over_tcp.answers[-1], over_unix.answers[-1]} == {"one"}
    assert (machine.serving(), machine.is_clean()) == (machine.paths[0], True)
    await machine.take_over(machine.paths[1], "three")
    async with over_unix:
        assert over_unix.answers[-1] == "three"


async def _no_generation(*_: object) -> None:
    return None


async def test_the_watchdog_takes_no_takeover_for_a_crash(machine: Machine) -> None:
    await machine.go_live("one")
    watch = asyncio.create_task(master_watch.wait_until_gone(machine.layout))
    await machine.take_over(machine.paths[1], "two")
    await machine.take_over(machine.paths[0], "three")
    assert not watch.done()
    machine.master().send_signal(signal.SIGKILL)
    async with asyncio.timeout(30):
        await watch


async def test_logs_are_opened_anew_by_both_masters_and_stop_ends_both(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await machine.go_live("one")
    await interrupt(machine, monkeypatch, takeover, "finish")
    masters = process.find_masters(machine.layout)
    assert len(masters) == 2
    log = pathlib.Path(machine.layout.logs, "access.log")
    log.rename(log.with_suffix(".1"))
    await machine.server.reopen_logs()
    family = process.find_family(machine.layout)
    assert len(family) == 6, "two masters with two workers each"
    async with asyncio.timeout(30):
        while any(str(log.with_suffix(".1")) in (file.path for file in one.open_files()) for one in family):
            await asyncio.sleep(0.01)
    await process.stop(machine.layout, grace_s=5)
    assert process.find_family(machine.layout) == []


# --- what cannot take over --------------------------------------------------------------------------------------


def write_program(path: pathlib.Path, script: str) -> None:
    """A program that answers as the nginx under test where it is only looked at, and serves as the script does."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        f'#!/bin/sh\nfor word; do case $word in -V|-t) exec {binaries.nginx_path()} "$@";; esac; done\n{script}\n'
    )
    path.chmod(0o755)


def write_foreign(path: pathlib.Path) -> None:
    """A program for another architecture. Source: elf(5), e_machine."""
    content = bytearray(binaries.nginx_path().read_bytes())
    content[18:20] = b"\xf3\x00" if content[18:20] != b"\xf3\x00" else b"\x3e\x00"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o755)


@pytest.mark.parametrize("script", ["exit 1", "kill -SEGV $$", "exec sleep 1000"], ids=["exits", "crashes", "hangs"])
async def test_one_that_does_not_come_up(machine: Machine, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    await machine.go_live("one")
    master, before = machine.master(), await machine.server.read_actual()
    write_program(machine.paths[1], script)
    with (
        monkeypatch.context() as patched,
        pytest.raises(errors.ApplyError, match="the nginx that served goes on as before") as caught,
    ):
        patched.setattr(confirmation_socket, "timeout_s", lambda _: 2.0)
        await machine.take_over(machine.paths[1], "two")
    assert (
        "did not answer" if "sleep" in script else "exited on signal" if "kill" in script else "ended by itself"
    ) in str(caught.value)
    await assert_as_before(machine, master, before)


async def test_one_for_another_architecture(machine: Machine) -> None:
    await machine.go_live("one")
    master, before = machine.master(), await machine.server.read_actual()
    write_foreign(machine.paths[1])
    with pytest.raises(errors.EnvironmentProblemError, match="cannot be run"):
        await machine.take_over(machine.paths[1], "two")
    # And one that is changed after it was looked at.
    shutil.copy(machine.paths[0], machine.paths[1])
    found = await machine.server.find_successor()
    assert found is not None
    machine.server.offer(found.binary)
    assert await machine.server.stage(machine.files("two")) is None
    write_foreign(machine.paths[1])
    with pytest.raises(errors.ApplyError, match="execve"):
        await machine.server.activate()
    machine.server.offer(None)
    await assert_as_before(machine, master, before)


async def test_one_that_does_not_take_the_configuration_is_not_even_started(machine: Machine) -> None:
    await machine.go_live("one")
    master, before = machine.master(), await machine.server.read_actual()
    write_program(machine.paths[1], "exit 9")
    machine.next = machine.paths[1]
    found = await machine.server.find_successor()
    assert found is not None
    machine.server.offer(found.binary)
    machine.paths[1].write_text("#!/bin/sh\necho 'nginx: [emerg] unknown directive \"location\" in x:1' >&2; exit 1\n")
    failure = await machine.server.stage(machine.files("two"))
    assert failure is not None
    assert "unknown directive" in failure.message
    machine.server.offer(None)
    await assert_as_before(machine, master, before)


async def test_a_master_that_an_earlier_daemun_started(machine: Machine) -> None:
    """Its argv[0] is the binary itself."""
    await machine.go_live("one")
    await process.stop(machine.layout, grace_s=0)
    await start_directly(machine)
    machine.server = machine.make_server()
    master, before = machine.master(), await machine.server.read_actual()
    with pytest.raises(errors.EnvironmentProblemError, match="`daemun stop` and `daemun up` start the new one once"):
        await machine.take_over(machine.paths[1], "two")
    await assert_as_before(machine, master, before)

    # What takes its place, as after an update of the system, can take over all the same.
    shutil.copy(machine.paths[1], machine.paths[0].with_name("new"))
    machine.paths[0].with_name("new").replace(machine.paths[0])
    await machine.take_over(machine.paths[0], "three")
    assert (await machine.get(), machine.serving()) == ("three", machine.paths[0])


async def start_directly(machine: Machine) -> None:
    words = ("-c", f"{machine.layout.current}/nginx.conf", "-p", machine.layout.base, "-e", "stderr")
    started = await asyncio.create_subprocess_exec(
        str(machine.paths[0]), *words, cwd=machine.layout.base, stderr=asyncio.subprocess.DEVNULL
    )
    assert await started.wait() == 0
    async with asyncio.timeout(30):
        while not pathlib.Path(machine.layout.nginx_pid).exists() or not process.find_masters(machine.layout):
            await asyncio.sleep(0.01)


async def assert_as_before(machine: Machine, master: psutil.Process, before: model.Actual) -> None:
    after = await machine.server.read_actual()
    assert (after.pid, after.generation, after.current_generation) == (master.pid, before.generation, before.generation)
    assert after.files == before.files
    assert {worker.pid for worker in before.workers} == {worker.pid for worker in after.workers if not worker.draining}
    assert machine.is_clean()
    assert process.find_successor(master) is None
    assert await machine.get() == "one"
    assert await machine.server.stage(machine.files("one more")) is None
    await machine.server.activate()
    assert (await machine.get(), machine.master()) == ("one more", master)


# --- a daemun that is killed in the middle ------------------------------------------------------------------------


class Killed(BaseException):
    """Nothing catches it."""


async def interrupt(machine: Machine, monkeypatch: pytest.MonkeyPatch, where: object, name: str) -> None:
    """A takeover that ends before the function of this name."""

    def kill(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(where, name, kill)
        with pytest.raises(Killed):
            await machine.take_over(machine.paths[1], "two")


STEPS = {
    "before anything is written": (takeover_journal, "write", 0),
    "before the configuration is switched": (generation_folders.Generations, "switch", 0),
    "before the link is switched": (master_program, "point", 0),
    "before the signal": (process, "send", 0),
    "before it is seen whether the new one answers": (takeover, "_wait_until_answered", 1),
    "before the old one is told to go": (takeover, "finish", 1),
    "before the old one is ended": (takeover, "_leave_workers", 1),
    "before that is written": (takeover_journal, "remove", 1),
}


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.replace(" ", "-"))
async def test_killed(machine: Machine, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """The new one serves if it was started, the old one otherwise; and the next takeover works."""
    where, name, expected = STEPS[step]
    await machine.go_live("one")
    with contextlib.closing(socket.create_connection(("127.0.0.1", machine.port))) as kept:
        kept.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")
        await interrupt(machine, monkeypatch, where, name)
        assert await machine.get() in {"one", "two"}
        await takeover.settle(machine.layout)
        assert machine.serving() == machine.paths[expected]
        assert machine.is_clean()
        machine.server = machine.make_server()
        await machine.server.adopt()
        assert await machine.get() == ["one", "two"][expected]
        await machine.go_live("three")
        await machine.take_over(machine.paths[1 - expected], "four")
        assert (await machine.get(), machine.serving()) == ("four", machine.paths[1 - expected])
        kept.sendall(b"Connection: close\r\n\r\n")
        assert b"one" in kept.makefile("rb").read(), "by the worker that it came to"


async def test_cancelled_and_gone_on_with(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by a daemon that ends, or a request that is given up: the next look brings it to its end."""
    await machine.go_live("one")
    await interrupt(machine, monkeypatch, takeover, "finish")
    actual = await machine.server.read_actual()
    assert (actual.pid, machine.serving()) == (machine.master().pid, machine.paths[1])
    assert pathlib.Path(machine.server.binary.path).samefile(machine.paths[1])
    assert machine.is_clean()


async def test_killed_and_the_new_one_does_not_answer(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    await machine.go_live("one")
    master = machine.master()
    await interrupt(machine, monkeypatch, takeover, "_wait_until_answered")
    async with asyncio.timeout(30):
        while len(process.find_masters(machine.layout)) < 2:
            await asyncio.sleep(0.01)
    (new,) = (one for one in process.find_masters(machine.layout) if one != master)
    new.suspend()  # before its workers are listed: it may be about to start further ones
    async with asyncio.timeout(30):
        while new.status() != psutil.STATUS_STOPPED:
            await asyncio.sleep(0.01)
    for one in process.find_children(new):
        one.suspend()
    await takeover.settle(machine.layout, within_s=1)
    assert (machine.master(), machine.serving()) == (master, machine.paths[0])
    assert machine.is_clean()
    assert await machine.get() == "one"


@pytest.mark.parametrize("name", ["_wait_until_answered", "_leave_workers"])
async def test_killed_and_all_of_nginx_as_well(machine: Machine, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """As by a power cut: what worked last is what is started."""
    await machine.go_live("one")
    await interrupt(machine, monkeypatch, takeover, name)
    await asyncio.to_thread(machine.kill_all)
    await takeover.settle(machine.layout)
    machine.next = machine.paths[0]
    machine.server = machine.make_server()
    await machine.server.activate()
    assert (await machine.get(), machine.serving()) == ("one", machine.paths[0])
    assert machine.is_clean()


def test_a_damaged_note_is_none(machine: Machine) -> None:
    path = pathlib.Path(machine.layout.nginx_takeover)
    path.parent.mkdir()
    for text in ("", "{", "[]", '{"pid": 1}', '{"pid": "x", "started": 1, "number": 1, "current": null}'):
        path.write_text(text)
        assert takeover_journal.read(machine.layout) is None
    takeover_journal.write(
        machine.layout, takeover_journal.Takeover(pid=1, started=2, number=3, current="gen/2", program=None)
    )
    assert takeover_journal.read(machine.layout) == takeover_journal.Takeover(
        pid=1, started=2, number=3, current="gen/2", program=None
    )
    takeover_journal.remove(machine.layout)
    takeover_journal.remove(machine.layout)
    assert os.listdir(path.parent) == []  # noqa: PTH208
