"""What is wrong, and where it comes from, as data."""

import dataclasses
import enum


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a value comes from, to be named in every message about it.

    source: "file", "docker", "api", "default" or "command line".
    place: what a person can open: "daemun.yaml:14:3", "container chat-1", "" when there is nothing to open.
    """

    source: str
    place: str = ""

    def __str__(self) -> str:
        return self.place or self.source


NOWHERE = Origin(source="default")


class Severity(enum.Enum):
    """ERROR: what it is about is not live. WARNING: it is live, and something about it deserves a look."""

    ERROR = "error"
    WARNING = "warning"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong, as data: what was found, what was expected, what to do, and where.

    host: the site it concerns; None when it concerns a whole source.
    field: the value it is about, as a path of daemun.yaml's keys below the site (below the top when host is None):
        ("routes", "/api/", "to", 0); () for the whole. Sources that know positions turn it into one.
    file: one that is named there and cannot be read. It may come to be without a change of any source.
    cure: what to do, in which the message ends; "": it is not known apart from the rest.
    bars: a text that no earlier version of the site may have that is served instead: a folder that would show a secret.
    """

    origin: Origin
    message: str
    host: str | None = None
    severity: Severity = Severity.ERROR
    field: tuple[str | int, ...] = ()
    file: str | None = None
    cure: str = ""
    bars: str | None = None

    @property
    def reason(self) -> str:
        """The message without the cure."""
        return self.message.removesuffix(f"; {self.cure}") if self.cure else self.message

    def __str__(self) -> str:
        return located(str(self.origin), self.message)


def located(origin: str, message: str) -> str:
    """ "daemun.yaml:3:11: cannot ...": the message behind its place, unless it names that itself, or there is none."""
    kind, _, name = origin.partition(" ")
    is_named = kind == "container" and f'{kind} "{name}"' in message
    return message if origin in {"", str(NOWHERE)} or is_named else f"{origin}: {message}"
