"""What nginx's messages and the system's errors mean for the machine, in words that a person can act on.

nginx prints an error's number beside the C library's text; the text differs between libraries, so only the number
is looked at.
"""

import dataclasses
import errno
import os
import re
import shlex

from daemun import errors
from daemun.control import nginx_port
from daemun.core import layout
from daemun.core.plan import listeners
from daemun.nginx import directive_places, port_owners

_CURES = (
    (
        re.compile(r"^nginx was ended by signal"),
        "take out what was changed last of its hand-written nginx, or name another nginx with --nginx PATH: this one, "
        "or a module of it, has a fault",
    ),
    (
        re.compile(r"host not found in"),
        "nginx looks this name up once, when it reads the configuration: correct it, or write an address; it is tried "
        "again by itself now and then",
    ),
    (
        re.compile(r"could not build (?P<table>[a-z_]+_hash), you should increase (?P<setting>[a-z_]+_bucket_size)"),
        "shorten its names, or write a larger `{setting}` as `nginx:` at the top of daemun.yaml",
    ),
    (
        re.compile(r"(?:cannot load certificate|SSL_CTX_use_PrivateKey|SSL_CTX_load_verify|X509_STORE)"),
        "correct the path, or put a certificate and its key there that belong together, in PEM",
    ),
    (
        re.compile(r"\(\) \"[^\"]+\" failed \(2: "),
        "create that file or folder, or correct its path",
    ),
    (
        re.compile(r"\(\) \"[^\"]+\" failed \(13: "),
        "give the account that daemun runs as a right to it",
    ),
)
"""What nginx says of a configuration -> what its owner does about it."""

_OUTSIDE = re.compile(r"host not found in|\(\) \"[^\"]+\" failed \(\d+: |BIO_new_file\(\) failed")

FULL = (errno.ENOSPC, errno.EDQUOT)

_LINE = re.compile(
    r"(?:nginx: |\d{4}/\d\d/\d\d \d\d:\d\d:\d\d )\[(?P<level>[a-z]+)\] (?:(?P<pid>\d+)#\d+: )?(?:\*\d+ )?(?P<words>.*)"
)
_LISTEN = re.compile(
    r"(?:socket\(\)|bind\(\) to|listen\(\) to) (?P<address>.+?)(?:, backlog \d+)? failed \((?P<errno>\d+): [^)]*\)"
)
_UNLINK = re.compile(r"unlink\(\) (?P<path>.+) failed \((?P<errno>\d+): [^)]*\)")
_FAILED = re.compile(r'\w+\(\) "(?P<path>[^"]*)" failed \((?P<errno>\d+): [^)]*\)')
_NUMBER = re.compile(r" failed \((\d+): ")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ErrorLine:
    """One line of nginx's error log. level: "emerg", "warn", ... pid: of the process that wrote it; None when the line
    has none."""

    level: str
    words: str
    pid: int | None = None

    @property
    def is_retried(self) -> bool:
        """nginx tries five times to get a port that is taken, 0.5 s apart, and then writes "still could not bind()"."""
        match = _LISTEN.match(self.words)
        return match is not None and int(match["errno"]) == errno.EADDRINUSE

    @property
    def is_passed_over(self) -> bool:
        """nginx goes on without having deleted the file of a socket that it listens on no more, as when it was deleted
        by another one (ngx_init_cycle, "close the unnecessary listening sockets")."""
        match = _UNLINK.match(self.words)
        return match is not None and int(match["errno"]) == errno.ENOENT


def parse_lines(text: str) -> tuple[ErrorLine, ...]:
    """The lines of an error log, or of nginx's standard error; what has another form is left out. Pure."""
    found = (_LINE.fullmatch(line) for line in text.splitlines())
    return tuple(
        ErrorLine(level=match["level"], words=match["words"], pid=int(match["pid"]) if match["pid"] else None)
        for match in found
        if match
    )


def join_emergencies(text: str) -> str:
    """nginx's reasons to refuse, each once, without time and process; the whole text when it has no such line. Pure."""
    words = dict.fromkeys(line.words for line in parse_lines(text) if line.level == "emerg")
    return "\n".join(words) or text.strip()


def find_cure(message: str) -> str | None:
    """What to do about a configuration that nginx refuses, where its words alone do not show it. Pure."""
    found = ((match, cure) for pattern, cure in _CURES if (match := pattern.search(message)) is not None)
    cure = next((cure.format(**match.groupdict()) for match, cure in found), None)
    return cure or directive_places.find_cure(message)


