"""A server that sends the headers that a request's query names."""

import collections.abc
import contextlib
import http.server
import threading

import httpx


class _Handler(http.server.BaseHTTPRequestHandler):
    """ "/?X-Frame-Options=DENY&Referrer-Policy=no-referrer"; a path that ends in "/missing" gets 404."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        self.send_response(404 if path.endswith("/missing") else 200)
        for name, value in httpx.QueryParams(query).multi_items():
            self.send_header(name, value)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the overridden name
        """Tests read what was answered."""


@contextlib.contextmanager
def running() -> collections.abc.Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
