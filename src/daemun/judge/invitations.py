"""How a person who was invited becomes a user: by the secret of a link, once, and within its time. No HTTP.

Only its digest is known. It has 256 random bits, so looking one up is no guess that is counted: a page elsewhere could
make its visitors' browsers look up as many as it likes.
"""

import collections.abc
import dataclasses

from daemun.core import password_hashes
from daemun.core.access import login_users
from daemun.judge import account, known_users, password_check, saved_sessions


class Invitations:
    """Turns invitations into users. All methods are called on one event loop. now: seconds since the epoch."""

    def __init__(
        self,
        known: known_users.KnownUsers,
        sessions: saved_sessions.SavedSessions,
        verifier: password_check.Verifier,
        now: collections.abc.Callable[[], float],
    ) -> None:
        self._known = known
        self._sessions = sessions
        self._verifier = verifier
        self._now = now

    async def find(self, secret: str) -> login_users.User | None:
        """Whose invitation it is; None: there is no such one, or not any more."""
        await self._sessions.ready.wait()
        return self._find(secret)

    def _find(self, secret: str) -> login_users.User | None:
        user = self._known.find_invited(login_users.digest_invitation(secret))
        is_good = user is not None and user.invitation is not None and not user.invitation.is_over(self._now())
        return user if is_good else None

    async def accept(self, secret: str, new: str, again: str) -> account.AccountOutcome:
        """Choose the password, by which the invitation is used up. secret: one that was found."""
        new = password_hashes.normalize(new)
        if (cause := account.find_unfit(new, again)) is not None:
            return account.AccountOutcome(result=cause)
        user = self._find(secret)
        if user is None:
            return account.AccountOutcome(result=account.AccountResult.GONE)
        try:
            hashed = await self._verifier.hash(new)
        except password_check.BusyError:
            return account.AccountOutcome(result=account.AccountResult.BUSY, retry_after_s=1)
        # It may be withdrawn, used up or over by now; `change` looks again.
        if self._find(secret) != user:
            return account.AccountOutcome(result=account.AccountResult.GONE)
        after = dataclasses.replace(user, hashed=hashed, stamp=account.draw_stamp(), invitation=None)
        try:
            is_done = await self._known.change(user, after, kept_session="")
        except saved_sessions.NotSavedError:
            return account.AccountOutcome(result=account.AccountResult.UNSAVED)
        return account.AccountOutcome(result=account.AccountResult.DONE if is_done else account.AccountResult.GONE)
