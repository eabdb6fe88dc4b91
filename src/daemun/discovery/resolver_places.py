"""The addresses on which the responder listens: the one in nginx's new configuration, and, while old workers may query
it, the high port of an earlier daemun, which any other account could take."""

import asyncio
import collections.abc
import os
import typing

import structlog

from daemun import errors
from daemun.control import ports
from daemun.discovery import responder, responder_sockets

_PLACE_KEY = "discovery/place"
"""The privileged place of the last start."""
_PORT_KEY = "discovery/port"
"""A port of 127.0.0.1 that nginx was configured with, by a daemun without the right to privileged ports, or before they
were used."""
LOOK_EVERY_S = 5.0
SECURITY = "docs/SECURITY.md"

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class ResponderClients(typing.Protocol):
    """The users of the responder. Both block for milliseconds."""

    def list_workers(self) -> frozenset[tuple[int, int]]:
        """Every worker of nginx that lives, also those that only finish connections: process number and start."""

    def is_named(self, address: str) -> bool:
        """Whether the configuration that nginx has, or would be started with, names an address."""


class ResolverPlaces:
    """seed: what the address follows from, the state directory's path. clients: None: there are none at the start."""

    def __init__(
        self, store: ports.Store, answering: responder.Responder, *, seed: str, clients: ResponderClients | None
    ) -> None:
        self._store = store
        self._responder = answering
        self._seed = seed
        self._clients = clients
        self._old_workers: frozenset[tuple[int, int]] = frozenset()
        self._place: responder_sockets.LoopbackAddress | None = None
        self._earlier: responder_sockets.LoopbackAddress | None = None
        self._is_earlier_lost = False
        self._store_failure: str | None = None
        self._next_look = 0.0

    @property
    def address(self) -> str:
        """Where nginx is to query, "127.77.3.9:36". Only after `start`."""
        assert self._place is not None
        return str(self._place)

    async def start(self) -> None:
        """Listen. Raises: EnvironmentProblemError."""
        last, last_port = await asyncio.to_thread(lambda: (_read_place(self._store), _read_port(self._store)))
        bound = responder_sockets.bind_privileged(self._seed, last)
        if bound is None:
            bound = responder_sockets.bind_any(last_port)
            await self._write(_PORT_KEY, str(bound.place.port), was=None if last_port is None else str(last_port))
        else:
            await self._write(_PLACE_KEY, str(bound.place), was=None if last is None else str(last))
            await self._listen_earlier(last_port)
        self._place = bound.place
        await self._responder.listen(bound)

    async def leave_unused(self, now: float) -> None:
        """Leave an earlier daemun's port once nginx's configuration names it no more and its old workers are gone."""
        if self._earlier is None or now < self._next_look:
            return
        self._next_look = now + LOOK_EVERY_S
        if await asyncio.to_thread(self._is_used, self._earlier):
            return
        if not self._is_earlier_lost:
            self._responder.leave(self._earlier)
        self._earlier = None
        try:
            await asyncio.to_thread(self._store.delete, _PORT_KEY)
        except errors.EnvironmentProblemError as error:  # the next start listens there in vain, and tries again
            self._store_failure = str(error)

    def problems(self) -> collections.abc.Iterator[str]:
        if self._store_failure is not None:
            yield self._store_failure
        if self._place is not None and self._place.port >= 1024 and os.geteuid() == 0:
            yield (
                f"nginx asks daemun for the addresses of servers on {self._place}, a port that any account of this "
                "machine can take while daemun is down, and so lead requests elsewhere: daemun runs as root without "
                f"the right CAP_NET_BIND_SERVICE; add it to the unit or to `docker run --cap-add` ({SECURITY})"
            )
        if self._earlier is not None and self._is_earlier_lost:
            yield (
                f"another program holds {self._earlier}, where old workers of nginx still ask for the addresses of "
                "servers, and may lead their requests elsewhere; find it with "
                f"`ss --listening --udp --processes sport = :{self._earlier.port}`, and end the old workers with "
                "`daemun stop`, then `daemun up`"
            )

    async def _listen_earlier(self, port: int | None) -> None:
        if port is None:
            return
        self._earlier = responder_sockets.LoopbackAddress(host=responder_sockets.HOST, port=port)
        if self._clients is not None:
            self._old_workers = await asyncio.to_thread(self._clients.list_workers)
        try:
            await self._responder.listen(responder_sockets.bind(self._earlier))
        except OSError:
            self._is_earlier_lost = True
            for problem in self.problems():
                log.warning(problem)

    def _is_used(self, place: responder_sockets.LoopbackAddress) -> bool:
        if self._clients is None:
            return False
        return self._clients.is_named(str(place)) or not self._old_workers.isdisjoint(self._clients.list_workers())

    async def _write(self, key: str, value: str, *, was: str | None) -> None:
        """A full disk costs a reload at the next start, at most."""
        if value == was:
            return
        try:
            await asyncio.to_thread(self._store.write, key, value.encode())
        except errors.EnvironmentProblemError as error:
            self._store_failure = str(error)


def read_address(store: ports.Store) -> str | None:
    """The address of the last start, for those who look without a daemon; None: there was none."""
    place, port = _read_place(store), _read_port(store)
    if place is None and port is not None:
        place = responder_sockets.LoopbackAddress(host=responder_sockets.HOST, port=port)
    return str(place) if place is not None else None


def _read_place(store: ports.Store) -> responder_sockets.LoopbackAddress | None:
    try:
        return responder_sockets.parse(store.read(_PLACE_KEY).decode("ascii"))
    except (errors.NotFoundInStoreError, errors.EnvironmentProblemError, ValueError):
        return None


def _read_port(store: ports.Store) -> int | None:
    try:
        port = int(store.read(_PORT_KEY))
    except (errors.NotFoundInStoreError, errors.EnvironmentProblemError, ValueError):
        return None
    return port if 1024 <= port < 65536 else None
