"""Signs users in and out, and decides whether a session lets its user into a site. No HTTP.

Whoever is not signed in on a site goes to the host of the sign-in with a challenge: the digest of a secret that stays
in a cookie of the site. From there a code leads back. It is good once, for a minute, on that host, and for the browser
that has the secret (as PKCE, RFC 7636): neither a code that was overheard nor one that was slipped to a visitor opens
anything.
"""

import asyncio
import collections.abc
import dataclasses
import enum
import hmac
import math
import re
import urllib.parse

from daemun.core import password_hashes
from daemun.core.access import guess_limits, judge_policies, login_policies, login_providers, login_users
from daemun.core.texts import patterns
from daemun.judge import (
    basic_credentials,
    known_users,
    login_session,
    one_time_codes,
    saved_sessions,
    session_table,
    sign_in,
)

CODE_S = 60.0
PENDING_S = 300.0
_MOST_TRIES = 5
_MOST_KEPT = 10_000
_LOOKS, _LOOK_S, _MOST_WAITING = 40, 0.05, 200
"""For a code of another machine."""
_GOAL = re.compile(
    r"https://(?P<host>[a-z0-9._-]{1,255}|\[[0-9a-f:.]{2,45}\])(?P<port>:[0-9]{1,5})?(?P<path>/[!-~]*)\Z"
)
_LONGEST_GOAL = 4096


class SignInStep(enum.Enum):
    """SIGNED_IN: done. CODE: a one-time code is missing, or wrong. WRONG: the password. WAIT, BUSY: as of a `Verdict`.
    AGAIN: too late, or too many tries: from the beginning. UNSAVED: it could not be written, and is not done."""

    SIGNED_IN = "signed in"
    CODE = "code"
    WRONG = "wrong"
    WAIT = "wait"
    BUSY = "busy"
    AGAIN = "again"
    UNSAVED = "unsaved"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SignInOutcome:
    """secret: of the new session. pending: stands for the password while a code is missing. is_wrong: the code was."""

    step: SignInStep
    secret: str = dataclasses.field(default="", repr=False)
    pending: str = dataclasses.field(default="", repr=False)
    is_wrong: bool = False
    retry_after_s: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SessionVisitor:
    """What is noted of a session."""

    address: str
    agent: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """Where a visitor came from. port: with its colon, or nothing. path: with the query."""

    host: str
    port: str
    path: str

    @property
    def place(self) -> str:
        return f"{self.host}{self.port}"

    @property
    def url(self) -> str:
        return f"https://{self.place}{self.path}"


@dataclasses.dataclass(slots=True, kw_only=True)
class _Pending:
    user: str
    stamp: str
    until_s: float
    tries: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JudgedVisitor:
    """user: None: nobody is signed in. is_admitted: whether the user may come in."""

    user: login_users.User | None = None
    is_admitted: bool = False


