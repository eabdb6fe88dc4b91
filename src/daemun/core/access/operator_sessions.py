"""The sessions of those who came to the dashboard by a link of `daemun dashboard`. No I/O; the time is an argument, in
seconds since the epoch.

A session is bound to its secret and to nothing else: address and browser are there so that people recognise it. Secrets
are drawn by the daemon, of 256 random bits, and kept as digests.
"""

import collections.abc
import contextlib
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


Sessions = dict[str, OperatorSession]
"""By the digests of their secrets."""


class OperatorSessions:
    """changed: whether anything must be saved. begun, ended: the keys of sessions for which that was done since they
    were saved."""

    def __init__(self) -> None:
        self.changed = False
        self.begun: set[str] = set()
        self.ended: set[str] = set()
        self._sessions: Sessions = {}

    def begin(self, secret: str, *, number: str, name: str, address: str, agent: str, now_s: float) -> OperatorSession:
        """secret: just drawn, never one that a browser sent."""
        self.end_old(now_s)
        by_use = sorted(self._sessions, key=lambda key: self._sessions[key].seen_s)
        for key in by_use[: max(0, len(by_use) + 1 - MOST)]:
            self._end(key)
        key = digest(secret)
        session = self._sessions[key] = OperatorSession(
            number=number,
            name=shorten(name, _LONGEST_NAME),
            created_s=now_s,
            seen_s=now_s,
            saved_s=now_s,
            address=address,
            agent=shorten(agent, _LONGEST_AGENT),
        )
        self.begun.add(key)
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
            self._end(key)
        return len(keys)

    def end_secret(self, secret: str) -> None:
        """The one of a secret, if there is any."""
        if (key := digest(secret)) in self._sessions:
            self._end(key)

    def _end(self, key: str) -> None:
        del self._sessions[key]
        self.begun.discard(key)
        self.ended.add(key)
        self.changed = True

    def end_old(self, now_s: float) -> None:
        """Only here: another machine of a fleet may know of a later use."""
        left = {key: one for key, one in self._sessions.items() if not one.is_over(now_s)}
        self.changed = self.changed or len(left) < len(self._sessions)
        self._sessions = left

    def alter(self, content: bytes | None, now_s: float) -> bytes:
        """What is to be stored where this is."""
        stored = None
        if content is not None:
            with contextlib.suppress(ValueError, LookupError, TypeError, AttributeError, RecursionError):
                stored = decode(content)
        # What is gone or damaged says nothing of who is signed in.
        found = self._sessions if stored is None else self._merge(stored)
        return _encode({key: one for key, one in found.items() if not one.is_over(now_s)})

    def encode(self) -> bytes:
        return _encode(self._sessions)

    def take(self, content: bytes) -> None:
        """What is stored now. Raises: ValueError, KeyError, TypeError, AttributeError when it is no such text."""
        self._sessions = self._merge(decode(content))

    def copy(self) -> "OperatorSessions":
        """As it is now, to be written elsewhere."""
        copied = OperatorSessions()
        copied.begun, copied.ended = set(self.begun), set(self.ended)
        copied._sessions = {key: dataclasses.replace(one) for key, one in self._sessions.items()}
        return copied

    def settle(self, saved: "OperatorSessions") -> None:
        """This copy was written."""
        self.begun -= saved.begun
        self.ended -= saved.ended

    def _merge(self, stored: Sessions) -> Sessions:
        """Several machines may keep sessions: one that is not stored any more ended elsewhere."""
        found = {key: one for key, one in stored.items() if key not in self.ended}
        for key, one in self._sessions.items():
            if key in found:
                seen_s = max(found[key].seen_s, one.seen_s)
                found[key] = dataclasses.replace(found[key], seen_s=seen_s, saved_s=max(one.saved_s, found[key].seen_s))
            elif key in self.begun:
                found[key] = one
        return found


def _encode(sessions: Sessions) -> bytes:
    values = {key: {**dataclasses.asdict(one), "saved_s": one.seen_s} for key, one in sessions.items()}
    return json.dumps(values, indent=1).encode()


def decode(content: bytes) -> Sessions:
    """Raises: ValueError, KeyError, TypeError, AttributeError when it is no such text."""
    return {str(key): _read(one) for key, one in json.loads(content).items()}


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
