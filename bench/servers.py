"""The servers behind every contestant.

    python -m bench.servers ECHO SINK

echoes WebSocket messages at one port of 127.0.0.1 and swallows request bodies at the other, in one process each.
Requests and files are answered by an nginx of its own (`running`).
"""

import collections.abc
import contextlib
import dataclasses
import os
import pathlib
import re
import select
import socket
import string
import sys
import threading

from bench import frames, processes, variations
from bench.proxies import nginx
from tests.support import ports

FILE_MB = 100
_BUFFER = 1 << 18
_TEXT = b"Hello from the server behind the gate. "

_CONFIG = string.Template("""\
worker_processes 1;
pid $folder/nginx.pid;
error_log $folder/error.log;
events { worker_connections 16000; }
http {
    access_log off;
    sendfile on;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    $temporary
    server {
        listen 127.0.0.1:$port backlog=8192;
        default_type text/plain;
        location / { return 200 "$body"; }
        location ~ ^/(2kB|20kB|200kB)/ { root $folder; rewrite ^/([^/]+)/ /$$1 break; }
        location /file { alias $folder/file; }
    }
}
""")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    app: int
    echo: int
    sink: int


@contextlib.contextmanager
def running(folder: pathlib.Path, binary: str) -> collections.abc.Iterator[Servers]:
    """folder: an empty one. binary: an nginx."""
    found = Servers(app=ports.free_port(), echo=ports.free_port(), sink=ports.free_port())
    folder.chmod(0o755)
    with (folder / "file").open("wb") as file:
        file.truncate(FILE_MB * 1_000_000)
    small, *larger = variations.SIZES.items()
    for name, size in larger:
        (folder / name.replace(" ", "")).write_bytes(_TEXT * (size // len(_TEXT)) + _TEXT[: size % len(_TEXT)])
    temporary = nginx.temporary_paths(folder)
    config = folder / "nginx.conf"
    config.write_text(
        _CONFIG.substitute(folder=folder, port=found.app, body=(_TEXT * 3)[: small[1]].decode(), temporary=temporary)
    )
    command = [sys.executable, "-m", "bench.servers", str(found.echo), str(found.sink)]
    log = folder / "servers.log"
    with (
        nginx.started(binary, config, found.app),
        processes.running(command, log, lambda: processes.accepts(found.echo) and processes.accepts(found.sink)),
    ):
        yield found


# --- WebSockets ------------------------------------------------------------------------------------------------


def echo(port: int) -> None:
    """Until the process ends."""
    listener = socket.create_server(("127.0.0.1", port), backlog=8192)
    listener.setblocking(False)
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    connections: dict[int, _Echo] = {}
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == listener.fileno():
                with contextlib.suppress(BlockingIOError):
                    accepted, _address = listener.accept()
                    accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    connections[accepted.fileno()] = _Echo(accepted)
                    poll.register(accepted, select.EPOLLIN)
            elif not connections[descriptor].read():
                connections.pop(descriptor).socket.close()


class _Echo:
    """One connection. Writes wait: each client has one message under way, which the socket's buffer holds."""

    __slots__ = ("data", "is_open", "socket")

    def __init__(self, accepted: socket.socket) -> None:
        self.socket = accepted
        self.data = bytearray()
        self.is_open = False

    def read(self) -> bool:
        """False once it is closed."""
        try:
            new = self.socket.recv(_BUFFER)
        except ConnectionError:
            return False
        if not new:
            return False
        self.data += new
        return self._open() if not self.is_open else self._echo()

    def _open(self) -> bool:
        end = self.data.find(b"\r\n\r\n")
        if end < 0:
            return True
        key = re.search(rb"(?im)^sec-websocket-key:\s*(\S+)\s*$", self.data[:end].replace(b"\r\n", b"\n"))
        if key is None:
            return False
        del self.data[: end + 4]
        self.is_open = True
        accepted = frames.accept(key.group(1).decode())
        return self._send(
            f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accepted}\r\n\r\n".encode()
        )

    def _echo(self) -> bool:
        while (found := frames.take(self.data)) is not None:
            payload, end = found
            del self.data[:end]
            if not self._send(frames.from_server(payload)):
                return False
        return True

    def _send(self, data: bytes) -> bool:
        try:
            self.socket.sendall(data)
        except ConnectionError:
            return False
        return True


# --- uploads ---------------------------------------------------------------------------------------------------


def sink(port: int) -> None:
    """Until the process ends. Bodies come with a length."""
    listener = socket.create_server(("127.0.0.1", port), backlog=64)
    while True:
        accepted, _ = listener.accept()
        threading.Thread(target=_swallow, args=(accepted,), daemon=True).start()


def _swallow(accepted: socket.socket) -> None:
    buffer = memoryview(bytearray(_BUFFER))
    with accepted, contextlib.suppress(ConnectionError):
        head = b""
        while new := accepted.recv(_BUFFER):
            head += new
            start, separator, rest = head.partition(b"\r\n\r\n")
            if not separator:
                continue
            size = _drain(accepted, start, rest, buffer)
            answer = f"{size}".encode()
            accepted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))
            head = b""


def _drain(accepted: socket.socket, head: bytes, rest: bytes, buffer: memoryview) -> int:
    """The size of the body, all of which is read afterwards. Raises: ConnectionError when it ends early."""
    length = re.search(rb"(?im)^content-length:\s*(\d+)", head)
    if length is None:
        raise ConnectionError("a body without a length")
    size = int(length.group(1))
    left = size - len(rest)
    while left > 0:
        count = accepted.recv_into(buffer, min(left, _BUFFER))
        if count == 0:
            raise ConnectionError("the body ended early")
        left -= count
    return size


def main() -> None:
    echo_port, sink_port = (int(argument) for argument in sys.argv[1:])
    if os.fork() == 0:
        sink(sink_port)
    else:
        echo(echo_port)


if __name__ == "__main__":
    main()
