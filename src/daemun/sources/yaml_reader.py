"""daemun.yaml becomes a snapshot; when it was read before, only the sites that changed since are read again.

A site of ten thousand is a few lines, and reading YAML and checking it costs 0.2 ms for each. So of a text that differs
from the last one in some places, what is read is a shorter text: the same, without runs of sites that did not change
(`yaml_cutting`). Where that cannot mean the same, and where a problem cannot be found in a shorter text
(faults, a host that is there twice), the whole text is read: a short reading never reports anything that a whole
one would report otherwise. Of a text that is read for the first time, the sites of one line are left out in the same
way (`yaml_one_line`).
"""

import collections.abc
import dataclasses
import functools
import os
import pathlib
import threading

from daemun.core import model, site_memory
from daemun.core.validation import validate
from daemun.sources import (
    foreign_files,
    known_apps,
    yaml_blocks,
    yaml_context,
    yaml_cutting,
    yaml_defaults,
    yaml_one_line,
    yaml_positions,
    yaml_translate,
    yaml_variables,
)

_MakeCut = collections.abc.Callable[[frozenset[int]], yaml_cutting.PartialRead | None]
"""Of the starts of sites that must be read. None: the whole text must be."""


class Reader:
    """Reads the texts of one file. file_name: how messages call it. base_dir: where relative paths start from.
    is_edited: as of `yaml_positions.load`. is_included: another file names it with `include`.
    apps: which applications sites may name.

    What concerns sites together is left to `yaml_file_set` where there are several files. For all threads.
    """

    def __init__(
        self,
        file_name: str,
        base_dir: str | os.PathLike[str],
        *,
        is_edited: bool = False,
        is_included: bool = False,
        apps: known_apps.KnownApps = known_apps.BUILT_IN,
    ) -> None:
        self._is_edited = is_edited
        self._apps = apps
        self._file_name = file_name
        self._base_dir = pathlib.Path(base_dir).absolute()
        self._including = yaml_defaults.NONE if is_included else None
        self._last: yaml_blocks.BlockText | None = None
        self._orders: site_memory.PerSite[tuple[model.Problem, ...]] = site_memory.PerSite()
        self._guard = threading.Lock()

    def parse(self, content: bytes | str) -> model.Snapshot:
        """What the text wants, and in `problems` all that is wrong with it, in the order of its lines.

        Never raises, whatever the content. Sites with an error are left out; nothing but `content` is looked at.
        """
        return self.read(content).snapshot

    def read(self, content: bytes | str, including: yaml_defaults.Defaults | None = None) -> yaml_blocks.BlockText:
        """As `parse`. including: the defaults of the file that includes this one."""
        with self._guard:
            last = self._last
            if including is not None and self._including is not None:
                if including.written != self._including.written:
                    last = None
                self._including = including
            if last is None or last.content != content:
                last = self._read_again(last, content) if last is not None and last.blocks else None
                last = last or self._read_anew(content) or self.read_whole(content)
                self._last = last
            return last

    def place(self, problems: collections.abc.Collection[model.Problem]) -> list[model.Problem]:
        """Problems of the last text's sites, at the lines and columns of their fields."""
        with self._guard:
            last = self._last
            if last is None or not problems:
                return list(problems)
            translation = self._translate_some(last, problems) or self._translate(self._load(last.content))
            translation.sites()
            return [translation.place(problem) for problem in problems]

    def _load(self, content: bytes | str) -> yaml_positions.Document:
        return yaml_positions.load(content, is_edited=self._is_edited)

    def _load_part(
        self, lines: yaml_blocks.Lines, ranges: collections.abc.Sequence[range]
    ) -> yaml_positions.Document | None:
        return yaml_cutting.load(lines, ranges, is_edited=self._is_edited)

    # --- the whole text --------------------------------------------------------------------------------------------

    def read_whole(self, content: bytes | str) -> yaml_blocks.BlockText:
        """The text as if nothing was read before, and nothing left out. What `parse` returns never differs from it."""
        document = self._load(content)
        translation = self._translate(document)
        foreign = foreign_files.explain(self._file_name, yaml_positions.decode(content, []) or "", document.value)
        if foreign is not None:
            translation.report(yaml_positions.YamlFault(message=foreign))
            return yaml_blocks.BlockText(content=content, snapshot=_snapshot(translation))
        for fault in document.faults:
            translation.report_fault(fault)
        if document.faults and document.value is None:
            return yaml_blocks.BlockText(content=content, snapshot=_snapshot(translation))
        settings, sites = translation.settings(), translation.sites()
        alone = _find_problems(sites, translation)
        translation.problems = _soften(translation.problems, sites, sites)
        found = (*_soften(alone, sites, sites), *self._find_together(translation, settings, sites))
        translation.problems += [translation.place(problem) for problem in found]
        translation.problems = _without_echoes(translation, document.faults)
        whole = self._text(content, translation, settings, sites)
        text = yaml_positions.decode(content, [])
        if text is None or document.faults or not yaml_cutting.can_be_cut(text):
            return whole
        lines = text.split("\n")
        column = yaml_blocks.column_of(document, lines)
        if not column:
            return whole
        return dataclasses.replace(
            whole,
            lines=lines,
            blocks=yaml_blocks.judge(yaml_blocks.make(document, sites, {}, lines), translation),
            column=column,
            defaults=yaml_blocks.defaults_of(document),
        )

    def _translate(self, document: yaml_positions.Document) -> yaml_translate.Translation:
        return yaml_translate.Translation(
            document,
            file_name=self._file_name,
            base_dir=self._base_dir,
            including=self._including,
            apps=self._apps,
        )

    def _find_together(
        self, translation: yaml_translate.Translation, settings: model.Globals, sites: tuple[model.Site, ...]
    ) -> tuple[model.Problem, ...]:
        """What is wrong with the sites of the one file seen together."""
        if translation.is_included or translation.include:
            return ()
        return validate.find_global_problems(settings, sites, self._orders)

    def _text(
        self,
        content: bytes | str,
        translation: yaml_translate.Translation,
        settings: model.Globals,
        sites: tuple[model.Site, ...],
    ) -> yaml_blocks.BlockText:
        return yaml_blocks.BlockText(
            content=content,
            snapshot=_snapshot(translation, settings, sites),
            sites=sites,
            include=translation.include,
            shared=translation.defaults,
            variables=translation.document.variables,
        )

    # --- a part of it ----------------------------------------------------------------------------------------------

    def _read_again(self, last: yaml_blocks.BlockText, content: bytes | str) -> yaml_blocks.BlockText | None:
        """last: with blocks. None: the whole text must be read."""
        text = yaml_positions.decode(content, [])
        if text is None:
            return None
        lines = text.split("\n")
        return self._read_part(
            content, lines, last.column, lambda wanted: yaml_cutting.cut(last, lines, wanted), defaults=last.defaults
        )

    def _read_anew(self, content: bytes | str) -> yaml_blocks.BlockText | None:
        """None: the whole text must be read."""
        text = yaml_positions.decode(content, [])
        if text is None or (self._including is not None and self._including.written is not None):
            return None
        lines = text.split("\n")
        blocks = yaml_one_line.find_blocks(lines, _example(), self._file_name)
        if not blocks:
            return None
        column = len(lines[blocks[0].start]) - len(lines[blocks[0].start].lstrip(" ")) + 1
        return self._read_part(content, lines, column, lambda wanted: yaml_cutting.cut_within(blocks, lines, wanted))

    def _read_part(
        self,
        content: bytes | str,
        lines: yaml_blocks.Lines,
        column: int,
        make_cut: _MakeCut,
        *,
        defaults: object = None,
    ) -> yaml_blocks.BlockText | None:
        """column: where the sites' keys start. defaults: with which those were read that are not read now.

        None: the whole text must be read.
        """
        wanted: frozenset[int] = frozenset()
        while True:  # this ends: more is wanted each time
            cut = make_cut(wanted)
            # What is not read now was looked at when it was, or cannot be wrong.
            document = self._load_part(lines, cut.ranges) if cut is not None else None
            if cut is None or document is None or not yaml_cutting.fits(document, cut, lines, column):
                return None
            if yaml_blocks.defaults_of(document) != defaults:
                return None
            translation = self._translate(document)
            settings, read = translation.settings(), translation.sites()
            blocks, sizes = yaml_blocks.make(document, read, cut.known, lines), yaml_blocks.count(document)
            if sizes[None] + sum(block.size for block in blocks) > yaml_positions.MAX_VALUES:
                return None
            sites = tuple(block.site for block in blocks)
            alone = _soften(_find_problems(read, translation), read, sites)
            found = (*alone, *self._find_together(translation, settings, sites))
            # A problem of a site that was not read has its place in lines that were not read either.
            missed = yaml_blocks.starts_of(found, blocks) & cut.known.keys()
            if not missed:
                break
            wanted |= missed
        translation.problems = _soften(translation.problems, read, sites)
        translation.problems += [translation.place(problem) for problem in found]
        return dataclasses.replace(
            self._text(content, translation, settings, sites),
            lines=lines,
            blocks=yaml_blocks.judge(blocks, translation),
            column=column,
            defaults=defaults,
        )

    def _translate_some(
        self, last: yaml_blocks.BlockText, problems: collections.abc.Iterable[model.Problem]
    ) -> yaml_translate.Translation | None:
        """The sites that the problems are about, and what is no site. None: only the whole text shows them."""
        cut = yaml_cutting.cut(last, last.lines, yaml_blocks.starts_of(problems, last.blocks)) if last.blocks else None
        document = self._load_part(last.lines, cut.ranges) if cut is not None else None
        return self._translate(document) if document is not None else None


