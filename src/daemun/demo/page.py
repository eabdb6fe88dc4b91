"""The page server of the demo: the chat page's files in a process of its own, `python -m daemun.demo.page`."""

import functools
import http.server
import pathlib
import signal
import sys

from daemun.demo import child

FOLDER = pathlib.Path(__file__).parent / "static"


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files of the package, with headers that let the page load nothing from anywhere else."""

    protocol_version = "HTTP/1.1"

    def end_headers(self) -> None:
        # `ws: wss:` because older Safari does not count its own WebSocket as 'self' (w3c/webappsec-csp issue 7).
        policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' ws: wss:"
        self.send_header("Content-Security-Policy", policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: the gate's access log has every request already."""


def main() -> None:
    place = child.read_place("The demo's page server.")
    # As the first process of a container it would not end by itself.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    handler = functools.partial(Handler, directory=FOLDER)
    with http.server.ThreadingHTTPServer((place.host, place.port), handler) as server:
        child.announce(child.ListenAddress(host=place.host, port=server.server_port))
        server.serve_forever()


if __name__ == "__main__":
    main()
