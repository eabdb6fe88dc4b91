"""Minimal servers of the other protocols that a gate speaks to what stands behind it. Each answers a request with the
parameters it received, as JSON (memcached: with what is stored under the key).

Sources: fastcgi-archives.github.io/FastCGI_Specification.html, python.ca/scgi/protocol.txt,
uwsgi-docs.readthedocs.io/en/latest/Protocol.html, github.com/memcached/memcached/blob/master/doc/protocol.txt
"""

import collections.abc
import contextlib
import json
import pathlib
import socketserver
import ssl
import struct
import typing

import h2.config
import h2.connection
import h2.events

from tests.support import serving

PREFACE = b"PRI * HTTP/2.0"


class _Handler(socketserver.StreamRequestHandler):
    timeout = 60

    @staticmethod
    def answer(parameters: dict[str, str], body: bytes) -> bytes:
        """To a request over FastCGI, SCGI or uwsgi."""
        return _cgi_answer(parameters, body)

    def read(self, size: int) -> bytes:
        data = self.rfile.read(size)
        if len(data) != size:
            raise ConnectionError("the request ended early")
        return data


def _cgi_answer(parameters: dict[str, str], body: bytes) -> bytes:
    said = json.dumps({"parameters": parameters, "body": body.decode("latin-1")})
    return f"Status: 200 OK\r\nContent-Type: application/json\r\nX-Hidden: yes\r\n\r\n{said}".encode()


class FastCgi(_Handler):
    def handle(self) -> None:
        parameters, body = b"", b""
        while True:
            _, kind, request, size, padding, _ = struct.unpack("!BBHHBB", self.read(8))
            content = self.read(size)
            self.read(padding)
            if kind == 4:
                parameters += content
            if kind == 5:
                body += content
                if not content:
                    break
        answer = self.answer(self._parse(parameters), body)
        for start in range(0, len(answer), 65_535):
            self.wfile.write(self._record(6, request, answer[start : start + 65_535]))
        self.wfile.write(self._record(6, request, b""))
        self.wfile.write(self._record(3, request, bytes(8)))

    @staticmethod
    def _record(kind: int, request: int, content: bytes) -> bytes:
        return struct.pack("!BBHHBB", 1, kind, request, len(content), 0, 0) + content

    @staticmethod
    def _parse(data: bytes) -> dict[str, str]:
        found, position = {}, 0
        while position < len(data):
            sizes = []
            for _ in range(2):
                if data[position] & 0x80:
                    sizes.append(struct.unpack_from("!I", data, position)[0] & 0x7FFFFFFF)
                    position += 4
                else:
                    sizes.append(data[position])
                    position += 1
            middle, end = position + sizes[0], position + sum(sizes)
            found[data[position:middle].decode("latin-1")] = data[middle:end].decode("latin-1")
            position = end
        return found


class Scgi(_Handler):
    def handle(self) -> None:
        size = b""
        while (char := self.read(1)) != b":":
            size += char
        parts = self.read(int(size) + 1)[:-2].decode("latin-1").split("\0")
        parameters = dict(zip(parts[::2], parts[1::2], strict=True))
        body = self.read(int(parameters["CONTENT_LENGTH"] or 0))
        self.wfile.write(self.answer(parameters, body))


class Uwsgi(_Handler):
    def handle(self) -> None:
        _, size, _ = struct.unpack("<BHB", self.read(4))
        data, position, found = self.read(size), 0, {}
        while position < size:
            pair = []
            for _ in range(2):
                length = struct.unpack_from("<H", data, position)[0]
                pair.append(data[position + 2 : position + 2 + length].decode("latin-1"))
                position += 2 + length
            found[pair[0]] = pair[1]
        self.wfile.write(self.answer(found, self.read(int(found["CONTENT_LENGTH"] or 0))))


class Memcached(_Handler):
    def handle(self) -> None:
        while line := self.rfile.readline():
            key = line.decode().split()[1]
            stored = self.server.stored.get(key)  # type: ignore[attr-defined]
            if stored is not None:
                self.wfile.write(f"VALUE {key} 0 {len(stored)}\r\n{stored}\r\n".encode())
            self.wfile.write(b"END\r\n")


