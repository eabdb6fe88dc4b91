"""The users of the sign-in as the process knows them: those of the store, with what they changed themselves since."""

import collections.abc
import dataclasses

from daemun.core.access import judge_policies, login_changes, login_passkeys, login_providers, login_users
from daemun.judge import login_session, saved_sessions, session_table

Alter = collections.abc.Callable[[session_table.SessionTable], None]


class KnownUsers:
    """The users who can sign in: those of the store with their own changes on top. All methods are called on one event
    loop."""

    def __init__(self, sessions: saved_sessions.SavedSessions) -> None:
        self._sessions = sessions
        self._stored: tuple[login_users.User, ...] = ()
        self._users: dict[str, login_users.User] = {}
        self._invited: dict[str, login_users.User] = {}
        self._passkeys: dict[str, tuple[login_users.User, login_passkeys.Passkey]] = {}
        self._policy = judge_policies.Policy(name="@login", realm="", users=())
        self._stamps: dict[str, str] = {}
        self._made_of: tuple[object, object] = ((), None)

    def set_stored(self, users: collections.abc.Iterable[login_users.User]) -> None:
        """Instead of all before."""
        self._stored = tuple(users)
        if self._sessions.ready.is_set():
            self._sessions.table.drop_changes(self._stored)

    def set_providers(self, providers: collections.abc.Iterable[login_providers.Provider]) -> None:
        """Whose accounts are users, too, instead of all before. A stamp takes longer to make than all the rest of what
        is looked at for a session, of which there may be ten thousand."""
        self._stamps = {one.key: one.stamp for one in providers}

    @property
    def all(self) -> collections.abc.Mapping[str, login_users.User]:
        """By name; without those who are only invited, or disabled."""
        self._fold()
        return self._users

    def find_invited(self, digest: str) -> login_users.User | None:
        """By the digest of an invitation's secret."""
        self._fold()
        return self._invited.get(digest)

    def find_passkey(self, number: str) -> tuple[login_users.User, login_passkeys.Passkey] | None:
        """By its id."""
        self._fold()
        return self._passkeys.get(number)

    def list_passkeys(self) -> frozenset[str]:
        """The ids of all that may be used again: also of who is disabled, and of what users changed meanwhile."""
        changed = (one.user for one in self._sessions.table.changes.values())
        return frozenset(key.id for user in (*self._stored, *changed) for key in user.passkeys)

    @property
    def has_passkeys(self) -> bool:
        self._fold()
        return bool(self._passkeys)

    @property
    def policy(self) -> judge_policies.Policy:
        """Their passwords."""
        self._fold()
        return self._policy

    @property
    def has_changes(self) -> bool:
        """Whether the store lacks any."""
        changes = self._sessions.table.changes
        return any(one.name in changes and login_changes.is_due(one, changes[one.name]) for one in self._stored)

    def find_of(self, session: login_session.Session) -> login_users.User | None:
        """Whose session it is; None: it is over."""
        if session.identity is not None:
            return session.identity.make_user(session.stamp) if self.has_provider_of(session) else None
        user = self.all.get(session.user)
        return user if user is not None and user.stamp == session.stamp else None

    def has_provider_of(self, session: login_session.Session) -> bool:
        """Whether the provider where it began is there still, and the same."""
        return session.identity is not None and self._stamps.get(session.identity.provider) == session.stamp

    async def change(
        self, before: login_users.User, after: login_users.User, *, kept_session: str, also: Alter = lambda _: None
    ) -> bool:
        """Change an account, and all that `also` does, or nothing. kept_session: the key of the session that goes
        on. Returns: False: the account is another meanwhile. Raises: saved_sessions.NotSavedError."""
        after = dataclasses.replace(after, revision=before.revision + 1)

        def alter(table: session_table.SessionTable) -> None:
            table.change_user(before, after, kept_session=kept_session)
            also(table)

        return await self._sessions.commit(alter, is_due=lambda: self._has(before))

    def _has(self, user: login_users.User) -> bool:
        known = self.all.get(user.name) if user.invitation is None else self.find_invited(user.invitation.digest)
        return known == user

    def _fold(self) -> None:
        changes = self._sessions.table.changes
        if self._made_of[0] is self._stored and self._made_of[1] is changes:
            return
        self._made_of = (self._stored, changes)
        folded = [one for one in login_changes.fold(self._stored, changes) if not one.is_disabled]
        self._users = {one.name: one for one in folded if one.invitation is None}
        self._invited = {one.invitation.digest: one for one in folded if one.invitation is not None}
        self._passkeys = {key.id: (user, key) for user in self._users.values() for key in user.passkeys}
        pairs = tuple((one.name, one.hashed) for one in self._users.values() if one.hashed)
        self._policy = dataclasses.replace(self._policy, users=pairs)
