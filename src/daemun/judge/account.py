"""What users do with their own accounts: end sessions, and change how they sign in. No HTTP.

What is changed is on the disk before it holds. What changes how a user signs in needs the password, entered a moment
ago. While a password is verified or hashed, others go on: the user and the session are looked at again afterwards.
"""

import collections.abc
import dataclasses
import enum
import math
import secrets

from daemun.core import password_hashes
from daemun.core.access import guess_limits, login_users
from daemun.judge import (
    basic_credentials,
    known_users,
    login_session,
    one_time_codes,
    password_check,
    saved_sessions,
    session_table,
    sign_in,
)

RECENT_S = 600.0
"""How long an entered password is good for further changes."""
SETUP_S = 900.0
SHORTEST_PASSWORD = 8
"""Characters (NIST SP 800-63B)."""
_MOST_SETUPS = 1000


class AccountResult(enum.Enum):
    """WRONG: the password or the code is. UNFIT: the new password cannot be one. DIFFERENT: it was typed in two ways.
    WAIT, BUSY: as of a `Verdict`. UNCONFIRMED: the password was not entered a moment ago. GONE: the session is over, or
    the account is another meanwhile. UNSAVED: it could not be written."""

    DONE = "done"
    WRONG = "wrong"
    UNFIT = "unfit"
    DIFFERENT = "different"
    WAIT = "wait"
    BUSY = "busy"
    UNCONFIRMED = "unconfirmed"
    GONE = "gone"
    UNSAVED = "unsaved"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AccountOutcome:
    """codes: new recovery codes."""

    result: AccountResult
    retry_after_s: int = 0
    codes: tuple[str, ...] = dataclasses.field(default=(), repr=False)


_GONE = AccountOutcome(result=AccountResult.GONE)
_DONE = AccountOutcome(result=AccountResult.DONE)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AccountVisit:
    """A user on the own page. key: of the session."""

    key: str
    session: login_session.Session
    user: login_users.User
    address: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Setup:
    secret: str = dataclasses.field(repr=False)
    until_s: float