@functools.cache
def _example() -> model.Site:
    """The site of a file that is nothing else."""
    (site,) = Reader("", "/").read_whole(yaml_one_line.EXAMPLE).snapshot.sites
    return site


def _find_problems(
    sites: collections.abc.Iterable[model.Site], translation: yaml_translate.Translation
) -> list[model.Problem]:
    return [
        problem
        for site in sites
        for problem in validate.find_site_problems(site)
        if problem.field != ("routes",) or site.origin.place not in translation.incomplete
    ]


def _without_echoes(
    translation: yaml_translate.Translation, faults: collections.abc.Sequence[yaml_positions.YamlFault]
) -> list[model.Problem]:
    """A rule's objection to a text that is at fault already follows from that: of `${HOST}`, that it is no host
    name."""
    at_fault = {translation.origin(fault.mark): fault.message for fault in faults}
    return [one for one in translation.problems if at_fault.get(one.origin, one.message) == one.message]


def _soften(
    problems: collections.abc.Iterable[model.Problem],
    read: collections.abc.Iterable[model.Site],
    sites: collections.abc.Iterable[model.Site],
) -> list[model.Problem]:
    """What is wrong with a site that is switched off keeps nothing from being as it was written.

    read: the sites that the problems may be about. sites: all, among which one of the same host may be on.
    """
    off = {site.host for site in read if not site.enabled}
    if off:
        off -= {site.host for site in sites if site.enabled}
    return [
        dataclasses.replace(problem, severity=model.Severity.WARNING) if problem.host in off else problem
        for problem in problems
    ]


def _snapshot(
    translation: yaml_translate.Translation,
    settings: model.Globals | None = None,
    sites: collections.abc.Iterable[model.Site] = (),
) -> model.Snapshot:
    used, found = translation.document.variables, translation.problems
    if used:
        found = [dataclasses.replace(one, message=yaml_variables.hide(one.message, used)) for one in found]
    problems = yaml_translate.collect(found)
    bad = {problem.host for problem in problems if problem.severity is model.Severity.ERROR}
    good = tuple(site for site in sites if site.host not in bad)
    return model.Snapshot(source=yaml_context.SOURCE, sites=good, globals=settings, problems=problems)
