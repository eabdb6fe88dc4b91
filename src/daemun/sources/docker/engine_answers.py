"""Answers of an engine as far as daemun takes them: of that engine itself, and no longer than any that it needs."""

import typing

import aiohttp

LONGEST = 128 * 1024 * 1024
"""Of a body, in bytes once it is decompressed. Ten thousand containers are listed in some tens of megabytes."""

if typing.TYPE_CHECKING:
    from aiohttp import connector


class EngineAnswer(aiohttp.ClientResponse):
    """For `aiohttp.ClientSession(response_class=...)`. `start` and `read` raise aiohttp.ClientPayloadError."""

    async def start(self, connection: "connector.Connection") -> aiohttp.ClientResponse:
        """A redirect would have daemun query what the engine reaches through it, such as this machine's services."""
        await super().start(connection)
        if 300 <= self.status < 400:
            raise aiohttp.ClientPayloadError(f"it redirects to another place ({self.status}), which is not followed")
        return self

    async def read(self) -> bytes:
        if self._body is None:
            try:
                self._body = await self._read_bounded()
            except BaseException:
                self.close()
                raise
        return await super().read()

    async def _read_bounded(self) -> bytes:
        body = bytearray()
        async for chunk in self.content.iter_any():
            body += chunk
            if len(body) > LONGEST:
                raise aiohttp.ClientPayloadError(f"its answer is longer than {LONGEST} bytes")
        return bytes(body)
