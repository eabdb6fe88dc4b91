"""Servers of Python's own `socketserver` that serve while a test goes on."""

import collections.abc
import contextlib
import socketserver
import threading
import typing

_Server = typing.TypeVar("_Server", bound=socketserver.BaseServer)


@contextlib.contextmanager
def in_thread(server: _Server) -> collections.abc.Iterator[_Server]:
    """Until the block ends; then it is closed."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
