"""The process of the pages: `python -m daemun.dashboard`, started by `dashboard_process` with a listening socket.

What is imported or read later than at the start is before the rights are given up, by answering a few requests: the
account may read no file, not even Python's. It ends by itself when nobody looks, and with its daemon.
"""

import argparse
import asyncio
import contextlib
import os
import resource
import socket
import sys
import time

import uvicorn
from starlette import types

from daemun import garbage, unprivileged
from daemun.dashboard import api_client, page_application

IDLE_S = 600.0
_LOOK_S = 5.0
_LARGEST_LOG_BYTES = 2 << 20
_GRACE_S = 2
_WARMING = ("/enter", "/nothing", "/static/dashboard.css", "/language")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m daemun.dashboard")
    parser.add_argument("--nginx-fd", type=int, required=True)
    parser.add_argument("--account", type=int)
    parser.add_argument("--idle-s", type=float, default=IDLE_S)
    found = parser.parse_args()
    asyncio.run(_serve(found))
    return 0


async def _serve(found: argparse.Namespace) -> None:
    listener = socket.socket(fileno=found.nginx_fd)
    listener.setblocking(False)
    client = api_client.ApiClient("api.sock")
    activity = _Activity(page_application.create_app(client))
    await _warm_up(activity)
    garbage.give_back(seek_first=True)  # what templates were compiled with
    garbage.seek()
    # Whatever fails at each request of a stranger must not fill the disk with traces (setrlimit(2)).
    resource.setrlimit(resource.RLIMIT_FSIZE, (_LARGEST_LOG_BYTES, _LARGEST_LOG_BYTES))
    unprivileged.give_up_rights(found.account)
    server = uvicorn.Server(_configure(activity))
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _end_with_daemon, server)
    _end_when_idle(server, activity, found.idle_s)
    try:
        await server.serve(sockets=[listener])
    finally:
        await client.close()


def _configure(application: types.ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_S,
    )


class _Activity:
    """When it was used last, and how many requests are under way."""

    def __init__(self, application: types.ASGIApp) -> None:
        self._application = application
        self._under_way = 0
        self._last_s = time.monotonic()

    @property
    def idle_s(self) -> float:
        return 0.0 if self._under_way else time.monotonic() - self._last_s

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        self._under_way += 1
        try:
            await self._application(scope, receive, send)
        finally:
            self._under_way -= 1
            self._last_s = time.monotonic()


def _end_with_daemon(server: uvicorn.Server) -> None:
    """At the end of the pipe that the daemon holds, however that ended."""
    with contextlib.suppress(BlockingIOError):
        if not os.read(sys.stdin.fileno(), 1):
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            server.should_exit = True


def _end_when_idle(server: uvicorn.Server, activity: _Activity, idle_s: float) -> None:
    """Checks now and then whether there are visitors."""
    if activity.idle_s >= idle_s:
        server.should_exit = True
    else:
        asyncio.get_running_loop().call_later(min(_LOOK_S, idle_s), _end_when_idle, server, activity, idle_s)


async def _warm_up(application: types.ASGIApp) -> None:
    """Requests without a daemon that answers: pages of errors, with all that pages need."""
    for path in _WARMING:
        method = "POST" if path == "/language" else "GET"
        body = b"language=en&back=%2F"
        headers = [(b"host", b"daemun.localhost"), (b"origin", b"https://daemun.localhost")]
        headers += [(b"content-type", b"application/x-www-form-urlencoded"), (b"content-length", b"%d" % len(body))]
        scope: types.Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "server": ("daemun.localhost", 443),
            "client": None,
        }

        async def receive() -> types.Message:
            return {"type": "http.request", "body": body, "more_body": False}  # noqa: B023

        async def send(_: types.Message) -> None:
            return

        await application(scope, receive, send)


if __name__ == "__main__":
    garbage.seek_seldom()
    garbage.share_heap()
    sys.exit(main())
