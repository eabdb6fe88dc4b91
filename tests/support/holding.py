"""A rendered gate with a waiting room behind it, and a DNS responder for its pools: all real, in one process."""

import asyncio
import collections
import collections.abc
import contextlib
import dataclasses
import pathlib
import select
import socket
import ssl
import struct
import typing

import httpx

from daemun.core import model
from daemun.core.services import dns_services, hold_policy
from daemun.discovery import endpoints
from daemun.hold import hold_app, hold_limits, hold_queue
from daemun.nginx import worker_account
from daemun.store import memory_store
from daemun.web import socket_server
from tests.support import clients, rendered, upstreams

_CONNECTED = "03"
"""In /proc/net/unix: SS_CONNECTED."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """gate: where visitors come in. desired: what it serves. error_log: nginx's. socket: of the held requests."""

    gate: clients.GateAddress
    queue: hold_queue.HoldQueue
    discovery: endpoints.Discovery
    desired: model.Desired
    error_log: pathlib.Path
    socket: pathlib.Path

    async def publish(self, *pools: model.Pool) -> None:
        await self.discovery.publish(dns_services.find_services(self.desired), pools)

    async def ask(
        self,
        method: str,
        url: str,
        *,
        content: bytes = b"",
        headers: dict[str, str] | None = None,
        within_s: float = 60,
    ) -> httpx.Response:
        """One request on a connection of its own."""
        target = httpx.URL(url)
        sent = {"Host": target.host, **(headers or {})}
        verify = clients.trust(self.gate.ca) if target.scheme == "https" else False
        async with httpx.AsyncClient(trust_env=False, timeout=within_s, verify=verify) as client:
            there = target.copy_with(host=clients.LOOPBACK, port=self.gate.port(target.scheme))
            extensions = {"sni_hostname": target.host}
            return await client.request(method, there, content=content, headers=sent, extensions=extensions)

    async def ask_and_leave(self, url: str) -> None:
        """A visitor who leaves while the request waits, when nobody else does."""
        asking = asyncio.create_task(self.ask("GET", url))
        await self.until_waiting(1)
        await _end([asking])
        await self.until_waiting(0)

    def failures(self) -> int:
        """How often nginx could not hand a request to a server."""
        return self.error_log.read_text().count("[error]")

    def questions(self) -> int:
        """How many connections nginx has to the waiting room."""
        lines = pathlib.Path("/proc/net/unix").read_text().splitlines()
        fields = (line.split() for line in lines if line.endswith(f" {self.socket}"))
        return sum(state == _CONNECTED for _, _, _, _, _, state, *_ in fields)

    async def until_waiting(self, count: int) -> None:
        await upstreams.eventually(lambda: self.queue.counts()[0] == count)


@contextlib.asynccontextmanager
async def house(
    *sites: model.Site,
    limits: hold_limits.HoldLimits | None = None,
    pools: tuple[model.Pool, ...] = (),
    own_blocks: int = 200,
    settings: model.Globals | None = None,
) -> collections.abc.AsyncIterator[House]:
    """nginx with these sites on plain HTTP and HTTPS, and everything they need of the daemon.

    own_blocks: as in the Environment.
    """
    desired = model.Desired(globals=settings or model.Globals(), sites=sites)
    async with contextlib.AsyncExitStack() as stack:
        discovery = endpoints.Discovery(memory_store.MemoryStore())
        await discovery.start()
        stack.push_async_callback(discovery.stop)
        await discovery.publish(dns_services.find_services(desired), pools)
        under_test = hold_queue.HoldQueue(discovery.endpoints, limits)
        under_test.publish(hold_policy.find_waits(desired))
        starting = contextlib.ExitStack()
        stack.push_async_callback(asyncio.to_thread, starting.close)
        running = await asyncio.to_thread(
            starting.enter_context,
            rendered.running(*sites, settings=settings, resolver=discovery.address, workers=1, own_blocks=own_blocks),
        )
        chosen = worker_account.choose(None)
        path = pathlib.Path(running.layout.hold_socket)
        serving = socket_server.serve(
            lambda: hold_app.create_app(under_test, str(path)), path, group=chosen.gid if chosen else None
        )
        tasks = [asyncio.create_task(serving), asyncio.create_task(under_test.run())]
        stack.push_async_callback(_end, tasks)
        await upstreams.eventually(path.exists)
        yield House(
            gate=running.clients,
            queue=under_test,
            discovery=discovery,
            desired=desired,
            error_log=pathlib.Path(running.layout.logs, "error.log"),
            socket=path,
        )


async def _end(tasks: collections.abc.Sequence[asyncio.Task[typing.Any]]) -> None:
    """The last one first, as the daemon does."""
    for task in reversed(tasks):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def closing(port: int) -> collections.abc.AsyncIterator[None]:
    """Accepts every connection and closes it at once."""

    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(close, "127.0.0.1", port):
        yield


@dataclasses.dataclass(slots=True, kw_only=True)
class Ending:
    """A server that ends while it serves, as a process does that ends at once: it takes no connection any more, and the
    one that asked is reset, or closed, after a few bytes or none. Connections without a request do not end it.

    answers: to the requests before the last one. said: to the last one. seen: method and path of every request.
    is_over: set when it has ended.
    """

    answers: collections.abc.Iterator[bytes]
    said: bytes
    is_reset: bool
    seen: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    is_over: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    close: collections.abc.Callable[[], None] = lambda: None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                method, path, _ = (await reader.readuntil(b"\r\n\r\n")).decode().split(" ", 2)
                self.seen[f"{method} {path}"] += 1
                answer = next(self.answers, None)
                if answer is None:
                    await self._end(writer)
                    break
                writer.write(answer)
        writer.close()

    async def _end(self, writer: asyncio.StreamWriter) -> None:
        self.close()
        writer.write(self.said)
        await writer.drain()
        if self.is_reset:
            # What lingers for 0 s is reset (socket(7)).
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        self.is_over.set()


@contextlib.asynccontextmanager
async def ending(
    port: int,
    *,
    answers: collections.abc.Sequence[bytes] = (),
    said: bytes = b"",
    is_reset: bool = True,
    context: ssl.SSLContext | None = None,
) -> collections.abc.AsyncIterator[Ending]:
    under_way = Ending(answers=iter(answers), said=said, is_reset=is_reset)
    server = await asyncio.start_server(under_way.serve, "127.0.0.1", port, ssl=context)
    under_way.close = server.close
    try:
        yield under_way
    finally:
        server.close()


@contextlib.asynccontextmanager
async def unread(place: int | pathlib.Path) -> collections.abc.AsyncIterator[collections.abc.Callable[[], int]]:
    """Takes connections to a port or a unix socket and never reads them; at the end the kernel resets them all. Yields
    a function that counts the requests that came."""
    if isinstance(place, int):
        listener = socket.create_server(("127.0.0.1", place))
    else:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(place))
        listener.listen()
        place.chmod(0o777)
    listener.setblocking(False)
    taken: list[socket.socket] = []

    async def take() -> None:
        while True:
            connection, _ = await asyncio.get_running_loop().sock_accept(listener)
            taken.append(connection)

    def count() -> int:
        return len(select.select(taken, [], [], 0)[0])

    taking = asyncio.create_task(take())
    try:
        yield count
    finally:
        await _end([taking])
        for one in (listener, *taken):
            one.close()
        if isinstance(place, pathlib.Path):
            place.unlink()
