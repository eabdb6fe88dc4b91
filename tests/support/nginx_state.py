"""A state directory that nginx's workers can reach, and configurations small enough to read in a test."""

import collections.abc
import contextlib
import os
import pathlib
import shutil
import signal
import tempfile

import psutil

from daemun.core import layout as layout_
from daemun.nginx import process, worker_account


@contextlib.contextmanager
def state_directory() -> collections.abc.Iterator[layout_.Layout]:
    """A fresh state directory, open to nginx's workers (pytest's own is not); whatever nginx runs on it is ended.

    Its path has a space, which nginx, process titles and shells each read in their own way.
    """
    path = pathlib.Path(tempfile.mkdtemp(prefix="daemun test-"))
    path.chmod(0o755)
    layout = layout_.Layout(state=str(path))
    try:
        yield layout
    finally:
        left = process.find_family(layout)
        for found in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                found.send_signal(signal.SIGKILL)
        psutil.wait_procs(left, timeout=60)  # they could write into a folder that is being removed
        shutil.rmtree(path)


def configuration(layout: layout_.Layout, *sites: str, http: str = "") -> dict[str, bytes]:
    """The files of one generation: each site is the inside of a server block; http: more directives at that level."""
    chosen = worker_account.choose(None)
    user = "" if chosen is None else f"user {chosen.user} {chosen.group};"
    temporary = "\n".join(
        f'{name}_temp_path "{layout.temp}/{name}";' for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = f"""\
{user}
worker_processes 2;
pid "{layout.nginx_pid}";
error_log "{layout.logs}/error.log";
events {{ }}
http {{
access_log "{layout.logs}/access.log";
keepalive_min_timeout 10s;
keepalive_requests 100000;
{temporary}
{http}
include generation.conf;
include sites/*.conf;
}}
"""
    files = {"nginx.conf": main.encode()}
    for number, site in enumerate(sites):
        files[f"sites/{number}.conf"] = f"server {{\n{site}\n}}\n".encode()
    return files


def is_root() -> bool:
    return os.geteuid() == 0
