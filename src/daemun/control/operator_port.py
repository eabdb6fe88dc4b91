"""What the API needs to know of those who use it, implemented in `operators`."""

import collections.abc
import dataclasses
import datetime
import typing

from daemun import errors
from daemun.core.access import audit_entries, dashboard_roles


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OperatorCredentials:
    """What came with a request, nothing of it believed yet.

    authorization: the header; "" without. login: the session of `login` on `host`, which is the dashboard's. address:
    the visitor's, as nginx knows it.
    """

    authorization: str = dataclasses.field(default="", repr=False)
    login: str = dataclasses.field(default="", repr=False)
    host: str = ""
    address: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NotedRequest:
    """What the audit log gets of a request. summary: what it does, in words. target, before, after: of what was
    changed, "" where there is nothing to say. status: of the answer."""

    operator: dashboard_roles.Operator
    method: str
    path: str
    summary: str
    status: int
    target: str = ""
    before: str = ""
    after: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SignedInUser:
    """A user of `login`. session: its number."""

    name: str
    groups: tuple[str, ...]
    session: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MadeLink:
    """secret: known from here alone."""

    secret: str = dataclasses.field(repr=False)
    ends_at: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BegunSession:
    """secret: for `Authorization: Bearer`, known from here alone. name: of the account that made the link. ends_at: at
    the latest."""

    secret: str = dataclasses.field(repr=False)
    number: str
    name: str
    ends_at: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KnownSession:
    """One of a link, as people see it. ends_at: without a further use."""

    number: str
    name: str
    address: str
    agent: str
    created_at: datetime.datetime
    seen_at: datetime.datetime
    ends_at: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EndedSessions:
    """is_saved: False: the disk takes nothing, so they would be back after a restart; it is tried again."""

    ended: int
    is_saved: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KnownToken:
    """One of the API, as people see it. by: who made it. networks: from where it is good; none: from everywhere.
    ends_at: None: it does not end. seen_at: its last use; None: never. is_over: its time is."""

    name: str
    role: dashboard_roles.Role
    by: str
    networks: tuple[str, ...]
    created_at: datetime.datetime
    ends_at: datetime.datetime | None
    seen_at: datetime.datetime | None
    is_over: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MadeToken:
    """secret: for `Authorization: Bearer`, known from here alone."""

    secret: str = dataclasses.field(repr=False)
    token: KnownToken


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """since: none before. who: one operator alone. text: in the target or the summary, whatever the case. first, most:
    of those that are left, the newest first."""

    since: datetime.datetime | None = None
    who: str = ""
    text: str = ""
    first: int = 0
    most: int = 100


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """total: how many there are in all."""

    entries: tuple[audit_entries.AuditEntry, ...]
    total: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SignedOut:
    """operator: who it was; None: nobody with a role. ended: how many sessions, of a link or of `login`. is_saved:
    False: those may be back after a start of what keeps them."""

    operator: dashboard_roles.Operator | None = None
    ended: int = 0
    is_saved: bool = True


class TooManyGuessesError(errors.DaemunError):
    """Somebody tried too many credentials that nobody has. retry_after_s: seconds."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many wrong credentials came from your network; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class OperatorPort(typing.Protocol):
    async def identify(self, credentials: OperatorCredentials) -> dashboard_roles.Operator | None:
        """None: nobody who is known. Raises: TooManyGuessesError for whoever has to wait."""

    async def note(self, noted: NotedRequest) -> None:
        """Into the audit log. Never raises: what cannot be noted is reported among the problems of the status."""


class OperatorSignIn(typing.Protocol):
    """How people come to the dashboard by links of `daemun dashboard`. Called on the event loop's thread."""

    async def make_link(self, name: str) -> MadeLink:
        """Instead of the one before. name: of the account that requests it. Raises: EnvironmentProblemError."""
        ...

    async def begin(self, link_secret: str, address: str, agent: str, *, former: str = "") -> BegunSession | None:
        """A session for who has the secret of the link, which is used up by this. former: the secret of the session
        that the browser had, which ends. None: the link is no good, or not any more.

        Raises: TooManyGuessesError: of the visitor's network. EnvironmentProblemError: that it was used cannot be
        written, so nobody comes in."""
        ...

    async def sign_out(self, credentials: OperatorCredentials) -> SignedOut:
        """End the sessions of these credentials at once: that of a link, and that of `login`, on every site. Raises:
        TooManyGuessesError; EnvironmentProblemError: the judge of sign-ins does not answer, so that one goes on."""
        ...

    async def list_sessions(self) -> tuple[KnownSession, ...]:
        """Those of links; `daemun sessions` has those of `login`."""
        ...

    async def end_sessions(self, *, number: str | None = None, but: str | None = None) -> EndedSessions:
        """At once. number: the one with it; None: all. but: the number of one that goes on."""
        ...


class OperatorTokens(typing.Protocol):
    """Tokens by which programs use the API. Called on the event loop's thread."""

    async def list_tokens(self) -> tuple[KnownToken, ...]:
        """By name. Raises: EnvironmentProblemError: they cannot be read."""
        ...

    async def add_token(
        self,
        name: str,
        role: dashboard_roles.Role,
        *,
        lifetime_s: float | None,
        networks: collections.abc.Sequence[str] = (),
        by: str,
    ) -> MadeToken:
        """lifetime_s: None: it does not end. networks: from where it is good, as people write them; none: from
        everywhere. Raises: ConfigError, EnvironmentProblemError."""
        ...

    async def remove_token(self, name: str) -> KnownToken | None:
        """It opens nothing from now on. None: there was none. Raises: EnvironmentProblemError: it may be back after a
        start."""
        ...


class OperatorRecords(typing.Protocol):
    """Who may do what, and who did. Called on the event loop's thread."""

    @property
    def rights(self) -> dashboard_roles.DashboardRights:
        """Whom the lists of `dashboard` name, and on which host they sign in."""
        ...

    async def read_audit(self, wanted: AuditQuery) -> AuditPage:
        """Raises: EnvironmentProblemError."""
        ...


class OperatorAccess(OperatorPort, OperatorSignIn, OperatorTokens, OperatorRecords, typing.Protocol):
    """All contracts about operators in one."""
