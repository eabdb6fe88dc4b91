"""The judge's process: started, adopted, replaced, started again; what it may do and who may talk to it."""

import asyncio
import base64
import collections.abc
import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import typing

import aiohttp
import psutil
import pytest
import structlog
from passlib import hash as passlib_hash

from daemun import unprivileged
from daemun.core import layout
from daemun.core.access import judge_policies
from daemun.core.access.judge_policies import Policy
from daemun.judge import judge_manager, judge_process
from daemun.store import memory_store
from tests.support import other_account, until, upstreams

HASH = passlib_hash.bcrypt.using(rounds=4).hash("pw")
POLICY = Policy(name="a.test-root", realm='A "quoted"', users=(("alice", HASH),))
FILES = {"sites/a.conf": f"proxy_pass http://judge{POLICY.path};".encode()}


class House:
    """A run folder, and daemons after one another."""

    def __init__(self, root: pathlib.Path) -> None:
        self.layout = layout.Layout(str(root))
        self.store = memory_store.MemoryStore()

    def daemon(self, version: str = "1") -> judge_manager.JudgeManager:
        return judge_manager.JudgeManager(self.store, self.layout, group=None, version=version)

    @property
    def pid(self) -> int:
        found = judge_process.find_left(self.layout)
        assert found is not None
        return found.pid

    def names(self) -> list[str]:
        """What is in the run folder."""
        return sorted(path.name for path in pathlib.Path(self.layout.run).iterdir())

    async def ask(
        self, credentials: str | None = "alice:pw", *, policy: Policy = POLICY, path: str | None = None
    ) -> tuple[int, dict[str, str]]:
        headers = {"X-Real-IP": "192.0.2.1"}
        if credentials is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(credentials.encode()).decode()
        return await request(self.layout.judge_socket, "GET", path or policy.path, headers)


async def request(
    path: str, method: str, target: str, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str]]:
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(path)) as session,
        session.request(method, f"http://judge{target}", headers=headers or {}) as response,
    ):
        await response.read()
        return response.status, dict(response.headers)


@pytest.fixture
async def house() -> collections.abc.AsyncIterator[House]:
    with tempfile.TemporaryDirectory(prefix="dmj-") as folder:
        root = pathlib.Path(folder)
        (root / "run").mkdir(mode=0o711)
        (root / "logs").mkdir()
        root.chmod(0o755)
        one = House(root)
        try:
            yield one
        finally:
            await judge_process.end_left(one.layout)


@contextlib.asynccontextmanager
async def running(keeper: judge_manager.JudgeManager) -> collections.abc.AsyncIterator[None]:
    task = asyncio.ensure_future(keeper.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_no_process_while_no_site_needs_it(house: House) -> None:
    assert await house.daemon().prepare((), {}) == ()
    assert judge_process.find_left(house.layout) is None
    assert house.names() == []


async def test_answers_as_nginx_can_carry_them(house: House) -> None:
    assert await house.daemon().prepare((POLICY,), {}) == ()
    status, headers = await house.ask()
    assert (status, headers["X-Daemun-User"]) == (200, "alice")
    status, headers = await house.ask("alice:wrong")
    assert (status, headers["X-Daemun-Answer"]) == (401, "401")
    assert headers["WWW-Authenticate"] == r'Basic realm="A \"quoted\"", charset="UTF-8"'
    assert (await house.ask(None))[0] == 401
    status, headers = await house.ask(policy=Policy(name="none", realm="", users=()))
    assert (status, headers["X-Daemun-Answer"]) == (401, "503")
    assert "WWW-Authenticate" not in headers
    assert (await house.ask(path="/status"))[0] == 404
    assert (await house.ask(path="/policies"))[0] == 404
    for number in range(30):
        status, headers = await house.ask(f"alice:{number}")
    assert (status, headers["X-Daemun-Answer"]) == (401, "429")
    assert int(headers["Retry-After"]) >= 1


async def test_a_crowd_is_queued(house: House) -> None:
    """nginx takes a refused connection to its judge for a judge that is not there: a visitor would get a 503."""
    await house.daemon().prepare((POLICY,), {})
    assert (await house.ask())[0] == 200
    judge = psutil.Process(house.pid)
    sent = f"GET {POLICY.path} HTTP/1.1\r\nHost: judge\r\nConnection: close\r\n\r\n".encode()
    with contextlib.ExitStack() as stack:
        visitors = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(300)]
        judge.suspend()
        try:
            until.true(lambda: judge.status() == psutil.STATUS_STOPPED)
            for one in visitors:
                one.setblocking(False)
                one.connect(house.layout.judge_socket)
                one.send(sent)
        finally:
            judge.resume()
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(60):
            for one in visitors:
                assert (await loop.sock_recv(one, 12)) == b"HTTP/1.1 401"


