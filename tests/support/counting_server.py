"""A server whose answers are numbered, and that keeps what it received: for what is, and is not, requested again."""

import collections.abc
import contextlib
import dataclasses
import http.server
import threading

import httpx

from tests.support import serving


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class CountingServer(http.server.ThreadingHTTPServer):
    """The query of a request names headers of its answer, and `status`, `size`, `chunked` and `wait` (for `go_on`)."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[Received] = []
        self.is_down = False
        """Whether connections end without an answer."""
        self.status: int | None = None
        """Of every answer, whatever the query says."""
        self.go_on = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def find(self, target: str) -> list[Received]:
        return [one for one in self.received if one.target == target]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: CountingServer

    def _answer(self) -> None:
        if self.server.is_down:
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.received.append(Received(method=self.command, target=self.path, headers=headers, body=body))
        number = len(self.server.received)
        query = httpx.QueryParams(self.path.partition("?")[2])
        if "wait" in query:
            self.server.go_on.wait(60)
        self.send_response(self.server.status or int(query.get("status", 200)))
        for name, value in query.multi_items():
            if name not in {"status", "chunked", "wait", "size", "n"}:
                self.send_header(name, value)
        content = f"{number} {headers.get('cookie', '-')}".encode()
        content = content.ljust(int(query.get("size", 0)))
        if "chunked" in query:
            self.send_header("Transfer-Encoding", "chunked")
            content = b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content)
        else:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_OPTIONS = _answer  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the overridden name
        """Tests read what was answered."""


@contextlib.contextmanager
def running() -> collections.abc.Iterator[CountingServer]:
    with serving.in_thread(CountingServer()) as server:
        yield server