class Http2(_Handler):
    """HTTP/2 with prior knowledge (h2c, gRPC), or chosen in a handshake (h2). What comes over HTTP/1.1 is answered too,
    without a body.

    headers: further ones of its answers over HTTP/2.
    """

    headers: tuple[tuple[str, str], ...] = ()

    @property
    def chosen_protocol(self) -> str | None:
        """By ALPN; None: none, or without TLS."""
        return self.request.selected_alpn_protocol() if isinstance(self.request, ssl.SSLSocket) else None

    def handle(self) -> None:
        first = self.rfile.peek(len(PREFACE))  # type: ignore[attr-defined]
        if not first.startswith(PREFACE):
            self._answer_http1()
            return
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        self.wfile.write(connection.data_to_send())
        requests: dict[int, tuple[dict[str, str], bytearray]] = {}
        while data := self.rfile.read1(65536):
            for event in connection.receive_data(data):
                match event:
                    case h2.events.RequestReceived():
                        headers = {str(name): str(value) for name, value in event.headers}
                        requests[event.stream_id] = (headers, bytearray())
                    case h2.events.DataReceived():
                        requests[event.stream_id][1].extend(event.data)
                        connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    case h2.events.StreamEnded():
                        headers, body = requests.pop(event.stream_id)
                        further = (*self.headers, ("x-alpn", str(self.chosen_protocol)))
                        _answer_http2(connection, event.stream_id, headers, bytes(body), further)
                    case h2.events.ConnectionTerminated():
                        return
            self.wfile.write(connection.data_to_send())

    def _answer_http1(self) -> None:
        lines = []
        while (line := self.rfile.readline().strip()) != b"":
            lines.append(line.decode("latin-1"))
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        said = json.dumps({"protocol": "HTTP/1.1", "path": lines[0].split()[1], "parameters": headers})
        self.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(said)}\r\nConnection: close\r\n\r\n{said}".encode())


def _answer_http2(
    connection: h2.connection.H2Connection,
    stream: int,
    headers: dict[str, str],
    body: bytes,
    further: tuple[tuple[str, str], ...],
) -> None:
    said = {"protocol": "HTTP/2", "path": headers[":path"], "parameters": headers, "body": body.decode("latin-1")}
    connection.send_headers(
        stream, [(":status", "200"), ("content-type", headers.get("content-type", "application/json")), *further]
    )
    connection.send_data(stream, json.dumps(said).encode())
    connection.send_headers(stream, [("grpc-status", "0")], end_stream=True)


class Http2Alone(Http2):
    def _answer_http1(self) -> None:
        """The connection ends."""


class Http1Alone(Http2):
    def handle(self) -> None:
        """Takes the preface of HTTP/2 for a request."""
        self._answer_http1()


class Http2First(Http2Alone):
    """Sends its SETTINGS before it reads anything."""

    def handle(self) -> None:
        server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        server.initiate_connection()
        self.wfile.write(server.data_to_send())
        self.rfile.read1(65536)


class _Threaded(socketserver.ThreadingMixIn):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def handle_error(self, request: object, client_address: object) -> None:
        """nginx closes connections when it likes."""


class _TcpServer(_Threaded, socketserver.TCPServer):
    pass


class _UnixServer(_Threaded, socketserver.UnixStreamServer):
    pass


@contextlib.contextmanager
def responder(
    handler: type[_Handler],
    *,
    stored: dict[str, str] | None = None,
    socket: pathlib.Path | None = None,
    context: ssl.SSLContext | None = None,
) -> collections.abc.Iterator[str]:
    """Run one of the handlers above on a free port of 127.0.0.1, or on a unix socket.

    stored: what memcached knows. context: TLS is spoken.
    Yields: its place as in a target, "127.0.0.1:port" or "unix:/path".
    """
    server: typing.Any = _TcpServer(("127.0.0.1", 0), handler) if socket is None else _UnixServer(str(socket), handler)
    server.stored = stored or {}
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving.in_thread(server):
        if socket is None:
            yield f"127.0.0.1:{server.server_address[1]}"
        else:
            socket.chmod(0o777)
            yield f"unix:{socket}"
