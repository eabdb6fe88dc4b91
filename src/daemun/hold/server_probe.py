"""Which servers accept a connection now. The connection is closed at once: nothing is sent."""

import asyncio
import collections.abc
import dataclasses
import ipaddress
import socket

from daemun.core import model
from daemun.core.services import dns_service

CONNECT_S = 1.0
MOST_AT_ONCE = 64


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProbedServer:
    """A server as nginx gets it ("10.0.0.5:80", "[::1]:80", "unix:/run/x:"), and how it is reached."""

    written: str
    address: str | None = None
    port: int = 0
    socket: str | None = None
    backup: bool = False


FindEndpoints = collections.abc.Callable[[str], tuple[model.Endpoint, ...]]


def find_places(wait: dns_service.HeldRoute, find_endpoints: FindEndpoints) -> tuple[ProbedServer, ...]:
    """Every server of a route as it is known now. find_endpoints: service name -> its endpoints."""
    places: list[ProbedServer] = []
    for server in wait.servers:
        if server.socket is not None:
            written = server.written or f"unix:{server.socket}"
            places.append(ProbedServer(written=written, socket=server.socket, backup=server.backup))
        elif server.service is not None:
            places += [_place(endpoint, backup=server.backup) for endpoint in find_endpoints(server.service)]
        elif server.endpoint is not None:
            places.append(_place(server.endpoint, backup=server.backup))
    return tuple(places[:MOST_AT_ONCE])


def _place(endpoint: model.Endpoint, *, backup: bool) -> ProbedServer:
    host = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
    return ProbedServer(
        written=f"{host}:{endpoint.port}",
        address=endpoint.address,
        port=endpoint.port,
        backup=backup or endpoint.backup,
    )


async def find_ready(places: collections.abc.Sequence[ProbedServer]) -> tuple[str, ...]:
    """Those that accept a connection, as nginx gets them; backups only where no other does."""
    accepting = await asyncio.gather(*(accepts(place) for place in places))
    ready = [place for place, is_ready in zip(places, accepting, strict=True) if is_ready]
    chosen = [place for place in ready if not place.backup] or ready
    return tuple(dict.fromkeys(place.written for place in chosen))


async def accepts(place: ProbedServer) -> bool:
    """Whether a connection comes about within CONNECT_S."""
    target: tuple[str, int] | str
    if place.socket is not None:
        family, target = socket.AF_UNIX, place.socket
    else:
        assert place.address is not None
        is_v6 = ipaddress.ip_address(place.address).version == 6
        family, target = (socket.AF_INET6 if is_v6 else socket.AF_INET), (place.address, place.port)
    try:
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.setblocking(False)
            async with asyncio.timeout(CONNECT_S):
                await asyncio.get_running_loop().sock_connect(connection, target)
    except (OSError, TimeoutError):
        return False
    return True
