"""How a person who was invited becomes a user: by the secret of a link, once, and within its time. No HTTP.

Only its digest is known. It has 256 random bits; guesses of it are counted by address nevertheless.
"""

import collections.abc
import dataclasses
import math

from daemun.core import password_hashes
from daemun.core.access import guess_limits, login_users
from daemun.judge import account, known_users, password_check, saved_sessions, sign_in


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """user: None: there is no such invitation, or not any more. retry_after_s: of an address that guessed too often."""

    user: login_users.User | None = None
    retry_after_s: int = 0


class Invitations:
    """All methods are called on one event loop. now: seconds since the epoch."""

    def __init__(
        self,
        known: known_users.KnownUsers,
        sessions: saved_sessions.SavedSessions,
        guesses: sign_in.SignIn,
        verifier: password_check.Verifier,
        now: collections.abc.Callable[[], float],
    ) -> None:
        self._known = known
        self._sessions = sessions
        self._guesses = guesses
        self._verifier = verifier
        self._now = now

    async def find(self, secret: str, address: str) -> Found:
        """Whose invitation it is."""
        await self._sessions.ready.wait()
        network = guess_limits.network_of(address)
        counter = (network, f"@login invitation\n{network}")
        wait_s = self._guesses.find_wait_s(*counter)
        if wait_s > 0:
            return Found(retry_after_s=math.ceil(wait_s))
        user = self._find(secret)
        if user is None:
            with self._guesses.guess(*counter):
                pass  # a wrong one
        return Found(user=user)

    def _find(self, secret: str) -> login_users.User | None:
        user = self._known.find_invited(login_users.digest_invitation(secret))
        is_good = user is not None and user.invitation is not None and not user.invitation.is_over(self._now())
        return user if is_good else None

    async def accept(self, secret: str, new: str, again: str) -> account.Outcome:
        """Choose the password, by which the invitation is used up. secret: one that was found."""
        new = password_hashes.normalize(new)
        if (cause := account.find_unfit(new, again)) is not None:
            return account.Outcome(result=cause)
        user = self._find(secret)
        if user is None:
            return account.Outcome(result=account.Result.GONE)
        try:
            hashed = await self._verifier.hash(new)
        except password_check.BusyError:
            return account.Outcome(result=account.Result.BUSY, retry_after_s=1)
        # It may be withdrawn, used up or over by now; `change` looks again.
        if self._find(secret) != user:
            return account.Outcome(result=account.Result.GONE)
        after = dataclasses.replace(user, hashed=hashed, stamp=account.draw_stamp(), invitation=None)
        try:
            is_done = await self._known.change(user, after, kept="")
        except saved_sessions.NotSavedError:
            return account.Outcome(result=account.Result.UNSAVED)
        return account.Outcome(result=account.Result.DONE if is_done else account.Result.GONE)
