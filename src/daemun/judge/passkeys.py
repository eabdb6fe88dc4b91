"""Passkeys: made by users who entered their password, and used to sign in instead of it. No HTTP.

A challenge is good once, for five minutes, and for whoever it was drawn for: the session in which a passkey is made,
the browser that signs in. A passkey is used with the authenticator's own look at the person (a finger, a PIN), so it
stands for both factors.
"""

import collections
import collections.abc
import dataclasses
import math
import types

from daemun.core.access import guess_limits, login_passkeys, login_users
from daemun.judge import account, login_judge, network_table, session_table, sign_in

CHALLENGE_S = 300.0
_MOST = 10_000
_MOST_OF_A_WIDE_NETWORK = 400
_MOST_OF_A_NETWORK = 100


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Challenge:
    text: str = dataclasses.field(repr=False)
    network: str
    until_s: float
    handle: str = ""


class Challenges:
    """WebAuthn challenges by the session or browser that requested them; a new one replaces the one before. No I/O."""

    def __init__(self) -> None:
        self._drawn: network_table.NetworkTable[_Challenge] = network_table.NetworkTable(
            most=_MOST, most_of_wide=_MOST_OF_A_WIDE_NETWORK, most_of_network=_MOST_OF_A_NETWORK
        )

    def add(self, owner: str, challenge: _Challenge) -> None:
        self._drawn.add(owner, challenge.network, challenge)

    def take(self, owner: str, now_s: float) -> _Challenge | None:
        """It is used up by this."""
        found = self._drawn.take(owner)
        return found if found is not None and now_s <= found.until_s else None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyResult:
    """secret: of the new session; "": it was refused. retry_after_s: of an address that guessed too often."""

    secret: str = dataclasses.field(default="", repr=False)
    retry_after_s: int = 0


class Passkeys:
    """Creates passkeys and signs users in by them. All methods are called on one event loop. check: `passkey_check`,
    which is slow to import. now: seconds since the epoch."""

    def __init__(
        self,
        check: types.ModuleType,
        login: login_judge.LoginJudge,
        own: account.UserAccount,
        guesses: sign_in.SignIn,
        now: collections.abc.Callable[[], float],
    ) -> None:
        self._check = check
        self._known = login.known
        self._login = login
        self._account = own
        self._guesses = guesses
        self._now = now
        self._challenges = Challenges()

    @property
    def is_any(self) -> bool:
        """Whether anybody has one."""
        return self._known.has_passkeys

    # --- on the page of the account ----------------------------------------------------------------------------

    def begin_creation(self, visit: account.AccountVisit, host: str) -> str | None:
        """What the browser needs, as JSON. host: of the sign-in. None: the password is missing, or there are many."""
        user = visit.user
        if not self._account.is_recent(visit) or len(user.passkeys) >= login_passkeys.MOST_OF_A_USER:
            return None
        handle = user.passkeys[0].handle if user.passkeys else session_table.draw()
        challenge = self._draw(f"session {visit.key}", visit.address, handle=handle)
        found: str = self._check.make_creation(user, host=host, challenge=challenge, handle=handle)
        return found

    async def finish_creation(
        self, visit: account.AccountVisit, name: str, sent: str, *, host: str, origin: str
    ) -> account.AccountOutcome:
        """sent: by the browser, as JSON. origin: of the page, with its port."""
        challenge = self._challenges.take(f"session {visit.key}", self._now())
        user = visit.user
        if not self._account.is_recent(visit) or len(user.passkeys) >= login_passkeys.MOST_OF_A_USER:
            return account.AccountOutcome(result=account.AccountResult.UNCONFIRMED)
        if challenge is None:
            return account.AccountOutcome(result=account.AccountResult.GONE)
        try:
            number, key, counter = self._check.verify_creation(sent, host=host, origin=origin, challenge=challenge.text)
        except self._check.RefusedError:
            return account.AccountOutcome(result=account.AccountResult.GONE)
        if self._known.find_passkey(number) is not None:
            return account.AccountOutcome(result=account.AccountResult.GONE)
        made = login_passkeys.Passkey(
            id=number,
            key=key,
            name=login_passkeys.clean_name(name) or f"{len(user.passkeys) + 1}",
            handle=challenge.handle,
            created_s=self._now(),
            counter=counter,
        )
        return await self._account.change(visit, passkeys=(*user.passkeys, made))

    async def remove(self, visit: account.AccountVisit, number: str) -> account.AccountOutcome:
        """Ends all other sessions: one may have begun with it."""
        if not self._account.is_recent(visit):
            return account.AccountOutcome(result=account.AccountResult.UNCONFIRMED)
        left = tuple(one for one in visit.user.passkeys if one.id != number)
        if len(left) == len(visit.user.passkeys):
            return account.AccountOutcome(result=account.AccountResult.GONE)
        return await self._account.change(
            visit, also=lambda table: table.note_counter(number, 0), passkeys=left, stamp=account.draw_stamp()
        )

    # --- signing in --------------------------------------------------------------------------------------------

    def begin_use(self, browser: str, address: str, host: str) -> str:
        """What the browser needs, as JSON. browser: the secret in its cookie."""
        challenge = self._draw(f"browser {session_table.digest(browser)}", address)
        found: str = self._check.make_request(host=host, challenge=challenge)
        return found

    async def finish_use(
        self, browser: str, sent: str, visitor: login_judge.SessionVisitor, *, host: str, origin: str
    ) -> PasskeyResult:
        """sent: by the browser, as JSON. origin: of the page, with its port."""
        challenge = self._challenges.take(f"browser {session_table.digest(browser)}", self._now())
        network = guess_limits.network_of(visitor.address)
        counter = (network, f"@login passkey\n{network}")
        wait_s = self._guesses.find_wait_s(*counter)
        if wait_s > 0:
            return PasskeyResult(retry_after_s=math.ceil(wait_s))
        with self._guesses.guess(*counter) as guess:
            user = None if challenge is None else self._verify(sent, challenge.text, host=host, origin=origin)
            guess.was_right = user is not None
        if user is None:
            return PasskeyResult()
        return PasskeyResult(secret=await self._login.begin(user.name, visitor, has_password=False) or "")

    def _verify(self, sent: str, challenge: str, *, host: str, origin: str) -> login_users.User | None:
        """Whose passkey signed; it counted on by this."""
        table = self._login.table
        try:
            number, handle = self._check.find_named(sent)
            found = self._known.find_passkey(number)
            if found is None or found[1].handle != handle:
                return None
            user, passkey = found
            last = max(passkey.counter, table.find_counter(passkey.id))
            now = self._check.verify_use(sent, passkey, host=host, origin=origin, challenge=challenge, counter=last)
        except self._check.RefusedError:
            return None
        if now:
            table.note_counter(passkey.id, now)
        return user

    def _draw(self, owner: str, address: str, *, handle: str = "") -> str:
        challenge = _Challenge(
            text=session_table.draw(),
            network=guess_limits.network_of(address),
            until_s=self._now() + CHALLENGE_S,
            handle=handle,
        )
        self._challenges.add(owner, challenge)
        return challenge.text
