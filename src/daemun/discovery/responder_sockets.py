"""Where nginx's questions are listened to: UDP and TCP on one port of loopback.

Whoever holds that port decides where requests go, and while daemun is down it is free. So it is a port that no
other account may take, if daemun may: below 1024 (ip(7), net.ipv4.ip_unprivileged_port_start), on an address of
127.0.0.0/8 that follows from the state directory, so that several daemuns on one machine do not meet. Without that
right it is a high port of 127.0.0.1, which any account of the machine can take while daemun is down (SECURITY.md).
"""

import collections.abc
import dataclasses
import errno
import hashlib
import socket

from daemun import errors

HOST = "127.0.0.1"
PORTS = (36, 34, 32, 30, 28, 26)
"""Unassigned (IANA, Service Name and Transport Protocol Port Number Registry), and below 53 and 80, at which machines
that let every account have web or DNS ports set ip_unprivileged_port_start."""
UDP_BYTES = 512
"""The largest answer without EDNS (RFC 1035 section 4.2.1). nginx does not speak EDNS."""
TCP_BYTES = 65535
_RECEIVE_BUFFER_BYTES = 1 << 20
_ATTEMPTS = 50
_TAKEN = {errno.EADDRINUSE, errno.EACCES, errno.EPERM, errno.EADDRNOTAVAIL}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LoopbackAddress:
    """An address and port of loopback. host: of 127.0.0.0/8."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BoundSockets:
    """The two sockets of a place; not blocking."""

    place: LoopbackAddress
    udp: socket.socket
    tcp: socket.socket

    def close(self) -> None:
        self.udp.close()
        self.tcp.close()


def parse(text: str) -> LoopbackAddress | None:
    """The opposite of str(); None: it is none."""
    host, _, port = text.partition(":")
    return LoopbackAddress(host=host, port=int(port)) if host.startswith("127.") and port.isdecimal() else None


def privileged_places(seed: str) -> collections.abc.Iterator[LoopbackAddress]:
    """In the order to try, always the same for a seed. The last ones do where loopback has a single address. Pure."""
    for attempt in range(_ATTEMPTS):
        digest = hashlib.blake2b(f"{seed}\0{attempt}".encode(), digest_size=3).digest()
        # From 127.16.0.1 on: the addresses before are those that people and distributions choose.
        host = f"127.{16 + digest[0] % 239}.{digest[1]}.{1 + digest[2] % 254}"
        yield LoopbackAddress(host=host, port=PORTS[attempt % len(PORTS)])
    for port in PORTS:
        yield LoopbackAddress(host=HOST, port=port)


def bind_privileged(seed: str, last: LoopbackAddress | None = None) -> BoundSockets | None:
    """The place of the last start if it is free, else the first free one of the seed's; None: daemun lacks the right.

    Raises: EnvironmentProblemError when there is no loopback.
    """
    first = [last] if last is not None and last.port < 1024 else []
    for place in (*first, *privileged_places(seed)):
        try:
            return bind(place)
        except PermissionError:
            return None
        except OSError as error:
            _refuse_unless_taken(error)
    return None


def bind_any(last_port: int | None) -> BoundSockets:
    """A port of 127.0.0.1: the last one, else one that the kernel gives. Raises: EnvironmentProblemError."""
    for port in ([] if last_port is None else [last_port]) + [0] * _ATTEMPTS:
        try:
            return bind(LoopbackAddress(host=HOST, port=port))
        except OSError as error:
            _refuse_unless_taken(error)
    raise errors.EnvironmentProblemError(
        f'cannot listen on "{HOST}" for the questions of nginx: no port is free for UDP and TCP; '
        "end programs that hold many ports"
    )


def bind(place: LoopbackAddress) -> BoundSockets:
    """Port 0: one that the kernel gives. Raises: OSError."""
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        tcp.setblocking(False)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # else connections in TIME_WAIT hold the port
        tcp.bind((place.host, place.port))
        udp.setblocking(False)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        udp.bind(tcp.getsockname())
        tcp.listen()
    except BaseException:
        tcp.close()
        udp.close()
        raise
    return BoundSockets(place=LoopbackAddress(host=place.host, port=udp.getsockname()[1]), udp=udp, tcp=tcp)


def _refuse_unless_taken(error: OSError) -> None:
    """Raises: EnvironmentProblemError when no other place would be better."""
    if error.errno not in _TAKEN:
        raise errors.EnvironmentProblemError(
            f'cannot listen on "{HOST}" for the questions of nginx: {error.strerror}; look at the loopback interface'
        ) from error
