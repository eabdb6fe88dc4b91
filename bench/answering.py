"""Servers behind the sites of an estate: an nginx that answers on several ports of all addresses of loopback."""

import collections.abc
import contextlib
import pathlib
import string

from bench import processes
from tests.support import binaries, ports

_CONFIG = string.Template("""\
worker_processes 1;
pid $folder/answering.pid;
error_log $folder/answering.log;
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
    found = Answering()
    modules = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    path = folder / "answering.conf"
    path.write_text(
        _CONFIG.substitute(
            folder=folder,
            temporary=" ".join(f"{module}_temp_path {folder}/answering-{module};" for module in modules),
            first=found.first,
            second=found.second,
            addressed=found.addressed,
        )
    )
    command = [str(binaries.nginx_path()), "-p", str(folder), "-c", str(path), "-g", "daemon off;"]
    with processes.running(command, folder / "answering-said.log", lambda: processes.accepts(found.first)):
        yield found
