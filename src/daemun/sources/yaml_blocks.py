"""The sites of a text as blocks of its lines, so that some of them can be read without the others. Pure."""

import bisect
import collections
import collections.abc
import dataclasses

from daemun.core import directive, model
from daemun.sources import yaml_defaults, yaml_include, yaml_positions, yaml_translate

SITES = "sites"

Lines = collections.abc.Sequence[str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The lines of one site. start, end: from 0. size: how many values it has. is_good: without a problem."""

    key: str
    start: int
    end: int
    size: int
    site: model.Site
    is_good: bool

    def moved(self, by: int) -> "Block":
        """The same, some lines further down."""
        if by == 0:
            return self
        return dataclasses.replace(self, start=self.start + by, end=self.end + by, site=_moved(self.site, by))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BlockText:
    """A text that was read. blocks: in the order of their lines; none when it is not of a form that can be cut.

    column: where the blocks' keys start, from 1. defaults: what the sites were read with, and shared what that is
    as options, which hold for the files that it names with `include`, too. sites: all, also those with an error.
    variables: of the environment, that were put in.
    """

    content: bytes | str
    snapshot: model.Snapshot
    sites: tuple[model.Site, ...] = ()
    include: tuple[yaml_include.Pattern, ...] = ()
    shared: yaml_defaults.Defaults = yaml_defaults.NONE
    variables: collections.abc.Mapping[str, str] = dataclasses.field(default_factory=dict)
    lines: Lines = ()
    blocks: tuple[Block, ...] = ()
    column: int = 0
    defaults: object = None


def keys_of(document: yaml_positions.Document) -> list[str]:
    sites = document.value.get(SITES) if isinstance(document.value, dict) else None
    return list(sites) if isinstance(sites, dict) else []


def defaults_of(document: yaml_positions.Document) -> object:
    """What every site is read with; None: nothing."""
    return document.value.get(yaml_defaults.KEY) if isinstance(document.value, dict) else None


def column_of(document: yaml_positions.Document, lines: Lines) -> int:
    """Where the keys of all sites start, each on a line of its own; 0: they do not, or are written in braces."""
    marks = [document.keys[(SITES, key)] for key in keys_of(document)]
    if not marks or document.braces & {(), (SITES,)}:
        return 0
    column = marks[0].column
    is_simple = all(mark.column == column and not lines[mark.line - 1][: column - 1].strip(" ") for mark in marks)
    return column if is_simple else 0


def count(document: yaml_positions.Document) -> collections.Counter[str | int | None]:
    """How many values each site has; None: all else."""
    return collections.Counter(path[1] if len(path) > 1 and path[0] == SITES else None for path in document.values)


def make(
    document: yaml_positions.Document,
    sites: collections.abc.Iterable[model.Site],
    known: collections.abc.Mapping[int, Block],
    lines: Lines,
) -> tuple[Block, ...]:
    """Of the sites of a document and those that are known, in the order of their lines."""
    sizes = count(document)
    read = [
        Block(
            key=key,
            start=document.keys[(SITES, key)].line - 1,
            end=0,
            size=sizes[key],
            site=site,
            is_good=True,
        )
        for key, site in zip(keys_of(document), sites, strict=True)
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


def judge(blocks: tuple[Block, ...], translation: yaml_translate.Translation) -> tuple[Block, ...]:
    """Those with a problem are read each time."""
    at_fault = _starts_at(
        [*(problem.origin.place for problem in translation.problems), *translation.incomplete], blocks
    )
    if not at_fault and all(block.is_good for block in blocks):
        return blocks
    return tuple(dataclasses.replace(block, is_good=block.start not in at_fault) for block in blocks)


def starts_of(
    problems: collections.abc.Iterable[model.Problem], blocks: collections.abc.Sequence[Block]
) -> frozenset[int]:
    """Where the sites start that the problems are about."""
    return _starts_at([problem.origin.place for problem in problems if problem.host is not None], blocks)


def _starts_at(places: collections.abc.Collection[str], blocks: collections.abc.Sequence[Block]) -> frozenset[int]:
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
        routes=tuple(
            dataclasses.replace(
                route, origin=_moved_origin(route.origin, by), snippet=_moved_snippet(route.snippet, by)
            )
            for route in site.routes
        ),
        snippet=_moved_snippet(site.snippet, by),
    )


def _moved_snippet(nodes: model.Snippet, by: int) -> model.Snippet:
    return tuple(
        node
        if isinstance(node, directive.Comment)
        else dataclasses.replace(
            node,
            block=None if node.block is None else _moved_snippet(node.block, by),
            beside=_moved_place(node.beside, by) if node.beside else "",
        )
        for node in nodes
    )


def _moved_origin(origin: model.Origin, by: int) -> model.Origin:
    return model.Origin(source=origin.source, place=_moved_place(origin.place, by))


def _moved_place(place: str, by: int) -> str:
    name, line, column = place.rsplit(":", 2)
    return f"{name}:{int(line) + by}:{column}"
