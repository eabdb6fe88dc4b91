"""Collects what is wrong, with the field it is about. Pure."""

import dataclasses

from daemun.core import model
from daemun.core.texts import words

Field = tuple[str | int, ...]
"""As in `model.Problem.field`."""


@dataclasses.dataclass(slots=True)
class ProblemReport:
    """Collects problems of one host (None: of no single site)."""

    host: str | None
    origin: model.Origin
    problems: list[model.Problem] = dataclasses.field(default_factory=list)

    def at(self, origin: model.Origin) -> "ProblemReport":
        """The same report, for what comes from a nearer place."""
        return dataclasses.replace(self, origin=self.origin if origin == model.NOWHERE else origin)

    def add(self, cause: str | None, *field: str | int, severity: model.Severity = model.Severity.ERROR) -> None:
        if cause is None:
            return
        cause = words.without_credentials(cause)
        message = f"{label(field, host=self.host)}: {cause}" if field else cause
        self.problems.append(
            model.Problem(origin=self.origin, message=message, host=self.host, severity=severity, field=field)
        )

    def add_value(self, value: str, cause: str | None, *field: str | int) -> None:
        if cause is not None:
            self.add(f"{words.quoted(value)} {cause}", *field)


def describe(
    site: model.Site | None,
    field: Field,
    cause: str,
    *,
    cure: str = "",
    severity: model.Severity = model.Severity.ERROR,
    file: str | None = None,
) -> model.Problem:
    """A problem of a value of a site. site: None: of the gate. The others: as of `model.Problem`."""
    host = None if site is None else site.host
    return model.Problem(
        origin=model.NOWHERE if site is None else site.origin,
        message=f"{label(field, host=host)}: {cause}{f'; {cure}' if cure else ''}",
        host=host,
        severity=severity,
        field=field,
        file=file,
        cure=cure,
    )


def label(field: Field, *, host: str | None) -> str:
    """'site "shop.test", route "/api/", timeout.read': the field as a person would call it, in every message about it.
    List positions are left to the line number, but for those among the routes of one path."""
    parts = [f"site {words.quoted(host)}"] if host is not None else []
    if field and field[0] == "routes" and len(field) > 1:
        is_of_list = len(field) > 2 and isinstance(field[2], int)
        name = f"{field[1]} #{int(field[2]) + 1}" if is_of_list else str(field[1])
        parts.append(f"route {words.quoted(name)}")
        field = field[2:]
    rest = ".".join(part if part.isprintable() else words.quoted(part)[1:-1] for part in field if isinstance(part, str))
    return ", ".join([*parts, *([rest] if rest else [])])