async def test_hostile_requests_end_nothing(house: House) -> None:
    await house.daemon().prepare((POLICY,), {})
    pid = house.pid
    for sent in (
        b"\0" * 100_000,
        b"GET " + b"/" * 100_000 + b" HTTP/1.1\r\n\r\n",
        f"GET {POLICY.path} HTTP/1.1\r\nHost: x\r\nAuthorization: ".encode() + b"A" * 1_000_000 + b"\r\n\r\n",
        f"GET {POLICY.path} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic \xff\xfe\r\n\r\n".encode("latin-1"),
        f"GET {POLICY.path} HTTP/1.1\r\nHost: x\r\n".encode() + b"X: y\r\n" * 100_000 + b"\r\n",
        f"GET {POLICY.path} HTTP/1.1\r\nHost: x\r\nX-Real-IP: {'9' * 5000}\r\n".encode()
        + b"Authorization: Basic YTpi\r\n\r\n",
    ):
        reader, writer = await asyncio.open_unix_connection(house.layout.judge_socket)
        with contextlib.suppress(ConnectionError):
            writer.write(sent)
            writer.write_eof()
            await reader.read()
        writer.close()
    assert (await house.ask())[0] == 200
    assert house.pid == pid
    assert "alice" not in pathlib.Path(house.layout.logs, "judge.log").read_text()


async def test_the_process_has_no_rights(house: House) -> None:
    await house.daemon().prepare((POLICY,), {})
    process = psutil.Process(house.pid)
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    if os.geteuid() == 0:
        uids = process.uids()
        assert unprivileged.FIRST <= uids.real == uids.effective == uids.saved <= unprivileged.LAST
        assert f"CapEff:\t{0:016x}" in status
        assert f"CapPrm:\t{0:016x}" in status
        assert "Groups:\t \n" in status
    assert not any("pw" in word or HASH in word for word in process.cmdline())
    assert process.cwd() == "/"


async def test_only_the_daemon_may_give_policies(house: House) -> None:
    await house.daemon().prepare((POLICY,), {})
    assert (await request(house.layout.judge_control_socket, "GET", "/status"))[0] == 200
    # As if somebody had opened the socket to all: it looks at who connects.
    pathlib.Path(house.layout.judge_control_socket).chmod(0o666)
    program = """
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
connection.sendall(b"PUT /policies HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\n[]")
print(connection.recv(4096).decode().splitlines()[0])
"""
    done = await asyncio.to_thread(other_account.run, program, house.layout.judge_control_socket)
    assert "403" in done.stdout, done.stderr
    assert (await house.ask())[0] == 200


async def test_nobody_else_may_ask(house: House) -> None:
    await house.daemon().prepare((POLICY,), {})
    program = """
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[1])
except PermissionError:
    print("refused")
"""
    for path in (house.layout.judge_socket, house.layout.judge_control_socket):
        done = await asyncio.to_thread(other_account.run, program, path)
        assert done.stdout == "refused\n", done.stderr


async def test_the_next_daemon_adopts_it(house: House) -> None:
    await house.daemon().prepare((POLICY,), {})
    pid = house.pid
    assert await house.daemon().prepare((POLICY,), FILES) == ()
    assert house.pid == pid


