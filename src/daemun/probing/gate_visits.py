"""One request of HTTP/1.1, at the gate as a visitor sends it, or at a server as the gate would. Nothing is verified:
what came is judged (`core.why`). What is read is bounded in size and time."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import re
import ssl
import time

from daemun import causes
from daemun.core import model
from daemun.core.why import condition_match, requested_url, url_facts

CONNECT_S = 5.0
LONGEST_HEAD = 1 << 17
_BODY_S = 2.0
"""So long is waited for more of an answer whose head is there: a stream has no end."""
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_SENT = frozenset({"host", "connection", "content-length", "transfer-encoding", "upgrade", "accept-encoding"})
"""Headers that are this module's."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GateAddress:
    """Where a request goes. socket: of a unix socket, and then nothing else. is_tls: with a handshake, by this name.
    sends_proxy_line: the connection begins with a PROXY line."""

    host: str = ""
    port: int = 0
    socket: str | None = None
    is_tls: bool = False
    name: str | None = None
    sends_proxy_line: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What came back. own: this end's address. failure: why no answer did, in words."""

    answer: url_facts.HttpAnswer | None = None
    is_connected: bool = False
    is_secured: bool = False
    failure: str | None = None
    own: str | None = None


async def visit(
    url: requested_url.RequestedUrl,
    address: model.Address,
    request: condition_match.SentRequest,
    *,
    sends_proxy_line: bool = False,
    within_s: float,
) -> url_facts.GateVisit:
    """A visitor's request at the gate. Never raises but when cancelled."""
    place = GateAddress(
        host=address.host or "127.0.0.1",
        port=address.port,
        is_tls=url.is_https,
        name=None if url.host.startswith("[") or url.host[-1:].isdigit() else url.host,
        sends_proxy_line=sends_proxy_line,
    )
    found = await exchange(place, write_request(url.authority, url.sent, request), within_s=within_s)
    return url_facts.GateVisit(
        url=url,
        at=str(address),
        answer=found.answer,
        is_connected=found.is_connected,
        is_secured=found.is_secured,
        failure=found.failure,
    )


def write_request(
    authority: str,
    sent: str,
    request: condition_match.SentRequest,
    headers: collections.abc.Mapping[str, str] | None = None,
) -> bytes:
    """headers: in place of those of the same name of the request."""
    more = {name.lower(): (name, value) for name, value in (headers or {}).items()}
    own = {
        "user-agent": ("User-Agent", "daemun-why"),
        "accept": ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
        **{name.lower(): (name, value) for name, value in request.headers if name.lower() not in _SENT},
        **more,
    }
    lines = [f"{request.method} {sent} HTTP/1.1", f"Host: {request.header('Host') or authority}"]
    lines += [f"{name}: {value}" for name, value in own.values()]
    if request.header("Upgrade"):
        lines += ["Connection: Upgrade", f"Upgrade: {request.header('Upgrade')}"]
    else:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


async def exchange(place: GateAddress, request: bytes, *, within_s: float) -> Received:
    """Never raises but when cancelled."""
    try:
        async with asyncio.timeout(CONNECT_S):
            if place.socket is not None:
                reader, writer = await asyncio.open_unix_connection(place.socket)
            else:
                reader, writer = await asyncio.open_connection(place.host, place.port)
    except TimeoutError:
        return Received(failure=f"it does not take the connection within {CONNECT_S:g} s")
    except OSError as error:
        return Received(failure=causes.find_words(error) or "the connection failed")
    try:
        if place.sends_proxy_line:
            writer.write(b"PROXY UNKNOWN\r\n")
        if place.is_tls:
            try:
                async with asyncio.timeout(CONNECT_S):
                    await writer.start_tls(_context(), server_hostname=place.name)
            except (OSError, TimeoutError) as error:
                words = causes.find_words(error) or "no TLS handshake came about"
                return Received(is_connected=True, failure=words)
        found = await _request(reader, writer, request, within_s)
        own = writer.get_extra_info("sockname")
        return dataclasses.replace(found, own=own[0] if place.socket is None and own else None)
    finally:
        writer.transport.abort()


