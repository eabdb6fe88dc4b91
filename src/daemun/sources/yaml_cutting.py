"""Decides which lines of a changed daemun.yaml are parsed again, and which sites stay as they were read. Pure.

What a line of a block mapping means depends only on what was open before it. A run of sites that did not change is left
out only between places where nothing was open: it follows the line `sites:` or a site that did not change, and it ends
before a site that is found to be a key of `sites` again, at its own place, or with the map itself. What reaches further
than that (anchors, aliases, tags) is looked for in all that is read, and was when the rest was.
"""

import bisect
import collections.abc
import dataclasses
import re

from daemun.sources import yaml_blocks, yaml_positions

_REACHES_FAR = re.compile(r"(?:^|[\s,:\[\]{}-])(?:[&*!][^\s]|<<)", re.MULTILINE)
_OTHER_BREAKS = re.compile("[\r\x85\u2028\u2029]")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PartialRead:
    """How a new text is read in part. known: its sites that need not be read, by where they start. read_again:
    those that did not change and are read. ranges: the lines that are read. new: the lines among them where a new site
    may start.
    """

    known: dict[int, yaml_blocks.Block]
    read_again: tuple[yaml_blocks.Block, ...]
    ranges: tuple[range, ...]
    new: frozenset[int]


def can_be_cut(text: str) -> bool:
    """Whether each part means the same without the others, and lines are what they are for YAML. Each line shows by
    itself."""
    is_simple = _OTHER_BREAKS.search(text) is None and not text.startswith("%") and "\n%" not in text
    return is_simple and _REACHES_FAR.search(text) is None


def cut(last: yaml_blocks.BlockText, lines: yaml_blocks.Lines, wanted: frozenset[int]) -> PartialRead:
    """last: with blocks. wanted: where sites start that are read though they did not change."""
    before, by = len(last.lines), len(lines) - len(last.lines)
    same_above = _count_same(zip(last.lines, lines, strict=False))
    same_below = _count_same(zip(reversed(last.lines), reversed(lines), strict=False))
    same_below = min(same_below, before - same_above, len(lines) - same_above)
    above = [block for block in last.blocks if block.end <= same_above]
    below = [block.moved(by) for block in last.blocks[len(above) :] if block.start >= before - same_below]
    between = last.blocks[len(above) : len(last.blocks) - len(below)]
    within = range(above[-1].end if above else 0, below[0].start if below else len(lines))
    same = [*above, *_find_again(between, last.lines, lines, within), *below]
    gaps = _find_gaps(last, lines, same, same_above=same_above, same_below=same_below)
    beside = {block.start for gap in gaps for block in (gap.above, gap.below) if block is not None}
    read_again = tuple(block for block in same if block.start in beside or block.start in wanted or not block.is_good)
    return _make(same, read_again, lines, frozenset(line for gap in gaps for line in gap.lines))


def cut_within(
    blocks: tuple[yaml_blocks.Block, ...], lines: yaml_blocks.Lines, wanted: frozenset[int]
) -> PartialRead | None:
    """As `cut`, for a text that was not read before. None: only the whole text shows what it means.

    blocks: lines of which each is a whole site if it is a site. A run of them is left out but for the first and the
    last: the first is found to be a key of `sites` at its place, so what follows it at the same column is another one,
    up to the last.
    """
    if len({block.key for block in blocks}) < len(blocks):
        return None
    starts = {block.start for block in blocks}
    read_again = tuple(block for block in blocks if block.start in wanted or not {block.start - 1, block.end} <= starts)
    return (
        _make(blocks, read_again, lines, frozenset(range(len(lines))) - starts)
        if len(read_again) < len(blocks)
        else None
    )


def _make(
    blocks: collections.abc.Iterable[yaml_blocks.Block],
    read_again: tuple[yaml_blocks.Block, ...],
    lines: yaml_blocks.Lines,
    new: frozenset[int],
) -> PartialRead:
    starts = {block.start for block in read_again}
    known = {block.start: block for block in blocks if block.start not in starts}
    ranges, end = [], 0
    for block in known.values():
        ranges.append(range(end, block.start))
        end = block.end
    ranges.append(range(end, len(lines)))
    return PartialRead(known=known, read_again=read_again, ranges=tuple(one for one in ranges if one), new=new)


