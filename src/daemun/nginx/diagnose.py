"""What nginx's words and the system's errors say about the machine, in words that a person can act on.

nginx prints an error's number beside the C library's text; the text differs between libraries, so only the number
is looked at.
"""

import dataclasses
import errno
import os
import re
import shlex

import psutil

from daemun import errors
from daemun.core import layout as layout_

FULL = (errno.ENOSPC, errno.EDQUOT)

_LINE = re.compile(
    r"(?:nginx: |\d{4}/\d\d/\d\d \d\d:\d\d:\d\d )\[(?P<level>[a-z]+)\] (?:(?P<pid>\d+)#\d+: )?(?:\*\d+ )?(?P<words>.*)"
)
_LISTEN = re.compile(
    r"(?:socket\(\)|bind\(\) to|listen\(\) to) (?P<address>.+?)(?:, backlog \d+)? failed \((?P<errno>\d+): [^)]*\)"
)
_FAILED = re.compile(r'\w+\(\) "(?P<path>[^"]*)" failed \((?P<errno>\d+): [^)]*\)')
_NUMBER = re.compile(r" failed \((\d+): ")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of nginx's error log. level: "emerg", "warn", ... pid: who wrote it; None when it does not say."""

    level: str
    words: str
    pid: int | None = None

    @property
    def is_retried(self) -> bool:
        """nginx tries five times to get a port that is taken, 0.5 s apart, and then says "still could not bind()"."""
        match = _LISTEN.match(self.words)
        return match is not None and int(match["errno"]) == errno.EADDRINUSE


def parse_lines(text: str) -> tuple[Line, ...]:
    """The lines of an error log, or of nginx's standard error; what has another form is left out. Pure."""
    found = (_LINE.fullmatch(line) for line in text.splitlines())
    return tuple(
        Line(level=match["level"], words=match["words"], pid=int(match["pid"]) if match["pid"] else None)
        for match in found
        if match
    )


def join_emergencies(text: str) -> str:
    """nginx's reasons to refuse, each once, without time and process; the whole text when it has no such line. Pure."""
    words = dict.fromkeys(line.words for line in parse_lines(text) if line.level == "emerg")
    return "\n".join(words) or text.strip()


def machine_problem(text: str, *, binary: str, layout: layout_.Layout, own: frozenset[int] = frozenset()) -> str | None:
    """Why the machine, not the configuration, made nginx fail, and the way out; None when the text tells of none.

    Looks up who holds a port that is taken; own: the processes of the nginx that runs. Blocking, some 10 ms then.
    """
    for line in parse_lines(text):
        if line.level in ("emerg", "alert", "crit"):
            problem = _listen_problem(line.words, binary, own) or _file_problem(line.words, layout)
            if problem:
                return problem
    return None


def os_problem(doing: str, error: OSError) -> errors.EnvironmentProblemError:
    """The error "cannot DOING: cause; way out" for a failed call of the system. Pure."""
    place = error.filename if isinstance(error.filename, str) else None
    named = f"{place}: " if place and place not in doing else ""
    way = _way_out(error.errno, place)
    return errors.EnvironmentProblemError(f"cannot {doing}: {named}{error.strerror or error}{way}")


def _way_out(number: int | None, place: str | None) -> str:
    if number in FULL:
        return "; free some space on that disk (`df -h` shows it), nothing that runs was changed"
    if number in (errno.EACCES, errno.EPERM):
        return f"; run daemun as the owner of {place or 'the state directory'}, or choose another one with --state DIR"
    if number == errno.EROFS:
        return "; choose a state directory that can be written with --state DIR"
    return ""


def _listen_problem(words: str, binary: str, own: frozenset[int]) -> str | None:
    match = _LISTEN.match(words)
    if match is None:
        return None
    return listen_problem(match["address"], int(match["errno"]), words, binary=binary, own=own)


