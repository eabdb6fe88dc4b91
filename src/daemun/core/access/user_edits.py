"""What an owner may set of a user of the sign-in, for commands and the API alike. Pure."""

import collections.abc
import dataclasses
import typing

from daemun.core import password_hashes
from daemun.core.access import login_users
from daemun.core.texts import account_names, rules
from daemun.errors import ConfigError, ConflictError, NotFoundError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UserFacts:
    """What is to be set; None: it stays as it is, and is empty of a new user."""

    groups: tuple[str, ...] | None = None
    email: str | None = None
    display: str | None = None


class DescribedUser(typing.Protocol):
    """What a user is looked for by."""

    @property
    def name(self) -> str: ...
    @property
    def display(self) -> str: ...
    @property
    def email(self) -> str: ...
    @property
    def groups(self) -> tuple[str, ...]: ...


def holds(user: DescribedUser, text: str) -> bool:
    """Whether a text is a part of a name, the e-mail address or a group, in capitals or not."""
    return text.strip().casefold() in "\n".join((user.name, user.display, user.email, *user.groups)).casefold()


def read_name(name: str) -> str:
    """Of a new user, as it is kept. Raises: ConfigError."""
    normal = password_hashes.normalize(name.strip())
    cause = password_hashes.check_user(normal)
    if cause is not None:
        raise ConfigError(f"cannot name the user {name!r}: it {cause}")
    return normal


def check(facts: UserFacts) -> None:
    """Raises: ConfigError."""
    for one in facts.groups or ():
        if (cause := account_names.check_group(one)) is not None:
            raise ConfigError(f"cannot use the group {one!r}: it {cause}")
    if facts.email and (cause := rules.check_email(facts.email)) is not None:
        raise ConfigError(f"cannot use the e-mail address {facts.email!r}: it {cause}")
    if facts.display and password_hashes.has_controls(facts.display):
        raise ConfigError("cannot use this full name: it has a character that nobody can type")


def make(name: str, facts: UserFacts, *, stamp: str) -> login_users.User:
    """A user without a password yet."""
    return change(login_users.User(name=name, hashed="", stamp=stamp), facts)


def change(user: login_users.User, facts: UserFacts) -> login_users.User:
    return dataclasses.replace(
        user,
        groups=user.groups if facts.groups is None else tuple(sorted(set(facts.groups))),
        email=user.email if facts.email is None else facts.email,
        display=user.display if facts.display is None else password_hashes.normalize(facts.display),
    )


def invite(
    users: collections.abc.Mapping[str, login_users.User], invited: login_users.User, secret: str, ends_s: float
) -> login_users.User:
    """Who chooses a password by the secret of a link. Again for who is only invited: another link. Raises:
    ConfigError: there is such a user."""
    before = users.get(invited.name)
    if before is not None and before.invitation is None:
        raise ConflictError(
            f"cannot invite {invited.name!r}: there is such a user; see `daemun users passwd` and `set`"
        )
    invitation = login_users.Invitation(digest=login_users.digest_invitation(secret), ends_s=ends_s)
    return dataclasses.replace(invited, invitation=invitation)


def write_invitation(page: str, secret: str) -> str:
    """The link. page: the URL of the sign-in, without a path."""
    return f"{page}/invitation?token={secret}"


def find(users: collections.abc.Mapping[str, login_users.User], name: str) -> login_users.User:
    """Raises: ConfigError."""
    normal = password_hashes.normalize(name.strip())
    if normal not in users:
        raise NotFoundError(f"there is no user {name!r}; `daemun users` lists them")
    return users[normal]
