"""The history of applied configurations and what differs between two of them, as lines. Pure."""

import collections.abc
import typing

from daemun.cli import output

if typing.TYPE_CHECKING:
    from daemun.sources.history import file_changes, history_entry

SIGNS = {"added": "+", "changed": "~", "removed": "-"}
TITLES = ("NUMBER", "WHEN", "STATE", "CHANGED", "BY")
_MOST_NAMED = 3


def row_of(entry: "history_entry.HistoryEntry") -> output.Row:
    return (
        str(entry.number),
        entry.at.strftime("%Y-%m-%d %H:%M:%SZ"),
        entry.state.value,
        _changed(entry),
        str(entry.author),
    )


def _changed(entry: "history_entry.HistoryEntry") -> str:
    """ "+ shop.example.com, ~ chat.example.com and 3 more"."""
    named = []
    for text in entry.changes[:_MOST_NAMED]:
        kind, _, name = text.partition(" ")
        named.append(f"{SIGNS.get(kind, kind)} {name}")
    more = len(entry.changes) - len(named) + entry.more
    return ", ".join(named) + (f" and {more} more" if more else "") or "settings alone"


def lines_of(changes: collections.abc.Iterable["file_changes.FileChange"], *, main: str, most: int | None) -> list[str]:
    """main: the name of daemun.yaml, which is not repeated. most: lines of one site that are shown; None: all."""
    lines: list[str] = []
    for one in changes:
        where = "" if one.file in {main, one.name} else f" ({one.file})"
        name = one.name if one.is_site or one.name == one.file else f"{one.name}:"
        lines.append(f"{SIGNS[one.kind.value]} {name}{where}")
        shown = one.lines if most is None else one.lines[:most]
        lines += [f"    {line}" for line in shown]
        if len(shown) < len(one.lines):
            lines.append(f"    ... {len(one.lines) - len(shown)} more lines")
    return lines
