"""A filtering socket proxy in front of an engine, as people put one there: GET of some paths, nothing else.

As a program, `python -m tests.support.docker_proxy`, it stands in for tecnativa/docker-socket-proxy, which no test can
get without a registry: socket and port are where it has them, and the same variables let paths through.
"""

import asyncio
import collections.abc
import contextlib
import os
import pathlib
import re
import ssl

ALLOWED = ("containers", "events", "networks", "version")


_BY_DEFAULT = ("events", "ping", "version")
_ON_DEMAND = ("containers", "images", "info", "networks", "services", "tasks", "volumes")


@contextlib.asynccontextmanager
async def filtering(
    socket: pathlib.Path,
    *,
    allowed: collections.abc.Sequence[str] = ALLOWED,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> collections.abc.AsyncIterator[int]:
    """The port where the proxy listens. allowed: first parts of paths, after the API's version."""
    pattern = re.compile(rf"GET (/v[0-9.]+)?/({'|'.join(allowed)})[/? ]")
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            await _serve(socket, pattern, reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            running.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, host, port, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in running.copy():
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _serve(
    socket: pathlib.Path, pattern: re.Pattern[str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """One request, as the client must not be able to hide a second one behind it."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    if not pattern.match(head):
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\nConnection: close\r\n\r\nforbidden")
        await writer.drain()
        return
    there_reader, there_writer = await asyncio.open_unix_connection(socket)
    try:
        there_writer.write(re.sub(r"(?i)\r\n(connection: [^\r]*)?\r\n", "\r\nConnection: close\r\n\r\n", head).encode())
        while chunk := await there_reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    finally:
        there_writer.close()


async def main() -> None:
    defaults = dict.fromkeys(_BY_DEFAULT, "1") | dict.fromkeys(_ON_DEMAND, "0")
    allowed = [name for name, default in defaults.items() if os.environ.get(name.upper(), default) == "1"]
    async with filtering(pathlib.Path("/var/run/docker.sock"), allowed=allowed, host="0.0.0.0", port=2375):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
