"""Sessions that began by a link of `daemun dashboard`, in memory and in the store.

What could not be written is tried again, and ends nobody's session meanwhile: on a full disk somebody has to look.
"""

import asyncio
import collections.abc
import secrets

import structlog

from daemun.control import damaged_keys, operator_port, ports, value_change
from daemun.core.access import operator_sessions
from daemun.errors import EnvironmentProblemError
from daemun.operators import moments

log: structlog.stdlib.BoundLogger = structlog.get_logger()

KEY = "dashboard/sessions.json"
RETRY_S = 5.0
_NUMBER_BYTES = 6


class SessionStore:
    """All methods are called on one event loop."""

    def __init__(self, store: ports.Store, clock: ports.Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock = asyncio.Lock()
        self._sessions = operator_sessions.OperatorSessions()
        self._is_read = False
        self._is_saved = True
        self._unsaved = asyncio.Event()

    async def run(self) -> None:
        """Write what changed by use, and what could not be written before. Never returns."""
        await self._read()  # what is damaged is reported from the start on
        while True:
            await self._unsaved.wait()
            self._unsaved.clear()
            if not await self.save():
                await asyncio.sleep(RETRY_S)

    async def begin(self, *, name: str, address: str, agent: str, former: str = "") -> operator_port.BegunSession:
        """See operator_port.OperatorSignIn."""
        await self._read()
        secret = operator_sessions.PREFIX + secrets.token_urlsafe(operator_sessions.RANDOM_BYTES)
        if former:
            self._sessions.end_secret(former)
        session = self._sessions.begin(
            secret,
            number=secrets.token_hex(_NUMBER_BYTES),
            name=name,
            address=address,
            agent=agent,
            now_s=self._now_s(),
        )
        await self.save()
        ends_s = session.created_s + operator_sessions.LIFETIME_S
        return operator_port.BegunSession(
            secret=secret, number=session.number, name=session.name, ends_at=moments.of(ends_s)
        )

    async def find(self, secret: str) -> operator_sessions.OperatorSession | None:
        """Whose secret it is, who uses the session by this."""
        await self._read()
        found = self._sessions.find(secret, self._now_s())
        if self._sessions.changed:
            self._unsaved.set()
        return found

    async def list(self) -> tuple[operator_port.KnownSession, ...]:
        """The one that was used last first."""
        await self._read()
        return tuple(map(_describe, self._sessions.list(self._now_s())))

    async def end(
        self, is_meant: collections.abc.Callable[[operator_sessions.OperatorSession], bool]
    ) -> operator_port.EndedSessions:
        """Over at once in any case; done for good when it is written, too."""
        await self._read()
        ended = self._sessions.end(is_meant)
        return operator_port.EndedSessions(ended=ended, is_saved=await self.save())

    async def save(self) -> bool:
        """Whether all of it is written."""
        async with self._lock:
            if not self._sessions.changed:
                return self._is_saved
            self._sessions.changed = False
            copied, now_s = self._sessions.copy(), self._now_s()
            try:
                stored = await asyncio.to_thread(
                    value_change.change, self._store, KEY, lambda before: copied.alter(before, now_s)
                )
            except EnvironmentProblemError as error:
                self._sessions.changed = True
                self._unsaved.set()
                if self._is_saved:
                    log.warning(f"sessions of the dashboard cannot be kept: {error}")
                self._is_saved = False
            else:
                self._sessions.settle(copied)
                if stored is not None:
                    self._sessions.take(stored)
                self._is_saved = True
                self._store.damage.clear(KEY)
            return self._is_saved

    async def _read(self) -> None:
        if self._is_read:
            return
        async with self._lock:
            if not self._is_read:
                content = await asyncio.to_thread(self._read_content)
                if content is not None:
                    self._sessions.take(content)
                self._is_read = True

    async def follow(self, _: collections.abc.Sequence[str]) -> None:
        """Another machine of the fleet began or ended sessions (`shared_changes.Take`)."""
        async with self._lock:
            content = await asyncio.to_thread(self._read_content)
            if self._is_read and content is not None:
                self._sessions.take(content)

    def _read_content(self) -> bytes | None:
        def check(content: bytes) -> bytes:
            operator_sessions.decode(content)
            return content

        follows = "nobody is signed in to the dashboard; `daemun dashboard` makes a link"
        return damaged_keys.read(self._store, KEY, check, follows=follows)

    def _now_s(self) -> float:
        return self._clock.now().timestamp()


def _describe(session: operator_sessions.OperatorSession) -> operator_port.KnownSession:
    return operator_port.KnownSession(
        number=session.number,
        name=session.name,
        address=session.address,
        agent=session.agent,
        created_at=moments.of(session.created_s),
        seen_at=moments.of(session.seen_s),
        ends_at=moments.of(session.ends_s),
    )
