"""Whether a server to which FastCGI is spoken is one of HTTP: it answers in words of its own."""

import asyncio
import contextlib

_ANSWER_S = 2.0
"""A process manager whose processes are all busy is silent, and is believed."""
_QUESTION = b"\x01\x09\0\0\0\x11\x07\0" + b"\x0f\0FCGI_MPXS_CONNS" + b"\r\n\r\n\r\n\0"
"""FCGI_GET_VALUES (FastCGI specification, section 4.1): no request, and nothing runs for it. Its padding ends a line,
for which servers of HTTP wait."""


async def is_answered_by_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Never raises but when cancelled."""
    begin = b""
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        async with asyncio.timeout(_ANSWER_S):
            writer.write(_QUESTION)
            begin = await reader.readexactly(5)
    return begin == b"HTTP/" or begin.startswith(b"<")
