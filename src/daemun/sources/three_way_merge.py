"""Three-way merge of texts by lines: two changes of one text, such as a draft and what others wrote meanwhile, where
they do not overlap. Pure."""

import collections.abc
import dataclasses
import difflib
import itertools

_MOST_COMPARED = 20_000_000
"""Pairs of lines that differ: comparing more of them takes minutes."""

Lines = collections.abc.Sequence[bytes]


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class _Change:
    """start, end: of the lines that go. lines: that come."""

    start: int
    end: int
    lines: tuple[bytes, ...]


def merge(base: bytes, mine: bytes, theirs: bytes) -> bytes | None:
    """None: both change the same lines, or lines beside each other. Where both add lines in one place and those of one
    begin with those of the other, it has these in it already.
    """
    if theirs in (base, mine):
        return mine
    if mine == base:
        return theirs
    old = base.splitlines(keepends=True)
    one, other = (_find_changes(old, text.splitlines(keepends=True)) for text in (mine, theirs))
    if one is None or other is None:
        return None
    one, other = _without_begun(one, other), _without_begun(other, one)
    same = set(one) & set(other)
    all_changes = sorted({*one, *other})
    if any(_meet(first, second) for first, second in itertools.pairwise(all_changes) if not {first, second} <= {*same}):
        return None
    found: list[bytes] = []
    at = 0
    for change in all_changes:
        found += [*old[at : change.start], *change.lines]
        at = change.end
    return b"".join([*found, *old[at:]])


def _without_begun(changes: list[_Change], others: list[_Change]) -> list[_Change]:
    """Without lines that come to where the others bring the same, and more below them."""
    come = {one.start: one.lines for one in others if one.start == one.end}
    return [one for one in changes if one.start != one.end or not _goes_on(come.get(one.start, ()), one.lines)]


def _goes_on(lines: Lines, beginning: Lines) -> bool:
    return len(lines) > len(beginning) and lines[: len(beginning)] == beginning


def _meet(first: _Change, second: _Change) -> bool:
    """Also lines beside each other: what was written below a line may belong to what that was."""
    return second.start <= first.end


def _find_changes(old: Lines, new: Lines) -> list[_Change] | None:
    """None: they differ too much to be compared."""
    most = min(len(old), len(new))
    head = next((index for index in range(most) if old[index] != new[index]), most)
    tail = next((index for index in range(most - head) if old[-1 - index] != new[-1 - index]), most - head)
    inner, other = old[head : len(old) - tail], new[head : len(new) - tail]
    if len(inner) * len(other) > _MOST_COMPARED:
        return None
    matcher = difflib.SequenceMatcher(None, inner, other)
    return [
        _Change(head + start, head + end, tuple(other[first:last]))
        for kind, start, end, first, last in matcher.get_opcodes()
        if kind != "equal"
    ]
