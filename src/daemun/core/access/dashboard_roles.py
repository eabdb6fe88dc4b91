"""What an operator may do by the dashboard and its API. Pure."""

import collections.abc
import dataclasses
import enum

LINK, TOKEN, LOGIN, COMMAND = "link", "token", "login", "command"
"""How an operator signed in (`Operator.how`): by a link of `daemun dashboard`, a token of the API, daemun's own
sign-in, or on the machine itself, by a command."""
GROUP_SIGN = "@"
"""Before the name of a group in a list. What begins so never means a user, whatever users are called."""


class Role(enum.IntEnum):
    """Each includes those before it. LOOK: all but secrets. CHANGE: what is served, and how. OWN: who may come in."""

    LOOK = 1
    CHANGE = 2
    OWN = 3

    @property
    def word(self) -> str:
        """As it is written in daemun.yaml and shown."""
        return self.name.lower()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Who uses the dashboard or its API.

    name: of a user, of a token, or of the account that ran `daemun dashboard`. how: LINK, TOKEN, LOGIN or COMMAND.
    number: of the session, or of the token. address: the visitor's, as nginx knows it.
    """

    name: str
    role: Role
    how: str
    number: str = ""
    address: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DashboardRights:
    """Who of those who signed in by `login` has which role: names of users, and of groups behind `@`. host: of the
    dashboard; None: it has none on which people sign in so."""

    host: str | None = None
    look: tuple[str, ...] = ()
    change: tuple[str, ...] = ()
    own: tuple[str, ...] = ()


NO_RIGHTS = DashboardRights()


def read_role(word: str) -> Role | None:
    """None: there is no such role."""
    return next((role for role in Role if role.word == word), None)


def find_role(rights: DashboardRights, user: str, groups: collections.abc.Iterable[str]) -> Role | None:
    """The one that may do most, of all lists that name the user or one of the groups; None: no list does."""
    named = {f"{GROUP_SIGN}{group}" for group in groups}
    if not user.startswith(GROUP_SIGN):
        named.add(user)
    lists = {Role.OWN: rights.own, Role.CHANGE: rights.change, Role.LOOK: rights.look}
    return next((role for role, names in lists.items() if not named.isdisjoint(names)), None)
