"""HTTP-01 answered as nginx does it (DESIGN.md decision 8): by a file in challenges/, else with the thumbprint."""

import collections.abc
import contextlib
import http.server
import pathlib

from tests.support import serving

_PREFIX = "/.well-known/acme-challenge/"


@contextlib.contextmanager
def answering(
    thumbprint: str | None,
    *,
    challenges: pathlib.Path | None = None,
    port: int = 0,
    on_request: collections.abc.Callable[[], None] = lambda: None,
) -> collections.abc.Iterator[int]:
    """A plain HTTP server. Yields its port.

    thumbprint: None: only files answer. challenges: their folder; None: there are none. port: 0: a free one.
    on_request: called in a thread of the server before each answer.
    """

    def find(path: str) -> bytes | None:
        token = path.removeprefix(_PREFIX)
        if token == path or "/" in token:
            return None
        if challenges is not None:
            with contextlib.suppress(OSError):
                return (challenges / token).read_bytes()
        return f"{token}.{thumbprint}".encode() if thumbprint is not None else None

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            on_request()
            answer = find(self.path)
            if answer is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with serving.in_thread(http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)) as server:
        yield server.server_port
