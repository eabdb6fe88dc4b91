"""The addresses of the host names that the configuration itself holds (`access: {allow: [home.example.org]}`).

nginx cannot look such a name up, so its addresses stand in the configuration, which is made anew when they change. Some
name servers answer with a few of many addresses in turn: one counts for a while after it was found last, so that not
each answer is a reload.
"""

import collections.abc

from daemun.core import model, problem_report
from daemun.core.access import access_levels
from daemun.discovery import service_table

KEPT_S = 300.0
MOST = 64
"""Addresses of one name."""


class NamedAddresses:
    """Addresses of the host names in `allow` and `deny`. now: monotonic seconds. changed: called when some changed."""

    def __init__(
        self, *, now: collections.abc.Callable[[], float], changed: collections.abc.Callable[[], None]
    ) -> None:
        self._now = now
        self._changed = changed
        self._found: dict[str, dict[str, float]] = {}

    def __iter__(self) -> collections.abc.Iterator[str]:
        return iter(self._found)

    def find(self) -> dict[str, tuple[str, ...]]:
        """Sorted; none of a name that never resolved."""
        return {name: tuple(sorted(found)) for name, found in self._found.items()}

    def follow(self, names: collections.abc.Iterable[str]) -> tuple[str, ...]:
        """These names from now on, and no others. Returns: those that are new."""
        before, self._found = self._found, {}
        for name in sorted(names):
            self._found[name] = before.get(name, {})
        return tuple(name for name in self._found if name not in before)

    def note(self, name: str, addresses: collections.abc.Collection[service_table.Address]) -> None:
        """A lookup found these; none: it failed, and what is known goes on."""
        before = self._found.get(name)
        if before is None or not addresses:
            return
        now = self._now()
        found = {str(one): now for one in addresses}
        lately = {one: at for one, at in before.items() if now - at < KEPT_S and one not in found}
        self._found[name] = dict(list((found | lately).items())[:MOST])
        if self._found[name].keys() != before.keys():
            self._changed()


def describe(name: str, failure: str, last: collections.abc.Iterable[service_table.Address]) -> str:
    """A name that does not resolve now, and did before. last: its last addresses."""
    return (
        f'cannot resolve "{name}": {failure}; its last known addresses are used ({", ".join(map(str, last))}) until '
        "it resolves. Check the name's spelling, and that this machine knows it (getent hosts, DNS, /etc/hosts)"
    )


def warn(
    name: str,
    failure: str,
    last: collections.abc.Collection[service_table.Address],
    place: access_levels.NamingPlace,
) -> model.Problem:
    """One of `allow` or `deny` that does not resolve now. last: its last addresses; none: it never did."""
    message = describe(name, failure, last) if last else _describe_unknown(name, failure)
    return model.Problem(
        origin=place.origin,
        message=f"{problem_report.label(place.field, host=place.host)}: {message}",
        host=place.host,
        severity=model.Severity.WARNING,
        field=place.field,
    )


def _describe_unknown(name: str, failure: str) -> str:
    return (
        f'cannot resolve "{name}": {failure}; until it resolves, `allow` lets nobody in by this name, and `deny` '
        "refuses everybody. Check the name's spelling, and that this machine knows it (getent hosts, DNS, /etc/hosts)"
    )
