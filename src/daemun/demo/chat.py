"""The chat server of the demo: a WebSocket server in a process of its own, `python -m daemun.demo.chat`.

It knows nothing of the gate in front of it: it serves `/`, and the gate puts it behind `/websocket/`.
Everything a client can make it hold is bounded: the size of a message, the pace, the history.
"""

import asyncio
import collections
import datetime
import json
import secrets
import signal
import typing

from websockets import exceptions
from websockets.asyncio import server

from daemun.demo import chat_room, child

HISTORY = 50
"""Messages that a visitor who enters is shown."""
MAX_FRAME_BYTES = 8192
"""Holds the longest allowed name and text, also when JSON writes every character as \\uXXXX."""


class Chat:
    """One room and the connections in it."""

    def __init__(self) -> None:
        self._messages: collections.deque[chat_room.ChatMessage] = collections.deque(maxlen=HISTORY)
        self._present: set[server.ServerConnection] = set()

    async def serve(self, connection: server.ServerConnection) -> None:
        """Welcome a connection and pass on its messages until it ends."""
        token = secrets.token_hex(8)
        history = [message.as_json() for message in self._messages]
        # broadcast does not wait, so no message falls between the history and being present.
        server.broadcast([connection], json.dumps({"type": "welcome", "you": token, "history": history}))
        self._present.add(connection)
        self._send_presence()
        try:
            await self._listen(connection, token)
        except exceptions.ConnectionClosed:
            pass  # left without a word: as good as any goodbye
        finally:
            self._present.discard(connection)
            self._send_presence()

    async def _listen(self, connection: server.ServerConnection, token: str) -> None:
        clock = asyncio.get_running_loop().time
        pace = chat_room.Pace()
        async for frame in connection:
            try:
                message = chat_room.parse_message(frame, sender=token, at=datetime.datetime.now(datetime.UTC))
            except ValueError as error:
                await connection.send(json.dumps({"type": "refused", "reason": str(error)}))
            else:
                self._messages.append(message)
                self._send(message.as_json())
            # Not reading fills the client's own send buffer: a flood is slowed down, and nothing is lost.
            await asyncio.sleep(pace.wait_s(clock()))

    def _send_presence(self) -> None:
        self._send({"type": "present", "count": len(self._present)})

    def _send(self, event: dict[str, typing.Any]) -> None:
        server.broadcast(self._present, json.dumps(event))


async def _main(place: child.ListenAddress) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with server.serve(Chat().serve, place.host, place.port, max_size=MAX_FRAME_BYTES, max_queue=4) as listening:
        child.announce(child.ListenAddress(host=place.host, port=listening.sockets[0].getsockname()[1]))
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_main(child.read_place("The demo's chat server.")))
