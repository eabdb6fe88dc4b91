"""Verifies name and password of one request (`basic_auth`).

Each verification is expensive on purpose, so as few as possible are made: what was found a moment ago is remembered (by
a keyed digest, in a bounded number), equal credentials at the same time share one verification, and a network or a user
with too many wrong guesses waits. An unknown user costs as much as a known one: the hash of some user of the policy is
verified instead, always the same one for the same name, and the outcome is dropped.
"""

import asyncio
import collections
import collections.abc
import contextlib
import dataclasses
import enum
import hashlib
import math
import secrets

from daemun.core.access import guess_limits, judge_policies
from daemun.judge import basic_credentials, password_check

RIGHT_FOR_S = 300.0
WRONG_FOR_S = 3600.0
"""The same wrong password again, of a program that does not have the new one yet, is no guess and costs nothing."""
MOST_REMEMBERED = 10_000


class SignInVerdict(enum.Enum):
    """RIGHT: come in. CHALLENGE: name and password are missing, or wrong. WAIT: too many wrong guesses. BUSY: too much
    is being verified. UNKNOWN: the judge has no such policy (yet)."""

    RIGHT = "right"
    CHALLENGE = "challenge"
    WAIT = "wait"
    BUSY = "busy"
    UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PasswordAnswer:
    """user: of RIGHT. realm: of CHALLENGE. retry_after_s: of WAIT and BUSY."""

    verdict: SignInVerdict
    user: str = ""
    realm: str = ""
    retry_after_s: int = 0


_BUSY = PasswordAnswer(verdict=SignInVerdict.BUSY, retry_after_s=1)
_UNKNOWN = PasswordAnswer(verdict=SignInVerdict.UNKNOWN)