def _find_again(
    blocks: collections.abc.Sequence[yaml_blocks.Block],
    before: yaml_blocks.Lines,
    lines: yaml_blocks.Lines,
    within: range,
) -> collections.abc.Iterator[yaml_blocks.Block]:
    """Those of the blocks that are there as they were, in the same order. before: the lines that they were in."""
    numbers = {before[block.start]: number for number, block in enumerate(blocks)}
    line, least = within.start, 0
    while line < within.stop:
        number = numbers.get(lines[line], -1)
        if number >= least:
            was = blocks[number]
            end = line + was.end - was.start
            if end <= within.stop and lines[line:end] == before[was.start : was.end]:
                yield was.moved(line - was.start)
                line, least = end, number + 1
                continue
        line += 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Gap:
    """A place where lines changed, came or went. above, below: the blocks beside it, None where there is none.
    lines: what is there now."""

    above: yaml_blocks.Block | None
    below: yaml_blocks.Block | None
    lines: range


def _find_gaps(
    last: yaml_blocks.BlockText,
    lines: yaml_blocks.Lines,
    same: collections.abc.Sequence[yaml_blocks.Block],
    *,
    same_above: int,
    same_below: int,
) -> list[_Gap]:
    """At least one. same: the blocks of the last text that did not change, where they are now."""
    numbers = {block.key: number for number, block in enumerate(last.blocks)}
    head, tail = last.blocks[0].start, len(last.lines) - last.blocks[-1].end
    line, number = (head, 0) if head <= same_above else (0, -1)
    end, count = (len(lines) - tail, len(numbers)) if tail <= same_below else (len(lines), -1)
    gaps, above = [], None
    for block in same:
        if (block.start, numbers[block.key]) != (line, number):
            gaps.append(_Gap(above=above, below=block, lines=range(line, block.start)))
        above, line, number = block, block.end, numbers[block.key] + 1
    if (line, number) != (end, count) or not gaps:
        gaps.append(_Gap(above=above, below=None, lines=range(line, end)))
    return gaps


def _count_same(pairs: collections.abc.Iterable[tuple[str, str]]) -> int:
    count = 0
    for one, other in pairs:
        if one != other:
            break
        count += 1
    return count


def _join(lines: yaml_blocks.Lines, ranges: collections.abc.Sequence[range]) -> str:
    """The lines of these ranges as one text."""
    wanted_lines = [line for one in ranges for line in lines[one.start : one.stop]]
    if ranges[-1].stop < len(lines):
        wanted_lines.append("")  # the end of a line, as what follows it begins a new one
    return "\n".join(wanted_lines)


def load(
    lines: yaml_blocks.Lines, ranges: collections.abc.Sequence[range], *, is_edited: bool = False
) -> yaml_positions.Document | None:
    """These ranges read, with every mark where it is in the whole text. None: with faults, or they mean something else
    without the rest."""
    text = _join(lines, ranges)
    document = yaml_positions.load(text, is_edited=is_edited) if can_be_cut(text) else None
    if document is None or document.faults:
        return None
    firsts, first = [], 0
    for one in ranges:
        firsts.append(first)
        first += len(one)

    def place(mark: yaml_positions.TextPosition) -> yaml_positions.TextPosition:
        index = bisect.bisect_right(firsts, mark.line - 1) - 1
        return yaml_positions.TextPosition(mark.line - firsts[index] + ranges[index].start, mark.column)

    document.keys = {path: place(mark) for path, mark in document.keys.items()}
    document.values = {path: place(mark) for path, mark in document.values.items()}
    return document


def fits(document: yaml_positions.Document, cut: PartialRead, lines: yaml_blocks.Lines, column: int) -> bool:
    """Whether the sites that were read are where they are in the whole text, and all that is in those lines."""
    if yaml_blocks.column_of(document, lines) != column:
        return False
    starts = {key: document.keys[(yaml_blocks.SITES, key)].line - 1 for key in yaml_blocks.keys_of(document)}
    read_again = {block.key: block.start for block in cut.read_again}
    return (
        all(starts.get(key) == start for key, start in read_again.items())
        and all(start in cut.new for key, start in starts.items() if key not in read_again)
        and starts.keys().isdisjoint([block.key for block in cut.known.values()])
    )
