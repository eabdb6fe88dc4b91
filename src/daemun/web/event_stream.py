"""Server-sent events (html.spec.whatwg.org/multipage/server-sent-events.html), for whoever looks and may look.

A stream is bounded in time and in how long a reader may take, and their number by `OpenStreams`. It ends when its
reader leaves, or may look no more.
"""

import asyncio
import collections
import collections.abc
import contextlib
import json
import typing

from starlette import exceptions, responses, types

LONGEST_S = 30 * 60
"""Then the reader connects again."""
SLOWEST_S = 20.0
"""So long a reader may take to take what is there."""
MOST_OF_ONE, MOST = 4, 24
"""Streams of one operator, and of all."""
Events = collections.abc.AsyncIterator[bytes]


def event(name: str, value: object) -> bytes:
    """JSON has no line breaks, so it is one line."""
    return f"event: {name}\ndata: {json.dumps(value)}\n\n".encode()


class OpenStreams:
    """How many there are. For one event loop."""

    def __init__(self, *, most_of_one: int = MOST_OF_ONE, most: int = MOST) -> None:
        self._most_of_one = most_of_one
        self._most = most
        self._open: collections.Counter[tuple[str, str]] = collections.Counter()

    def check(self, who: tuple[str, str]) -> None:
        """Raises: HTTPException 429."""
        if self._open[who] >= self._most_of_one or self._open.total() >= self._most:
            text = (
                f"too many pages look at live lines: {self._most_of_one} of one person and {self._most} of all are "
                "served; close another one"
            )
            raise exceptions.HTTPException(429, text, {"Retry-After": "10"})

    @contextlib.contextmanager
    def taken(self, who: tuple[str, str]) -> collections.abc.Iterator[None]:
        """Raises: HTTPException 429."""
        self.check(who)
        self._open[who] += 1
        try:
            yield
        finally:
            self._open[who] -= 1
            self._open += collections.Counter()  # drops the counts of 0

    def __len__(self) -> int:
        return self._open.total()


class EventStream(responses.Response):
    """make: the events, made when the answer begins."""

    media_type = "text/event-stream"

    def __init__(
        self,
        make: collections.abc.Callable[[], Events],
        streams: OpenStreams,
        who: tuple[str, str],
        *,
        slowest_s: float = SLOWEST_S,
    ) -> None:
        super().__init__()
        del self.headers["content-length"]
        self.headers["Cache-Control"] = "no-store"
        self.headers["X-Accel-Buffering"] = "no"  # of nginx in front
        self._make = make
        self._streams = streams
        self._who = who
        self._slowest_s = slowest_s

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        with self._streams.taken(self._who):
            await self._answer(receive, send)

    async def _answer(self, receive: types.Receive, send: types.Send) -> None:
        """Ends with the first of: the reader left, it does not read, the events end."""
        headers = typing.cast(typing.Any, self.raw_headers)
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(self._send(send))
            leaving = group.create_task(_wait_for_end(receive))
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            sending.cancel()
            leaving.cancel()

    async def _send(self, send: types.Send) -> None:
        events = self._make()
        try:
            async with contextlib.aclosing(typing.cast(typing.Any, events)), asyncio.timeout(LONGEST_S):
                async for one in events:
                    async with asyncio.timeout(self._slowest_s):
                        await send({"type": "http.response.body", "body": one, "more_body": True})
        except TimeoutError:
            pass
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._slowest_s):
                await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _wait_for_end(receive: types.Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
