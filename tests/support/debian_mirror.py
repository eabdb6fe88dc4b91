"""A mirror of Debian on this machine, which passes on what the real one has and can spoil it on the way.

No host of a mirror is known here: it is the one that this machine's apt uses.
"""

import collections.abc
import contextlib
import functools
import http.server
import pathlib
import threading
import urllib.error
import urllib.parse
import urllib.request

import pytest

from daemun import errors
from daemun.nginx.builds import debian_packages
from tests.support import binaries

Spoil = collections.abc.Callable[[str, bytes], bytes | None]
"""The path and the content -> what is sent; None: 404. It may take its time."""


class Mirror:
    """uri: for apt. spoil: what happens to each answer; set it to change it. asked: every path so far."""

    def __init__(self) -> None:
        self.uri = ""
        self.spoil: Spoil = lambda _, content: content
        self.cut: collections.abc.Callable[[str], bool] = lambda _: False
        """Of which paths only the first half is sent before the connection ends."""
        self.asked: list[str] = []


@contextlib.contextmanager
def running() -> collections.abc.Iterator[Mirror]:
    mirror = Mirror()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = urllib.parse.unquote(self.path)
            mirror.asked.append(path)
            content = _fetch(self.path)
            content = None if content is None else mirror.spoil(path, content)
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if mirror.cut(path):
                self.wfile.write(content[: len(content) // 2])
                self.close_connection = True
                return
            with contextlib.suppress(OSError):
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    mirror.uri = f"http://127.0.0.1:{server.server_port}"
    try:
        yield mirror
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@functools.cache
def _fetch(path: str) -> bytes | None:
    """Of the real mirror, once a session."""
    try:
        with urllib.request.urlopen(debian_packages.find_mirror() + path, timeout=60) as answer:
            content: bytes = answer.read()
    except urllib.error.HTTPError:
        return None
    return content


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, ...]:
    """Debian's newest nginx and what it needs, as files. Fetched once a session."""
    binaries.program("apt-get", "apt")
    try:
        return debian_packages.fetch(
            tmp_path_factory.mktemp("debian"), mirror=None, suites=debian_packages.SUITES, accept_expired=True
        ).files
    except errors.EnvironmentProblemError as error:
        pytest.skip(f"Debian's packages cannot be had: {error}")