class SignIn:
    """Verifies names and passwords of requests (`basic_auth`). All methods are called on one event loop."""

    def __init__(self, verifier: password_check.Verifier, now: collections.abc.Callable[[], float]) -> None:
        """now: monotonic seconds."""
        self._verifier = verifier
        self._now = now
        self._key = secrets.token_bytes(32)
        self._limits = guess_limits.GuessLimits(secrets.token_bytes(32))
        self._policies: dict[str, dict[str, judge_policies.AnyPolicy]] = {}
        self._remembered: collections.OrderedDict[bytes, tuple[bool, float]] = collections.OrderedDict()
        self._verifying: dict[bytes, asyncio.Future[PasswordAnswer]] = {}
        self.set_policies(())

    def set_policies(self, policies: collections.abc.Iterable[judge_policies.AnyPolicy]) -> None:
        """Instead of all before. Of several with one name, the last is the current one."""
        self._policies = {}
        for one in policies:
            self._policies.setdefault(one.name, {})[one.digest] = one
        for versions in self._policies.values():
            current = next(reversed(versions.values()))
            versions.update({digest: judge_policies.restrict(one, current) for digest, one in versions.items()})

    def find_waits(self) -> dict[str, tuple[int, float]]:
        """See `GuessLimits.find_waits`."""
        return self._limits.find_waits(self._now())

    def forget(self, network: str) -> None:
        self._limits.forget(network)

    def find_wait_s(self, network: str, account: str) -> float:
        """As of `guess_limits`, for guesses of another kind."""
        return self._limits.find_wait_s(network, account, self._now())

    @contextlib.contextmanager
    def guess(self, network: str, account: str) -> collections.abc.Iterator[guess_limits.Guess]:
        """One guess of another kind is verified meanwhile."""
        with self._limits.guess(network, account) as guess:
            yield guess
            guess.ended_s = self._now()

    async def check(
        self, policy: judge_policies.Policy, credentials: basic_credentials.Credentials, address: str
    ) -> PasswordAnswer:
        """The same of credentials that came otherwise. policy: one that `set_policies` need not know."""
        network = guess_limits.network_of(address)
        key = self._key_of(policy.digest, network, credentials)
        return self._recall(key, policy, credentials, network) or await self._verify_once(
            key, policy, credentials, network
        )

    def find(self, name: str, digest: str) -> judge_policies.AnyPolicy | None:
        """The policy that nginx requests, or the current one of that name; None: there is none (yet)."""
        versions = self._policies.get(name, {})
        return versions.get(digest) or next(reversed(versions.values()), None)

    async def answer(self, name: str, digest: str, authorization: str | None, address: str) -> PasswordAnswer:
        """name, digest: of the policy that nginx requests. An old worker of nginx requests an older version, and
        gets the answer of the current one."""
        policy = self.find(name, digest)
        if not isinstance(policy, judge_policies.Policy):
            return _UNKNOWN
        credentials = basic_credentials.parse(authorization) if authorization is not None else None
        if credentials is None:
            return PasswordAnswer(verdict=SignInVerdict.CHALLENGE, realm=policy.realm)
        return await self.check(policy, credentials, address)

    def _recall(
        self, key: bytes, policy: judge_policies.Policy, credentials: basic_credentials.Credentials, network: str
    ) -> PasswordAnswer | None:
        """What is known without a verification. A network that waits gets no right answer either, or it could go on
        guessing what another visitor behind the same address signs in with."""
        is_right, until_s = self._remembered.get(key, (False, -math.inf))
        is_known = self._now() < until_s
        if is_known and not is_right:
            return PasswordAnswer(verdict=SignInVerdict.CHALLENGE, realm=policy.realm)
        wait_s = self._limits.find_wait_s(network, _account(policy, credentials), self._now())
        if wait_s > 0 and key not in self._verifying:
            return PasswordAnswer(verdict=SignInVerdict.WAIT, retry_after_s=math.ceil(wait_s))
        return PasswordAnswer(verdict=SignInVerdict.RIGHT, user=credentials.user) if is_known else None

    async def _verify_once(
        self, key: bytes, policy: judge_policies.Policy, credentials: basic_credentials.Credentials, network: str
    ) -> PasswordAnswer:
        running = self._verifying.get(key)
        if running is not None:
            return await asyncio.shield(running)
        outcome = self._verifying[key] = asyncio.get_running_loop().create_future()
        answer = _BUSY
        try:
            answer = await self._verify(key, policy, credentials, network)
        except password_check.BusyError:
            pass
        finally:
            del self._verifying[key]
            outcome.set_result(answer)
        return answer

    async def _verify(
        self, key: bytes, policy: judge_policies.Policy, credentials: basic_credentials.Credentials, network: str
    ) -> PasswordAnswer:
        account = _account(policy, credentials)
        users = dict(policy.users)
        hashed = users.get(credentials.user) or self._choose_decoy(policy, credentials.user)
        with self._limits.guess(network, account) as guess:
            matches = hashed is not None and await self._verifier.verify(credentials.password, hashed)
            guess.was_right = is_right = matches and credentials.user in users
            guess.ended_s = self._now()
        self._remember(key, is_right=is_right)
        if is_right:
            return PasswordAnswer(verdict=SignInVerdict.RIGHT, user=credentials.user)
        return PasswordAnswer(verdict=SignInVerdict.CHALLENGE, realm=policy.realm)

    def _choose_decoy(self, policy: judge_policies.Policy, user: str) -> str | None:
        """The hash that is verified for an unknown user; None: the policy has no users, and nothing to hide."""
        if not policy.users:
            return None
        number = int.from_bytes(hashlib.blake2b(user.encode(), key=self._key, digest_size=8).digest(), "big")
        return policy.users[number % len(policy.users)][1]

    def _key_of(self, digest: str, network: str, credentials: basic_credentials.Credentials) -> bytes:
        parts = (digest, network, credentials.user, credentials.password)
        found = hashlib.blake2b(key=self._key, digest_size=32)
        for part in parts:
            encoded = part.encode()
            found.update(len(encoded).to_bytes(4, "big") + encoded)
        return found.digest()

    def _remember(self, key: bytes, *, is_right: bool) -> None:
        self._remembered[key] = (is_right, self._now() + (RIGHT_FOR_S if is_right else WRONG_FOR_S))
        self._remembered.move_to_end(key)
        if len(self._remembered) > MOST_REMEMBERED:
            self._remembered.popitem(last=False)


def _account(policy: judge_policies.Policy, credentials: basic_credentials.Credentials) -> str:
    return f"{policy.name}\n{credentials.user}"
