"""The judge's process as the daemon handles it: start, adopt, replace, end, and what is requested of it.

Two sockets lie in the run folder. A new process gets listening ones that are bound under other names, and renamed over
the old names once it has the policies; so nginx always finds one that can answer.
"""

import asyncio
import collections.abc
import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import typing

import psutil
import structlog

from daemun import causes, regular_files, unprivileged
from daemun.control import operator_port
from daemun.core import layout
from daemun.core.access import judge_policies
from daemun.errors import EnvironmentProblemError

log: structlog.stdlib.BoundLogger = structlog.get_logger()

Policies = tuple[judge_policies.AnyPolicy, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SignInAccounts:
    """Of the sign-in, as the store has them (`login_users`, `access_tokens`). secrets: of identity providers, by their
    keys; they are in no store."""

    users: bytes = b"[]"
    tokens: bytes = b"[]"
    secrets: bytes = dataclasses.field(default=b"{}", repr=False)


START_S = 60.0
ANSWER_S = 10.0
END_S = 15.0
"""More than the process gives what it is answering (`__main__.DRAIN_S`)."""
_BACKLOG = 4096
_MODULE = "daemun.judge"
_PROVIDERS, _PASSKEYS = "--providers", "--passkeys"
_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "PYTHONHOME", "PYTHONPATH")
"""All that the process gets of the daemon's environment, which may hold secrets."""


