"""Credentials that nobody has, counted by the network that they come from. No I/O.

A credential has 256 random bits and is looked up by its digest, so nobody can guess one; the limit keeps those who try
from the log and the processor. The same unknown one again is no further guess, or a browser whose session ended would
shut out whoever shares its address; and one that is known is never refused here.
"""

import collections
import collections.abc
import math
import secrets
import time

from daemun.control import operator_port
from daemun.core.access import guess_limits, operator_sessions

_WRONG_FOR_S = 3600.0
_MOST_REMEMBERED = 10_000


class CredentialGuesses:
    """Implements `banning.ban_registry.Guesses`: who guesses on and on is banned where `bans` are on."""

    def __init__(self, now: collections.abc.Callable[[], float] = time.monotonic) -> None:
        """now: monotonic seconds."""
        self._now = now
        self._limits = guess_limits.GuessLimits(secrets.token_bytes(32))
        self._wrong: collections.OrderedDict[tuple[str, str], float] = collections.OrderedDict()

    def count(self, kind: str, credential: str, address: str) -> None:
        """One that is unknown. kind: of credentials. Raises: TooManyGuessesError: its network has to wait."""
        now_s, network = self._now(), guess_limits.network_of(address)
        digest = operator_sessions.digest(credential)
        if self._wrong.get((network, digest), -math.inf) > now_s:
            return
        account = f"{kind}\n{digest}"
        wait_s = self._limits.find_wait_s(network, account, now_s)
        if wait_s > 0:
            raise operator_port.TooManyGuessesError(math.ceil(wait_s))
        with self._limits.guess(network, account) as guess:
            guess.ended_s = now_s  # none is right
        self._wrong[network, digest] = now_s + _WRONG_FOR_S
        self._wrong.move_to_end((network, digest))
        if len(self._wrong) > _MOST_REMEMBERED:
            self._wrong.popitem(last=False)

    async def fetch_waits(self) -> guess_limits.Waits:
        """See `guess_limits.Waits`."""
        return self._limits.find_waits(self._now())

    async def forget(self, network: str) -> None:
        self._limits.forget(network)
