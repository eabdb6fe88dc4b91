"""The users of the sign-in, for the dashboard: changed as `daemun users` changes them (`control.people_port`)."""

import asyncio
import collections.abc
import dataclasses
import datetime
import json
import secrets
import typing

from daemun import settings
from daemun.control import people_port, ports
from daemun.core.access import login_users, user_edits
from daemun.errors import ConflictError
from daemun.judge import judge_process
from daemun.wiring import clock

_T = typing.TypeVar("_T")
_SECRET_BYTES = 32


class LoginPeople:
    """find_page: the URL of the sign-in, without a path; None: there is none."""

    def __init__(
        self,
        chosen: settings.Settings,
        find_page: collections.abc.Callable[[], str | None],
        now: ports.Clock | None = None,
    ) -> None:
        self._chosen = chosen
        self._find_page = find_page
        self._clock = now or clock.SystemClock()

    async def list_people(self) -> tuple[people_port.Person, ...]:
        """See people_port.People."""
        from daemun.wiring.offline import offline_users  # noqa: PLC0415 - at the first request, as below

        found = await asyncio.to_thread(offline_users.list_users, self._chosen)
        return tuple(map(self._describe, found))

    async def invite(
        self, name: str, facts: people_port.PersonChange, *, lifetime_s: float
    ) -> people_port.MadeInvitation:
        """See people_port.People."""
        page = self._find_page()
        if page is None:
            raise ConflictError(
                "cannot invite anybody: there is no page to sign in on; write `login: {host: auth.example.com}` in "
                "daemun.yaml"
            )
        name, wanted = user_edits.read_name(name), _facts(facts)
        secret, ends_s = secrets.token_urlsafe(_SECRET_BYTES), self._clock.now().timestamp() + lifetime_s

        def add(users: dict[str, login_users.User], stamp: str) -> None:
            invited = user_edits.make(name, wanted, stamp=stamp)
            users[name] = user_edits.invite(users, invited, secret, ends_s)

        await self._edit(add)
        invitation = login_users.Invitation(digest="", ends_s=ends_s)
        return people_port.MadeInvitation(link=user_edits.write_invitation(page, secret), ends_at=_end(invitation))

    async def change(
        self, name: str, change: people_port.PersonChange
    ) -> tuple[people_port.Person, people_port.Person]:
        """See people_port.People."""
        facts = _facts(change)

        def alter(users: dict[str, login_users.User], stamp: str) -> tuple[login_users.User, login_users.User]:
            before = user_edits.find(users, name)
            after = user_edits.change(before, facts)
            if change.is_disabled is not None:
                after = dataclasses.replace(after, is_disabled=change.is_disabled)
            if change.removes_codes:
                after = dataclasses.replace(after, totp=None, recovery=(), stamp=stamp)
            if change.removes_passkeys:
                after = dataclasses.replace(after, passkeys=(), stamp=stamp)
            users[before.name] = after
            return before, after

        before, after = await self._edit(alter)
        return self._describe(before), self._describe(after)

    async def remove(self, name: str) -> people_port.Person:
        """See people_port.People."""
        return self._describe(await self._edit(lambda users, _: users.pop(user_edits.find(users, name).name)))

    async def _edit(self, alter: collections.abc.Callable[[dict[str, login_users.User], str], _T]) -> _T:
        """alter: gets all users by name, and a stamp for a user who is another one by it."""

        def work() -> _T:
            from daemun.wiring.offline import offline_users  # noqa: PLC0415

            with offline_users.editing(self._chosen) as users:
                return alter(users, offline_users.draw_stamp())

        return await asyncio.to_thread(work)

    def _describe(self, user: login_users.User) -> people_port.Person:
        state, invitation = people_port.PersonState.ACTIVE, user.invitation
        if user.is_disabled:
            state = people_port.PersonState.DISABLED
        elif invitation is not None:
            is_over = invitation.is_over(self._clock.now().timestamp())
            state = people_port.PersonState.OVER if is_over else people_port.PersonState.INVITED
        return people_port.Person(
            name=user.name,
            display=user.display,
            email=user.email,
            groups=user.groups,
            has_codes=user.totp is not None,
            passkeys=tuple(one.name for one in user.passkeys),
            state=state,
            invited_until=None if invitation is None else _end(invitation),
        )

    # --- sessions ----------------------------------------------------------------------------------------------

    async def list_sessions(self) -> tuple[people_port.PersonSession, ...]:
        """See people_port.PersonSessions."""
        if await asyncio.to_thread(judge_process.find_left, self._chosen.layout) is None:
            return ()
        found = await judge_process.request(self._chosen.layout, "GET", "/sessions")
        return tuple(map(_read_session, found["sessions"]))

    async def end_sessions(self, *, user: str | None = None, number: str | None = None) -> tuple[int, bool]:
        """See people_port.PersonSessions."""
        if await asyncio.to_thread(judge_process.find_left, self._chosen.layout) is None:
            return 0, True
        wanted = json.dumps({"user": user, "id": number}).encode()
        found = await judge_process.request(self._chosen.layout, "POST", "/sessions/end", wanted)
        return int(found["ended"]), bool(found["saved"])


def _facts(change: people_port.PersonChange) -> user_edits.UserFacts:
    """Raises: ConfigError."""
    facts = user_edits.UserFacts(groups=change.groups, email=change.email, display=change.display)
    user_edits.check(facts)
    return facts


def _end(invitation: login_users.Invitation) -> datetime.datetime:
    return _moment(invitation.ends_s)


def _moment(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def _read_session(value: dict[str, typing.Any]) -> people_port.PersonSession:
    return people_port.PersonSession(
        number=str(value["id"]),
        user=str(value["user"]),
        provider=value["provider"],
        email=value["email"],
        address=str(value["address"]),
        agent=str(value["agent"]),
        created_at=_moment(value["created_s"]),
        seen_at=_moment(value["seen_s"]),
        hosts=tuple(map(str, value["hosts"])),
    )
