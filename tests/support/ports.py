"""Free ports on loopback."""

import pathlib
import random
import socket

_LOWEST = 15_000
_given: set[int] = set()


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of 127.0.0.1 that nothing listens on now.

    The kernel gives it to nobody by itself: one of those that it gives to clients, or to who asks for port 0, could be
    taken before the test's server has it. None is returned twice.
    """
    for port in random.sample(range(_LOWEST, _first_of_clients()), 1000):
        if port not in _given and _is_free(port, kind):
            _given.add(port)
            return port
    raise AssertionError("of a thousand ports none is free")


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
