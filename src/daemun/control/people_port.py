"""The users of daemun's own sign-in, as the dashboard's owner sees and changes them: the contract between the API and
who answers (`wiring.people`). Values only.
"""

import dataclasses
import datetime
import enum
import typing


class PersonState(enum.Enum):
    """ACTIVE: can sign in. DISABLED: is kept out. INVITED: has a link, and no password yet. OVER: that link is over."""

    ACTIVE = "active"
    DISABLED = "disabled"
    INVITED = "invited"
    OVER = "invitation over"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """has_codes: whether one-time codes are needed beside the password. passkeys: their names. invited_until: of who is
    invited."""

    name: str
    display: str
    email: str
    groups: tuple[str, ...]
    has_codes: bool
    passkeys: tuple[str, ...]
    state: PersonState
    invited_until: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PersonChange:
    """None: stays as it is. removes_codes, removes_passkeys: for who lost them; all sessions end then."""

    groups: tuple[str, ...] | None = None
    email: str | None = None
    display: str | None = None
    is_disabled: bool | None = None
    removes_codes: bool = False
    removes_passkeys: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MadeInvitation:
    """link: known from here alone, good once."""

    link: str = dataclasses.field(repr=False)
    ends_at: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PersonSession:
    """One of `login`, in one browser. provider: where its user signed in; None: here. hosts: sites that it entered."""

    number: str
    user: str
    provider: str | None
    email: str | None
    address: str
    agent: str
    created_at: datetime.datetime
    seen_at: datetime.datetime
    hosts: tuple[str, ...]


class People(typing.Protocol):
    """Called on the event loop's thread. Each raises EnvironmentProblemError where what is stored cannot be used, and
    LockHeldError while a command does the same."""

    async def list_people(self) -> tuple[Person, ...]:
        """By name."""
        ...

    async def invite(self, name: str, facts: PersonChange, *, lifetime_s: float) -> MadeInvitation:
        """A new user, who chooses a password behind the link; again for the same name: another link. Raises:
        ConfigError, also while there is no page to sign in on."""
        ...

    async def change(self, name: str, change: PersonChange) -> tuple[Person, Person]:
        """Before, and after. Raises: ConfigError: there is no such user, or a value is none."""
        ...

    async def remove(self, name: str) -> Person:
        """With all sessions and tokens, within ten seconds. Raises: ConfigError: there is no such user."""
        ...


class PersonSessions(typing.Protocol):
    """Those of `login`. Raises: EnvironmentProblemError."""

    async def list_sessions(self) -> tuple[PersonSession, ...]:
        """By user; none where nobody can sign in."""
        ...

    async def end_sessions(self, *, user: str | None = None, number: str | None = None) -> tuple[int, bool]:
        """Those of a user, or the one with the number. Returns: how many, and whether that is written."""
        ...
