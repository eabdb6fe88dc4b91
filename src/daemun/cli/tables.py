"""Tables on a terminal: no word is broken, whatever the terminal's width.

What does not fit beside the others stands below its row: first the last column, then the one before it, and so on.
"""

import collections.abc
import shutil
import sys
import textwrap

from daemun.cli import output

INDENT = "    "
_LEAST_WIDTH = 20
"""A last column is not made narrower than this."""

Rows = collections.abc.Sequence[output.Row]


def print_table(titles: output.Row, rows: Rows) -> None:
    """On a terminal a table that fits it; elsewhere one line a row, nothing cut, so that grep and awk see all of it."""
    if sys.stdout.isatty():
        output.print_lines(lines_of(titles, rows, shutil.get_terminal_size().columns))
        return
    for row in output.lines_of(titles, rows):
        print(row)


def lines_of(titles: output.Row, rows: Rows, width: int) -> list[output.TerminalLine]:
    """width: the terminal's, in columns."""
    cleaned = [tuple(output.clean(cell) for cell in row) for row in rows]
    beside = next((count for count in range(len(titles), 0, -1) if _fits(titles, cleaned, count, width)), 1)
    widths = [_longest(titles, cleaned, column) for column in range(beside)]
    room = max(width - sum(widths[:-1]) - len(output.GAP) * (beside - 1), 1)
    lines = [output.TerminalLine(text=_join(titles[:beside], widths))]
    for row in cleaned:
        last = _wrap(row[beside - 1], room) if beside == len(titles) and beside > 1 else [row[beside - 1]]
        first = (*row[: beside - 1], last[0])
        lines.append(_colour(_join(first, widths), row[:beside], widths))
        margin = " " * (sum(widths[:-1]) + len(output.GAP) * (beside - 1))
        lines += (output.TerminalLine(text=f"{margin}{part}") for part in last[1:])
        below = list(zip(titles, row, strict=True))[beside:]
        for title, cell in below:
            label = f"{title.lower()}: " if len(below) > 1 else ""
            lines += (output.TerminalLine(text=part) for part in _below(label, cell, width) if cell)
    return lines


def _fits(titles: output.Row, rows: Rows, count: int, width: int) -> bool:
    """Whether so many columns fit beside each other, the last of all wrapped between words."""
    longest = [_longest(titles, rows, column) for column in range(count)]
    taken = sum(longest[:-1]) + len(output.GAP) * (count - 1)
    if taken + longest[-1] <= width:
        return True
    if count < len(titles) or count == 1:
        return False
    room = width - taken
    return room >= _LEAST_WIDTH and _longest_word(rows, count - 1) <= room


def _longest(titles: output.Row, rows: Rows, column: int) -> int:
    return max([len(titles[column]), *(len(part) for row in rows for part in row[column].split("\n"))])


def _longest_word(rows: Rows, column: int) -> int:
    return max((len(word) for row in rows for word in row[column].split()), default=0)


def _wrap(cell: str, room: int) -> list[str]:
    found = [
        part
        for line in cell.split("\n")
        for part in textwrap.wrap(line, room, break_long_words=False, break_on_hyphens=False)
    ]
    return found or [""]


def _below(label: str, cell: str, width: int) -> list[str]:
    lines = []
    for line in cell.split("\n"):
        lines += textwrap.wrap(
            f"{label}{line}",
            max(width, _LEAST_WIDTH),
            initial_indent=INDENT,
            subsequent_indent=INDENT + "  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    return lines


def _join(cells: output.Row, widths: collections.abc.Sequence[int]) -> str:
    return output.GAP.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _colour(text: str, cells: output.Row, widths: collections.abc.Sequence[int]) -> output.TerminalLine:
    """The first cell that is a state."""
    at = 0
    for cell, width in zip(cells, widths, strict=True):
        if cell in output.STYLES:
            return output.TerminalLine(text=text, state=cell, at=at)
        at += width + len(output.GAP)
    return output.TerminalLine(text=text)
