"""Findings, as `daemun doctor` prints them. Pure, apart from printing."""

import collections.abc
import os
import shutil
import sys
import textwrap
import typing

from daemun.cli import output

Json = dict[str, typing.Any]

SIGNS = {"good": "✓", "warns": "!", "blocks": "✗"}
PLAIN_SIGNS = {"good": "ok", "warns": "!", "blocks": "x"}
"""Where the other ones cannot be written."""
COLOURS = {"good": "32", "warns": "33", "blocks": "31"}
"""Source: ECMA-48, SGR."""
_GATE = "the gate"


def print_all(findings: collections.abc.Sequence[Json]) -> None:
    """One line for each, what to do about it below, those of one name together."""
    is_terminal = sys.stdout.isatty()
    is_coloured = is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    signs = choose_signs(sys.stdout.encoding)
    for weight, text in lines_of(findings, width=shutil.get_terminal_size().columns if is_terminal else None):
        if weight is None:
            output.print_line(text)
            continue
        sign = f"\x1b[{COLOURS[weight]}m{signs[weight]}\x1b[0m" if is_coloured else signs[weight]
        print(f"  {sign} {output.clean(text)}")


def lines_of(findings: collections.abc.Sequence[Json], *, width: int | None = None) -> list[tuple[str | None, str]]:
    """The lines, those that begin with a sign with its weight. width: of the terminal, at which they are broken; None:
    they are not."""
    lines: list[tuple[str | None, str]] = []
    for host, group in _grouped(findings).items():
        lines.append((None, _GATE if host is None else host))
        for finding in group:
            first, *others = wrapped(finding["message"], " " * 4, width)
            lines.append((finding["weight"], first.strip()))
            others += wrapped(finding["cure"], " " * 6, width) if finding["cure"] else []
            lines += [(None, line) for line in others]
    return [*lines, (None, summary_of(findings))]


def summary_of(findings: collections.abc.Sequence[Json]) -> str:
    """The last line."""
    blocking = sum(finding["weight"] == "blocks" for finding in findings)
    warning = sum(finding["weight"] == "warns" for finding in findings)
    if not blocking and not warning:
        return "all is well"
    parts = [output.count(blocking, "problem")] if blocking else []
    return " and ".join([*parts, *([output.count(warning, "warning")] if warning else [])])


def all_good(findings: collections.abc.Iterable[Json]) -> bool:
    return all(finding["weight"] == "good" for finding in findings)


def _grouped(findings: collections.abc.Iterable[Json]) -> dict[str | None, list[Json]]:
    """By name, in the order in which they are named; what concerns no name first."""
    groups: dict[str | None, list[Json]] = {None: []}
    for finding in findings:
        groups.setdefault(finding["host"], []).append(finding)
    return {host: group for host, group in groups.items() if group}


def wrapped(text: str, indent: str, width: int | None) -> list[str]:
    text = " ".join(output.clean(text).split())  # before it is broken: a command that it names becomes longer
    if width is None:
        return [indent + text]
    return textwrap.wrap(
        text,
        max(width, 40),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def choose_signs(encoding: str | None) -> dict[str, str]:
    try:
        "".join(SIGNS.values()).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return PLAIN_SIGNS
    return SIGNS
