"""Who is signed in by `login` on the dashboard's host, queried of the judge and remembered for some seconds.

So long a sign-out, or a user who is disabled, may take to hold here; the roles are looked up each time.
"""

import collections
import collections.abc
import re
import time

from daemun.control import operator_port
from daemun.core.access import operator_sessions

REMEMBERED_S = 10.0
_MOST_REMEMBERED = 1000
_SECRET = re.compile(r"[A-Za-z0-9_-]{20,200}\Z")


FindSignedIn = collections.abc.Callable[[str, str], collections.abc.Awaitable[operator_port.SignedInUser | None]]
"""Of the secret of a site's cookie, and its host. Raises: EnvironmentProblemError."""

EndSignedIn = collections.abc.Callable[[str], collections.abc.Awaitable[tuple[int, bool]]]
"""End a session by its number, on every site. How many there were, and whether that is stored. Raises:
EnvironmentProblemError."""


class LoginLookup:
    """All methods are called on one event loop. now: monotonic seconds."""

    def __init__(self, find: FindSignedIn, now: collections.abc.Callable[[], float] = time.monotonic) -> None:
        self._find = find
        self._now = now
        self._remembered: collections.OrderedDict[tuple[str, str], tuple[float, operator_port.SignedInUser | None]] = (
            collections.OrderedDict()
        )

    async def find(self, secret: str, host: str) -> operator_port.SignedInUser | None:
        """Raises: EnvironmentProblemError: the judge does not answer, and nothing is known of this secret."""
        if not _SECRET.match(secret):
            return None
        key, now_s = (operator_sessions.digest(secret), host), self._now()
        until_s, known = self._remembered.get(key, (now_s, None))
        if now_s < until_s:
            return known
        found = await self._find(secret, host)
        # From when it was queried on: the answer is as old as that.
        self._remembered[key] = (now_s + REMEMBERED_S, found)
        self._remembered.move_to_end(key)
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)
        return found

    def forget(self, session: str) -> None:
        """Of a session that ended, by its number."""
        for key in [key for key, (_, user) in self._remembered.items() if user is not None and user.session == session]:
            del self._remembered[key]
