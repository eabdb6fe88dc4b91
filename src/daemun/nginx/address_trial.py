"""Try addresses before nginx does: a reload that cannot have one of them changes nothing at all."""

import asyncio
import collections.abc
import errno
import os
import socket

from daemun.control import nginx_port
from daemun.core import layout, model
from daemun.core.plan import listeners
from daemun.core.texts import names
from daemun.nginx import error_diagnosis, machine_limits, port_owners, process

_CERTAIN = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""What nginx would meet, too. It may have a right to low ports that daemun lacks (`setcap`), so `nginx -t` is believed
there."""


class AddressTrial(nginx_port.Listening):
    """The addresses of this machine, for the nginx of one state directory."""

    def __init__(self, find_binary: collections.abc.Callable[[], str], paths: layout.Layout) -> None:
        """find_binary: the path of the nginx that is to listen."""
        self._find_binary = find_binary
        self._layout = paths

    async def find_denied(self, addresses: collections.abc.Collection[str]) -> tuple[listeners.Denied, ...]:
        """See nginx_port.Listening."""
        return await asyncio.to_thread(self._find_denied, sorted(addresses)) if addresses else ()

    def _find_denied(self, addresses: collections.abc.Sequence[str]) -> tuple[listeners.Denied, ...]:
        failed = {address: number for address in addresses if (number := try_address(address)) in _CERTAIN}
        if not failed:
            return ()
        master = process.find_master(self._layout)
        own = frozenset(found.pid for found in process.find_family(self._layout))
        return tuple(
            error_diagnosis.deny(address, number, os.strerror(number), binary=self._find_binary(), own=own)
            for address, number in failed.items()
            if not (number == errno.EADDRINUSE and _will_be_ours(address, own, is_running=master is not None))
        )


def find_problem(place: model.Address, *, binary: str) -> str | None:
    """Why nginx, which does not run, could not listen there, and the way out; None: it could. Blocking, milliseconds.

    binary: the nginx that would listen.
    """
    for address in _addresses(place):
        number = try_address(address)
        if number is not None:
            return str(error_diagnosis.deny(address, number, os.strerror(number), binary=binary, own=frozenset()))
    return None


def _addresses(place: model.Address) -> tuple[str, ...]:
    if place.host is not None:
        return (str(place),)
    both = (f"0.0.0.0:{place.port}", f"[::]:{place.port}")  # as nginx does
    return both if machine_limits.has_ipv6() else both[:1]


def _will_be_ours(address: str, own: frozenset[int], *, is_running: bool) -> bool:
    """Whether no program but our nginx holds the address. One that runs hands on what it has under exactly this
    address; what is left of one that was killed makes way before another one starts (`process.start`)."""
    found = port_owners.find(address)
    return bool(found) and all(one.pid in own and (one.address == address or not is_running) for one in found)


def try_address(address: str) -> int | None:
    """The system's error when nginx would bind to an address; None: it could, or the address is not one to be tried.

    As nginx does it (ngx_open_listening_sockets): with SO_REUSEADDR, which passes over connections that wait for their
    end, and IPv6 for itself. Nothing is listened on, so no client is ever taken from another program. Datagrams would
    come to whoever bound last where both allow that, so for these it is tried without.
    """
    is_udp = address.endswith(listeners.UDP)
    host, _, port = address.removesuffix(listeners.UDP).rpartition(":")
    found = names.address_of(host)
    if found is None or not port.isdigit() or getattr(found, "scope_id", None):
        return None
    try:
        family = socket.AF_INET6 if found.version == 6 else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM if is_udp else socket.SOCK_STREAM) as probe:
            if not is_udp:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if found.version == 6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((str(found), int(port)))
    except OSError as error:
        return error.errno
    return None
