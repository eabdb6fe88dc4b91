"""DNS queries whose answer the client has already: they are answered when it changes. Pure: the time is an argument.

nginx queries a second after each answer, and meanwhile uses the last one. So a question that is answered late
costs nothing, and a change is answered within milliseconds instead of a second where a question waits for it.

A client is known by its port: each worker of nginx queries from a socket of its own. What it got is remembered for a
little longer than it takes to query again: later the port may be another worker's, which knows nothing. And a question
that comes once more means that its answer was lost.
"""

import collections
import collections.abc
import typing

HOLD_S = 3.5
"""nginx repeats a question after 4 to 5 s (`resend_timeout` in ngx_resolver.c) and gives it up after
`resolver_timeout`."""
KNOWS_S = 3.0
_MOST = 1 << 16
"""For ten thousand services and several generations of workers. Beyond that questions are answered at once."""
_TOGETHER_S = 0.1
"""What is due within so much time is answered at once: one wake-up for many."""

Client = tuple[str, int]


class Question(typing.NamedTuple):
    """One DNS query of a client. to: the socket of daemun that received it."""

    client: Client
    query: bytes
    to: collections.abc.Hashable = None

    @property
    def key(self) -> tuple[int, bytes]:
        """Equal for the next question for the same. The first two bytes of a query are its identifier."""
        return self.client[1], self.query[2:]

    @property
    def identifier(self) -> bytes:
        return self.query[:2]


class _Answered(typing.NamedTuple):
    """The last answer that a client got. mark: of the answer, as `table.Table.mark`."""

    identifier: bytes
    mark: object
    at: float


class _Waiting(typing.NamedTuple):
    question: Question
    service: str
    until: float


_Key = tuple[int, bytes]


class HeldQuestions:
    """Queries that wait for a change of their answer. Not thread-safe. Instants are seconds of a monotonic clock."""

    def __init__(self) -> None:
        # Both in the order of time.
        self._answered: collections.OrderedDict[_Key, _Answered] = collections.OrderedDict()
        self._waiting: collections.OrderedDict[_Key, _Waiting] = collections.OrderedDict()
        self._of_service: dict[str, set[_Key]] = {}

    def holds(self, question: Question, service: str, mark: object, now: float) -> bool:
        """Whether the question is kept. If not, it is to be answered now, which is noted.

        service: what it queries. mark: of the answer that it would get.
        """
        key = question.key
        self._forget_before(now - KNOWS_S)
        answered = self._answered.get(key)
        waiting = self._waiting.get(key)
        if waiting is not None and waiting.question.identifier == question.identifier:
            return True
        if waiting is not None:
            self._take(key)  # a new query before the answer comes from another client behind the same port
        knows = answered is not None and answered.mark == mark and answered.identifier != question.identifier
        if not knows or len(self._waiting) >= _MOST:
            self.note_answer(question, mark, now)
            return False
        del self._answered[key]
        self._waiting[key] = _Waiting(question=question, service=service, until=now + HOLD_S)
        self._of_service.setdefault(service, set()).add(key)
        return True

    def note_answer(self, question: Question, mark: object, now: float) -> None:
        """The question is being answered."""
        self._answered[question.key] = _Answered(identifier=question.identifier, mark=mark, at=now)
        self._answered.move_to_end(question.key)

    def __len__(self) -> int:
        return len(self._waiting)

    def concerns(self, service: str) -> bool:
        return service in self._of_service

    def take_of(self, service: str) -> list[Question]:
        """The questions for a service; they are to be answered."""
        return [self._take(key) for key in tuple(self._of_service.get(service, ()))]

    def take_due(self, now: float) -> list[Question]:
        """The questions that were kept long enough; they are to be answered."""
        due = []
        for key, waiting in self._waiting.items():
            if waiting.until > now + _TOGETHER_S:
                break
            due.append(key)
        return [self._take(key) for key in due]

    def next_due(self) -> float | None:
        first = next(iter(self._waiting.values()), None)
        return first.until if first is not None else None

    def _take(self, key: _Key) -> Question:
        waiting = self._waiting.pop(key)
        keys = self._of_service[waiting.service]
        keys.discard(key)
        if not keys:
            del self._of_service[waiting.service]
        return waiting.question

    def _forget_before(self, moment: float) -> None:
        while self._answered:
            key, answered = next(iter(self._answered.items()))
            if answered.at >= moment:
                return
            del self._answered[key]