class UserAccount:
    """What a signed-in user may do with the own account. All methods are called on one event loop."""

    def __init__(
        self,
        known: known_users.KnownUsers,
        sessions: saved_sessions.SavedSessions,
        passwords: sign_in.SignIn,
        verifier: password_check.Verifier,
        now: collections.abc.Callable[[], float],
    ) -> None:
        """now: seconds since the epoch."""
        self._known = known
        self._sessions = sessions
        self._passwords = passwords
        self._verifier = verifier
        self._now = now
        self._setups: dict[str, _Setup] = {}

    async def find(self, secret: str, address: str) -> AccountVisit | None:
        """secret: of the sign-in's own cookie. None: nobody is signed in."""
        await self._sessions.ready.wait()
        found = self._sessions.table.find(secret, self._now())
        user = None if found is None else self._known.find_of(found[1])
        if found is None or user is None:
            return None
        return AccountVisit(key=found[0], session=found[1], user=user, address=address)

    def is_recent(self, visit: AccountVisit) -> bool:
        """Whether the password was entered a moment ago."""
        return 0 <= self._now() - visit.session.password_s <= RECENT_S

    # --- sessions ----------------------------------------------------------------------------------------------

    def list_sessions(self, visit: AccountVisit) -> list[login_session.Session]:
        listed = self._sessions.table.list(self._now())
        ours = (one for one in listed if one.user == visit.user.name and self._known.find_of(one) is not None)
        return sorted(ours, key=lambda one: (one is not visit.session, -one.seen_s))

    async def end_session(self, visit: AccountVisit, number: str) -> AccountOutcome:
        """One of the user's own."""
        return await self._end(lambda one: one.user == visit.user.name and one.number == number)

    async def end_others(self, visit: AccountVisit) -> AccountOutcome:
        return await self._end(lambda one: one.user == visit.user.name and one is not visit.session)

    async def _end(self, is_meant: collections.abc.Callable[[login_session.Session], bool]) -> AccountOutcome:
        """Over at once in any case; done when it is written, too."""
        self._sessions.table.end(is_meant)
        is_saved = await self._sessions.save()
        return _DONE if is_saved else AccountOutcome(result=AccountResult.UNSAVED)

    # --- the password ------------------------------------------------------------------------------------------

    async def confirm(self, visit: AccountVisit, password: str) -> AccountOutcome:
        """The password, for what follows."""
        refused = await self._check(visit, password)
        if refused is None:
            visit.session.password_s = self._now()
        return refused or _DONE

    async def change_password(self, visit: AccountVisit, present: str, new: str, again: str) -> AccountOutcome:
        """Ends all other sessions."""
        new = password_hashes.normalize(new)
        if (cause := find_unfit(new, again)) is not None:
            return AccountOutcome(result=cause)
        refused = await self._check(visit, present)
        if refused is not None:
            return refused
        try:
            hashed = await self._verifier.hash(new)
        except password_check.BusyError:
            return AccountOutcome(result=AccountResult.BUSY, retry_after_s=1)
        now_s = self._now()

        def note(table: session_table.SessionTable) -> None:
            if (session := table.get(visit.key)) is not None:
                session.password_s = now_s

        return await self.change(visit, also=note, hashed=hashed, stamp=draw_stamp())

    async def _check(self, visit: AccountVisit, password: str) -> AccountOutcome | None:
        """None: it is the user's, who is still there."""
        password = password_hashes.normalize(password)
        if password_hashes.check_password(password):
            return AccountOutcome(result=AccountResult.WRONG)
        credentials = basic_credentials.Credentials(visit.user.name, password)
        answer = await self._passwords.check(self._known.policy, credentials, visit.address)
        if answer.verdict in {sign_in.SignInVerdict.WAIT, sign_in.SignInVerdict.BUSY}:
            is_wait = answer.verdict is sign_in.SignInVerdict.WAIT
            return AccountOutcome(
                result=AccountResult.WAIT if is_wait else AccountResult.BUSY, retry_after_s=answer.retry_after_s
            )
        if answer.verdict is not sign_in.SignInVerdict.RIGHT:
            return AccountOutcome(result=AccountResult.WRONG)
        return None if self._is_there(visit) else _GONE

    def _is_there(self, visit: AccountVisit) -> bool:
        is_same = self._sessions.table.get(visit.key) is visit.session
        return is_same and self._known.all.get(visit.user.name) == visit.user

    async def change(
        self, visit: AccountVisit, *, also: known_users.Alter = lambda _: None, **values: object
    ) -> AccountOutcome:
        """Other values of the user, which are written first. also: what else is to be altered."""
        if not self._is_there(visit):
            return _GONE
        after = dataclasses.replace(visit.user, **values)  # type: ignore[arg-type]
        try:
            is_done = await self._known.change(visit.user, after, kept_session=visit.key, also=also)
        except saved_sessions.NotSavedError:
            return AccountOutcome(result=AccountResult.UNSAVED)
        return _DONE if is_done else _GONE

    # --- one-time codes ----------------------------------------------------------------------------------------

    def begin_totp(self, visit: AccountVisit) -> str | None:
        """A secret for an app, which holds once a code of it came back. None: the password is missing."""
        if not self.is_recent(visit):
            return None
        self._setups.pop(visit.key, None)
        secret = one_time_codes.draw_secret()
        self._setups[visit.key] = _Setup(secret=secret, until_s=self._now() + SETUP_S)
        while len(self._setups) > _MOST_SETUPS:
            del self._setups[next(iter(self._setups))]
        return secret

    def find_setup(self, visit: AccountVisit) -> str | None:
        """The secret that was begun with."""
        found = self._setups.get(visit.key)
        return found.secret if found is not None and self._now() <= found.until_s else None

    async def finish_totp(self, visit: AccountVisit, code: str) -> AccountOutcome:
        """Codes of the app are needed from now on. Ends all other sessions."""
        secret = self.find_setup(visit)
        if secret is None or not self.is_recent(visit):
            return AccountOutcome(result=AccountResult.UNCONFIRMED)
        wait_s = self._passwords.find_wait_s(*self._account(visit))
        if wait_s > 0:
            return AccountOutcome(result=AccountResult.WAIT, retry_after_s=math.ceil(wait_s))
        with self._passwords.guess(*self._account(visit)) as guess:
            step = one_time_codes.find_step(secret, code, self._now())
            guess.was_right = step is not None
        if step is None:
            return AccountOutcome(result=AccountResult.WRONG)
        # The code is used up by this, as by signing in.
        codes, name = one_time_codes.draw_recovery(), visit.user.name
        outcome = await self.change(
            visit,
            also=lambda table: table.begin_steps(name, step),
            totp=secret,
            recovery=tuple(map(login_users.digest_recovery, codes)),
            stamp=draw_stamp(),
        )
        if outcome.result is AccountResult.DONE:
            self._setups.pop(visit.key, None)
            return AccountOutcome(result=AccountResult.DONE, codes=codes)
        return outcome

    def _account(self, visit: AccountVisit) -> tuple[str, str]:
        return guess_limits.network_of(visit.address), f"{self._known.policy.name} setup\n{visit.user.name}"

    async def remove_totp(self, visit: AccountVisit) -> AccountOutcome:
        """The password is enough again. Ends all other sessions."""
        if not self.is_recent(visit):
            return AccountOutcome(result=AccountResult.UNCONFIRMED)
        return await self.change(visit, totp=None, recovery=(), stamp=draw_stamp())

    async def renew_recovery(self, visit: AccountVisit) -> AccountOutcome:
        """Other recovery codes, instead of all before."""
        if not self.is_recent(visit):
            return AccountOutcome(result=AccountResult.UNCONFIRMED)
        if visit.user.totp is None:
            return _GONE
        codes = one_time_codes.draw_recovery()
        outcome = await self.change(visit, recovery=tuple(map(login_users.digest_recovery, codes)))
        return dataclasses.replace(outcome, codes=codes) if outcome.result is AccountResult.DONE else outcome


def find_unfit(password: str, again: str) -> AccountResult | None:
    """Why it cannot be a new password; None: it can."""
    if password != password_hashes.normalize(again):
        return AccountResult.DIFFERENT
    is_fit = len(password) >= SHORTEST_PASSWORD and password_hashes.check_password(password) is None
    return None if is_fit else AccountResult.UNFIT


def draw_stamp() -> str:
    """For a new password (`login_users.User`)."""
    return secrets.token_hex(8)
