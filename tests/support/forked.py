"""`python -m daemun` without what its imports cost: as `subprocess`, but a process that has daemun's modules in memory
(`fork_server`) becomes the command. What is started is a child of this process as any other.

Where that would make a difference, and with $DAEMUN_TEST_DEEP, the command is started as usual.
"""

import array
import atexit
import collections.abc
import functools
import json
import os
import pathlib
import platform
import re
import resource
import socket
import subprocess
import sys
import threading
import typing

from tests.support import fork_server

PROGRAM = (sys.executable, "-m", "daemun")
_ROOT = pathlib.Path(__file__).parents[2]
_OF_THE_INTERPRETER = re.compile(r"PYTHON|LANG|LC_|LD_|MALLOC_|GLIBC_|OPENSSL_|SSL_")
_INHERITED = re.compile(
    r"^(?:[UG]id|Groups|SigBlk|Cap\w+|NoNewPrivs|Seccomp|Cpus_allowed|Mems_allowed):.*$", re.MULTILINE
)
_OF_THREADS = 0b11 << 31
"""Signals 32 and 33, glibc's own (nptl(7)): whom posix_spawn(3) started, as make does, ignores them until the first
thread begins."""
_USUAL = (True, None, None, None, -1, False, -1)
"""Of what `Popen` passes to `_execute_child`: restore_signals, gid, gids, uid, umask, start_new_session,
process_group."""


class Popen(subprocess.Popen[typing.Any]):
    """A process of `subprocess`, started in another way where that is the same."""

    def _execute_child(
        self,
        args: typing.Any,
        executable: typing.Any,
        preexec_fn: typing.Any,
        close_fds: bool,
        pass_fds: typing.Any,
        cwd: typing.Any,
        env: typing.Any,
        *rest: typing.Any,
    ) -> None:
        inner: typing.Any = self
        (_, _, shell), pipes, others = rest[:3], rest[3:9], rest[9:]
        environment = dict(os.environ if env is None else env)
        is_plain = not (executable or preexec_fn or pass_fds or shell) and close_fds and others == _USUAL
        server = _find_server(args, environment) if is_plain and isinstance(args, list | tuple) else None
        if server is None:
            start: typing.Any = vars(subprocess.Popen)["_execute_child"]
            start(self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, *rest)
            return
        its_input, _, _, its_output, _, its_errors = pipes
        streams = [
            given if given != -1 else default for default, given in enumerate((its_input, its_output, its_errors))
        ]
        self.pid = server.start(args, environment, str(cwd or pathlib.Path.cwd()), streams)
        inner._child_created = True
        inner._close_pipe_fds(*pipes)


def run(
    command: collections.abc.Sequence[str],
    *,
    environment: collections.abc.Mapping[str, str],
    folder: pathlib.Path,
    within_s: float,
    typed: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run`, with the output as text. typed: what is on its standard input; None: nothing to read.
    Raises: subprocess.TimeoutExpired; then it was killed."""
    pipe = subprocess.PIPE
    source = subprocess.DEVNULL if typed is None else pipe
    with Popen(command, stdin=source, stdout=pipe, stderr=pipe, text=True, env=environment, cwd=folder) as process:
        try:
            output, errors = process.communicate(typed, timeout=within_s)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


class _Server:
    """Started by a thread that inherits what this module found at first."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._lock = threading.Lock()
        self._ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            self._process = subprocess.Popen(
                [sys.executable, "-m", fork_server.__name__, str(its.fileno()), "." * fork_server.ROOM_BYTES],
                pass_fds=[its.fileno()],
                stdin=subprocess.DEVNULL,
                cwd=_ROOT,
                env=environment,
            )
        atexit.register(self._close)
        self._variables = frozenset(json.loads(self._receive()))

    def fits(self, environment: dict[str, str]) -> bool:
        """Whether the modules would be the same with it."""
        names = {name for name in (*environment, *self._environment) if _OF_THE_INTERPRETER.match(name)}
        return all(environment.get(name) == self._environment.get(name) for name in names | self._variables)

    def start(
        self, arguments: collections.abc.Sequence[str], environment: dict[str, str], folder: str, streams: list[int]
    ) -> int:
        """Returns: the number of the process."""
        request: fork_server.Request = {
            "arguments": list(arguments),
            "environment": environment,
            "folder": folder,
            "umask": _read_umask(),
            "limits": [resource.getrlimit(limit) for limit in fork_server.LIMITS],
        }
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", streams))
        with self._lock:
            self._ours.sendmsg([json.dumps(request).encode()], [rights])
            return int(self._receive())

    def _receive(self) -> bytes:
        found = self._ours.recv(fork_server.LARGEST_REQUEST_BYTES)
        assert found, "the process that becomes daemun's commands has ended"
        return found

    def _close(self) -> None:
        self._ours.close()
        self._process.wait()


@functools.cache
def _start_server() -> _Server:
    return _Server({name: value for name, value in os.environ.items() if not name.startswith("DAEMUN_")})


def is_as_at_first() -> bool:
    """Whether a process would inherit from this thread what it would have when this module was imported."""
    return _read_inherited() == _INHERITED_AT_FIRST


def is_cloned(arguments: collections.abc.Sequence[str], environment: dict[str, str]) -> bool:
    """Whether the process that has the modules in memory would become this command."""
    return _find_server(arguments, environment) is not None


def _find_server(arguments: collections.abc.Sequence[str], environment: dict[str, str]) -> _Server | None:
    """None: the command has to be started as usual."""
    is_default = tuple(arguments[:3]) == PROGRAM and sum(map(len, arguments)) < fork_server.ROOM_BYTES // 8
    if not is_default or platform.machine() != "x86_64" or os.environ.get("DAEMUN_TEST_DEEP"):
        return None
    if not is_as_at_first():  # of a test in a network of its own
        return None
    server = _start_server()
    return server if server.fits(environment) else None


def _read_inherited() -> list[str]:
    """Of this thread: accounts, rights, signals and processors (proc_pid_status(5)), namespaces and the root."""
    folder = pathlib.Path("/proc/thread-self")
    places = [*sorted((folder / "ns").iterdir()), folder / "root"]
    status = (folder / "status").read_text()
    ignored = int(status.partition("\nSigIgn:")[2].split()[0], 16) & ~_OF_THREADS
    return [*_INHERITED.findall(status), f"{ignored:x}", *(str(place.readlink()) for place in places)]


def _read_umask() -> int:
    """umask(2) cannot be read; proc_pid_status(5) has it."""
    (found,) = re.findall(r"^Umask:\s*(\d+)$", pathlib.Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found, 8)


_INHERITED_AT_FIRST = _read_inherited()
