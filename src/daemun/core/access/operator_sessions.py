"""The sessions of those who came to the dashboard by a link of `daemun dashboard`. No I/O; the time is an argument, in
seconds since the epoch.

A session is bound to its secret and to nothing else: address and browser are there so that people recognise it. Secrets
are drawn by the daemon, of 256 random bits, and kept as digests.
"""

import collections.abc
import dataclasses
import hashlib
import json
import math
import typing

PREFIX = "daemun_session_"
RANDOM_BYTES = 32
IDLE_S = 12 * 3600.0
LIFETIME_S = 7 * 86400.0
MOST = 100
"""The one that was used longest ago ends first."""
_LONGEST_AGENT = 200
_LONGEST_NAME = 100
_SAVED_S = IDLE_S / 20
"""How exactly the last use survives a restart."""


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


@dataclasses.dataclass(slots=True, kw_only=True)
class OperatorSession:
    """number: what people name it by. name: who made the link. saved_s: seen_s as it was saved."""

    number: str
    name: str
    created_s: float
    seen_s: float
    saved_s: float
    address: str = ""
    agent: str = ""

    @property
    def ends_s(self) -> float:
        """Without a further use."""
        return min(self.seen_s + IDLE_S, self.created_s + LIFETIME_S)

    def is_over(self, now_s: float) -> bool:
        """A clock that was put back far makes no session last longer."""
        return now_s >= self.ends_s or now_s < self.created_s - IDLE_S


class OperatorSessions:
    """changed: whether anything must be saved."""

    def __init__(self) -> None:
        self.changed = False
        self._sessions: dict[str, OperatorSession] = {}

    def begin(self, secret: str, *, number: str, name: str, address: str, agent: str, now_s: float) -> OperatorSession:
        """secret: just drawn, never one that a browser sent."""
        self.end_old(now_s)
        by_use = sorted(self._sessions, key=lambda key: self._sessions[key].seen_s)
        for key in by_use[: max(0, len(by_use) + 1 - MOST)]:
            del self._sessions[key]
        session = self._sessions[digest(secret)] = OperatorSession(
            number=number,
            name=shorten(name, _LONGEST_NAME),
            created_s=now_s,
            seen_s=now_s,
            saved_s=now_s,
            address=address,
            agent=shorten(agent, _LONGEST_AGENT),
        )
        self.changed = True
        return session

    def find(self, secret: str, now_s: float) -> OperatorSession | None:
        """The session of a secret, which is used by this."""
        session = self._sessions.get(digest(secret))
        if session is None:
            return None
        if session.is_over(now_s):
            self.end_old(now_s)
            return None
        session.seen_s = max(session.seen_s, now_s)
        if session.seen_s - session.saved_s > _SAVED_S:
            session.saved_s, self.changed = session.seen_s, True
        return session

    def list(self, now_s: float) -> tuple[OperatorSession, ...]:
        """The one that was used last first."""
        live = (one for one in self._sessions.values() if not one.is_over(now_s))
        return tuple(sorted(live, key=lambda one: (-one.seen_s, one.number)))

    def end(self, is_meant: collections.abc.Callable[[OperatorSession], bool]) -> int:
        """Returns: how many ended."""
        keys = [key for key, one in self._sessions.items() if is_meant(one)]
        for key in keys:
            del self._sessions[key]
        self.changed = self.changed or bool(keys)
        return len(keys)

    def end_secret(self, secret: str) -> None:
        """The one of a secret, if there is any."""
        self.changed = self._sessions.pop(digest(secret), None) is not None or self.changed

    def end_old(self, now_s: float) -> None:
        self.end(lambda one: one.is_over(now_s))

    def encode(self) -> bytes:
        values = {key: {**dataclasses.asdict(one), "saved_s": one.seen_s} for key, one in self._sessions.items()}
        return json.dumps(values, indent=1).encode()

    def load(self, content: bytes) -> None:
        """Instead of all there is. Raises: ValueError, KeyError, TypeError, AttributeError when it is no such text."""
        self._sessions = {str(key): _read(one) for key, one in json.loads(content).items()}


def shorten(text: str, most: int) -> str:
    """What people are shown of what a browser sent."""
    return "".join(sign for sign in text[: 4 * most] if sign.isprintable())[:most]


def read_moment(value: object) -> float:
    """Seconds since the epoch. Raises: ValueError, also for what is never over; TypeError."""
    found = float(value)  # type: ignore[arg-type] # raises TypeError
    if not math.isfinite(found):
        raise ValueError("it is no moment")
    return found


def _read(value: dict[str, typing.Any]) -> OperatorSession:
    seen_s = read_moment(value["seen_s"])
    return OperatorSession(
        number=str(value["number"]),
        name=str(value["name"]),
        created_s=read_moment(value["created_s"]),
        seen_s=seen_s,
        saved_s=seen_s,
        address=str(value["address"]),
        agent=str(value["agent"]),
    )
