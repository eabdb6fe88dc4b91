"""The replayed engine as a program: python -m bench.engine.server SOCKET PORT

Every line of its standard input is a command, and answered by a line once all events of it are sent:

    appear FIRST COUNT      these containers are created and started
    move FIRST COUNT        these are restarted, and get other addresses

PORT is where the server behind all containers listens. The answer holds the number of the events.
"""

import asyncio
import collections.abc
import dataclasses
import json
import pathlib
import sys

from aiohttp import web

from bench.engine import shapes


class Engine:
    def __init__(self, port: int) -> None:
        self._port = port
        self._shapes: dict[str, shapes.Shape] = {}
        self._followers: list[asyncio.Queue[bytes]] = []

    # --- what happens ---

    def do(self, command: str) -> int:
        """Returns: how many events that were."""
        word, first, count = command.split()
        numbers = range(int(first), int(first) + int(count))
        happened = [line for number in numbers for line in self._happen(word, number)]
        for follower in self._followers:
            for line in happened:
                follower.put_nowait(line)
        return len(happened)

    def _happen(self, word: str, number: int) -> collections.abc.Iterator[bytes]:
        shape = shapes.Shape(number=number, port=self._port)
        known = self._shapes.get(shape.id)
        if known is not None:
            shape = dataclasses.replace(known, moves=known.moves + 1)
        self._shapes[shape.id] = shape
        for kind in {"appear": shapes.APPEARS, "move": shapes.MOVES}[word]:
            yield json.dumps(shapes.event(kind, shape)).encode() + b"\n"

    # --- what is asked ---

    async def version(self, _: web.Request) -> web.Response:
        return web.json_response(shapes.RECORDED["version"])

    async def list(self, _: web.Request) -> web.Response:
        return web.json_response([shapes.row(shape) for shape in self._shapes.values()])

    async def inspect(self, request: web.Request) -> web.Response:
        shape = self._shapes.get(request.match_info["id"])
        if shape is None:
            return web.json_response({"message": "No such container"}, status=404)
        return web.json_response(shapes.inspected(shape))

    async def networks(self, _: web.Request) -> web.Response:
        return web.json_response([shapes.RECORDED["network"]])

    async def events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        mine: asyncio.Queue[bytes] = asyncio.Queue()
        self._followers.append(mine)
        try:
            while True:
                await response.write(await mine.get())
        finally:
            self._followers.remove(mine)


async def main(socket: pathlib.Path, port: int) -> None:
    engine = Engine(port)
    app = web.Application()
    for path, answer in {
        "/version": engine.version,
        "/containers/json": engine.list,
        "/containers/{id}/json": engine.inspect,
        "/networks": engine.networks,
        "/events": engine.events,
    }.items():
        app.router.add_get(path, answer)
        app.router.add_get(f"/{{api:v[0-9.]+}}{path}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, str(socket)).start()
    while command := await asyncio.to_thread(sys.stdin.readline):
        print(engine.do(command), flush=True)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(pathlib.Path(sys.argv[1]), int(sys.argv[2])))