def listen_problem(address: str, number: int, words: str, *, binary: str, own: frozenset[int] = frozenset()) -> str:
    """Why nginx, or whoever tried it, cannot listen on an address ("0.0.0.0:80"), and the way out. Blocking, 10 ms.

    number: the error's. words: what was said, for an error that is not known here. own: as in `machine_problem`.
    """
    if number == errno.EADDRINUSE:
        return f"cannot listen on {address}: {_taken_by(address, own)}"
    if number in (errno.EACCES, errno.EPERM):
        return _no_right(address, binary)
    if number == errno.EADDRNOTAVAIL:
        return (
            f"cannot listen on {address}: this machine has no such address now; "
            "give one that it has (`ip address` shows them), or a port alone, under `listen:`"
        )
    if number == errno.EAFNOSUPPORT:
        return (
            f"cannot listen on {address}: this machine's IPv6 is switched off; "
            'give IPv4 addresses under `listen:`, for example `listen: {http: "0.0.0.0:80", https: "0.0.0.0:443"}`'
        )
    return f"cannot listen on {address}: {words}"


def _no_right(address: str, binary: str) -> str:
    port = address.rpartition(":")[2]
    # nginx names the first port that it may not use; with 443 the next one would be 80.
    lowest = str(min(int(port), 80)) if port.isdigit() else "80"
    return (
        f"cannot listen on {address}: this account has no right to use port {port}; "
        "run daemun as root, "
        f"or allow low ports to everyone with `sudo sysctl net.ipv4.ip_unprivileged_port_start={lowest}`, "
        f"or to this nginx with `sudo setcap cap_net_bind_service=+ep {shlex.quote(binary)}`, "
        "or choose other ports under `listen:`, for example `listen: {http: 8080, https: 8443}`"
    )


def _taken_by(address: str, own: frozenset[int]) -> str:
    port = address.rpartition(":")[2]
    way = "; stop that program, or give another port under `listen:`"
    if address.startswith("unix:") or not port.isdigit():
        return "it is in use by another program" + way
    pids = _holders(int(port))
    if pids and pids <= own:
        return (
            "daemun's own nginx holds the port under another address, and cannot exchange a single address for all of "
            "them, or back, while it runs; run `daemun stop` and `daemun up`, or give another port under `listen:`"
        )
    names = ", ".join(f"{_program(pid)} (pid {pid})" for pid in sorted(pids - own))
    return f"the port is taken by {names or 'a program of another account'}{way}"


def _holders(port: int) -> frozenset[int]:
    """The processes that listen on a TCP port, as far as this account may know."""
    try:
        listening = psutil.net_connections(kind="tcp")
    except psutil.Error:
        return frozenset()
    held = (found.pid for found in listening if found.status == psutil.CONN_LISTEN and found.laddr[1:] == (port,))
    return frozenset(pid for pid in held if pid is not None)


def _program(pid: int) -> str:
    try:
        return psutil.Process(pid).name()
    except psutil.Error:
        return "a program that just ended"


def _file_problem(words: str, layout: layout_.Layout) -> str | None:
    match = _FAILED.search(words)
    if match:
        number, path = int(match["errno"]), match["path"]
        if number in FULL or (_is_ours(path, layout) and number in (errno.EACCES, errno.EPERM, errno.EROFS)):
            return f"cannot write {path}: {os.strerror(number)}{_way_out(number, path)}"
    number_only = _NUMBER.search(words)
    number = int(number_only[1]) if number_only else 0
    if number in FULL:
        return f"cannot run nginx: {words}{_way_out(number, None)}"
    if number in (errno.EMFILE, errno.ENFILE):
        return f"cannot run nginx: {words}; raise the limit of open files (`ulimit -n`, `LimitNOFILE=` with systemd)"
    if words.startswith(("getpwnam(", "getgrnam(")):
        return f"cannot run nginx: {words}; create that account, or name another one as `user:`"
    return None


def _is_ours(path: str, layout: layout_.Layout) -> bool:
    return path.startswith((f"{layout.run}/", f"{layout.logs}/"))
