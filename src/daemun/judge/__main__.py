"""The judge's process: `python -m daemun.judge`, started by `judge_manager` with two listening sockets
and the files of its sessions.

What libraries import late is imported before the rights are given up, by answering a few requests: the account may read
no file, not even Python's.
"""

import argparse
import asyncio
import collections.abc
import contextlib
import signal
import socket
import sys
import time
import traceback
import types

from aiohttp import web

from daemun import unprivileged
from daemun.judge import judge_app, password_check, saved_sessions, session_file, sign_in
from daemun.judge.providers import provider_requests

DRAIN_S = 10.0
"""How long requests that are being answered may take once the end is requested."""

_ACCEPTED_AT_ONCE = 64
"""Connections that asyncio accepts in one turn of the loop. It makes that, 100 by default, the kernel's queue, too."""
_BACKLOG = 4096
"""Where the queue of a unix socket is full, nginx is refused at once (EAGAIN, unix(7)), and the visitor gets a 503."""


def main() -> int:
    found = _read_arguments()
    listeners = [socket.socket(fileno=number) for number in (found.nginx_fd, found.daemon_fd)]
    try:
        asyncio.run(_serve(listeners, session_file.SessionFile(found.session_fd), found=found))
    except Exception as error:  # its text could hold what was sent
        traceback.print_tb(error.__traceback__)
        print(f"the judge ended: {type(error).__name__}", file=sys.stderr)
        return 1
    return 0


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m daemun.judge")
    parser.add_argument("--nginx-fd", type=int, required=True)
    parser.add_argument("--daemon-fd", type=int, required=True)
    parser.add_argument("--session-fd", type=int, action="append", default=[])
    parser.add_argument("--account", type=int)
    parser.add_argument("--owner", type=int, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--policies-within-s", type=float, required=True, help="it ends without them")
    parser.add_argument("--passkeys", action="store_true", help="people may sign in by passkeys")
    parser.add_argument("--providers", action="store_true", help="people may sign in at identity providers")
    return parser.parse_args()


async def _serve(listeners: list[socket.socket], file: session_file.SessionFile, *, found: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_note)
    verifier = password_check.Verifier()
    sessions = saved_sessions.SavedSessions(file, time.time)
    judge = sign_in.SignIn(verifier, time.monotonic)
    client = await _prepare_providers() if found.providers else None
    app = judge_app.JudgeApp(
        judge,
        verifier,
        sessions,
        now=time.time,
        version=found.version,
        owner_uid=found.owner,
        client=client,
        passkey_check=_prepare_passkeys() if found.passkeys else None,
        draw=_prepare_pictures() if found.passkeys else None,
    )
    loop.add_signal_handler(signal.SIGTERM, app.ended.set)
    for number in (signal.SIGINT, signal.SIGHUP):  # a terminal's, meant for the daemon
        loop.add_signal_handler(number, lambda: None)
    servers = [judge_app.make_server(handle) for handle in (app.answer_nginx, app.answer_daemon)]
    password_check.warm_up()
    for request in _REQUESTS:
        await _answer_once(servers[0], request)
    unprivileged.give_up_rights(found.account)
    async with contextlib.AsyncExitStack() as stack:
        for server, listener in zip(servers, listeners, strict=True):
            listener.setblocking(False)
            listening = await loop.create_unix_server(server, sock=listener, backlog=_ACCEPTED_AT_ONCE)
            listener.listen(_BACKLOG)
            stack.callback(listening.close)
        # Its daemon was killed, and may not have noted which process this is.
        loop.call_later(found.policies_within_s, lambda: None if app.has_policies else app.ended.set())
        keeping = await stack.enter_async_context(asyncio.TaskGroup())
        keeper = keeping.create_task(sessions.run())
        await app.ended.wait()
        keeper.cancel()
    # What is connected is answered still; nginx closes each connection after its answer.
    for server in servers:
        await server.shutdown(DRAIN_S)
    await sessions.save(again=True)
    verifier.close()
    if client is not None:
        await client.close()


async def _prepare_providers() -> provider_requests.ProviderClient:
    """Import what is slow to import, and certificates of authorities, while they can be read."""
    from daemun.judge.providers import provider_warm_up  # noqa: PLC0415 - slow, and few gates have providers

    return await provider_warm_up.make_client()


def _prepare_passkeys() -> types.ModuleType:
    """Import what is slow to import, and takes memory."""
    from daemun.judge import passkey_check, passkey_warm_up  # noqa: PLC0415 - for gates with a sign-in

    passkey_warm_up.warm_up()
    return passkey_check


def _prepare_pictures() -> collections.abc.Callable[[str], str]:
    """As `_prepare_passkeys`."""
    from daemun.judge import qr_code  # noqa: PLC0415 - for gates with a sign-in

    qr_code.warm_up()
    return qr_code.draw


_POLICY = f"/judge/none/{'0' * 32}"
_REQUESTS = (
    f"GET {_POLICY} HTTP/1.1\r\nHost: judge\r\nAuthorization: Basic YTpi\r\nConnection: close\r\n\r\n".encode(),
    b"PUT /none HTTP/1.1\r\nHost: judge\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
    b"\0\r\n\r\n",
    b"GET /pages/ HTTP/1.1\r\nHost: judge\r\nCookie: a=b\r\nConnection: close\r\n\r\n",
)


async def _answer_once(server: web.Server, request: bytes) -> None:
    ours, its = socket.socketpair()
    its.setblocking(False)
    await asyncio.get_running_loop().connect_accepted_socket(server, its)
    reader, writer = await asyncio.open_unix_connection(sock=ours)
    writer.write(request)
    await reader.read()
    writer.close()


def _note(_: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """What failed in a callback, without its text."""
    error = context.get("exception")
    print(f"{context.get('message')}: {type(error).__name__}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
