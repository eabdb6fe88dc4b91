"""HTTP-01 answered as nginx does it (DESIGN.md decision 8): by a file in challenges/, else with the thumbprint."""

import collections.abc
import contextlib
import http.server
import pathlib
import threading

_PREFIX = "/.well-known/acme-challenge/"


@contextlib.contextmanager
def answering_as_nginx(
    challenges: pathlib.Path, thumbprint: str | None, *, port: int
) -> collections.abc.Iterator[None]:
    """thumbprint: None: only files answer."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            token = self.path.removeprefix(_PREFIX)
            answer = f"{token}.{thumbprint}".encode() if thumbprint is not None else None
            with contextlib.suppress(OSError):
                answer = (challenges / token).read_bytes()
            if not self.path.startswith(_PREFIX) or "/" in token or answer is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