class LoginJudge:
    """Signs users in and out, and decides whether a session lets a visitor into a site. All methods are called on one
    event loop. now: seconds since the epoch. host: None: there is no sign-in."""

    def __init__(
        self,
        passwords: sign_in.SignIn,
        sessions: saved_sessions.SavedSessions,
        now: collections.abc.Callable[[], float],
    ) -> None:
        self._passwords = passwords
        self._sessions = sessions
        self._now = now
        self.known = known_users.KnownUsers(sessions)
        self._pending: dict[str, _Pending] = {}
        self._waiting = 0
        self.host: judge_policies.LoginHost | None = None

    @property
    def table(self) -> session_table.SessionTable:
        return self._sessions.table

    @property
    def has_users(self) -> bool:
        """Whether anybody can sign in with a password."""
        return bool(self.known.policy.users)

    async def set_policies(self, policies: collections.abc.Iterable[judge_policies.AnyPolicy]) -> None:
        self.host = judge_policies.find_host(policies)
        if self.host is not None:
            self.table.limit(idle_s=self.host.idle_s, lifetime_s=self.host.lifetime_s)
            self.known.set_providers(self.host.providers)
            await self._sessions.end_gone(self._is_gone)

    def _is_gone(self, session: login_session.Session) -> bool:
        """Whether its provider was taken out of the file."""
        return session.identity is not None and not self.known.has_provider_of(session)

    async def set_users(self, users: collections.abc.Iterable[login_users.User]) -> None:
        """Instead of all before. Sessions of who is gone, or has another password, are over."""
        stored = tuple(users)
        self.known.set_stored(stored)
        if self.host is not None and self._sessions.ready.is_set():
            self.table.keep_spent({one.name: one.recovery for one in self.known.all.values()})
            if stored:  # none at all: their file may be damaged, and be put back
                self.table.keep_counters(self.known.list_passkeys())
            self.table.drop(lambda session: self.known.find_of(session) is None)
            await self._sessions.save()

    # --- what nginx requests for each visitor -------------------------------------------------------------------

    async def judge(self, policy: judge_policies.LoginPolicy, secret: str, host: str) -> JudgedVisitor:
        """secret: of the cookie of a site. host: as nginx has it."""
        found = await self.find_on(secret, host)
        if found is None:
            return JudgedVisitor()
        user, _ = found
        return JudgedVisitor(user=user, is_admitted=login_policies.admits(policy, user))

    async def find_on(self, secret: str, host: str) -> tuple[login_users.User, login_session.Session] | None:
        """The same without a policy: who it is, and by which session."""
        if self.host is None or not secret:
            return None
        await self._sessions.ready.wait()
        session = self.table.find_on(secret, host, self._now())
        user = None if session is None else self.known.find_of(session)
        return None if session is None or user is None else (user, session)

    def find_user(self, name: str) -> login_users.User | None:
        """Who may come in without a session, by a token."""
        return self.known.all.get(name)

    # --- on the host of the sign-in ----------------------------------------------------------------------------

    async def find_signed_in(self, secret: str) -> tuple[str, login_users.User] | None:
        """The key of the session, and whose it is."""
        await self._sessions.ready.wait()
        found = self.table.find(secret, self._now())
        user = None if found is None else self.known.find_of(found[1])
        return None if found is None or user is None else (found[0], user)

    async def sign_in(self, name: str, password: str, visitor: SessionVisitor) -> SignInOutcome:
        await self._sessions.ready.wait()
        name, password = (password_hashes.normalize(text) for text in (name.strip(), password))
        if password_hashes.check_user(name) or password_hashes.check_password(password):
            return SignInOutcome(step=SignInStep.WRONG)
        policy = self.known.policy
        answer = await self._passwords.check(policy, basic_credentials.Credentials(name, password), visitor.address)
        user = self.known.all.get(name)
        if answer.verdict is sign_in.SignInVerdict.WAIT:
            return SignInOutcome(step=SignInStep.WAIT, retry_after_s=answer.retry_after_s)
        if answer.verdict is sign_in.SignInVerdict.BUSY:
            return SignInOutcome(step=SignInStep.BUSY, retry_after_s=answer.retry_after_s)
        # The user may be gone, or have another password, since it was looked at.
        if answer.verdict is not sign_in.SignInVerdict.RIGHT or user is None or (name, user.hashed) not in policy.users:
            return SignInOutcome(step=SignInStep.WRONG)
        if user.totp is None:
            return await self._begin(user, visitor)
        pending = session_table.draw()
        self._pending[session_table.digest(pending)] = _Pending(
            user=user.name, stamp=user.stamp, until_s=self._now() + PENDING_S
        )
        _shorten(self._pending)
        return SignInOutcome(step=SignInStep.CODE, pending=pending)

    async def check_code(self, pending: str, code: str, visitor: SessionVisitor) -> SignInOutcome:
        """The second step. Guesses are counted as those of passwords are."""
        await self._sessions.ready.wait()
        key = session_table.digest(pending)
        found, now_s = self._pending.get(key), self._now()
        user = None if found is None else self.known.all.get(found.user)
        if found is None or user is None or user.stamp != found.stamp or now_s > found.until_s:
            return SignInOutcome(step=SignInStep.AGAIN)
        account, network = f"{self.known.policy.name} code\n{user.name}", guess_limits.network_of(visitor.address)
        wait_s = self._passwords.find_wait_s(network, account)
        if wait_s > 0:
            return SignInOutcome(step=SignInStep.WAIT, retry_after_s=math.ceil(wait_s))
        found.tries += 1
        with self._passwords.guess(network, account) as guess:
            guess.was_right = True  # no guess, if it cannot be written that it was used
            try:
                guess.was_right = is_right = await self._spend(user, code, now_s)
            except saved_sessions.NotSavedError:
                return SignInOutcome(step=SignInStep.UNSAVED)
        is_there = self.known.all.get(user.name) == user
        if is_right and is_there:
            self._pending.pop(key, None)
            return await self._begin(user, visitor)
        if not is_there or found.tries >= _MOST_TRIES:
            self._pending.pop(key, None)
            return SignInOutcome(step=SignInStep.AGAIN)
        return SignInOutcome(step=SignInStep.CODE, pending=pending, is_wrong=True)

    async def _spend(self, user: login_users.User, code: str, now_s: float) -> bool:
        """Whether a code is good; it is not a second time (RFC 6238 section 5.2). A recovery code does not end by
        itself: that it was used is on the disk first. Raises: saved_sessions.NotSavedError."""
        written = "".join(code.split())
        recovery = login_users.digest_recovery(written)
        if recovery in user.recovery:
            return await self._sessions.commit(
                lambda table: table.spend_code(user.name, recovery),
                is_due=lambda: not self.table.is_spent(user.name, recovery),
            )
        step = None if user.totp is None else one_time_codes.find_step(user.totp, written, now_s)
        return step is not None and self.table.spend_step(user.name, step)

    async def begin(self, name: str, visitor: SessionVisitor, *, has_password: bool = True) -> str | None:
        """A session of a user who signed in otherwise. has_password: who chose a password just now. Returns: its
        secret; None: the user is gone."""
        user = self.known.all.get(name)
        return None if user is None else (await self._begin(user, visitor, has_password=has_password)).secret

    async def _begin(
        self, user: login_users.User, visitor: SessionVisitor, *, has_password: bool = True
    ) -> SignInOutcome:
        """has_password: whether the password was entered."""
        now_s = self._now()
        secret = self.table.begin(
            user.name,
            user.stamp,
            address=visitor.address,
            agent=visitor.agent,
            now_s=now_s,
            password_s=now_s if has_password else 0.0,
        )
        await self._sessions.save()
        return SignInOutcome(step=SignInStep.SIGNED_IN, secret=secret)

    async def begin_identity(self, identity: login_providers.Identity, stamp: str, visitor: SessionVisitor) -> str:
        """A session of who signed in at a provider. stamp: of that. Returns: its secret."""
        await self._sessions.ready.wait()
        secret = self.table.begin(
            identity.name,
            stamp,
            address=visitor.address,
            agent=visitor.agent,
            now_s=self._now(),
            identity=identity,
        )
        await self._sessions.save()
        return secret

    async def sign_out(self, secret: str) -> bool:
        """Of all sites, and of this session alone. Returns: whether that is written; it is tried again otherwise."""
        await self._sessions.ready.wait()
        found = self.table.find(secret, self._now())
        if found is not None:
            _, session = found
            self.table.end(lambda one: one is session)
        return found is None or await self._sessions.save()

    # --- from the sign-in to a site ----------------------------------------------------------------------------

    def read_goal(self, text: str, port: str) -> Goal | None:
        """Where a visitor is to return to; None: that is no site that people come into signed in. port: with its colon,
        at which the page of the sign-in was requested."""
        match = _GOAL.match(text) if len(text) <= _LONGEST_GOAL else None
        if match is None or self.host is None:
            return None
        goal = Goal(host=match["host"], port=match["port"] or "", path=match["path"])
        ports = {port, *("" if one == 443 else f":{one}" for one in self.host.ports)}
        is_ours = patterns.is_among(goal.host, self.host.hosts) and goal.port in ports
        return goal if is_ours else None

    def draw_code(self, session: str, goal: Goal, challenge: str) -> str:
        """session: the key of one. challenge: of the browser (`make_challenge`)."""
        code = session_table.draw()
        found = login_session.SiteCode(
            session=session,
            host=goal.host,
            port=goal.port,
            path=goal.path,
            challenge=challenge,
            until_s=self._now() + CODE_S,
        )
        self.table.add_code(code, found)
        return code

    async def redeem(self, code: str, place: str, browser: str) -> tuple[str, Goal] | None:
        """The secret of a site for a code, and where the visitor was going. place: the host with its port, as nginx has
        them. browser: the secret in its cookie. None: the code is not good, or not any more."""
        await self._sessions.ready.wait()
        await self._wait_for_code(code)
        found = self.table.use_code(code)
        goal = None if found is None else Goal(host=found.host, port=found.port, path=found.path)
        if found is None or goal is None or self._now() > found.until_s or goal.place != place:
            return None
        if not hmac.compare_digest(found.challenge, make_challenge(browser)):
            return None
        secret = self.table.enter(found.session, found.host, self._now())
        await self._sessions.save()
        return None if secret is None else (secret, goal)

    async def _wait_for_code(self, code: str) -> None:
        """The visitor may be here before it is, where another machine of the fleet made it."""
        if not self.table.is_shared or self._waiting >= _MOST_WAITING:
            return
        self._waiting += 1
        try:
            for _ in range(_LOOKS):
                if self.table.has_code(code):
                    return
                await asyncio.sleep(_LOOK_S)
        finally:
            self._waiting -= 1

    # --- what the owner does -----------------------------------------------------------------------------------

    async def list_sessions(self) -> list[dict[str, object]]:
        await self._sessions.ready.wait()
        return [
            {
                "id": one.number,
                "user": one.user,
                "provider": one.identity.provider if one.identity is not None else None,
                "email": one.identity.email if one.identity is not None else None,
                "created_s": one.created_s,
                "seen_s": one.seen_s,
                "address": one.address,
                "agent": one.agent,
                "hosts": sorted(set(one.sites.values())),
            }
            for one in self.table.list(self._now())
            if self.known.find_of(one) is not None
        ]

    async def end_sessions(self, *, user: str | None, number: str | None) -> tuple[int, bool]:
        """Those of a user, or the one with this number. Returns: how many, and whether that is written."""
        await self._sessions.ready.wait()
        ended = self.table.end(lambda one: user == one.user if user is not None else number == one.number)
        return ended, await self._sessions.save()


def make_challenge(secret: str) -> str:
    return session_table.digest(secret)


def encode_path(text: str) -> str:
    """A path as nginx received it, in letters that can stand in a URL."""
    return urllib.parse.quote(text.encode("utf-8", "surrogateescape"), safe="".join(map(chr, range(0x21, 0x7F))))


def _shorten(kept: dict[str, _Pending]) -> None:
    """The oldest go first."""
    while len(kept) > _MOST_KEPT:
        del kept[next(iter(kept))]
