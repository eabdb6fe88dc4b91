"""The sockets on loopback that nginx asks: UDP, and TCP on the same port for answers that do not fit.

A gate at rest is asked for every service every two seconds, by every worker generation that is alive. So an answer is
made once and kept under the exact bytes of its question, until the table changes; and all questions that wait are
answered in one turn of the event loop.
"""

import asyncio
import collections.abc
import contextlib
import errno
import socket

from daemun import errors
from daemun.discovery import answers
from daemun.discovery import table as tables

HOST = "127.0.0.1"
_KEPT_ANSWERS = 10_000
_KEPT_QUESTION_BYTES = 300
_RECEIVE_BUFFER_BYTES = 1 << 20
_TCP_IDLE_S = 30.0
_PORT_ATTEMPTS = 50


class Responder:
    """Answers from a table. Until `open` is called questions wait: what nginx asks while daemun starts again, before
    anything is published, is neither refused nor lost."""

    def __init__(self, table: tables.Table) -> None:
        self._table = table
        self._is_open = False
        self._waiting: collections.deque[tuple[bytes, tuple[str, int]]] = collections.deque(maxlen=_KEPT_ANSWERS)
        self._answers: dict[tuple[int, bytes], tuple[bytes, str | None]] = {}
        self._version = table.version
        self._asked: set[str] = set()
        self._udp: socket.socket | None = None
        self._tcp: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()

    async def start(self, preferred_port: int | None) -> int:
        """Listen on preferred_port, or on another one when it is taken. Returns: the port, at least 1024.

        Raises: EnvironmentProblemError when loopback has no free port.
        """
        udp, tcp, port = _bind(preferred_port)
        self._udp = udp
        self._tcp = await asyncio.start_server(self._serve_tcp, sock=tcp)
        asyncio.get_running_loop().add_reader(udp.fileno(), self._read_udp)
        return port

    async def stop(self) -> None:
        if self._udp is not None:
            asyncio.get_running_loop().remove_reader(self._udp.fileno())
            self._udp.close()
            self._udp = None
        if self._tcp is not None:
            self._tcp.close()
            for writer in self._connections:
                writer.transport.abort()
            await self._tcp.wait_closed()
            self._tcp = None

    def open(self) -> None:
        """The table is filled: answer, first those who wait."""
        self._is_open = True
        while self._waiting:
            query, client = self._waiting.popleft()
            self._answer_udp(query, client)

    def take_asked(self) -> set[str]:
        """The services that were asked for since the last call."""
        asked, self._asked = self._asked, set()
        return asked

    def _read_udp(self) -> None:
        assert self._udp is not None
        while True:
            try:
                query, client = self._udp.recvfrom(4096)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                continue  # an earlier answer met a closed port (ICMP): nothing to read, and nobody to tell
            if self._is_open:
                self._answer_udp(query, client)
            else:
                self._waiting.append((query, client))

    def _answer_udp(self, query: bytes, client: tuple[str, int]) -> None:
        response = self._answer(query, answers.UDP_BYTES)
        if response is not None and self._udp is not None:
            with contextlib.suppress(OSError):  # the client is gone or the buffer full: it will ask again
                self._udp.sendto(response, client)

    def _answer(self, query: bytes, max_bytes: int) -> bytes | None:
        if self._version != self._table.version or len(self._answers) > _KEPT_ANSWERS:
            self._answers.clear()
            self._version = self._table.version
        # The first two bytes are the question's identifier; all others decide the answer.
        key = (max_bytes, query[2:])
        kept = self._answers.get(key)
        if kept is None:
            made = answers.answer(self._table, query, max_bytes=max_bytes)
            if made is None:
                return None
            kept = (made[0][2:], made[1])
            if len(query) <= _KEPT_QUESTION_BYTES:
                self._answers[key] = kept
        rest, service = kept
        if service is not None:
            self._asked.add(service)
        return query[:2] + rest

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Messages with their length in front (RFC 1035 section 4.2.2), until the client closes or falls silent."""
        self._connections.add(writer)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
                while True:
                    async with asyncio.timeout(_TCP_IDLE_S):
                        length = int.from_bytes(await reader.readexactly(2))
                        query = await reader.readexactly(length)
                    response = self._answer(query, answers.TCP_BYTES) if self._is_open else None
                    if response is None:
                        break
                    writer.write(len(response).to_bytes(2) + response)
                    await writer.drain()
        finally:
            self._connections.discard(writer)
            writer.close()


def _bind(preferred_port: int | None) -> tuple[socket.socket, socket.socket, int]:
    """One port for both kinds: the preferred one, else one the kernel gives."""
    ports = [0] * _PORT_ATTEMPTS if preferred_port is None else [preferred_port, *[0] * _PORT_ATTEMPTS]
    for port in ports:
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            tcp.setblocking(False)
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # else connections in TIME_WAIT hold the port
            tcp.bind((HOST, port))
            udp.setblocking(False)
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
            udp.bind(tcp.getsockname())
            tcp.listen()
        except OSError as error:
            tcp.close()
            udp.close()
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise errors.EnvironmentProblemError(
                    f'cannot listen on "{HOST}" for the questions of nginx: {error.strerror}; '
                    "look at the loopback interface"
                ) from error
        else:
            return udp, tcp, udp.getsockname()[1]
    raise errors.EnvironmentProblemError(
        f'cannot listen on "{HOST}" for the questions of nginx: no port is free for UDP and TCP; '
        "end programs that hold many ports"
    )
