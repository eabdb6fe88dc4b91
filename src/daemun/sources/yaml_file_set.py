"""daemun.yaml and the files that its `include` names become one snapshot.

Each file is read by itself: anchors and aliases are its own, and relative paths start at its folder. What is wrong
with one as a whole costs its sites alone, and a host that an earlier file has costs that host's later site.
"""

import collections.abc
import dataclasses
import os
import pathlib
import threading
import types

from daemun.core import layout, model, site_memory
from daemun.core.options import catalogue, streams_option
from daemun.core.texts import words
from daemun.core.validation import validate
from daemun.sources import (
    known_apps,
    yaml_blocks,
    yaml_context,
    yaml_include,
    yaml_reader,
    yaml_translate,
    yaml_variables,
)

Files = collections.abc.Sequence[yaml_include.Included]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """files: that were included, in their order. lost: the names of those of which nothing is used. patterns: of
    `include`."""

    snapshot: model.Snapshot
    files: tuple[yaml_include.Included, ...] = ()
    lost: frozenset[str] = frozenset()
    patterns: tuple[yaml_include.Pattern, ...] = ()


class FileSet:
    """path: of daemun.yaml. instead: of what files hold (`yaml_include.read`). state: the state directory, of which
    nothing is included. For all threads."""

    def __init__(
        self,
        path: pathlib.Path,
        instead: collections.abc.Mapping[pathlib.Path, bytes] = types.MappingProxyType({}),
        state: str | None = None,
    ) -> None:
        self._path = path
        self._state = None if state is None else layout.Layout(state)
        self._instead = instead
        self._apps = known_apps.BUILT_IN
        self._main = yaml_reader.Reader(path.name, path.parent)
        self._readers: dict[str, yaml_reader.Reader] = {}
        self._folders: dict[str, pathlib.Path] = {}
        self._known: dict[str, tuple[model.Site, ...]] = {}
        """By the name of an included file: its sites, when it could be read last."""
        self._orders: site_memory.PerSite[tuple[model.Problem, ...]] = site_memory.PerSite()
        self._guard = threading.Lock()

    def use(self, apps: known_apps.KnownApps) -> None:
        """From now on sites may name these applications; every file is read anew."""
        with self._guard:
            self._apps = apps
            self._main = yaml_reader.Reader(self._path.name, self._path.parent, apps=apps)
            self._readers.clear()

    def parse(self, content: bytes) -> Parsed:
        """With the files that are there. content: of daemun.yaml. Blocking. Never raises."""
        main = self._main.read(content)
        if not main.include:
            return Parsed(snapshot=main.snapshot)
        with self._guard:
            served = [self._path.parent / name for name in self._known]
        listing = yaml_include.list_files(main.include, self._path, served, self._instead.keys())
        files = yaml_include.read(listing.paths, self._path.parent, self._instead)
        return self._join(main, [self._without_state(one) for one in files], listing.problems)

    def _without_state(self, one: yaml_include.Included) -> yaml_include.Included:
        """Quotes of it would show secrets, and edits would damage what daemun keeps. daemun.yaml, and what lies beside
        it, may be in the state directory itself."""
        if self._state is None:
            return one
        real, state = os.path.realpath(one.path), os.path.realpath(self._state.state)
        is_beside = pathlib.Path(os.path.realpath(self._path)).is_relative_to(state)
        kept = os.path.realpath(self._state.store) if is_beside else state
        if not pathlib.Path(real).is_relative_to(kept):
            return one
        cause = f"it is in daemun's state directory ({kept}), of which nothing is included; put it elsewhere"
        return dataclasses.replace(one, content=None, cause=cause)

    def parse_stored(self, content: bytes, included: collections.abc.Mapping[str, bytes]) -> Parsed:
        """With files as they were once. included: what they held, by their names. Never raises."""
        main = self._main.read(content)
        if not main.include:
            return Parsed(snapshot=main.snapshot)
        files = [
            yaml_include.Included(name=name, path=self._path.parent / name, content=held)
            for name, held in included.items()
        ]
        return self._join(main, files, ())

    def place(self, problems: collections.abc.Iterable[model.Problem]) -> list[model.Problem]:
        """Problems of the last texts' sites, at the lines and columns of their fields."""
        groups: dict[str, list[model.Problem]] = {}
        for one in problems:
            groups.setdefault(file_of(one.origin), []).append(one)
        found: list[model.Problem] = []
        for name, some in groups.items():
            found += self._readers.get(name, self._main).place(some)
        return found

    def folder_of(self, site: model.Site) -> pathlib.Path:
        """From which relative paths of the site start."""
        return self._folders.get(file_of(site.origin), self._path.parent)

    # --- several files --------------------------------------------------------------------------------------------

    def _join(
        self, main: yaml_blocks.BlockText, files: Files, problems: collections.abc.Sequence[model.Problem]
    ) -> Parsed:
        with self._guard:
            return self._join_alone(main, files, problems)

    def _join_alone(
        self, main: yaml_blocks.BlockText, files: Files, problems: collections.abc.Sequence[model.Problem]
    ) -> Parsed:
        self._forget({one.name for one in files})
        found = [*main.snapshot.problems, *problems]
        sites, good, absent = [*main.sites], [*main.snapshot.sites], list[model.Site]()
        owners = {site.host: site for site in sites}
        streams = _Streams.of(main.snapshot.globals)
        variables, lost = dict(main.variables), set[str]()
        for one in files:
            text = self._read(one, main)
            errors = [] if text is None else list(text.snapshot.problems)
            is_lost = text is None or any(_is_of_whole(item) for item in errors)
            if text is not None and is_lost and one.target is not None:
                errors = [_without_quotes(errors, one.target)]
            found += [_of_file(one)] if text is None else [_costing(item, one) for item in errors]
            if text is None or is_lost:
                lost.add(one.name)
                absent += self._known.get(one.name, ())
                continue
            self._known[one.name] = text.sites
            variables |= text.variables
            twice = _find_twice(text.sites, owners, one)
            found += (*twice.values(), *streams.take(text.snapshot.globals, one))
            kept = [site for site in text.sites if site.host not in twice]
            owners |= {site.host: site for site in kept}
            sites += kept
            good += [site for site in text.snapshot.sites if site.host not in twice]
        settings = streams.join(main.snapshot.globals)
        if settings is not None:
            # Sites of a file that is wrong as a whole go on as they were, so what names them is no mistake.
            together = validate.find_global_problems(settings, [*sites, *absent], self._orders)
            found += self.place(one for one in together if file_of(one.origin) not in lost)
        order = {one.name: index for index, one in enumerate(files, start=1)}
        hidden = (dataclasses.replace(one, message=yaml_variables.hide(one.message, variables)) for one in found)
        collected = yaml_translate.collect(hidden if variables else found, order)
        bad = {one.host for one in collected if one.severity is model.Severity.ERROR and one.host is not None}
        return Parsed(
            snapshot=model.Snapshot(
                source=yaml_context.SOURCE,
                sites=tuple(site for site in good if site.host not in bad),
                globals=settings,
                problems=collected,
            ),
            files=tuple(files),
            lost=frozenset(lost),
            patterns=main.include,
        )

    def _read(self, one: yaml_include.Included, main: yaml_blocks.BlockText) -> yaml_blocks.BlockText | None:
        """None: it cannot be read at all."""
        self._folders[one.name] = one.path.parent
        if one.content is None:
            return None
        reader = self._readers.get(one.name)
        if reader is None:
            reader = yaml_reader.Reader(one.name, one.path.parent, is_included=True, apps=self._apps)
            self._readers[one.name] = reader
        return reader.read(one.content, main.shared)

    def _forget(self, names: collections.abc.Set[str]) -> None:
        """Files that are not included any more."""
        for memory in (self._readers, self._folders, self._known):
            for name in memory.keys() - names:
                del memory[name]


