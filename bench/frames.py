"""As much of the WebSocket protocol as echoing takes (RFC 6455). Pure.

Not a library's: what the proxies are measured with must cost little, and the same for each, and one frame after another
of a known size needs nothing else.
"""

import base64
import hashlib

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_BINARY = 0x82
KEY = base64.b64encode(b"daemun-benchmark").decode()


def accept(key: str) -> str:
    """Section 4.2.2: the answer to a client's key."""
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()


def opening(host: str, path: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def from_client(payload: bytes) -> bytes:
    """Masked with zeros, which changes nothing."""
    return _head(len(payload), mask=0x80) + b"\0\0\0\0" + payload


def from_server(payload: bytes) -> bytes:
    return _head(len(payload), mask=0) + payload


def _head(size: int, *, mask: int) -> bytes:
    if size < 126:
        return bytes((_BINARY, mask | size))
    if size < 1 << 16:
        return bytes((_BINARY, mask | 126)) + size.to_bytes(2, "big")
    return bytes((_BINARY, mask | 127)) + size.to_bytes(8, "big")


def take(data: bytes | bytearray) -> tuple[bytes, int] | None:
    """The payload of the first frame of a client and where it ends; None while some of it is missing."""
    if len(data) < 2:
        return None
    size, at = data[1] & 0x7F, 2
    if size > 125:
        at = 4 if size == 126 else 10
        if len(data) < at:
            return None
        size = int.from_bytes(data[2:at], "big")
    end = at + 4 + size
    if len(data) < end:
        return None
    payload = bytes(data[at + 4 : end])
    key = bytes(data[at : at + 4])
    if key != b"\0\0\0\0":
        stream = (key * (size // 4 + 1))[:size]
        payload = (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(size, "big")
    return payload, end
