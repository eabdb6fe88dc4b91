"""The sockets on loopback that nginx queries: UDP, and TCP on the same port for answers that do not fit.

Who knows the answer already is answered when it changes (`held`): then a change is live within milliseconds. A service
that has lost its last endpoint is announced a moment later, for most often it is being restarted, and nginx would query
the new endpoint only after a second.

A gate at rest gets queries for every service every few seconds, by every worker generation that is alive. So an answer
is made once and kept under the exact bytes of its question, until its service changes: a change of one
among thousands makes one answer anew. And all questions that wait are answered in one turn of the event loop.
"""

import asyncio
import collections.abc
import contextlib
import dataclasses
import typing

from daemun.discovery import held_questions, responder_sockets, service_table

_KEPT_ANSWERS = 1 << 16
"""For ten thousand services, each with several addresses."""
_WAITING_QUESTIONS = 10_000
_KEPT_QUESTION_BYTES = 300
_TCP_IDLE_S = 5.0
_MOST_TCP = 64
"""Connections at a time. nginx's workers have one each, and only while an answer is too large for UDP."""
_EMPTY_AFTER_S = 1.0
"""Until then requests are held for the endpoint that left, or for its successor."""


class Responder:
    """Answers from a table. Until `open` is called questions wait: what nginx queries while daemun starts again, before
    anything is published, is neither refused nor lost."""

    def __init__(self, table: service_table.Table) -> None:
        self._table = table
        self._is_open = False
        self.waiting: collections.deque[held_questions.Question] = collections.deque(maxlen=_WAITING_QUESTIONS)
        self._answers: dict[tuple[int, bytes], _Answer] = {}
        self._queried: set[str] = set()
        self._open_places: dict[responder_sockets.LoopbackAddress, _OpenPlace] = {}
        self._connections: dict[_Connection, None] = {}
        self._held = held_questions.HeldQuestions()
        self._due: asyncio.TimerHandle | None = None
        table.subscribe(self._release)

    async def listen(self, bound: responder_sockets.BoundSockets) -> None:
        """Answer what comes to these sockets, too; they are closed by `leave` or `stop`."""
        loop = asyncio.get_running_loop()
        loop.add_reader(bound.udp.fileno(), lambda: self._read_udp(bound))
        server = await loop.create_server(lambda: _Connection(self._answer_tcp, self._connections), sock=bound.tcp)
        self._open_places[bound.place] = _OpenPlace(bound=bound, server=server)

    def leave(self, place: responder_sockets.LoopbackAddress) -> None:
        """Listen there no more; connections that are open go on."""
        left = self._open_places.pop(place)
        asyncio.get_running_loop().remove_reader(left.bound.udp.fileno())
        left.server.close()
        left.bound.close()

    async def stop(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        servers = [one.server for one in self._open_places.values()]
        for place in tuple(self._open_places):
            self.leave(place)
        for connection in tuple(self._connections):
            connection.close()
        for server in servers:
            await server.wait_closed()

    @staticmethod
    def prepare() -> None:
        """Import what makes answers, so that the first one waits for nothing. Where no server can move nginx queries
        nothing, and a twentieth of the daemon's memory would be for nothing. Blocking."""
        from daemun.discovery import dns_answers  # noqa: F401, PLC0415

    def open(self) -> None:
        """The table is filled: answer, first those who wait."""
        self._is_open = True
        while self.waiting:
            self._hear(self.waiting.popleft())

    @property
    def holding(self) -> int:
        """How many questions wait for a change."""
        return len(self._held)

    def take_queried(self) -> set[str]:
        """The services that were queried since the last call."""
        queried, self._queried = self._queried, set()
        return queried

    def _read_udp(self, bound: responder_sockets.BoundSockets) -> None:
        while True:
            try:
                query, client = bound.udp.recvfrom(4096)
                question = held_questions.Question(client=client, query=query, to=bound.place)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                continue  # an earlier answer met a closed port (ICMP): nothing to read, and no client to answer
            if self._is_open:
                self._hear(question)
            else:
                self.waiting.append(question)

    def _hear(self, question: held_questions.Question) -> None:
        """Answer now, or once the answer changes."""
        found = self._find(question.query, responder_sockets.UDP_BYTES)
        if found is None:
            return
        now = asyncio.get_running_loop().time()
        if found.service is not None and self._held.holds(question, found.service, found.mark, now):
            self._wait_for_due()
        else:
            self._send(question, found)

    def _release(self, service: str) -> None:
        """The service has other endpoints."""
        if not self._held.concerns(service):
            return
        if self._table.known(service):
            self._answer_all(self._held.take_of(service))
        else:
            loop = asyncio.get_running_loop()
            loop.call_later(_EMPTY_AFTER_S, lambda: self._answer_all(self._held.take_of(service)))

    def _wait_for_due(self) -> None:
        """Wake up for the questions that waited for long, if there are any."""
        next_due = self._held.next_due()
        if self._due is None and next_due is not None:
            self._due = asyncio.get_running_loop().call_at(next_due, self._answer_due)

    def _answer_due(self) -> None:
        self._due = None
        self._answer_all(self._held.take_due(asyncio.get_running_loop().time()))
        self._wait_for_due()

    def _answer_all(self, questions: collections.abc.Iterable[held_questions.Question]) -> None:
        now = asyncio.get_running_loop().time()
        for question in questions:
            found = self._find(question.query, responder_sockets.UDP_BYTES)
            if found is not None:
                self._held.note_answer(question, found.mark, now)
                self._send(question, found)

    def _send(self, question: held_questions.Question, found: "_Answer") -> None:
        if question.to in self._open_places:
            with contextlib.suppress(OSError):  # the client is gone or the buffer full: it will query again
                udp = self._open_places[question.to].bound.udp
                udp.sendto(question.identifier + found.rest, question.client)

    def _answer_tcp(self, query: bytes) -> bytes | None:
        found = self._find(query, responder_sockets.TCP_BYTES) if self._is_open else None
        return query[:2] + found.rest if found is not None else None

    def _find(self, query: bytes, max_bytes: int) -> "_Answer | None":
        """None: it is no question, and is dropped."""
        # The first two bytes are the question's identifier; all others decide the answer.
        key = (max_bytes, query[2:])
        kept = self._answers.get(key)
        if kept is None or kept.mark != self._table.mark(kept.service):
            from daemun.discovery import dns_answers  # noqa: PLC0415 - see `prepare`

            made = dns_answers.answer(self._table, query, max_bytes=max_bytes)
            if made is None:
                return None
            kept = _Answer(rest=made[0][2:], service=made[1], mark=self._table.mark(made[1]))
            if len(query) <= _KEPT_QUESTION_BYTES:
                if len(self._answers) >= _KEPT_ANSWERS:
                    self._answers.clear()
                self._answers[key] = kept
        if kept.service is not None:
            self._queried.add(kept.service)
        return kept


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _OpenPlace:
    bound: responder_sockets.BoundSockets
    server: asyncio.Server


class _Answer(typing.NamedTuple):
    """rest: all but the identifier. mark: of the table for the service, when it was made."""

    rest: bytes
    service: str | None
    mark: object


class _Connection(asyncio.Protocol):
    """Questions and answers over TCP, each with its length in front (RFC 1035 section 4.2.2), until the client closes,
    falls silent, or sends what is not answered.

    Any account of the machine may connect. So a client has a bounded time for each question, and where too many are
    connected, a further one takes the place of the one whose last query was the longest time ago.
    """

    def __init__(
        self, answer: collections.abc.Callable[[bytes], bytes | None], open_ones: dict["_Connection", None]
    ) -> None:
        self._answer = answer
        self._open_ones = open_ones
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None
        self._idle: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if len(self._open_ones) >= _MOST_TCP:
            oldest = next(iter(self._open_ones))
            del self._open_ones[oldest]
            oldest.close()
        self._wait()

    def connection_lost(self, _error: Exception | None) -> None:
        self._open_ones.pop(self, None)
        if self._idle is not None:
            self._idle.cancel()

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._received += data
        while len(self._received) >= 2:
            end = 2 + int.from_bytes(self._received[:2])
            if len(self._received) < end:
                return
            response = self._answer(bytes(self._received[2:end]))
            del self._received[:end]
            if response is None:
                self._transport.close()
                return
            self._wait()
            self._transport.write(len(response).to_bytes(2) + response)

    def pause_writing(self) -> None:
        self.close()  # it queries without reading answers

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _wait(self) -> None:
        """For the next question."""
        self._open_ones.pop(self, None)
        self._open_ones[self] = None
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(_TCP_IDLE_S, self.close)
