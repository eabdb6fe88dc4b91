"""A real server behind the gate, in a thread of its own so that it answers while a test waits."""

import collections.abc
import contextlib
import dataclasses
import socket

from starlette import applications, requests, responses, routing, websockets

from tests.support import threaded_server

PATH_PLEASE = "which path?"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """url: "http://127.0.0.1:PORT". Any GET or POST is answered with JSON: name, method, path, headers, body.
    Any WebSocket echoes its messages; PATH_PLEASE is answered with the path it was opened at."""

    url: str


@contextlib.contextmanager
def running(name: str) -> collections.abc.Iterator[Server]:
    more = {"ws": "websockets-sansio", "timeout_keep_alive": 600, "ws_ping_interval": None}
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        threaded_server.serving(_application(name), listener, **more),
    ):
        yield Server(url=f"http://127.0.0.1:{listener.getsockname()[1]}")


def _application(name: str) -> applications.Starlette:
    async def answer(request: requests.Request) -> responses.Response:
        return responses.JSONResponse(
            {
                "name": name,
                "method": request.method,
                "path": request.url.path,
                "headers": dict(request.headers),
                "body": (await request.body()).decode(),
            }
        )

    async def echo(socket_: websockets.WebSocket) -> None:
        await socket_.accept()
        with contextlib.suppress(websockets.WebSocketDisconnect):
            while True:
                text = await socket_.receive_text()
                await socket_.send_text(socket_.url.path if text == PATH_PLEASE else text)

    return applications.Starlette(
        routes=[
            routing.Route("/{path:path}", answer, methods=["GET", "POST"]),
            routing.WebSocketRoute("/{path:path}", echo),
        ]
    )
