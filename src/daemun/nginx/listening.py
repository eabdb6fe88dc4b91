"""Whether the ports of the gate are free, found out by listening there for a moment."""

import errno
import socket

from daemun.core import model
from daemun.nginx import diagnose, machine


def find_problem(place: model.Address, *, binary: str) -> str | None:
    """Why nginx could not listen there now, and the way out; None: it could. Blocking, milliseconds.

    binary: the nginx that would listen.
    """
    for family, host in _families(place):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As nginx does: a connection that just ended does not hold the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family is socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                probe.bind((host, place.port))
                probe.listen(1)
            except OSError as error:
                address = f"[{host}]:{place.port}" if ":" in host else f"{host}:{place.port}"
                number = error.errno or errno.EIO
                return diagnose.listen_problem(address, number, error.strerror or str(error), binary=binary)
    return None


def _families(place: model.Address) -> tuple[tuple[socket.AddressFamily, str], ...]:
    if place.host is not None:
        return (((socket.AF_INET6 if ":" in place.host else socket.AF_INET), place.host),)
    both = ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::"))  # noqa: S104 - nginx listens there, too
    return both if machine.has_ipv6() else both[:1]
