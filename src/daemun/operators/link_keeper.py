"""The one-time link of `daemun dashboard`, in memory and in the store.

That it was used is written before anybody comes in by it. On a full disk a new one lives in memory alone: who has to
make room may want to look.
"""

import asyncio
import secrets

import structlog

from daemun.control import damaged_keys, operator_port, ports
from daemun.core.access import operator_links
from daemun.errors import EnvironmentProblemError
from daemun.operators import moments

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class LinkKeeper:
    """All methods are called on one event loop."""

    def __init__(self, store: ports.Store, clock: ports.Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock = asyncio.Lock()
        self._link: operator_links.OperatorLink | None = None
        self._is_read = False

    async def make(self, name: str) -> operator_port.MadeLink:
        """See operator_port.OperatorSignIn."""
        async with self._lock:
            # Deleted first: what cannot be written now must not leave the one before good.
            await asyncio.to_thread(self._store.delete, operator_links.KEY)
            secret = secrets.token_urlsafe(operator_links.RANDOM_BYTES)
            link = operator_links.make(secret, name=name, now_s=self._clock.now().timestamp())
            self._link, self._is_read = link, True
            try:
                await asyncio.to_thread(self._store.write, operator_links.KEY, operator_links.encode(link))
            except EnvironmentProblemError as error:
                log.warning(f"a link of `daemun dashboard` is good until daemun ends at the latest: {error}")
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
            await asyncio.to_thread(self._store.delete, operator_links.KEY)
            self._link = None
            return None if link.is_over(self._clock.now().timestamp()) else link

    def _read(self) -> operator_links.OperatorLink | None:
        follows = "the link of `daemun dashboard` in it is no good; the command makes another"
        return damaged_keys.read(self._store, operator_links.KEY, operator_links.decode, follows=follows)
