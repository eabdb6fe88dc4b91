"""A network of the test's own: every port is free, and addresses of the internet are this machine's.

    with own_network.own_network("8.8.4.4", "2606:4700::99") as network:
        ...

The calling thread, and what it starts, are in a network namespace (network_namespaces(7)) whose loopback has these
addresses besides 127.0.0.1 and ::1. Nothing leaves it.
"""

import collections.abc
import contextlib
import ctypes
import os
import subprocess

from tests.support import binaries

SILENT = "9.9.9.9"
"""An address that never answers, as behind a firewall."""
SILENT_V6 = "2620:fe::9"
NO_WAY = "5.6.7.8"
"""An address that the network knows no way to."""

_CLONE_NEWNET = 0x40000000
"""Source: linux/sched.h"""


@contextlib.contextmanager
def own_network(*addresses: str) -> collections.abc.Iterator[None]:
    """Be in it until the block ends. Skips the test without root."""
    binaries.needs_root("a network of its own")
    ip = binaries.program("ip", "iproute2")
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        leave()
        _make(ip, addresses)
        yield
    finally:
        _check(_library().setns(before, _CLONE_NEWNET))
        os.close(before)


def leave() -> None:
    """The calling thread is alone in a new network, in which nothing is up."""
    _check(_library().unshare(_CLONE_NEWNET))


def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _make(ip: str, addresses: tuple[str, ...]) -> None:
    """What is sent to the silent addresses ends at a network card that is not meant, at the other end of a cable."""
    lines = ["link set lo up", "link add cable0 type veth peer name cable1", "link set cable0 up", "link set cable1 up"]
    lines += [f"addr add {address}/{128 if ':' in address else 32} dev lo" for address in addresses]
    for address in (SILENT, SILENT_V6):
        lines += [f"route add {address} dev cable0", f"neigh add {address} lladdr 02:00:00:00:00:99 dev cable0"]
    for line in lines:
        subprocess.run([ip, *line.split()], check=True, capture_output=True)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
