"""Free ports on loopback."""

import pathlib
import random
import socket

_LOWEST, _BLOCK = 15_000, 256
_left: list[int] = []
"""Of the blocks that are this process's own; none of them was given yet."""


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of 127.0.0.1 that nothing listens on now.

    The kernel gives it to nobody by itself: one of those that it gives to clients, or to who asks for port 0, could be
    taken before the test's server has it. None is returned twice, nor to tests that another process runs.
    """
    while True:
        if not _left:
            _left.extend(_claim_block())
        port = _left.pop()
        if _is_free(port, kind):
            return port


def _claim_block() -> list[int]:
    """Ports that no other process with tests uses, until this one ends: a name of an abstract socket is taken once
    (unix(7))."""
    for first in _shuffled(range(_LOWEST, _first_of_clients() - _BLOCK, _BLOCK)):
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0daemun-test-ports-{first}")
        except OSError:
            claim.close()
            continue
        claim.detach()  # it stays open
        return _shuffled(range(first, first + _BLOCK))
    raise AssertionError("every block of ports is another process's")


def _shuffled(numbers: range) -> list[int]:
    return random.sample(numbers, len(numbers))


def _first_of_clients() -> int:
    """The lowest port that clients get (ip_local_port_range, ip-sysctl.rst of the kernel)."""
    try:
        first = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        first = 32_768
    return max(first, _LOWEST + 5_000)


def _is_free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
