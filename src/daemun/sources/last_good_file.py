"""The last configuration file that could be applied, kept in the store.

A daemon that starts with a broken file goes on with the remembered one: a mistake in the file plus a reboot must not
take every site down.
"""

import asyncio
import collections.abc
import dataclasses
import json
import pathlib

import structlog

from daemun import regular_files
from daemun.control import damaged_keys, ports
from daemun.core import model
from daemun.core.options import streams_option
from daemun.errors import EnvironmentProblemError, NotFoundInStoreError
from daemun.sources import edited_file, set_aside, yaml_file

log: structlog.stdlib.BoundLogger = structlog.get_logger()

KEY = "history/daemun.yaml"
"""In the store."""
KEY_INCLUDED = "history/included.json"
"""Beside it: what the files that it includes held, by their names from its folder; not there where it includes none."""

Included = collections.abc.Mapping[str, bytes]


class Remembering:
    """Implements `control.ports.Source`: the file, each good version of which `run` keeps, so that no change waits for
    the disk."""

    def __init__(
        self,
        source: yaml_file.YamlFile,
        store: ports.Store,
        path: pathlib.Path,
        known: model.Snapshot | None = None,
    ) -> None:
        """known: of `recall`."""
        self._source = source
        self._sites = {site.host: site for site in known.sites} if known is not None else {}
        self._streams = _find_streams(known) if known is not None else {}
        self._store = store
        self._path = path
        self._is_start = True
        self._good: tuple[bytes, Included] | None = None
        self._read_last: tuple[bytes, Included] | None = None
        self._is_sure = True
        self._is_read = asyncio.Event()

    @property
    def name(self) -> str:
        return self._source.name

    async def read(self) -> model.Snapshot:
        version = edited_file.find_version(self._path)
        before = await asyncio.to_thread(self._content)
        try:
            snapshot = await self._source.read()
        except yaml_file.InvalidFileError as error:
            snapshot = await asyncio.to_thread(self.set_aside, error, is_start=self._is_start)
            self._is_start = False
            self._sites |= {site.host: site for site in snapshot.sites if site.fault is None}
            self._streams |= _find_streams(snapshot)
            await self._note_content(before)
            return self._with_version(snapshot, version, before)
        self._is_start = False
        self._sites = {site.host: site for site in snapshot.sites}
        self._streams = _find_streams(snapshot)
        await self._note_content(before)
        if self._is_sure:
            self._good = self._read_last
            self._is_read.set()
        return self._with_version(snapshot, version, before)

    def set_aside(self, error: yaml_file.InvalidFileError, *, is_start: bool = False) -> model.Snapshot:
        """What is served of files with an error, where sites go on as they were. Raises: `error`. Blocking."""
        known = set_aside.LastGoodEntries(sites=self._sites, streams=self._streams)
        return set_aside.set_aside(error, known, is_start=is_start)

    async def _note_content(self, before: bytes | None) -> None:
        """When it changed meanwhile, it is not known which version was read, and the next reading is near."""
        if self._source.given is not None:
            self._is_sure, self._read_last = True, (self._source.given.main, self._source.included)
            return
        self._is_sure = before is not None and before == await asyncio.to_thread(self._content)
        if before is not None and self._is_sure:
            self._read_last = before, self._source.included

    def find_files(self) -> dict[str, bytes] | None:
        """What the file held at the last reading, also where not all of it could be applied, and those that it
        includes, by their names from its folder. Empty: there was none. None: it is not known."""
        if not self._is_sure:
            return None
        return {} if self._read_last is None else {self._path.name: self._read_last[0], **self._read_last[1]}

    async def run(self) -> None:
        """Keep what was read last. Never returns."""
        while True:
            await self._is_read.wait()
            self._is_read.clear()
            await asyncio.to_thread(self._keep, self._good)

    def _with_version(self, snapshot: model.Snapshot, before: str, content: bytes | None) -> model.Snapshot:
        """before, content: the version and the file before the reading, which are those of the snapshot if the version
        is also the one after, and no other text stood for the file."""
        is_of_file = self._source.given is None or self._source.given.main == content
        is_same = is_of_file and before == edited_file.find_version(self._path)
        return dataclasses.replace(snapshot, version=before) if is_same else snapshot

    def changes(self) -> collections.abc.AsyncIterator[str]:
        return self._source.changes()

    def _content(self) -> bytes | None:
        try:
            return regular_files.read(self._path)
        except OSError:
            return None  # the source reports what is wrong

    def _keep(self, good: tuple[bytes, Included] | None) -> None:
        if good is None:
            return
        content, included = good
        try:
            # What is included comes first: without it, the file would stand for sites that are not there.
            if included != read_included(self._store):
                write_included(self._store, included)
            if content != _read(self._store):
                self._store.write(KEY, content)
        except EnvironmentProblemError as error:
            # What was read is good all the same; a full disk is going to be reported by what needs it.
            log.warning("the file is not remembered for a start with a broken one", reason=str(error))


def _find_streams(snapshot: model.Snapshot) -> dict[str, streams_option.NamedStream]:
    """Those with which nothing is wrong, by name."""
    streams = streams_option.OPTION.of(snapshot.globals) if snapshot.globals is not None else ()
    return {one.name: one for one in streams if one.fault is None}


def recall(store: ports.Store, path: pathlib.Path, source: yaml_file.YamlFile | None = None) -> model.Snapshot | None:
    """The snapshot of the remembered file, as if it lay at `path`; None when there is none, or it is no good any more.

    source: of that path, which is going to be read, too: both are nearly always the same.
    """
    content = _read(store)
    if content is None:
        return None
    included = read_included(store)
    snapshot = (source or yaml_file.YamlFile(path)).parse_stored(content, included)
    if any(problem.severity is model.Severity.ERROR for problem in snapshot.problems):
        return None
    return snapshot


def read_files(store: ports.Store, name: str) -> dict[str, bytes] | None:
    """What the remembered file held, as `name`, and those that it includes, by their names; None: nothing is kept."""
    content = _read(store)
    return None if content is None else {name: content, **read_included(store)}


def _read(store: ports.Store) -> bytes | None:
    try:
        return store.read(KEY)
    except NotFoundInStoreError:
        return None
    except EnvironmentProblemError as error:
        store.damage.note(KEY, f"{error}; the file is not remembered for a start with a broken one")
        return None


def read_included(store: ports.Store) -> dict[str, bytes]:
    """What the files that the remembered one includes held, by their names."""
    follows = "the files that `include` names are not remembered for a start with a broken one"
    return damaged_keys.read(store, KEY_INCLUDED, decode_included, follows=follows) or {}


def write_included(store: ports.Store, included: Included) -> None:
    """The files could be applied, so they are text."""
    store.write(KEY_INCLUDED, json.dumps({name: held.decode() for name, held in included.items()}, indent=1).encode())


def decode_included(content: bytes) -> dict[str, bytes]:
    """Raises: ValueError when it is damaged."""
    found = json.loads(content)
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise ValueError("expected a map of texts")
    return {name: text.encode() for name, text in found.items()}
