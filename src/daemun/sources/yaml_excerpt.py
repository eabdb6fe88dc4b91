"""A short text that stands for a long daemun.yaml, to be edited in its place. Pure.

Reading ten thousand sites takes seconds, and an edit concerns one of them. Runs of plain sites that it does not concern
become a comment each, and the comments become those runs again once the excerpt was edited. A site is left out only
when each of its lines is a plain `key: value`, which means the same wherever it stands. The first and the last site
stay: new ones are written below the last one.
"""

import collections.abc
import dataclasses
import itertools
import re

from daemun.sources import yaml_cutting

FEW_LINES = 400
"""A shorter text is read whole: that takes no longer than starting Python."""
_TOP_KEY = re.compile(r"[^\s#]")
_KEY = r"[A-Za-z0-9*._/][A-Za-z0-9*._/-]*"
_VALUE = r"""[A-Za-z0-9./][^\s:#{}\[\]"'|>,]*(?::[^\s:#{}\[\]"'|>,]+)*"""
_PLAIN_LINE = re.compile(rf""" *(?:#[^"']*)?| *{_KEY}:(?: +{_VALUE})? *""")
"""A comment with a quote may be none: where a text in quotes began above, it ends there."""
_MARK = "#  -- {} more sites, left out of the excerpt: {} --"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """text: to be edited. left_out: by the comment that stands in its place, the lines that it stands for.
    keys: of the sites among them."""

    text: str
    keys: tuple[str, ...]
    left_out: collections.abc.Mapping[str, str]

    def complete(self, edited: str) -> str | None:
        """The long text, edited as the excerpt was. None: the edit did not leave the comments alone."""
        lines = edited.split("\n")
        if [line for line in lines if line in self.left_out] != list(self.left_out):
            return None
        return "\n".join(self.left_out.get(line, line) for line in lines)


def make(text: str, is_wanted: collections.abc.Callable[[str], bool]) -> Excerpt | None:
    """is_wanted: whether the site with this key is edited. None: the text is short, or has not the form for it."""
    if text.count("\n") < FEW_LINES or not yaml_cutting.can_be_cut(text):
        return None
    lines = text.split("\n")
    starts = find_starts(lines)
    kept: list[str] = []
    left_out: dict[str, str] = {}
    keys: list[str] = []
    end = 0
    for first, last in _find_runs(lines, starts, is_wanted):
        gone = [_key(lines[start]) for start in starts[:-1] if first <= start < last]
        mark = _MARK.format(len(gone), len(left_out) + 1)
        if mark in lines:
            return None
        kept += [*lines[end:first], mark]
        left_out[mark] = "\n".join(lines[first:last])
        end = last
        keys += gone
    if not left_out:
        return None
    return Excerpt(text="\n".join([*kept, *lines[end:]]), left_out=left_out, keys=tuple(keys))


def find_starts(lines: list[str]) -> list[int]:
    """The line of each site's key, and behind them the one where the sites end. Empty: they are not written so."""
    tops = [number for number, line in enumerate(lines) if _TOP_KEY.match(line)]
    found = [place for place, number in enumerate(tops) if lines[number].split("#")[0].rstrip() == "sites:"]
    if len(found) != 1:
        return []
    first = tops[found[0]] + 1
    last = tops[found[0] + 1] if found[0] + 1 < len(tops) else len(lines)
    indents = {number: _indent(lines[number]) for number in range(first, last) if _is_content(lines[number])}
    least = next(iter(indents.values()), 0)
    if not least or min(indents.values()) < least:
        return []
    return [*(number for number, indent in indents.items() if indent == least), last]


def _find_runs(
    lines: list[str], starts: list[int], is_wanted: collections.abc.Callable[[str], bool]
) -> collections.abc.Iterator[tuple[int, int]]:
    """Of the sites that can be left out, those that follow each other, as (first line, line behind the last one)."""
    begun: int | None = None
    for first, last in itertools.pairwise(starts[1:-1]):
        is_plain = all(map(_PLAIN_LINE.fullmatch, lines[first:last]))
        can_go = is_plain and not is_wanted(_key(lines[first]))
        if can_go and begun is None:
            begun = first
        elif not can_go and begun is not None:
            yield begun, first
            begun = None
    if begun is not None:
        yield begun, starts[-2]


def _key(line: str) -> str:
    """Of a plain line."""
    return line.strip().split(":")[0]


def _is_content(line: str) -> bool:
    stripped = line.lstrip(" ")
    return bool(stripped) and not stripped.startswith("#")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