async def _request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, within_s: float
) -> Received:
    begun, page, is_ended, failure = time.monotonic(), b"", False, None
    is_head = request.startswith(b"HEAD ")
    headed_s: float | None = None
    try:
        async with asyncio.timeout(within_s) as limit:
            writer.write(request)
            while not _is_whole(page, is_head=is_head):
                chunk = await reader.read(1 << 14)
                if not chunk:
                    is_ended = True
                    break
                page = _without_interim(page + chunk)
                if headed_s is None and _split(page)[1]:
                    headed_s = time.monotonic() - begun
                    limit.reschedule(asyncio.get_running_loop().time() + _BODY_S)
    except TimeoutError:
        failure = f"no answer within {within_s:g} s"
    except OSError as error:
        is_ended, failure = True, causes.find_words(error) or "the connection was closed"
    answer = read_answer(page, is_ended=is_ended and not is_head, took_s=headed_s or time.monotonic() - begun)
    if answer is None and failure is None:
        failure = "the connection was closed without an answer" if not page else "what came is no answer of HTTP"
    return Received(answer=answer, is_connected=True, is_secured=True, failure=None if answer is not None else failure)


def _without_interim(page: bytes) -> bytes:
    """Without answers that go before the answer (RFC 9110 section 15.2)."""
    while page.startswith(b"HTTP/1.1 1") and not page.startswith(b"HTTP/1.1 101") and _split(page)[1]:
        page = _split(page)[2]
    return page


def _split(page: bytes) -> tuple[bytes, bytes, bytes]:
    """Head, mark and body; an empty mark: the head has no end yet. nginx takes lines that end with a line feed alone,
    too (RFC 9112 section 2.2)."""
    found = _HEAD_END.search(page)
    return (page, b"", b"") if found is None else (page[: found.start()], found[0], page[found.end() :])


def _is_whole(page: bytes, *, is_head: bool) -> bool:
    """Whether enough was read."""
    head, mark, body = _split(page)
    if not mark:
        return len(page) > LONGEST_HEAD
    if is_head or head[:12].split(b" ")[1:2] in ([b"101"], [b"204"], [b"304"]) or len(body) >= url_facts.MOST_BODY:
        return True
    length = _find_length(head)
    if length is not None:
        return len(body) >= length
    return _is_chunked(head) and body.endswith(b"0\r\n\r\n")


def _find_length(head: bytes) -> int | None:
    for line in head.splitlines()[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit() and len(value) < 20:
            return int(value)
    return None


def _is_chunked(head: bytes) -> bool:
    return any(
        line.lower().replace(b" ", b"").startswith(b"transfer-encoding:") and b"chunked" in line.lower()
        for line in head.splitlines()[1:]
    )


def read_answer(page: bytes, *, is_ended: bool, took_s: float) -> url_facts.HttpAnswer | None:
    """What was received, as an answer. is_ended: the connection was closed before a body's end could
    be seen. None: it is none. Pure."""
    head, mark, body = _split(page)
    first, *lines = head.splitlines() or [b""]
    words = first.split(None, 2)
    if not mark or len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1][:3].isdigit():
        return None
    headers: list[tuple[str, str]] = []
    for line in lines[:200]:
        name, colon, value = line.partition(b":")
        if colon:
            headers.append((_text(name).strip().lower(), _text(value).strip()[:4096]))
    length = _find_length(head)
    is_short = is_ended and len(body) < url_facts.MOST_BODY
    is_cut = is_short and length is not None and len(body) < length
    is_cut |= is_short and length is None and _is_chunked(head) and not body.endswith(b"0\r\n\r\n")
    return url_facts.HttpAnswer(
        status=int(words[1][:3]),
        headers=tuple(headers),
        body=_text(body[: url_facts.MOST_BODY]),
        head_bytes=len(head) + len(mark),
        is_cut=is_cut,
        took_s=took_s,
    )


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def takes_connection(host: str, port: int, *, within_s: float) -> bool | None:
    """None: that cannot be known, nothing came back in time."""
    try:
        async with asyncio.timeout(within_s):
            _, writer = await asyncio.open_connection(host, port)
    except (TimeoutError, OSError) as error:
        return False if isinstance(error, ConnectionRefusedError) else None
    with contextlib.suppress(OSError):
        writer.transport.abort()
    return True
