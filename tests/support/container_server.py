"""A server to run in a container: `python -m tests.support.container_server` on port 80.

It answers GET and POST with "NAME BYTES", echoes over WebSocket, and ends as a server behind a gate should: told to
(SIGTERM), it goes on until nginx knows, then takes no new connection, finishes the requests that it has, and ends. With
--at-once it does not: the kernel resets every connection, and nobody can tell which of the requests it had acted upon.
"""

import argparse
import asyncio
import contextlib
import os
import pathlib
import socket as sockets
import threading
import types

import uvicorn
from starlette import applications, requests, responses, routing, websockets

DRAIN_S = 3.0


def application(name: str, *, takes_s: float, deliveries: pathlib.Path | None) -> applications.Starlette:
    async def answer(request: requests.Request) -> responses.Response:
        body = await request.body()
        if deliveries is not None:
            # Many servers write it: a short text is appended whole (write(2)).
            with deliveries.open("a") as file:
                file.write(f"{request.method} {request.url.path}\n")
        await asyncio.sleep(takes_s)
        return responses.PlainTextResponse(f"{name} {len(body)}")

    async def echo(socket: websockets.WebSocket) -> None:
        await socket.accept()
        with contextlib.suppress(websockets.WebSocketDisconnect):
            while True:
                await socket.send_text(await socket.receive_text())

    return applications.Starlette(
        routes=[
            routing.Route("/{path:path}", answer, methods=["GET", "POST"]),
            routing.WebSocketRoute("/{path:path}", echo),
        ]
    )


class _InOrder(uvicorn.Server):
    def handle_exit(self, sig: int, frame: types.FrameType | None) -> None:
        threading.Timer(DRAIN_S, super().handle_exit, (sig, frame)).start()


class _AtOnce(uvicorn.Server):
    def handle_exit(self, sig: int, frame: types.FrameType | None) -> None:
        # Not between the header and the body of an answer: nobody could repair that.
        asyncio.get_running_loop().call_soon_threadsafe(os._exit, 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", default=sockets.gethostname(), help="default: the container's id")
    parser.add_argument("--at-once", action="store_true", help="end at once when told to")
    parser.add_argument("--takes", type=float, default=0.0, metavar="SECONDS", help="how long an answer takes")
    parser.add_argument("--deliveries", type=pathlib.Path, metavar="FILE", help="where each request's path is added")
    given = parser.parse_args()
    config = uvicorn.Config(
        application(given.name, takes_s=given.takes, deliveries=given.deliveries),
        host="0.0.0.0",
        port=80,
        ws="websockets-sansio",
        lifespan="off",
        log_level="warning",
        timeout_graceful_shutdown=5,
        timeout_keep_alive=75,
        ws_ping_interval=None,
    )
    server = _AtOnce(config) if given.at_once else _InOrder(config)
    server.run()


if __name__ == "__main__":
    main()
