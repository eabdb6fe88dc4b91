"""daemun.yaml becomes a snapshot; when it was read before, only the sites that changed since are read again.

A site of ten thousand is a few lines, and reading YAML and checking it costs 0.2 ms for each. So of a text that differs
from the last one in some places, what is read is a shorter text: the same, without runs of sites that did not change.
What a line of a block mapping means depends only on what was open before it. A run is left out only between places
where nothing was open: it follows the line `sites:` or a site that did not change, and it ends before a site that is
found to be a key of `sites` again, at its own place, or with the map itself. What reaches further than that (anchors,
aliases, tags) is looked for in the whole text first, and so is what cannot be told from a shorter one (faults, a host
that is there twice). In all such cases the whole text is read: a short reading never tells a person anything that a
whole one would tell otherwise.
"""

import bisect
import collections
import collections.abc
import dataclasses
import os
import pathlib
import re
import threading

from daemun.core import model, per_site, validate
from daemun.sources import yaml_context, yaml_positions, yaml_translate

_REACHES_FAR = re.compile(r"(?:^|[\s,:\[\]{}-])(?:[&*!][^\s]|<<)", re.MULTILINE)
_OTHER_BREAKS = re.compile("[\r\x85\u2028\u2029]")
_SITES = "sites"

Lines = collections.abc.Sequence[str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """The lines of one site. start, end: from 0. size: how many values it has. is_good: nothing is said of it."""

    key: str
    start: int
    end: int
    size: int
    site: model.Site
    is_good: bool

    def moved(self, by: int) -> "_Block":
        """The same, some lines further down."""
        if by == 0:
            return self
        return dataclasses.replace(self, start=self.start + by, end=self.end + by, site=_moved(self.site, by))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    """A text that was read. blocks: in the order of their lines; none when it is not of a form that can be cut.

    column: where the blocks' keys start, from 1. rest: how many values all else has.
    """

    content: bytes | str
    snapshot: model.Snapshot
    lines: Lines = ()
    blocks: tuple[_Block, ...] = ()
    column: int = 0
    rest: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Cut:
    """How a new text is read in part. known: its sites that need not be read, by where they start. kept: those that
    did not change and are read. ranges: the lines that are read. new: the lines among them where a new site may start.
    """

    known: dict[int, _Block]
    kept: tuple[_Block, ...]
    ranges: tuple[range, ...]
    new: frozenset[int]


class Reader:
    """Reads the texts of one file. file_name: how messages call it. base_dir: where relative paths start from.

    For all threads.
    """

    def __init__(self, file_name: str, base_dir: str | os.PathLike[str]) -> None:
        self._file_name = file_name
        self._base_dir = pathlib.Path(base_dir).absolute()
        self._last: _Text | None = None
        self._orders: per_site.PerSite[tuple[model.Problem, ...]] = per_site.PerSite()
        self._guard = threading.Lock()

    def parse(self, content: bytes | str) -> model.Snapshot:
        """What the text asks for, and in `problems` all that is wrong with it, in the order of its lines.

        Never raises, whatever the content. Sites with an error are left out; nothing but `content` is looked at.
        """
        with self._guard:
            last = self._last
            if last is None or last.content != content:
                last = self._read_again(last, content) if last is not None else None
                last = last or self._read_whole(content)
                self._last = last
            return last.snapshot

    def place(self, problems: collections.abc.Collection[model.Problem]) -> list[model.Problem]:
        """Problems of the last text's sites, at the lines and columns of their fields."""
        with self._guard:
            last = self._last
            if last is None or not problems:
                return list(problems)
            translation = self._translate_some(last, problems) or self._translate(yaml_positions.load(last.content))
            translation.sites()
            return [translation.place(problem) for problem in problems]

    # --- the whole text --------------------------------------------------------------------------------------------

    def _read_whole(self, content: bytes | str) -> _Text:
        document = yaml_positions.load(content)
        translation = self._translate(document)
        for fault in document.faults:
            translation.report(fault)
        if document.faults and document.value is None:
            return _Text(content=content, snapshot=_snapshot(translation))
        settings, sites = translation.settings(), translation.sites()
        found = (*_find_problems(sites, translation), *validate.find_global_problems(settings, sites, self._orders))
        translation.problems += [translation.place(problem) for problem in found]
        snapshot = _snapshot(translation, settings, sites)
        text = yaml_positions.decode(content, [])
        if text is None or document.faults or not _can_be_cut(text):
            return _Text(content=content, snapshot=snapshot)
        lines = text.split("\n")
        column = _column_of(document, lines)
        if not column:
            return _Text(content=content, snapshot=snapshot)
        return _Text(
            content=content,
            snapshot=snapshot,
            lines=lines,
            blocks=_judge(_make_blocks(document, sites, {}, lines), translation),
            column=column,
            rest=_count(document)[None],
        )

    def _translate(self, document: yaml_positions.Document) -> yaml_translate.Translation:
        return yaml_translate.Translation(document, file_name=self._file_name, base_dir=self._base_dir)

    # --- a part of it ----------------------------------------------------------------------------------------------

    def _read_again(self, last: _Text, content: bytes | str) -> _Text | None:
        """None: the whole text must be read."""
        text = yaml_positions.decode(content, []) if last.blocks else None
        if text is None:
            return None
        lines = text.split("\n")
        wanted: frozenset[int] = frozenset()
        while True:  # this ends: more is wanted each time
            cut = _cut(last, lines, wanted)
            # What is not read now was looked at when it was.
            document = _load(lines, cut.ranges) if _can_be_cut(_join(lines, cut.ranges)) else None
            if document is None or not _fits(document, cut, lines, last.column):
                return None
            translation = self._translate(document)
            settings, read = translation.settings(), translation.sites()
            blocks, sizes = _make_blocks(document, read, cut.known, lines), _count(document)
            if sizes[None] + sum(block.size for block in blocks) > yaml_positions.MAX_VALUES:
                return None
            sites = tuple(block.site for block in blocks)
            found = (*_find_problems(read, translation), *validate.find_global_problems(settings, sites, self._orders))
            # What is said of a site that was not read has its place in lines that were not read either.
            missed = _blocks_of(found, blocks) & cut.known.keys()
            if not missed:
                break
            wanted |= missed
        translation.problems += [translation.place(problem) for problem in found]
        return _Text(
            content=content,
            snapshot=_snapshot(translation, settings, sites),
            lines=lines,
            blocks=_judge(blocks, translation),
            column=last.column,
            rest=sizes[None],
        )

    def _translate_some(
        self, last: _Text, problems: collections.abc.Iterable[model.Problem]
    ) -> yaml_translate.Translation | None:
        """The sites that the problems are about, and what is no site. None: only the whole text tells."""
        cut = _cut(last, last.lines, _blocks_of(problems, last.blocks)) if last.blocks else None
        document = _load(last.lines, cut.ranges) if cut is not None else None
        return self._translate(document) if document is not None else None


def _find_problems(
    sites: collections.abc.Iterable[model.Site], translation: yaml_translate.Translation
) -> list[model.Problem]:
    return [
        problem
        for site in sites
        for problem in validate.find_site_problems(site)
        if problem.field != ("routes",) or site.origin.place not in translation.incomplete
    ]


def _snapshot(
    translation: yaml_translate.Translation,
    settings: model.Globals | None = None,
    sites: collections.abc.Iterable[model.Site] = (),
) -> model.Snapshot:
    problems = yaml_translate.collect(translation.problems)
    bad = {problem.host for problem in problems if problem.severity is model.Severity.ERROR}
    good = tuple(site for site in sites if site.host not in bad)
    return model.Snapshot(source=yaml_context.SOURCE, sites=good, globals=settings, problems=problems)


# --- texts -----------------------------------------------------------------------------------------------------


def _can_be_cut(text: str) -> bool:
    """Whether each part means the same without the others, and lines are what they are for YAML. Each line tells by
    itself."""
    is_simple = _OTHER_BREAKS.search(text) is None and not text.startswith("%") and "\n%" not in text
    return is_simple and _REACHES_FAR.search(text) is None


def _cut(last: _Text, lines: Lines, wanted: frozenset[int]) -> _Cut:
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
    kept = tuple(block for block in same if block.start in beside or block.start in wanted or not block.is_good)
    starts = {block.start for block in kept}
    known = {block.start: block for block in same if block.start not in starts}
    ranges, end = [], 0
    for block in known.values():
        ranges.append(range(end, block.start))
        end = block.end
    ranges.append(range(end, len(lines)))
    new = frozenset(line for gap in gaps for line in gap.lines)
    return _Cut(known=known, kept=kept, ranges=tuple(one for one in ranges if one), new=new)


def _find_again(
    blocks: collections.abc.Sequence[_Block], before: Lines, lines: Lines, within: range
) -> collections.abc.Iterator[_Block]:
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

    above: _Block | None
    below: _Block | None
    lines: range


def _find_gaps(
    last: _Text, lines: Lines, same: collections.abc.Sequence[_Block], *, same_above: int, same_below: int
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


def _join(lines: Lines, ranges: collections.abc.Sequence[range]) -> str:
    """The lines of these ranges as one text."""
    kept = [line for one in ranges for line in lines[one.start : one.stop]]
    if ranges[-1].stop < len(lines):
        kept.append("")  # the end of a line, as what follows it begins a new one
    return "\n".join(kept)


def _load(lines: Lines, ranges: collections.abc.Sequence[range]) -> yaml_positions.Document | None:
    """These ranges read, with every mark where it is in the whole text. None: with faults."""
    document = yaml_positions.load(_join(lines, ranges))
    if document.faults:
        return None
    firsts, first = [], 0
    for one in ranges:
        firsts.append(first)
        first += len(one)

    def place(mark: yaml_positions.Mark) -> yaml_positions.Mark:
        index = bisect.bisect_right(firsts, mark.line - 1) - 1
        return yaml_positions.Mark(mark.line - firsts[index] + ranges[index].start, mark.column)

    document.keys = {path: place(mark) for path, mark in document.keys.items()}
    document.values = {path: place(mark) for path, mark in document.values.items()}
    return document


def _fits(document: yaml_positions.Document, cut: _Cut, lines: Lines, column: int) -> bool:
    """Whether the sites that were read are where they are in the whole text, and all that is in those lines."""
    if _column_of(document, lines) != column:
        return False
    starts = {key: document.keys[(_SITES, key)].line - 1 for key in _keys_of(document)}
    kept = {block.key: block.start for block in cut.kept}
    return (
        all(starts.get(key) == start for key, start in kept.items())
        and all(start in cut.new for key, start in starts.items() if key not in kept)
        and starts.keys().isdisjoint([block.key for block in cut.known.values()])
    )


def _keys_of(document: yaml_positions.Document) -> list[str]:
    sites = document.value.get(_SITES) if isinstance(document.value, dict) else None
    return list(sites) if isinstance(sites, dict) else []


def _column_of(document: yaml_positions.Document, lines: Lines) -> int:
    """Where the keys of all sites start, each on a line of its own; 0: they do not, or are written in braces."""
    marks = [document.keys[(_SITES, key)] for key in _keys_of(document)]
    if not marks or document.braces & {(), (_SITES,)}:
        return 0
    column = marks[0].column
    is_simple = all(mark.column == column and not lines[mark.line - 1][: column - 1].strip(" ") for mark in marks)
    return column if is_simple else 0


def _count(document: yaml_positions.Document) -> collections.Counter[str | int | None]:
    """How many values each site has; None: all else."""
    return collections.Counter(path[1] if len(path) > 1 and path[0] == _SITES else None for path in document.values)


def _make_blocks(
    document: yaml_positions.Document,
    sites: collections.abc.Iterable[model.Site],
    known: collections.abc.Mapping[int, _Block],
    lines: Lines,
) -> tuple[_Block, ...]:
    """Of the sites of a document and those that are known, in the order of their lines."""
    sizes = _count(document)
    read = [
        _Block(
            key=key,
            start=document.keys[(_SITES, key)].line - 1,
            end=0,
            size=sizes[key],
            site=site,
            is_good=True,
        )
        for key, site in zip(_keys_of(document), sites, strict=True)
    ]
    found = sorted([*read, *known.values()], key=lambda block: block.start)
    # What follows the sites starts with a key of the whole file.
    tops = [mark.line - 1 for path, mark in document.keys.items() if len(path) == 1]
    after = min((line for line in tops if line > found[-1].start), default=len(lines))
    ends = [*(block.start for block in found[1:]), after]
    return tuple(
        block if block.end == end else dataclasses.replace(block, end=end)
        for block, end in zip(found, ends, strict=True)
    )


def _judge(blocks: tuple[_Block, ...], translation: yaml_translate.Translation) -> tuple[_Block, ...]:
    """Those of which something is said are read each time."""
    said = _blocks_at([*(problem.origin.place for problem in translation.problems), *translation.incomplete], blocks)
    if not said and all(block.is_good for block in blocks):
        return blocks
    return tuple(dataclasses.replace(block, is_good=block.start not in said) for block in blocks)


def _blocks_of(
    problems: collections.abc.Iterable[model.Problem], blocks: collections.abc.Sequence[_Block]
) -> frozenset[int]:
    """Where the sites start that the problems are about."""
    return _blocks_at([problem.origin.place for problem in problems if problem.host is not None], blocks)


def _blocks_at(places: collections.abc.Collection[str], blocks: collections.abc.Sequence[_Block]) -> frozenset[int]:
    """Where the sites start that the places ("daemun.yaml:14:3") are in."""
    if not places:
        return frozenset()
    starts = [block.start for block in blocks]
    found = set()
    for place in places:
        line = place.rsplit(":", 2)[-2:][0]
        index = bisect.bisect_right(starts, int(line) - 1) - 1 if line.isdecimal() else -1
        if index >= 0:
            found.add(starts[index])
    return frozenset(found)


def _moved(site: model.Site, by: int) -> model.Site:
    return dataclasses.replace(
        site,
        origin=_moved_origin(site.origin, by),
        routes=tuple(dataclasses.replace(route, origin=_moved_origin(route.origin, by)) for route in site.routes),
    )


def _moved_origin(origin: model.Origin, by: int) -> model.Origin:
    name, line, column = origin.place.rsplit(":", 2)
    return model.Origin(source=origin.source, place=f"{name}:{int(line) + by}:{column}")
