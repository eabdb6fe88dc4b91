"""A process that has daemun's modules in memory, and becomes `python -m daemun` for each request of `forked`: without
the second or two that imports take, everything else from the first line on.

A command is a clone of this process and a child of the process that requested it (clone(2), CLONE_PARENT). It gets the
arguments, environment, working directory, standard streams, umask and limits of the request. `daemun up` replaces
itself by another program of Python (execve(2)); what that leaves of a process is left here, too.
"""

import array
import atexit
import contextlib
import ctypes
import functools
import gc
import importlib
import io
import json
import os
import pathlib
import pkgutil
import resource
import runpy
import signal
import socket
import sys
import threading
import time
import types
import typing

from tests.support import json_times

ROOM_BYTES = 1 << 14
"""For the arguments of a command: they take the place of those of this process (proc_pid_cmdline(5))."""
LARGEST_REQUEST_BYTES = 1 << 17
LIMITS = tuple(getattr(resource, name) for name in sorted(dir(resource)) if name.startswith("RLIMIT_"))

_SYS_CLONE = 56  # of x86-64
_CLONE_PARENT = 0x8000
_PR_SET_MM, _PR_SET_MM_ARG_END = 35, 9  # prctl(2)
_DAEMON = "daemun.cli.daemon"
_LIBRARIES = ("starlette.applications", "uvicorn", "uvicorn.protocols.http.h11_impl")
"""What the daemon imports while it starts, besides daemun's modules and what these import."""
_COPIES_THE_ENVIRONMENT = "wsgiref.handlers"
"""It looks up every variable while it is imported (prometheus-client has it), and depends on none of them."""
_THRESHOLDS = gc.get_threshold()
_C: typing.Any = ctypes.PyDLL(None)  # keeps the interpreter's lock


class Request(typing.TypedDict):
    """With it come three descriptors: standard input, output and error. limits: of LIMITS, in their order."""

    arguments: list[str]
    environment: dict[str, str]
    folder: str
    umask: int
    limits: list[tuple[int, int]]


class _Noting(dict[bytes, bytes]):
    """An environment that notes what was looked up in it."""

    def __init__(self, values: dict[bytes, bytes]) -> None:
        super().__init__(values)
        self.names: set[str] = set()

    def __getitem__(self, name: bytes) -> bytes:
        self.names.add(os.fsdecode(name))
        return super().__getitem__(name)


def _import_all() -> set[str]:
    """Returns: the variables that modules looked up while they were imported. Another value may need other modules."""
    importlib.import_module(_COPIES_THE_ENVIRONMENT)
    inner: typing.Any = os.environ
    noting = _Noting(inner._data)
    plain, inner._data = inner._data, noting
    # As the daemon does, first its log: it sees to it that structlog stays small.
    first = ("daemun.log", "daemun.wiring.start", "daemun.wiring.offline.configuration", "daemun.cli.app", *_LIBRARIES)
    daemun = importlib.import_module("daemun")
    every = (module.name for module in pkgutil.walk_packages(daemun.__path__, "daemun."))
    for name in (*first, *every):
        if not name.endswith("__main__"):
            importlib.import_module(name)
    inner._data = plain
    json_times.check_what_is_printed()
    return noting.names


def main() -> None:
    connection = socket.socket(fileno=int(sys.argv[1]))
    place = _find_arguments()
    variables = _import_all()
    tasks = [*pathlib.Path("/proc/self/task").iterdir()]
    assert len(tasks) == 1, f"cannot clone a process with {len(tasks)} threads"
    gc.collect()
    gc.freeze()  # who looks for garbage would copy all there is
    connection.send(json.dumps(sorted(variables)).encode())
    with contextlib.suppress(KeyboardInterrupt):
        found = _serve(connection)
    if found is not None:
        os.execv = functools.partial(_replace, place, os.execv)  # type: ignore[assignment]
        _end(lambda: _run(place, found["arguments"]))


