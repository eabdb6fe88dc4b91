"""The one-time link of `daemun dashboard`, in memory and in the store.

That it was used is written before anybody comes in by it. On a full disk a new one lives in memory alone: who has to
make room may want to look.
"""

import asyncio
import collections.abc
import contextlib
import secrets

import structlog

from daemun.control import damaged_keys, operator_port, ports, stored_values, value_change
from daemun.core.access import operator_links
from daemun.errors import EnvironmentProblemError, StoreConflictError, StoreUnreachableError
from daemun.operators import moments

log: structlog.stdlib.BoundLogger = structlog.get_logger()

RETRY_S = 5.0


class LinkStore:
    """All methods are called on one event loop."""

    def __init__(self, store: ports.Store, clock: ports.Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock = asyncio.Lock()
        self._link: operator_links.OperatorLink | None = None
        self._is_read = False
        self._is_stored = True
        """Else it is in memory alone."""
        self._withdrawn: set[bytes] = set()
        """What may be stored and must not be, once the store can be reached."""
        self._has_withdrawn = asyncio.Event()

    async def run(self) -> None:
        """Withdraw what could not be withdrawn before. Never returns."""
        while True:
            await self._has_withdrawn.wait()
            try:
                async with self._lock:
                    await asyncio.to_thread(value_change.change, self._store, operator_links.KEY, self._without)
                    self._withdrawn.clear()
                    self._has_withdrawn.clear()
            except EnvironmentProblemError as error:
                log.debug("a link of `daemun dashboard` is not withdrawn yet", reason=str(error))
                await asyncio.sleep(RETRY_S)

    def _withdraw(self, link: operator_links.OperatorLink) -> None:
        self._withdrawn.add(operator_links.encode(link))
        self._has_withdrawn.set()

    def _without(self, stored: bytes | None) -> bytes | None:
        return None if stored in self._withdrawn else stored

    async def make(self, name: str) -> operator_port.MadeLink:
        """See operator_port.OperatorSignIn."""
        async with self._lock:
            # Deleted first: what cannot be written now must not leave the one before good. Where a fleet's database is
            # out of reach, it is withdrawn by `run`, and the owner can look all the same.
            failure: EnvironmentProblemError | None = None
            try:
                await asyncio.to_thread(self._store.delete, operator_links.KEY)
                self._withdrawn.clear()
            except StoreUnreachableError as error:
                failure = error
                if (before := await asyncio.to_thread(self._read)) is not None:
                    self._withdraw(before)
            secret = secrets.token_urlsafe(operator_links.RANDOM_BYTES)
            link = operator_links.make(secret, name=name, now_s=self._clock.now().timestamp())
            if failure is None:
                try:
                    await asyncio.to_thread(self._store.write, operator_links.KEY, operator_links.encode(link))
                except EnvironmentProblemError as error:
                    failure = error
                    self._withdraw(link)  # it may be stored all the same, and would be good twice
            if failure is not None:
                log.warning(f"a link of `daemun dashboard` is good until daemun ends at the latest: {failure}")
            self._link, self._is_read, self._is_stored = link, True, failure is None
        return operator_port.MadeLink(secret=secret, ends_at=moments.of(link.ends_s))

    async def use(self, secret: str) -> operator_links.OperatorLink | None:
        """The link with this secret, which is used up. None: there is none, or not any more.

        Raises: EnvironmentProblemError: that cannot be written, so nobody is to come in."""
        if not operator_links.is_secret(secret):
            return None
        async with self._lock:
            if not self._is_read:
                self._link = await asyncio.to_thread(self._read)
                self._is_read = True
            link = self._link
            if link is None or not link.is_opened_by(secret):
                return None
            is_ours = not self._is_stored or await asyncio.to_thread(self._take_away, link)
            self._link, self._is_stored = None, True
            return None if not is_ours or link.is_over(self._clock.now().timestamp()) else link

    async def follow(self, _: collections.abc.Sequence[str]) -> None:
        """Another machine of the fleet made a link, or somebody came in by it there (`shared_changes.Take`)."""
        async with self._lock:
            self._is_read = self._is_read and not self._is_stored

    def _take_away(self, link: operator_links.OperatorLink) -> bool:
        """Whether nobody else did, on another machine. Raises: EnvironmentProblemError."""
        read = self._store.read_many([operator_links.KEY])
        revision = read.revision(operator_links.KEY)
        if revision == stored_values.ABSENT or read.found[operator_links.KEY].value != operator_links.encode(link):
            return False
        with contextlib.suppress(StoreConflictError):
            self._store.commit([stored_values.KeyChange(key=operator_links.KEY, value=None, expected=revision)])
            return True
        return False

    def _read(self) -> operator_links.OperatorLink | None:
        follows = "the link of `daemun dashboard` in it is no good; the command makes another"
        return damaged_keys.read(self._store, operator_links.KEY, operator_links.decode, follows=follows)