class JudgeProcess:
    """Methods are called one at a time, on one event loop. ended: set when the process has ended."""

    def __init__(
        self, paths: layout.Layout, *, group: int | None, version: str, ended: collections.abc.Callable[[], None]
    ) -> None:
        self._layout = paths
        self._group = group
        self._version = version
        self._ended = ended
        self._process: psutil.Process | None = None
        self._child: int | None = None
        self._abilities: frozenset[str] = frozenset()

    @property
    def is_known(self) -> bool:
        """Whether there is one, alive or not."""
        return self._process is not None

    def serves(self) -> bool:
        """Whether nginx can reach it. Blocking, microseconds."""
        return self._process is not None and _is_alive(self._process) and self._has_sockets()

    def can_decide(self, policies: Policies) -> bool:
        """Whether it has what they need: what it uses of identity providers, and for passkeys, is in memory where there
        are some."""
        return _find_needs(policies) <= self._abilities

    async def adopt(self) -> bool:
        """Whether the process of an earlier daemon goes on. One of another version does not."""
        left = await asyncio.to_thread(_find_all_left, self._layout)
        if not left or not self._has_sockets():
            return False
        try:
            status = await _request(self._layout.judge_control_socket, "GET", "/status")
        except EnvironmentProblemError:
            return False
        found = next((one for one in left if one.pid == status.get("pid")), None)
        if status.get("version") != self._version or found is None:
            return False
        for other in left:
            if other.pid != found.pid:
                await _end(other, None)
        await asyncio.to_thread(self._keep_pid, found)
        self._watch(found)
        named = {_PROVIDERS: "reaches_providers", _PASSKEYS: "takes_passkeys"}
        self._abilities = frozenset(one for one, key in named.items() if status.get(key) is True)
        return True

    async def push(self, policies: Policies, accounts: SignInAccounts) -> None:
        """Raises: EnvironmentProblemError."""
        await _push(self._layout.judge_control_socket, policies, accounts)

    async def fetch_status(self) -> dict[str, typing.Any]:
        """Raises: EnvironmentProblemError."""
        return await _request(self._layout.judge_control_socket, "GET", "/status")

    async def fetch_waits(self) -> dict[str, tuple[int, float]]:
        """Raises: EnvironmentProblemError."""
        found = await self.fetch_status()
        return {str(network): (int(wrong), float(wait_s)) for network, (wrong, wait_s) in found["waits"].items()}

    async def forget(self, network: str) -> None:
        """Raises: EnvironmentProblemError."""
        await _request(self._layout.judge_control_socket, "POST", "/forget", network.encode())

    async def find_signed_in(self, secret: str, host: str) -> operator_port.SignedInUser | None:
        """See `JudgeManager`. Raises: EnvironmentProblemError."""
        content = json.dumps({"secret": secret, "host": host}).encode()
        found = await _request(self._layout.judge_control_socket, "POST", "/sessions/find", content)
        if not found:
            return None
        return operator_port.SignedInUser(
            name=str(found["user"]), groups=tuple(map(str, found["groups"])), session=str(found["id"])
        )

    async def replace(self, policies: Policies, accounts: SignInAccounts) -> None:
        """A new process, which knows these policies and accounts, in the place of the one there is, if any.

        Raises: EnvironmentProblemError, OSError; then all is as it was."""
        paths = self._layout
        before = {one.pid: one for one in await asyncio.to_thread(_find_all_left, paths)}
        if self._process is not None and _is_alive(self._process):
            before[self._process.pid] = self._process
        drafts = (f"{paths.judge_socket}.new", f"{paths.judge_control_socket}.new")
        child = await asyncio.to_thread(self._start, *drafts, needs=_find_needs(policies))
        old = f"{paths.judge_control_socket}.old"
        try:
            # From here on, whoever comes next finds it, whatever happens to this program.
            await asyncio.to_thread(_write_pid, _pid_draft(paths), child.pid)
            await _push(drafts[1], policies, accounts, within_s=START_S)
            await asyncio.to_thread(self._switch, drafts, old)
        except BaseException:
            child.kill()
            await asyncio.to_thread(child.wait)
            with contextlib.suppress(OSError):
                await asyncio.to_thread(_remove, *drafts, _pid_draft(paths))
            raise
        child.returncode = 0  # it outlives this object, and this program; `_reap` collects it when it does not
        for one in before.values():
            await _end(one, old)
        await asyncio.to_thread(_remove, old)
        self._reap()
        self._child = child.pid
        self._abilities = _find_needs(policies)
        self._watch(psutil.Process(child.pid))
        os.replace(_pid_draft(paths), paths.judge_pid)  # noqa: PTH105
        log.info("the judge of sign-ins runs", pid=child.pid)

    async def end(self) -> None:
        if self._process is not None:  # its pid file may have been deleted
            await _end(self._process, self._layout.judge_control_socket)
        await end_left(self._layout)
        self._process = None
        self._reap()

    def _start(self, nginx_path: str, daemon_path: str, *, needs: frozenset[str]) -> subprocess.Popen[bytes]:
        account = unprivileged.choose(self._layout.state)
        arguments = [sys.executable, "-P", "-m", _MODULE, "--owner", str(os.geteuid()), "--version", self._version]
        arguments += ["--policies-within-s", str(START_S)]
        if account is not None:
            arguments += ["--account", str(account)]
        arguments += sorted(needs)
        with (
            _listen(nginx_path, self._group) as nginx,
            _listen(daemon_path, None) as daemon,
            unprivileged.open_log(pathlib.Path(self._layout.logs, "judge.log")) as output,
            _open_slots(self._layout.session_slots) as slots,
        ):
            arguments += ["--nginx-fd", str(nginx.fileno()), "--daemon-fd", str(daemon.fileno())]
            return subprocess.Popen(
                [*arguments, *(f"--session-fd={slot}" for slot in slots)],
                pass_fds=(nginx.fileno(), daemon.fileno(), *slots),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
                start_new_session=True,
            )

    def _switch(self, drafts: tuple[str, str], old: str) -> None:
        """All or nothing. Raises: OSError."""
        with contextlib.suppress(FileNotFoundError):
            os.replace(self._layout.judge_control_socket, old)  # noqa: PTH105
        try:
            os.replace(drafts[1], self._layout.judge_control_socket)  # noqa: PTH105
            os.replace(drafts[0], self._layout.judge_socket)  # noqa: PTH105
        except OSError:
            with contextlib.suppress(FileNotFoundError):
                os.replace(old, self._layout.judge_control_socket)  # noqa: PTH105
            raise

    def _keep_pid(self, process: psutil.Process) -> None:
        """That of a process which was not noted for good when its daemon was killed."""
        with contextlib.suppress(OSError):  # a full disk: the draft goes on naming it
            if (known := _find(self._layout.judge_pid)) is None or known.pid != process.pid:
                os.replace(_pid_draft(self._layout), self._layout.judge_pid)  # noqa: PTH105
            else:
                _remove(_pid_draft(self._layout))

    def _has_sockets(self) -> bool:
        """Both, with the group that may connect."""
        try:
            found = os.stat(self._layout.judge_socket)  # noqa: PTH116
        except OSError:
            return False
        return pathlib.Path(self._layout.judge_control_socket).exists() and self._group in {None, found.st_gid}

    def _watch(self, process: psutil.Process) -> None:
        self._process = process
        # Without pidfd_open(2), whoever waits looks again by itself.
        with contextlib.suppress(OSError):
            descriptor = os.pidfd_open(process.pid)
            asyncio.get_running_loop().add_reader(descriptor, self._note_end, descriptor)

    def _note_end(self, descriptor: int) -> None:
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)
        self._reap()
        self._ended()

    def _reap(self) -> None:
        """A child that has ended stays a zombie until it is waited for."""
        with contextlib.suppress(ChildProcessError):
            if self._child is not None and os.waitpid(self._child, os.WNOHANG) != (0, 0):
                self._child = None


def _find_needs(policies: Policies) -> frozenset[str]:
    """Options of the process, for what it must have in memory (`__main__`)."""
    host = judge_policies.find_host(policies)
    if host is None:
        return frozenset()
    return frozenset({_PASSKEYS, _PROVIDERS} if host.providers else {_PASSKEYS})


