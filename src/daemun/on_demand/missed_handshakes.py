"""Handshakes for names without a certificate, as nginx logs them: syslog datagrams (RFC 3164) on a unix socket.

The visitor's handshake has failed by then; the name is added, so that the next one succeeds.
"""

import asyncio
import os
import re
import socket

import structlog

from daemun.control import unix_socket
from daemun.core import layout
from daemun.on_demand import ask_program

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_CLIENT = re.compile(rb", client: ([0-9a-f.:]+)")
_MOST_WAITING = 256
_LARGEST_BYTES = 8192


async def listen(paths: layout.Layout, program: ask_program.AskProgram, *, group: int | None) -> None:
    """Add each name until cancelled. group: of nginx's workers, which may write here; None: the same account.

    Raises: EnvironmentProblemError when the socket cannot be made.
    """
    # Workers of an earlier daemun look into live/ itself.
    folders = b"|".join(re.escape(os.fsencode(folder)) for folder in (paths.pairs, paths.live))
    pattern = re.compile(rb'cannot load certificate "(?:' + folders + rb")/([a-z0-9._-]+)/")
    with unix_socket.opened(paths.missed_socket, socket.SOCK_DGRAM, group=group) as listener:
        await _receive(listener, pattern, program)


async def _receive(listener: socket.socket, pattern: re.Pattern[bytes], program: ask_program.AskProgram) -> None:
    loop = asyncio.get_running_loop()
    queried: set[str] = set()

    async def decide(host: str, client: str | None) -> None:
        refused = await program.decide(host, client)
        queried.discard(host)
        if refused is not None:
            log.debug("a name is not served", host=host, reason=refused.message)

    async with asyncio.TaskGroup() as group:
        while True:
            await asyncio.sleep(0)  # what is there is received without a pause for others
            datagram = await loop.sock_recv(listener, _LARGEST_BYTES)
            found, client = pattern.search(datagram), _CLIENT.search(datagram)
            host = found[1].decode("ascii") if found else ""
            if host and host not in queried and len(queried) < _MOST_WAITING:
                queried.add(host)
                group.create_task(decide(host, client[1].decode("ascii") if client else None))
