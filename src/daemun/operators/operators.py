"""Who uses the dashboard and its API, and with which role.

Three ways lead in: a session that began by a link of `daemun dashboard` (role `own`), a session of `login` with a role
by the lists of `dashboard:`, and a token of the API. Whatever cannot be read lets nobody in.
"""

import asyncio
import collections.abc
import re

from daemun.control import operator_port, ports, shared_changes
from daemun.core import layout
from daemun.core.access import api_tokens, audit_entries, dashboard_roles, operator_links, operator_sessions
from daemun.operators import (
    audit_log,
    audit_writer,
    credential_guesses,
    link_store,
    login_lookup,
    session_store,
    token_store,
)

_LONGEST_CREDENTIAL = 200
_BEARER = re.compile(r"bearer +", re.IGNORECASE)
"""RFC 6750 section 2.1; the case of the scheme does not matter (RFC 9110 section 11.1)."""


class Operators:
    """Implements `control.operator_port.OperatorAccess`. guesses: for `banning`."""

    def __init__(
        self,
        store: ports.Store,
        paths: layout.Layout,
        clock: ports.Clock,
        find_signed_in: login_lookup.FindSignedIn,
        end_signed_in: login_lookup.EndSignedIn,
    ) -> None:
        self._clock, self._layout = clock, paths
        self._audit = audit_writer.AuditWriter(paths, store.damage)
        self.guesses = credential_guesses.CredentialGuesses()
        self._links = link_store.LinkStore(store, clock)
        self._sessions = session_store.SessionStore(store, clock)
        self._tokens = token_store.TokenStore(store, clock)
        self._logins = login_lookup.LoginLookup(find_signed_in)
        self._end_signed_in = end_signed_in
        self._rights = dashboard_roles.NO_RIGHTS

    async def run(self) -> None:
        """Keep what changed. Never returns."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._links.run())
            tasks.create_task(self._sessions.run())
            tasks.create_task(self._tokens.run())

    def follow(self, changes: shared_changes.SharedChanges) -> None:
        """What other machines of a fleet change holds here, too."""
        changes.follow(session_store.KEY, take=self._sessions.follow)
        changes.follow(operator_links.KEY, take=self._links.follow)
        changes.follow(api_tokens.KEY, take=self._tokens.follow)

    def configure(self, rights: dashboard_roles.DashboardRights) -> None:
        """Who has which role from now on, in each round."""
        self._rights = rights

    # --- who requests something --------------------------------------------------------------------------------

    async def identify(self, credentials: operator_port.OperatorCredentials) -> dashboard_roles.Operator | None:
        """See operator_port.OperatorPort. With a header that is no good nobody comes in, whatever else was sent.

        Raises: also EnvironmentProblemError: the judge of sign-ins does not answer."""
        if credentials.authorization:
            return await self._identify_bearer(credentials.authorization, credentials.address)
        user = await self._find_signed_in(credentials)
        role = None if user is None else dashboard_roles.find_role(self._rights, user.name, user.groups)
        if user is None or role is None:
            return None
        return dashboard_roles.Operator(
            name=user.name, role=role, how=dashboard_roles.LOGIN, number=user.session, address=credentials.address
        )

    async def _identify_bearer(self, header: str, address: str) -> dashboard_roles.Operator | None:
        match = _BEARER.match(header)
        credential = header[match.end() :].strip(" ") if match is not None else ""
        if len(credential) <= _LONGEST_CREDENTIAL and credential.startswith(operator_sessions.PREFIX):
            session = await self._sessions.find(credential)
            if session is not None:
                return dashboard_roles.Operator(
                    name=session.name,
                    role=dashboard_roles.Role.OWN,
                    how=dashboard_roles.LINK,
                    number=session.number,
                    address=address,
                )
        elif len(credential) <= _LONGEST_CREDENTIAL and credential.startswith(api_tokens.PREFIX):
            token = await self._tokens.find(credential, address)
            if token is not None:
                return dashboard_roles.Operator(
                    name=token.name, role=token.role, how=dashboard_roles.TOKEN, number=token.name, address=address
                )
            if self._tokens.is_known(credential):
                return None
        self.guesses.count("credential", header[:_LONGEST_CREDENTIAL], address)
        return None

    async def _find_signed_in(
        self, credentials: operator_port.OperatorCredentials
    ) -> operator_port.SignedInUser | None:
        """Whether or not the user has a role."""
        host = credentials.host.partition(":")[0].lower()
        # The cookie of another site is no credential here, whoever got hold of it.
        if not credentials.login or host != self._rights.host:
            return None
        return await self._logins.find(credentials.login, host)

    async def note(self, noted: operator_port.NotedRequest) -> None:
        """See operator_port.OperatorPort."""
        await self._audit.note(
            audit_entries.AuditEntry(
                at=self._clock.now(),
                who=noted.operator.name,
                role=noted.operator.role.word,
                how=noted.operator.how,
                address=noted.operator.address,
                method=noted.method,
                path=noted.path,
                summary=noted.summary,
                target=noted.target,
                before=noted.before,
                after=noted.after,
                status=noted.status,
            )
        )

    async def read_audit(self, wanted: operator_port.AuditQuery) -> operator_port.AuditPage:
        """See operator_port.OperatorRecords."""
        return await asyncio.to_thread(audit_log.read_page, self._layout, wanted)

    @property
    def rights(self) -> dashboard_roles.DashboardRights:
        """See operator_port.OperatorRecords."""
        return self._rights

    # --- who comes by a link -----------------------------------------------------------------------------------

    async def make_link(self, name: str) -> operator_port.MadeLink:
        """See operator_port.OperatorSignIn."""
        return await self._links.make(name)

    async def begin(
        self, link_secret: str, address: str, agent: str, *, former: str = ""
    ) -> operator_port.BegunSession | None:
        """See operator_port.OperatorSignIn."""
        link = await self._links.use(link_secret)
        if link is None:
            self.guesses.count("link", link_secret[:_LONGEST_CREDENTIAL], address)
            return None
        return await self._sessions.begin(name=link.name, address=address, agent=agent, former=former)

    async def sign_out(self, credentials: operator_port.OperatorCredentials) -> operator_port.SignedOut:
        """See operator_port.OperatorSignIn."""
        operator = await self.identify(credentials)
        ended, is_saved = 0, True
        if operator is not None and operator.how == dashboard_roles.LINK:
            of_link = await self.end_sessions(number=operator.number)
            ended, is_saved = of_link.ended, of_link.is_saved
        user = await self._find_signed_in(credentials)
        if user is not None:
            of_login, is_kept = await self._end_signed_in(user.session)
            self._logins.forget(user.session)
            ended, is_saved = ended + of_login, is_saved and is_kept
        return operator_port.SignedOut(operator=operator, ended=ended, is_saved=is_saved)

    async def list_sessions(self) -> tuple[operator_port.KnownSession, ...]:
        """See operator_port.OperatorSignIn."""
        return await self._sessions.list()

    async def end_sessions(self, *, number: str | None = None, but: str | None = None) -> operator_port.EndedSessions:
        """See operator_port.OperatorSignIn."""
        return await self._sessions.end(lambda one: one.number != but and number in {None, one.number})

    # --- programs ----------------------------------------------------------------------------------------------

    async def list_tokens(self) -> tuple[operator_port.KnownToken, ...]:
        """See operator_port.OperatorTokens."""
        return await self._tokens.list()

    async def add_token(
        self,
        name: str,
        role: dashboard_roles.Role,
        *,
        lifetime_s: float | None,
        networks: collections.abc.Sequence[str] = (),
        by: str,
    ) -> operator_port.MadeToken:
        """See operator_port.OperatorTokens."""
        return await self._tokens.add(name, role, lifetime_s=lifetime_s, networks=networks, by=by)

    async def remove_token(self, name: str) -> operator_port.KnownToken | None:
        """See operator_port.OperatorTokens."""
        return await self._tokens.remove(name)