def _serve(connection: socket.socket) -> Request | None:
    """Make a process for each request, and answer with its number. Returns: in a new process, its request, of which
    only the arguments are left to be done; in this one None when nobody is there any more."""
    while True:
        descriptors = array.array("i")
        message, notes, _, _ = connection.recvmsg(LARGEST_REQUEST_BYTES, socket.CMSG_SPACE(3 * descriptors.itemsize))
        if not message:
            return None
        for _, _, data in notes:
            descriptors.frombytes(data)
        pid = _clone()
        if pid == 0:
            return _become(json.loads(message), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        connection.send(str(pid).encode())


def _clone() -> int:
    """As `os.fork`, but the new process is a sibling, not a child. The functions around are public ones of Python's C
    interface; glibc has none, and needs none in a process with one thread."""
    _C.PyOS_BeforeFork()
    pid = int(_C.syscall(*map(ctypes.c_long, (_SYS_CLONE, _CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0))))
    if pid == 0:
        _C.PyOS_AfterFork_Child()
    else:
        _C.PyOS_AfterFork_Parent()
    assert pid >= 0, "cannot clone this process"
    return pid


def _become(request: Request, descriptors: typing.Iterable[int]) -> Request:
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    os.closerange(3, 1 << 16)
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    os.umask(request["umask"])
    for limit, values in zip(LIMITS, request["limits"], strict=True):
        resource.setrlimit(limit, values)
    os.chdir(request["folder"])
    return request


def _run(place: tuple[int, int], arguments: list[str]) -> None:
    """What `python -m MODULE ...` does once the interpreter is there. arguments: with those three words."""
    _set_arguments(place, arguments)
    _open_standard_streams()
    sys.path[0] = str(pathlib.Path.cwd())
    sys.orig_argv[:] = arguments
    sys.argv[:] = arguments[1:2] + arguments[3:]
    sys.modules["__main__"] = types.ModuleType("__main__")
    run_as_main: typing.Any = vars(runpy)["_run_module_as_main"]  # what the interpreter itself calls for -m
    run_as_main(arguments[2])


def _end(program: typing.Callable[[], None]) -> None:
    """Run it and exit, without freeing module by module what the system takes back at once. What is neither an end nor
    an exit code is left to the interpreter."""
    code: object = None
    try:
        program()
    except SystemExit as end:
        code = end.code
    if not isinstance(code, int | None):
        raise SystemExit(code)
    vars(threading)["_shutdown"]()
    vars(atexit)["_run_exitfuncs"]()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        raise SystemExit(code) from None  # the interpreter complains
    os._exit((code or 0) & 0xFF)


def _replace(
    place: tuple[int, int], execute: typing.Callable[[str, list[str]], None], path: str, arguments: list[str]
) -> None:
    """In the place of `os.execv`: for the daemon without a new interpreter. execve(2) has what is left of a process:
    no functions for signals, no descriptors that close on exec."""
    if arguments[:3] != [sys.executable, "-m", _DAEMON]:
        execute(path, arguments)
    for number in [int(found.name) for found in pathlib.Path("/proc/self/fd").iterdir()]:
        with contextlib.suppress(OSError):  # what was open while the folder was read
            if number > 2 and not os.get_inheritable(number):
                os.close(number)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.set_threshold(*_THRESHOLDS)
    sys.unraisablehook = sys.__unraisablehook__
    sys.modules.pop(_DAEMON, None)
    _end(lambda: _run(place, arguments))


def _open_standard_streams() -> None:
    """As the interpreter makes them ("sys.stdin" in Python's library reference): for what is a terminal by lines."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        before = getattr(sys, name)
        raw = io.FileIO(number, "r" if number == 0 else "w", closefd=False)
        raw.name = f"<{name}>"
        stream: typing.Any = io.TextIOWrapper(
            io.BufferedReader(raw) if number == 0 else io.BufferedWriter(raw),
            encoding=before.encoding,
            errors=before.errors,
            newline=None if number == 0 else "\n",
            line_buffering=number == 2 or raw.isatty(),
        )
        stream.mode = raw.mode[0]
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _find_arguments() -> tuple[int, int]:
    """Where this process's arguments lie in memory, and how many bytes they have (proc_pid_stat(5), 48 and 49)."""
    fields = pathlib.Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
    return int(fields[45]), int(fields[46]) - int(fields[45])


def _set_arguments(place: tuple[int, int], arguments: list[str]) -> None:
    """What others read of them. Without CAP_SYS_RESOURCE they end with empty ones."""
    start, room = place
    text = b"".join(os.fsencode(one) + b"\0" for one in arguments)
    assert len(text) <= room, "the arguments are longer than those of the process that becomes the command"
    ctypes.memset(start, 0, room)
    ctypes.memmove(start, text, len(text))
    _C.prctl(*map(ctypes.c_long, (_PR_SET_MM, _PR_SET_MM_ARG_END, start + len(text), 0, 0)))


if __name__ == "__main__":
    main()