def may_pass(message: str) -> bool:
    """Whether nginx refuses a configuration for something outside it, which may be there later: a name that could not
    be resolved, or a file. Pure."""
    return _OUTSIDE.search(message) is not None


def machine_problem(
    text: str, *, binary: str, paths: layout.Layout, own: frozenset[int] = frozenset()
) -> errors.EnvironmentProblemError | None:
    """Why the machine, not the configuration, made nginx fail, and the way out; None when the text shows none.

    Looks up who holds a port that is taken; own: the processes of the nginx that runs. Blocking, some 10 ms then.
    """
    for line in parse_lines(text):
        if line.level not in ("emerg", "alert", "crit"):
            continue
        if (match := _LISTEN.match(line.words)) is not None:
            address, number = match["address"], int(match["errno"])
            return nginx_port.ListenError(deny(address, number, line.words, binary=binary, own=own))
        if (problem := _file_problem(line.words, paths)) is not None:
            return errors.EnvironmentProblemError(problem)
    return None


def deny(address: str, number: int, words: str, *, binary: str, own: frozenset[int]) -> listeners.Denied:
    """Why nginx cannot listen on an address. number: the system's error. words: for an error without words here.

    own: the processes of the nginx that runs. Blocking when the address is taken: looks up by which program.
    """
    match number:
        case errno.EADDRINUSE:
            return _taken(address, own)
        case errno.EACCES | errno.EPERM:
            return _no_right(address, binary)
        case errno.EADDRNOTAVAIL:
            return listeners.Denied(
                address=address,
                cause="this machine has no such address now",
                elsewhere="give one that it has (`ip address` shows them), or a port alone, under `listen:`",
            )
        case errno.EAFNOSUPPORT:
            return listeners.Denied(
                address=address,
                cause="this machine's IPv6 is switched off",
                elsewhere="give IPv4 addresses under `listen:`, for example "
                '`listen: {http: "0.0.0.0:80", https: "0.0.0.0:443"}`',
            )
        case _:
            return listeners.Denied(address=address, cause=words)


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


def _no_right(address: str, binary: str) -> listeners.Denied:
    port = address.removesuffix(listeners.UDP).rpartition(":")[2]
    # nginx names the first port that it may not use; with 443 the next one would be 80.
    lowest = str(min(int(port), 80)) if port.isdigit() else "80"
    return listeners.Denied(
        address=address,
        cause=f"this account has no right to use port {port}",
        ways=(
            "run daemun as root",
            f"allow low ports to everyone with `sudo sysctl net.ipv4.ip_unprivileged_port_start={lowest}`",
            f"to this nginx with `sudo setcap cap_net_bind_service=+ep {shlex.quote(binary)}`",
        ),
        elsewhere="choose other ports under `listen:`, for example `listen: {http: 8080, https: 8443}`",
    )


def _taken(address: str, own: frozenset[int]) -> listeners.Denied:
    elsewhere = "give another port under `listen:`"
    if address.startswith("unix:") or not address.removesuffix(listeners.UDP).rpartition(":")[2].isdigit():
        cause, ways = "it is in use by another program", ("stop that program",)
        return listeners.Denied(address=address, cause=cause, ways=ways, elsewhere=elsewhere)
    pids = frozenset(holder.pid for holder in port_owners.find(address) if holder.pid is not None)
    if pids and pids <= own:
        return listeners.Denied(
            address=address,
            cause="daemun's own nginx holds the port under another address, and cannot exchange a single address for "
            "all of them, or back, while it runs",
            ways=("run `daemun stop` and `daemun up`",),
            elsewhere=elsewhere,
        )
    names = ", ".join(f"{port_owners.name(pid)} (pid {pid})" for pid in sorted(pids - own))
    cause = f"the port is taken by {names or 'a program of another account'}"
    return listeners.Denied(address=address, cause=cause, ways=("stop that program",), elsewhere=elsewhere)


def _file_problem(words: str, paths: layout.Layout) -> str | None:
    match = _FAILED.search(words)
    if match:
        number, path = int(match["errno"]), match["path"]
        if number in FULL or (_is_ours(path, paths) and number in (errno.EACCES, errno.EPERM, errno.EROFS)):
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


def _is_ours(path: str, paths: layout.Layout) -> bool:
    return path.startswith((f"{paths.run}/", f"{paths.logs}/"))