def find_left(paths: layout.Layout) -> psutil.Process | None:
    """The judge of this state directory that serves, by its pid file; a process of another program is never taken for
    it. Blocking, milliseconds."""
    return _find(paths.judge_pid)


def _find_all_left(paths: layout.Layout) -> tuple[psutil.Process, ...]:
    """The same, and one that is to take its place, or was when the daemon was killed."""
    found = (_find(paths.judge_pid), _find(_pid_draft(paths)))
    return tuple({one.pid: one for one in found if one is not None}.values())


def _find(pid_path: str) -> psutil.Process | None:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, psutil.Error):
        kept = json.loads(regular_files.read(pid_path))
        process = psutil.Process(int(kept["pid"]))
        is_same = process.create_time() == kept["started"] and _MODULE in process.cmdline()
        return process if is_same and _is_alive(process) else None
    return None


async def end_left(paths: layout.Layout) -> None:
    """End the judge of this state directory, whoever started it, and remove its sockets."""
    for process in await asyncio.to_thread(_find_all_left, paths):
        await _end(process, paths.judge_control_socket)
    sockets = (paths.judge_socket, paths.judge_control_socket)
    await asyncio.to_thread(_remove, *sockets, *(f"{one}.new" for one in sockets), paths.judge_pid, _pid_draft(paths))


def _remove(*paths: str) -> None:
    for path in paths:
        pathlib.Path(path).unlink(missing_ok=True)


async def _end(process: psutil.Process, control_socket: str | None) -> None:
    """It answers what it has, and ends; by force when it does not. control_socket: None: it is not known."""
    if control_socket is not None and _is_alive(process):
        with contextlib.suppress(EnvironmentProblemError):
            await _request(control_socket, "POST", "/end")
    for number in (*(() if control_socket is None else (None,)), signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(psutil.Error):
            if number is not None:
                process.send_signal(number)
        deadline = asyncio.get_running_loop().time() + END_S
        while _is_alive(process) and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        if not _is_alive(process):
            return


async def request(paths: layout.Layout, method: str, target: str, content: bytes = b"") -> dict[str, typing.Any]:
    """Of the judge of this state directory. Raises: EnvironmentProblemError."""
    return await _request(paths.judge_control_socket, method, target, content)


async def _push(path: str, policies: Policies, accounts: SignInAccounts, *, within_s: float | None = None) -> None:
    """The policies come last: with them it may let visitors in. Raises: EnvironmentProblemError."""
    await _request(path, "PUT", "/users", accounts.users, within_s=within_s)
    await _request(path, "PUT", "/tokens", accounts.tokens)
    await _request(path, "PUT", "/secrets", accounts.secrets)
    await _request(path, "PUT", "/policies", judge_policies.encode(policies))


async def _request(
    path: str, method: str, target: str, content: bytes = b"", *, within_s: float | None = None
) -> dict[str, typing.Any]:
    """Raises: EnvironmentProblemError."""
    import aiohttp  # noqa: PLC0415 - slow, and for sites with `basic_auth` only

    timeout = aiohttp.ClientTimeout(total=within_s or ANSWER_S)
    try:
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(path), timeout=timeout) as session,
            session.request(method, f"http://judge{target}", data=content) as response,
        ):
            if response.status != 200:
                raise EnvironmentProblemError(f"it answers {method} {target} with {response.status}")
            found: dict[str, typing.Any] = await response.json()
            return found
    except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
        cause = causes.find_words(error) or type(error).__name__
        raise EnvironmentProblemError(f"it does not answer {method} {target}: {cause}") from error


@contextlib.contextmanager
def _listen(path: str, group: int | None) -> collections.abc.Iterator[socket.socket]:
    """A listening unix socket that its owner and the group can open; closed here once the process has it, too."""
    pathlib.Path(path).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        # No client can connect between bind and listen, so there is no moment at which others could.
        pathlib.Path(path).chmod(0o600 if group is None else 0o660)
        if group is not None:
            os.chown(path, -1, group)
        listener.listen(_BACKLOG)
        yield listener


@contextlib.contextmanager
def _open_slots(paths: collections.abc.Iterable[str]) -> collections.abc.Iterator[tuple[int, ...]]:
    """The files of the process's sessions, which it could not open itself. Where they cannot be opened, sessions last
    as long as the process."""
    with contextlib.ExitStack() as stack:
        slots: list[int] = []
        try:
            for path in paths:
                flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                slots.append(os.open(path, flags, 0o600))
                stack.callback(os.close, slots[-1])
        except OSError as error:
            log.warning("sessions are kept in memory only", path=path, reason=causes.describe(error))
            slots.clear()
        yield tuple(slots)


def _pid_draft(paths: layout.Layout) -> str:
    return f"{paths.judge_pid}.new"


def _write_pid(path: str, pid: int) -> None:
    kept = {"pid": pid, "started": psutil.Process(pid).create_time()}
    pathlib.Path(path).write_text(json.dumps(kept), encoding="ascii")


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
