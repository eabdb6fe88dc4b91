"""One session of the sign-in, and how it is written. No I/O."""

import dataclasses
import typing

from daemun.core.access import login_providers


@dataclasses.dataclass(slots=True, kw_only=True)
class Session:
    """number: what people name it by. stamp: of the user (`login_users.User`). created_s, seen_s: since the epoch.
    sites: digests of secrets -> hosts. saved_s: seen_s as it was saved. password_s: when the password was entered.
    identity: of who signed in elsewhere. version: how often it became one of another stamp."""

    number: str
    user: str
    stamp: str
    created_s: float
    seen_s: float
    address: str = ""
    agent: str = ""
    sites: dict[str, str] = dataclasses.field(default_factory=dict)
    saved_s: float = 0.0
    password_s: float = 0.0
    identity: login_providers.Identity | None = None
    version: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SiteCode:
    """Leads from the sign-in to a site, once. session: the key of one. port: with its colon, or nothing. path: with the
    query. challenge: of the browser. until_s: since the epoch."""

    session: str
    host: str
    port: str
    path: str
    challenge: str
    until_s: float


def read_code(value: dict[str, typing.Any]) -> SiteCode:
    """Raises: KeyError, TypeError, ValueError."""
    texts = {name: str(value[name]) for name in ("session", "host", "port", "path", "challenge")}
    return SiteCode(**texts, until_s=float(value["until_s"]))


# `dataclasses.replace` and `asdict` take ten times as long, and there may be ten thousand.
_FIELDS = tuple(field.name for field in dataclasses.fields(Session))
_IDENTITY_FIELDS = tuple(field.name for field in dataclasses.fields(login_providers.Identity))


def copy(session: Session) -> Session:
    values = {name: getattr(session, name) for name in _FIELDS}
    return Session(**{**values, "sites": dict(session.sites)})


def value_of(session: Session) -> dict[str, object]:
    identity = session.identity
    written = None if identity is None else {name: getattr(identity, name) for name in _IDENTITY_FIELDS}
    values = {name: getattr(session, name) for name in _FIELDS}
    return {**values, "saved_s": session.seen_s, "identity": written}


def read(value: dict[str, typing.Any]) -> Session:
    return Session(
        number=str(value["number"]),
        user=str(value["user"]),
        stamp=str(value["stamp"]),
        created_s=float(value["created_s"]),
        seen_s=float(value["seen_s"]),
        saved_s=float(value["saved_s"]),
        address=str(value["address"]),
        agent=str(value["agent"]),
        password_s=float(value.get("password_s", 0.0)),
        sites={str(site): str(host) for site, host in value["sites"].items()},
        identity=login_providers.read_identity(value.get("identity")),
        version=int(value.get("version", 0)),
    )


def follow(session: Session, newer: Session) -> None:
    """The same session, as other machines know it: whoever has it at hand goes on with it."""
    for name in ("stamp", "seen_s", "saved_s", "password_s", "version"):
        setattr(session, name, getattr(newer, name))
    session.sites.update(newer.sites)
