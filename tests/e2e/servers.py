"""A real server behind the gate, in a thread of its own so that it answers while a test waits."""

import collections.abc
import contextlib
import dataclasses
import socket
import threading
import time

import uvicorn
from starlette import applications, requests, responses, routing, websockets

PATH_PLEASE = "which path?"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """url: "http://127.0.0.1:PORT". Any GET or POST is answered with JSON: name, method, path, headers, body.
    Any WebSocket echoes its messages; PATH_PLEASE is answered with the path it was opened at."""

    url: str


@contextlib.contextmanager
def running(name: str) -> collections.abc.Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(
            _application(name),
            ws="websockets-sansio",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
            timeout_keep_alive=600,
            ws_ping_interval=None,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        deadline = time.monotonic() + 60
        while not server.started:
            assert time.monotonic() < deadline
            assert thread.is_alive(), "the server behind the gate did not start"
            time.sleep(0.01)
        try:
            yield Server(url=f"http://127.0.0.1:{listener.getsockname()[1]}")
        finally:
            server.should_exit = True
            thread.join()


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