def file_of(origin: model.Origin) -> str:
    """The file that a place is in, as messages call it: "daemun.yaml:14:3" is in "daemun.yaml"."""
    return origin.place.rsplit(":", 2)[0]


@dataclasses.dataclass(slots=True)
class _Streams:
    """The streams of all files, by name: of two with one name, the one of the earlier file."""

    found: dict[str, streams_option.NamedStream]

    @classmethod
    def of(cls, settings: model.Globals | None) -> "_Streams":
        return cls({one.name: one for one in _streams_of(settings)})

    def take(
        self, settings: model.Globals | None, file: yaml_include.Included
    ) -> collections.abc.Iterator[model.Problem]:
        """settings: of an included file."""
        for one in _streams_of(settings):
            if (owner := self.found.setdefault(one.name, one)) is not one:
                cause = f"stream {words.quoted(one.name)} is already given in {owner.origin}, which is served"
                message = f"{cause}; keep it in one of the two files, or give one of them another name"
                yield model.Problem(origin=one.origin, message=message, file=str(file.path))

    def join(self, settings: model.Globals | None) -> model.Globals | None:
        if settings is None or len(self.found) == len(_streams_of(settings)):
            return settings
        joined = tuple(self.found.values())
        return dataclasses.replace(
            settings, options=catalogue.with_value(settings.options, streams_option.OPTION, joined)
        )


def _streams_of(settings: model.Globals | None) -> streams_option.Streams:
    return () if settings is None else streams_option.OPTION.of(settings)


def _is_of_whole(problem: model.Problem) -> bool:
    is_of_one = problem.host is not None or streams_option.find_name(problem) is not None
    return not is_of_one and problem.severity is model.Severity.ERROR


def _costing(problem: model.Problem, file: yaml_include.Included) -> model.Problem:
    """What concerns a whole file that is included keeps no other one from being applied."""
    return dataclasses.replace(problem, file=str(file.path)) if _is_of_whole(problem) else problem


def _without_quotes(problems: collections.abc.Iterable[model.Problem], target: str) -> model.Problem:
    """Whoever may write a link need not be allowed to read what it leads to, and messages quote lines."""
    first = next(one for one in problems if _is_of_whole(one))
    cause = f"it is a link to {target}, which is no file of sites that can be read, and nothing is quoted of it"
    return dataclasses.replace(
        first, message=f"{cause}; correct the link, or put the file in its place to see what is wrong"
    )


def _of_file(file: yaml_include.Included) -> model.Problem:
    origin = model.Origin(source=yaml_context.SOURCE, place=f"{file.name}:1:1")
    return model.Problem(origin=origin, message=file.cause, file=str(file.path))


def _find_twice(
    sites: collections.abc.Iterable[model.Site],
    owners: collections.abc.Mapping[str, model.Site],
    file: yaml_include.Included,
) -> dict[str, model.Problem]:
    """Hosts that an earlier file has: its site stays as it is, the later one is not served."""
    found = {}
    for site in sites:
        if (owner := owners.get(site.host)) is not None:
            cause = f"host {words.quoted(site.host)} is already given in {owner.origin}, whose site is served"
            message = f"{cause}; keep it in one of the two files"
            found[site.host] = model.Problem(origin=site.origin, message=message, file=str(file.path))
    return found
