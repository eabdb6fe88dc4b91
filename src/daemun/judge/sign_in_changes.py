"""In the judge: what is new of sign-ins for the other machines of a fleet, and what they know. The daemon fetches the
one and brings the other; where it never does, nothing is noted.
"""

import asyncio
import collections.abc
import contextlib
import secrets
import typing

from daemun.judge import login_judge, session_table, shared_sign_ins

WAIT_S = 5.0
"""So long an answer waits for something new."""
_AT_ONCE = 50
"""Users, before visitors have a turn: each time there is a walk over all sessions."""


class SignInChanges:
    """Exchanges changes of sign-ins between the judge and its daemon. now: seconds since the epoch."""

    def __init__(
        self, login: login_judge.LoginJudge, table: session_table.SessionTable, now: collections.abc.Callable[[], float]
    ) -> None:
        self._login = login
        self._table = table
        self._now = now
        self._instance = secrets.token_hex(8)
        self._number = 0
        self._numbers: dict[str, int] = {}
        """Of the last change of each user."""
        self._changed = asyncio.Event()
        table.touched = self._note

    def _note(self, user: str) -> None:
        if self._table.is_shared:
            self._number += 1
            self._numbers[user] = self._number
            self._changed.set()

    @property
    def is_ready(self) -> bool:
        """Whether it is known how long sessions last: else all would be over."""
        return self._table.lifetime_s > 0

    async def wait(self, after: int, instance: str) -> dict[str, typing.Any]:
        """What changed after the change of this number; everything for another process than this one (`instance`)."""
        self._table.is_shared = True
        if instance != self._instance:
            return await self._answer(self._table.list_users())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT_S):
                while self._number <= after and not self._login.known.has_changes:
                    self._changed.clear()
                    await self._changed.wait()
        return await self._answer({user for user, number in self._numbers.items() if number > after})

    async def _answer(self, users: collections.abc.Iterable[str]) -> dict[str, typing.Any]:
        number, listed = self._number, sorted(users)  # what changes meanwhile has a later number
        records: list[shared_sign_ins.Record] = []
        for begin in range(0, len(listed), _AT_ONCE):
            records += self._table.describe(listed[begin : begin + _AT_ONCE])
            await asyncio.sleep(0)  # visitors wait for this process, too
        return {
            "instance": self._instance,
            "number": number,
            "has_changes": self._login.known.has_changes,
            "records": records,
        }

    async def take(self, records: collections.abc.Sequence[shared_sign_ins.Record]) -> None:
        """What other machines know. Raises: ValueError, LookupError, TypeError, AttributeError."""
        self._table.is_shared = True
        for begin in range(0, len(records), _AT_ONCE):
            self._table.take(records[begin : begin + _AT_ONCE], self._now())
            await asyncio.sleep(0)
