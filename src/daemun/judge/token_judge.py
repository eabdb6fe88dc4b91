"""Whether a script may come in by its token (RFC 6750). No HTTP.

A token is looked up by its digest, so how long that takes says nothing of others. One that is not known counts as a
guess of its address; the same one again does not, or a script whose token was withdrawn would shut out whoever shares
its address. One that is known comes in also where an address waits: nobody can have guessed it.
"""

import collections
import collections.abc
import dataclasses
import enum
import math

from daemun.core.access import access_tokens, guess_limits, judge_policies, login_policies, login_users
from daemun.judge import sign_in

_WRONG_FOR_S = 3600.0
_MOST_REMEMBERED = 10_000


class TokenVerdict(enum.Enum):
    """RIGHT: come in. UNKNOWN: there is no such token, or not any more, or its user is gone. FORBIDDEN: it is for other
    sites, or its user may not come in here. WAIT: too many wrong guesses."""

    RIGHT = "right"
    UNKNOWN = "unknown"
    FORBIDDEN = "forbidden"
    WAIT = "wait"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TokenAnswer:
    """user: of RIGHT. retry_after_s: of WAIT."""

    verdict: TokenVerdict
    user: login_users.User | None = None
    retry_after_s: int = 0


_UNKNOWN = TokenAnswer(verdict=TokenVerdict.UNKNOWN)


class TokenJudge:
    """Decides whether a token lets a script in. All methods are called on one event loop. find_user: of a name, today.
    now: seconds since the epoch."""

    def __init__(
        self,
        guesses: sign_in.SignIn,
        find_user: collections.abc.Callable[[str], login_users.User | None],
        now: collections.abc.Callable[[], float],
    ) -> None:
        self._guesses = guesses
        self._find_user = find_user
        self._now = now
        self._tokens: dict[str, access_tokens.Token] = {}
        self._wrong: collections.OrderedDict[tuple[str, str], float] = collections.OrderedDict()

    def set_tokens(self, tokens: collections.abc.Iterable[access_tokens.Token]) -> None:
        """Instead of all before."""
        self._tokens = {one.digest: one for one in tokens}

    def judge(self, policy: judge_policies.LoginPolicy, secret: str, host: str, address: str) -> TokenAnswer:
        """secret: as the script sent it. host: as nginx has it."""
        digest = access_tokens.digest(secret)
        token = self._tokens.get(digest)
        if token is None:
            return self._count(digest, guess_limits.network_of(address))
        user = None if token.is_over(self._now()) else self._find_user(token.user)
        if user is None:
            return _UNKNOWN
        if not token.is_for(host) or not login_policies.admits(policy, user):
            return TokenAnswer(verdict=TokenVerdict.FORBIDDEN)
        return TokenAnswer(verdict=TokenVerdict.RIGHT, user=user)

    def _count(self, digest: str, network: str) -> TokenAnswer:
        now_s, key = self._now(), (network, digest)
        if self._wrong.get(key, -math.inf) > now_s:
            return _UNKNOWN
        account = f"@token\n{digest}"
        wait_s = self._guesses.find_wait_s(network, account)
        if wait_s > 0:
            return TokenAnswer(verdict=TokenVerdict.WAIT, retry_after_s=math.ceil(wait_s))
        with self._guesses.guess(network, account):
            pass  # none is right
        self._wrong[key] = now_s + _WRONG_FOR_S
        self._wrong.move_to_end(key)
        if len(self._wrong) > _MOST_REMEMBERED:
            self._wrong.popitem(last=False)
        return _UNKNOWN
