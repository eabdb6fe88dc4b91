"""A server to run in a container: `python -m tests.support.container_server NAME` on port 80.

It answers GET and POST with "NAME BYTES", echoes over WebSocket, and ends as a server behind a gate should: told to
(SIGTERM), it goes on until nginx knows, then takes no new connection, finishes the requests that it has, and ends. One
that ends at once resets connections that it did not look at yet, and nobody can tell whether it had.
"""

import contextlib
import sys
import threading
import types

import uvicorn
from starlette import applications, requests, responses, routing, websockets

DRAIN_S = 3.0


def application(name: str) -> applications.Starlette:
    async def answer(request: requests.Request) -> responses.Response:
        return responses.PlainTextResponse(f"{name} {len(await request.body())}")

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


class _Server(uvicorn.Server):
    def handle_exit(self, sig: int, frame: types.FrameType | None) -> None:
        threading.Timer(DRAIN_S, super().handle_exit, (sig, frame)).start()


def main() -> None:
    config = uvicorn.Config(
        application(sys.argv[1]),
        host="0.0.0.0",
        port=80,
        ws="websockets-sansio",
        lifespan="off",
        log_level="warning",
        timeout_graceful_shutdown=5,
        timeout_keep_alive=75,
        ws_ping_interval=None,
    )
    _Server(config).run()


if __name__ == "__main__":
    main()
