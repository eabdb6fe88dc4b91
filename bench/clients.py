"""What makes load where no program of Debian does, as a process of its own:

    python -m bench.clients handshakes PORT SECONDS
    python -m bench.clients messages PORT SECONDS CONNECTIONS BYTES
    python -m bench.clients download PORT TIMES
    python -m bench.clients upload PORT TIMES
    python -m bench.clients idle PORT CONNECTIONS      until its standard input ends

Each prints one line of JSON. All is over TLS 1.3. Certificates are not verified: that would cost the client, not the
proxy.
"""

import collections.abc
import json
import select
import socket
import ssl
import sys
import time

from bench import frames, servers
from bench.proxies import place

_PATIENCE_S = 60.0
_CHUNK = 1 << 18
_SIZE = servers.FILE_MB * 1_000_000


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


def _connect(context: ssl.SSLContext, port: int) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(plain, server_hostname=place.HOST)


def _say(latencies_s: list[float], took_s: float) -> None:
    """p99 in ms; rate a second."""
    ordered = sorted(latencies_s)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    print(json.dumps({"count": len(ordered), "rate": len(ordered) / took_s, "p99": p99 * 1000}))


def handshakes(port: int, seconds: float) -> None:
    """One after another, each a full one: no session is offered. The connection is closed without a request."""
    context = _context()
    latencies_s = []
    began_s = time.perf_counter()
    while (start_s := time.perf_counter()) < began_s + seconds:
        with _connect(context, port) as connection:
            latencies_s.append(time.perf_counter() - start_s)
            # The server reads the client's last message before it sees the end.
            connection.shutdown(socket.SHUT_WR)
            socket.socket.recv(connection, 1 << 14)
    _say(latencies_s, time.perf_counter() - began_s)


# --- WebSockets ------------------------------------------------------------------------------------------------


def _open(context: ssl.SSLContext, port: int) -> ssl.SSLSocket:
    """Raises: ConnectionError when it is not upgraded."""
    connection = _connect(context, port)
    connection.sendall(frames.opening(place.HOST, "/echo"))
    answer = b""
    while b"\r\n\r\n" not in answer:
        new = connection.recv(1 << 14)
        if not new:
            break
        answer += new
    if not answer.startswith(b"HTTP/1.1 101 ") or not answer.endswith(b"\r\n\r\n"):
        raise ConnectionError(f"not upgraded: {answer[:200]!r}")
    return connection


def messages(port: int, seconds: float, connections: int, size: int) -> None:
    """Each connection sends one message, waits for all of its echo, and sends the next one."""
    context = _context()
    opened = {one.fileno(): one for one in (_open(context, port) for _ in range(connections))}
    message = frames.from_client(b"m" * size)
    expected = len(frames.from_server(b"m" * size))
    poll = select.epoll()
    received = dict.fromkeys(opened, 0)
    sent_s = {}
    buffer = bytearray(_CHUNK)
    print("ready", flush=True)
    sys.stdin.readline()
    for descriptor, connection in opened.items():
        connection.setblocking(False)
        poll.register(descriptor, select.EPOLLIN)
        sent_s[descriptor] = time.perf_counter()
        connection.send(message)
    latencies_s = []
    began_s = time.perf_counter()
    end_s = began_s + seconds
    waiting = len(opened)
    while waiting:
        ready = poll.poll(_PATIENCE_S)
        if not ready:
            raise TimeoutError("no echo")
        for descriptor, _ in ready:
            connection = opened[descriptor]
            received[descriptor] += _read(connection, buffer)
            if received[descriptor] < expected:
                continue
            now_s = time.perf_counter()
            latencies_s.append(now_s - sent_s[descriptor])
            if now_s >= end_s:
                waiting -= 1
                continue
            received[descriptor] = 0
            sent_s[descriptor] = now_s
            if connection.send(message) != len(message):
                raise BlockingIOError("a message did not go out at once")
    _say(latencies_s, time.perf_counter() - began_s)


def _read(connection: ssl.SSLSocket, buffer: bytearray) -> int:
    """All there is: TLS may hold more than the socket tells of."""
    count = 0
    try:
        while new := connection.recv_into(buffer):
            count += new
    except ssl.SSLWantReadError:
        return count
    raise ConnectionError("closed by the proxy")


def idle(port: int, connections: int) -> None:
    context = _context()
    opened = [_open(context, port) for _ in range(connections)]
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps({"count": len(opened), "rate": 0, "p99": 0}))


# --- large bodies ----------------------------------------------------------------------------------------------


def download(port: int, times: int) -> None:
    buffer = memoryview(bytearray(_CHUNK))

    def fetch(connection: ssl.SSLSocket) -> None:
        connection.sendall(f"GET /file HTTP/1.1\r\nHost: {place.HOST}\r\n\r\n".encode())
        left = _SIZE - len(_body_after_head(connection))
        while left > 0:
            left -= _some(connection, buffer)

    _repeat(port, times, fetch)


def upload(port: int, times: int) -> None:
    chunk = memoryview(bytes(_CHUNK))

    def send(connection: ssl.SSLSocket) -> None:
        connection.sendall(f"POST /sink HTTP/1.1\r\nHost: {place.HOST}\r\nContent-Length: {_SIZE}\r\n\r\n".encode())
        left = _SIZE
        while left > 0:
            left -= connection.send(chunk[:left])
        answer = _body_after_head(connection)
        while len(answer) < len(str(_SIZE)):
            answer += connection.recv(_CHUNK)
        if answer != str(_SIZE).encode():
            raise ConnectionError(f"the server got {answer!r} bytes of {_SIZE}")

    _repeat(port, times, send)


def _repeat(port: int, times: int, once: collections.abc.Callable[[ssl.SSLSocket], None]) -> None:
    """On one connection, which takes no part in what is told."""
    latencies_s = []
    with _connect(_context(), port) as connection:
        for _ in range(times):
            began_s = time.perf_counter()
            once(connection)
            latencies_s.append(time.perf_counter() - began_s)
    _say(latencies_s, sum(latencies_s))


def _body_after_head(connection: ssl.SSLSocket) -> bytes:
    """What came with the header. Raises: ConnectionError unless the answer is 200."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        new = connection.recv(_CHUNK)
        if not new:
            raise ConnectionError(f"closed within the header: {answer!r}")
        answer += new
    head, _, rest = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ConnectionError(f"not answered with 200: {head[:200]!r}")
    return rest


def _some(connection: ssl.SSLSocket, buffer: memoryview) -> int:
    count = connection.recv_into(buffer)
    if count == 0:
        raise ConnectionError("closed within the body")
    return count


def main() -> None:
    match sys.argv[1:]:
        case ["handshakes", port, seconds]:
            handshakes(int(port), float(seconds))
        case ["messages", port, seconds, connections, size]:
            messages(int(port), float(seconds), int(connections), int(size))
        case ["download", port, times]:
            download(int(port), int(times))
        case ["upload", port, times]:
            upload(int(port), int(times))
        case ["idle", port, connections]:
            idle(int(port), int(connections))
        case other:
            sys.exit(f"cannot make load: found {other}, expected one of: {__doc__}")


if __name__ == "__main__":
    main()
