"""Servers behind the sites of an estate: an nginx that answers on several ports of all addresses of loopback."""

import collections.abc
import contextlib
import pathlib
import string

from bench.proxies import nginx
from tests.support import binaries, ports

_CONFIG = string.Template("""\
worker_processes 1;
pid $folder/nginx.pid;
error_log $folder/error.log;
events { worker_connections 1024; }
http {
    access_log off;
    $temporary
    server { listen $first; listen $second; return 200 $$server_port; }
    server { listen $addressed; return 200 $$server_addr; }
}
""")


class Answering:
    """first, second: ports whose answer is their number. addressed: one whose answer is the address that was asked."""

    def __init__(self) -> None:
        self.first, self.second, self.addressed = (ports.free_port() for _ in range(3))


@contextlib.contextmanager
def running(folder: pathlib.Path) -> collections.abc.Iterator[Answering]:
    """folder: it makes one of its own there."""
    found, own = Answering(), folder / "answering"
    own.mkdir()
    config = own / "nginx.conf"
    config.write_text(
        _CONFIG.substitute(
            folder=own,
            temporary=nginx.temporary_paths(own),
            first=found.first,
            second=found.second,
            addressed=found.addressed,
        )
    )
    with nginx.started(str(binaries.nginx_path()), config, found.first):
        yield found