async def test_another_version_replaces_it_without_a_gap(house: House) -> None:
    await house.daemon("1").prepare((POLICY,), {})
    before = house.pid
    statuses: list[int] = []
    is_over = False

    async def ask_on() -> None:
        while not is_over:
            statuses.append((await house.ask())[0])

    asking = [asyncio.ensure_future(ask_on()) for _ in range(3)]
    assert await house.daemon("2").prepare((POLICY,), FILES) == ()
    is_over = True
    await asyncio.gather(*asking)
    assert set(statuses) == {200}
    assert house.pid != before
    await upstreams.eventually(lambda: before not in _running())
    assert house.names() == ["judge-control.sock", "judge.pid", "judge.sock"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_it_is_started_again(house: House, number: signal.Signals) -> None:
    keeper = house.daemon()
    await keeper.prepare((POLICY,), {})
    before = house.pid
    async with running(keeper):
        os.kill(before, number)
        await upstreams.eventually(lambda: _is_other(house, before))
    assert (await house.ask())[0] == 200


async def test_a_planned_change_is_no_trouble(house: House) -> None:
    """The process before ends while another takes its place, which whoever looks after it notices."""
    keeper = house.daemon()
    await keeper.prepare((POLICY,), {})
    with structlog.testing.capture_logs() as lines:
        async with running(keeper):
            await asyncio.sleep(0)
            async with keeper._lock:
                await keeper._process.replace((POLICY,), judge_process.SignInAccounts())
                planned = house.pid
                keeper._changed.set()
                await asyncio.to_thread(keeper._process.serves)  # the loop that looks after it has run by then
            async with keeper._lock:
                assert house.pid == planned
    assert [line for line in lines if line["log_level"] == "error"] == []
    assert (await house.ask())[0] == 200


async def test_a_suspended_one_is_replaced_by_the_next_daemon(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.daemon().prepare((POLICY,), {})
    before = house.pid
    # What is suspended answers never, and the next one has to answer in time on a busy machine.
    monkeypatch.setattr(judge_process, "ANSWER_S", 2)
    monkeypatch.setattr(judge_process, "END_S", 0.5)
    os.kill(before, signal.SIGSTOP)
    assert await house.daemon().prepare((POLICY,), FILES) == ()
    assert house.pid != before
    assert (await house.ask())[0] == 200


async def test_deleted_sockets_are_made_again(house: House) -> None:
    keeper = house.daemon()
    await keeper.prepare((POLICY,), {})
    pathlib.Path(house.layout.judge_socket).unlink()
    assert await keeper.prepare((POLICY,), FILES) == ()
    assert (await house.ask())[0] == 200


async def test_it_ends_once_no_site_needs_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge_manager, "IDLE_S", 0.1)
    keeper = house.daemon()
    await keeper.prepare((POLICY,), {})
    async with running(keeper):
        await keeper.prepare((), FILES)
        assert (await house.ask())[0] == 200
        await keeper.confirm({})
        await upstreams.eventually(lambda: house.names() == [])
    assert house.store.list("judge") == []


BOB = (("bob", HASH),)


async def test_what_files_of_before_name_outlives_the_daemon(house: House) -> None:
    """A site that is kept at its last good version asks about a policy that daemun.yaml has no more."""
    await house.daemon().prepare((POLICY,), {})
    os.kill(house.pid, signal.SIGKILL)
    await upstreams.eventually(lambda: judge_process.find_left(house.layout) is None)
    newer = Policy(name=POLICY.name, realm="A", users=(*POLICY.users, *BOB))
    assert await house.daemon().prepare((newer,), FILES) == ()
    assert (await house.ask())[0] == 200
    assert (await house.ask(credentials="bob:pw"))[0] == 401, "who was not there when that version was written"
    assert (await house.ask(credentials="bob:pw", policy=newer))[0] == 200


async def test_who_was_removed_is_out_for_files_of_before_too(house: House) -> None:
    keeper = house.daemon()
    await keeper.prepare((POLICY,), {})
    assert (await house.ask())[0] == 200
    await keeper.prepare((Policy(name=POLICY.name, realm="A", users=BOB),), FILES)
    assert (await house.ask())[0] == 401


async def test_what_no_file_names_is_forgotten(house: House) -> None:
    keeper = house.daemon()
    newer = Policy(name=POLICY.name, realm="A", users=())
    await keeper.prepare((POLICY,), {})
    await keeper.prepare((newer,), FILES)
    assert judge_policies.decode(house.store.read(judge_manager.KEY))[-1] == newer
    await keeper.confirm({"sites/a.conf": newer.path.encode()})
    assert (await house.ask())[0] == 401
    assert judge_policies.decode(house.store.read(judge_manager.KEY)) == (newer,)


async def test_what_keeps_it_from_running_is_a_problem(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge_process, "_MODULE", "daemun.no_such_module")
    problems = await house.daemon().prepare((POLICY,), {})
    assert len(problems) == 1
    assert "let nobody in" in problems[0].message
    assert "no_such_module" in pathlib.Path(house.layout.logs, "judge.log").read_text()
    assert not pathlib.Path(house.layout.judge_socket).exists()


@pytest.mark.parametrize("call", ["_write_pid", "_request", "_switch"])
async def test_a_replacement_that_fails_leaves_no_second_process(
    house: House, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """A full disk, say. The one that was there goes on, or is started again by the next round."""
    await house.daemon("1").prepare((POLICY,), {})
    before = house.pid

    def fail(*_: object, **__: object) -> typing.NoReturn:
        raise OSError(28, "No space left on device")

    newer = house.daemon("2")
    with monkeypatch.context() as patch:
        patch.setattr(judge_process.JudgeProcess if call == "_switch" else judge_process, call, fail)
        with pytest.raises(OSError, match="No space"):
            await newer._process.replace((POLICY,), judge_process.SignInAccounts())
    assert _running() == [before]
    assert house.names() == ["judge-control.sock", "judge.pid", "judge.sock"]
    assert (await house.ask())[0] == 200
    assert await newer.prepare((POLICY,), FILES) == ()
    assert _running() == [house.pid] != [before]


async def test_one_whose_daemon_was_killed_before_it_was_noted_is_found(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed right after the switch, when two run, and the file names the one before."""
    await house.daemon("1").prepare((POLICY,), {})

    async def die(*_: object) -> typing.NoReturn:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(judge_process, "_end", die)
        with pytest.raises(asyncio.CancelledError):
            await house.daemon("2").prepare((POLICY,), FILES)
    assert len(_running()) == 2
    assert await house.daemon("2").prepare((POLICY,), FILES) == ()
    assert len(_running()) == 1
    assert (await house.ask())[0] == 200
    await judge_process.end_left(house.layout)
    assert _running() == []


async def test_the_end_ends_one_whose_pid_file_is_gone(house: House) -> None:
    keeper = house.daemon()
    await keeper.prepare((POLICY,), {})
    pathlib.Path(house.layout.judge_pid).unlink()
    await keeper.stop()
    assert _running() == []


async def test_it_ends_by_itself_when_nobody_gives_it_policies(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge_process, "START_S", 0.1)
    paths = house.layout
    process = judge_process.JudgeProcess(paths, group=None, version="1", ended=lambda: None)
    child = process._start(f"{paths.judge_socket}.new", f"{paths.judge_control_socket}.new", needs=frozenset())
    assert await asyncio.to_thread(child.wait, 60) == 0


async def test_an_environment_of_the_daemon_stays_there(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "secret")
    seen: dict[str, typing.Any] = {}
    original = subprocess.Popen

    def spy(*args: typing.Any, **values: typing.Any) -> typing.Any:
        seen.update(values["env"])
        return original(*args, **values)

    monkeypatch.setattr(subprocess, "Popen", spy)
    await house.daemon().prepare((POLICY,), {})
    assert "PATH" in seen
    assert "SOME_TOKEN" not in seen


def _running() -> list[int]:
    """Children of this program that are judges, alive."""
    found = []
    for one in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if one.status() != psutil.STATUS_ZOMBIE and "daemun.judge" in one.cmdline():
                found.append(one.pid)
    return found


def _is_other(house: House, before: int) -> bool:
    found = judge_process.find_left(house.layout)
    return found is not None and found.pid != before and pathlib.Path(house.layout.judge_socket).exists()
