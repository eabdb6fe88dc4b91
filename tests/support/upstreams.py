"""Servers on addresses of loopback, and an nginx that finds them through a DNS responder."""

import asyncio
import collections.abc
import contextlib
import os
import pathlib
import signal
import subprocess

import httpx

from tests.support import binaries, ports

CONFIGURATION = """
daemon off;
worker_processes {workers};
pid nginx.pid;
error_log error.log notice;
{user}
events {{ worker_connections 1024; }}
http {{
    access_log off;
    resolver {resolver};
    resolver_timeout {resolver_timeout};
    server {{
        listen 127.0.0.1:{port};
        location = /ready {{ return 204; }}
{locations}
    }}
{upstreams}
}}
"""


@contextlib.asynccontextmanager
async def servers(port: int, *hosts: str) -> collections.abc.AsyncIterator[None]:
    """HTTP servers on port of each address; each answers with its own address."""
    async with contextlib.AsyncExitStack() as stack:
        for host in hosts:
            await stack.enter_async_context(await asyncio.start_server(_serve, host, port))
        yield


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        await reader.readuntil(b"\r\n\r\n")
        body = str(writer.get_extra_info("sockname")[0]).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
    writer.close()


class Nginx:
    """One nginx whose paths /NAME go to upstream NAME."""

    def __init__(self, root: pathlib.Path, resolver: str, *, workers: int = 1, resolver_timeout: str = "10s") -> None:
        self.port = ports.free_port()
        self._root = root
        self._resolver = resolver
        self._workers = workers
        self._resolver_timeout = resolver_timeout
        self._process: subprocess.Popen[bytes] | None = None

    def write(self, upstreams: collections.abc.Mapping[str, str]) -> None:
        """upstreams: name -> the arguments of its server line, or the lines of a whole block."""
        bodies = {
            name: body if ";" in body else f"zone {name} 256k; server {body};" for name, body in upstreams.items()
        }
        blocks = "\n".join(f"    upstream {name} {{ {body} }}" for name, body in bodies.items())
        locations = "\n".join(
            f"        location /{name} {{ proxy_pass http://{name}; proxy_next_upstream error timeout; }}"
            for name in upstreams
        )
        text = CONFIGURATION.format(
            workers=self._workers,
            user="user root;" if os.geteuid() == 0 else "",
            resolver=self._resolver,
            resolver_timeout=self._resolver_timeout,
            port=self.port,
            locations=locations,
            upstreams=blocks,
        )
        (self._root / "nginx.conf").write_text(text)

    async def start(self) -> None:
        command = [str(binaries.nginx_path()), "-p", str(self._root), "-c", "nginx.conf", "-e", "error.log"]
        self._process = subprocess.Popen(command)
        await eventually(self._is_ready)

    async def reload(self) -> None:
        """Returns when only workers of the new configuration are left (none of these tests keeps connections)."""
        assert self._process is not None
        old = self.workers()
        self._process.send_signal(signal.SIGHUP)
        await eventually(lambda: not old & self.workers() and len(self.workers()) == self._workers)
        await eventually(self._is_ready)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT if self._process.poll() is None else 0)
            self._process.wait(timeout=30)

    def workers(self) -> set[int]:
        assert self._process is not None
        path = pathlib.Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return {int(text) for text in path.read_text().split()}

    async def get(self, name: str) -> str:
        """The address of the server that answered, or "502"."""
        # A trust store for each request would keep the event loop, and so the responder in it, from all else.
        async with httpx.AsyncClient(verify=False, timeout=60) as client:
            response = await client.get(f"http://127.0.0.1:{self.port}/{name}")
        return response.text if response.status_code == 200 else str(response.status_code)

    async def get_many(self, name: str, count: int) -> list[str]:
        return [await self.get(name) for _ in range(count)]

    def log(self) -> str:
        return (self._root / "error.log").read_text()

    async def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log()
        async with httpx.AsyncClient(verify=False, timeout=60) as client:
            try:
                return (await client.get(f"http://127.0.0.1:{self.port}/ready")).status_code == 204
            except httpx.TransportError:
                return False


async def eventually(check: collections.abc.Callable[[], object], *, timeout_s: float = 60.0) -> None:
    """Wait until check() is true; check may be a coroutine function."""
    async with asyncio.timeout(timeout_s):
        while True:
            found = check()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.02)
