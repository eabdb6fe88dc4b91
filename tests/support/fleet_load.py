"""Visitors of every node of a fleet, in a process for a machine of `fleet_network`; and the server behind the nodes.

    python -m tests.support.fleet_load ADDRESS PORT       the server
    python -m tests.support.fleet_load FORM               visitors; FORM: JSON, of `Form`

Each failure of a request, and each WebSocket that ends, is kept with its node. A node that is down has no visitors: who
tests it says so before, and says when it is up again.
"""

import asyncio
import collections
import collections.abc
import contextlib
import dataclasses
import json
import ssl
import subprocess
import sys
import time
import typing

import uvicorn
import websockets.asyncio.client
from starlette import applications, requests, responses, routing
from starlette import websockets as served_websockets

from tests.support import fleet_network

_PATIENCE_S = 120.0
"""With one answer, beside whatever else this machine does."""
_AT_ONCE = 10
"""Handshakes of WebSockets."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """nodes: name -> address. ca: PEM of the roots. sockets, visitors: of each node."""

    nodes: dict[str, str]
    host: str
    ca: str
    sockets: int
    visitors: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Of one node since the beginning. repeated: on another connection, as the server had closed the one that was kept
    for them. failed: cause -> how often. dropped: of WebSockets. open: of them, now."""

    answered: int
    repeated: int
    failed: dict[str, int]
    dropped: dict[str, int]
    open: int
    echoed: int


