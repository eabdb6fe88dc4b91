"""What somebody may do by the dashboard and its API. Pure."""

import dataclasses
import enum


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

    name: of a user, of a token, or "link" for who came by a link of the machine's owner. how: "link", "token", "login".
    number: of the session, or of the token. address: the visitor's, as nginx knows it.
    """

    name: str
    role: Role
    how: str
    number: str = ""
    address: str = ""
