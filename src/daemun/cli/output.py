"""What commands print: tables for people, aligned text for pipes, JSON for programs.

Texts that come from outside (reasons, labels) are printed without the control characters a terminal would obey.
"""

import collections.abc
import dataclasses
import sys
import typing

from daemun.cli import json_answer
from daemun.core.texts import cures

Row = collections.abc.Sequence[str]
GAP = "  "

STYLES = {
    "live": "green",
    "valid": "green",
    "local": "cyan",
    "pending": "yellow",
    "failing": "red",
    "held back": "red",
    "invalid": "red",
    "not served": "red",
    "incomplete": "yellow",
    "unreachable": "red",
    "wrong certificate": "red",
    "degraded": "yellow",
    "disabled": "dim",
    "waiting": "dim",
}
"""Colours of the states, on a terminal."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TerminalLine:
    """A line for a terminal. state: the word at column `at` that is coloured; None: none is."""

    text: str
    state: str | None = None
    at: int = 0


_options = ""


def name_gate(options: str) -> None:
    """From now on the commands that texts name have these options (`settings.Settings.options`)."""
    global _options  # noqa: PLW0603 - one gate a process, as there is one standard output
    _options = options


def print_line(text: str = "") -> None:
    """A line for the person; with `--json`, a message of the answer."""
    if json_answer.is_wanted():
        json_answer.add_message(clean(text))
    else:
        print(clean(text))


def complain(text: str) -> None:
    """A line on standard error, so that what is piped stays clean."""
    print(clean(text), file=sys.stderr)


def fail(text: str) -> None:
    """Why the command fails: on standard error, or the `error` of the JSON answer."""
    if not (json_answer.is_wanted() and json_answer.set_error(clean(text))):
        complain(f"error: {text}")


def print_lines(lines: collections.abc.Iterable[TerminalLine]) -> None:
    """On a terminal, as they are."""
    from rich import console, text

    shown = console.Console()
    for line in lines:
        styled = text.Text(clean(line.text))
        if line.state is not None:
            styled.stylize(STYLES.get(line.state, ""), line.at, line.at + len(line.state))
        shown.print(styled, soft_wrap=True)


def lines_of(titles: Row, rows: collections.abc.Sequence[Row]) -> list[str]:
    """Columns aligned by spaces; a cell's line breaks become commas."""
    table = [titles, *(tuple(clean(cell).replace("\n", ", ") for cell in row) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(titles))]
    return [GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]


def clean(text: str) -> str:
    """The text without control characters, line breaks and tabs excepted, and with the options of this gate in the
    commands that it names."""
    return cures.with_options(without_controls(text), _options)


def without_controls(text: str) -> str:
    """The text without control characters, line breaks and tabs excepted; nothing else is changed."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)


def state_of(word: str) -> str:
    """A site's state, as people read it: JSON has words of its own."""
    return "held back" if word == "quarantined" else word


def state_of_site(site: collections.abc.Mapping[str, typing.Any]) -> str:
    """The same of a site, as JSON has it, with whether it is closed for a while."""
    return f"{state_of(site['state'])}{', in maintenance' if site.get('maintenance') else ''}"


def count(number: int, one: str, many: str | None = None) -> str:
    """ "1 site", "2 sites"."""
    return f"{number} {one if number == 1 else many or one + 's'}"