class Visitors:
    """The process of visitors, from outside. For one thread."""

    def __init__(self, machine: fleet_network.Machine, form: Form) -> None:
        with (machine.folder / "load.log").open("ab") as log:
            text = json.dumps(dataclasses.asdict(form))
            self._process = machine.python(
                __name__, text, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self._log = machine.folder / "load.log"

    def up(self, name: str) -> None:
        """The node is to answer from now on. Returns when all its visitors are there."""
        self._tell("up", name)

    def down(self, name: str) -> None:
        """It need not answer any more."""
        self._tell("down", name)

    def seen(self) -> dict[str, Seen]:
        return {name: Seen(**found) for name, found in self._tell("seen", "").items()}

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _tell(self, what: str, name: str) -> typing.Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([what, name]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, self._log.read_text()[-2000:]
        found = json.loads(answer)
        assert "error" not in found, found["error"]
        return found


# --- the process ---------------------------------------------------------------------------------------------------


class _ClosedError(EOFError):
    """In place of an answer."""


class _Node:
    def __init__(self, form: Form, name: str) -> None:
        self._form = form
        self._address = form.nodes[name]
        self._name = name
        self._context = ssl.create_default_context(cafile=form.ca)
        self._tasks: list[asyncio.Task[None]] = []
        self._handshakes = asyncio.Semaphore(_AT_ONCE)
        self._sockets: set[websockets.asyncio.client.ClientConnection] = set()
        self.answered = self.repeated = self.echoed = 0
        self.failed: collections.Counter[str] = collections.Counter()
        self.dropped: collections.Counter[str] = collections.Counter()

    async def up(self) -> None:
        async with asyncio.timeout(2 * _PATIENCE_S):
            while True:
                with contextlib.suppress(OSError, EOFError, ValueError, AssertionError, TimeoutError):
                    await self._visit_once()
                    break
                await asyncio.sleep(0.1)
            keeping, once = [True] * self._form.visitors, [False]
            self._tasks = [asyncio.create_task(self._visit(is_keeping)) for is_keeping in keeping + once]
            self._tasks += [asyncio.create_task(self._talk(number)) for number in range(self._form.sockets)]
            while len(self._sockets) < self._form.sockets:
                for task in self._tasks:
                    if task.done():
                        task.result()
                await asyncio.sleep(0.05)

    async def down(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        for one in self._sockets:
            one.transport.abort()
        self._sockets.clear()

    def seen(self) -> Seen:
        return Seen(
            answered=self.answered,
            repeated=self.repeated,
            failed=dict(self.failed),
            dropped=dict(self.dropped),
            open=len(self._sockets),
            echoed=self.echoed,
        )

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._address, 443, ssl=self._context, server_hostname=self._form.host)

    async def _visit_once(self) -> None:
        async with asyncio.timeout(_PATIENCE_S):
            reader, writer = await self._connect()
            try:
                await self._ask(reader, writer)
            finally:
                writer.close()

    async def _visit(self, is_keeping: bool) -> None:
        """As a browser, which connects anew where the server closed a connection that was idle, also when the request
        was on its way then (RFC 9112 section 9.3.1)."""
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while True:
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    is_new = connection is None or connection[0].at_eof()
                    if connection is None or is_new:
                        connection = await self._connect()
                    is_left_open = await self._ask(*connection)
                self.answered += 1
            except (OSError, EOFError, ValueError, AssertionError, TimeoutError) as error:
                is_left_open = False
                if isinstance(error, _ClosedError) and not is_new:
                    self.repeated += 1
                    connection = None
                    continue
                self.failed[f"{time.strftime('%T')} {error!r}"] += 1
            if connection is not None and not (is_keeping and is_left_open):
                connection[1].close()
                connection = None
            await asyncio.sleep(0.2 if is_keeping else 0.5)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Returns: whether the connection can be used again."""
        writer.write(f"GET / HTTP/1.1\r\nHost: {self._form.host}\r\n\r\n".encode())
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        except (ConnectionResetError, BrokenPipeError) as error:
            raise _ClosedError from error
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise
            raise _ClosedError from error
        length = int(head.partition("content-length:")[2].split("\r\n")[0])
        body = await reader.readexactly(length)
        assert head.startswith("http/1.1 200"), f"{head.splitlines()[0]}: {body[:80]!r}"
        return "connection: close" not in head

    async def _talk(self, number: int) -> None:
        try:
            async with self._handshakes:
                connection = await websockets.asyncio.client.connect(
                    f"wss://{self._form.host}/socket/",
                    host=self._address,
                    port=443,
                    ssl=self._context,
                    server_hostname=self._form.host,
                    proxy=None,
                    ping_interval=None,
                    open_timeout=_PATIENCE_S,
                )
        except (OSError, websockets.exceptions.WebSocketException) as error:
            self.failed[f"{time.strftime('%T')} WebSocket: {error!r}"] += 1
            raise
        self._sockets.add(connection)
        try:
            for count in range(10**9):
                text = f"{self._name} {number} {count}"
                async with asyncio.timeout(_PATIENCE_S):
                    await connection.send(text)
                    assert await connection.recv() == text
                self.echoed += 1
                # Each at another time, and idle in between.
                await asyncio.sleep(3 + number % 50 / 10)
        except (OSError, websockets.exceptions.WebSocketException, AssertionError) as error:
            self._sockets.discard(connection)
            self.dropped[f"{time.strftime('%T')} {error!r}"] += 1


async def _visit_all(form: Form) -> None:
    nodes = {name: _Node(form, name) for name in form.nodes}
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        what, name = json.loads(line)
        answer: dict[str, object] = {}
        try:
            if what == "seen":
                answer = {name: dataclasses.asdict(node.seen()) for name, node in nodes.items()}
            else:
                await (nodes[name].up() if what == "up" else nodes[name].down())
        except (Exception, asyncio.CancelledError) as error:
            answer = {"error": f"{what} {name}: {error!r}; {nodes[name].seen()}"}
        print(json.dumps(answer), flush=True)


async def _answer(_: requests.Request) -> responses.Response:
    return responses.PlainTextResponse("served")


async def _echo(socket: served_websockets.WebSocket) -> None:
    await socket.accept()
    with contextlib.suppress(served_websockets.WebSocketDisconnect):
        while True:
            await socket.send_text(await socket.receive_text())


def _serve(address: str, port: int) -> None:
    app = applications.Starlette(
        routes=[routing.WebSocketRoute("/socket/", _echo), routing.Route("/{path:path}", _answer)]
    )
    uvicorn.run(
        app,
        host=address,
        port=port,
        ws="websockets-sansio",
        ws_ping_interval=None,
        timeout_keep_alive=3600,
        log_level="warning",
    )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        _serve(sys.argv[1], int(sys.argv[2]))
    else:
        asyncio.run(_visit_all(Form(**json.loads(sys.argv[1]))))
