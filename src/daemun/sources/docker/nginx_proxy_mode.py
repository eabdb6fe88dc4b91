"""`compat: nginx-proxy`: the environment and the folders of nginx-proxy decide with the file what the gate is like.

DAEMUN_COMPAT=nginx-proxy means the same as the file's `compat`, so that replacing nginx-proxy's image needs no file.
"""

import asyncio
import collections.abc
import dataclasses

from daemun import ticks
from daemun.control import ports
from daemun.core import model
from daemun.core.texts import words
from daemun.sources.docker import container_remarks, nginx_proxy_folders, nginx_proxy_gate, nginx_proxy_reader
from daemun.sources.docker import nginx_proxy_sites as sites

VARIABLE = "DAEMUN_COMPAT"
FOLDER_VARIABLE = "DAEMUN_COMPAT_DIR"
"""Where nginx-proxy's folders are, if not in /etc/nginx."""
WORD = "nginx-proxy"
LOOK_EVERY_S = 2.0
"""How often the folders are looked at."""


def is_enabled(environ: collections.abc.Mapping[str, str]) -> bool:
    """Whether the environment alone sets that daemun replaces nginx-proxy."""
    return environ.get(VARIABLE, "").strip() == WORD


class Compatible:
    """Implements `control.ports.Source`: the file's snapshot, completed.

    environ: of the process.
    """

    def __init__(self, file: ports.Source, *, environ: collections.abc.Mapping[str, str]) -> None:
        self._file = file
        self._environ = environ
        self._gate = nginx_proxy_gate.read_gate(environ)
        self._folders = nginx_proxy_reader.NginxProxyReader(
            environ.get(FOLDER_VARIABLE, "").strip() or nginx_proxy_folders.ROOT
        )
        self._is_on = False
        self._compat = sites.Compat()

    @property
    def name(self) -> str:
        return self._file.name

    @property
    def is_on(self) -> bool:
        """As of the last reading."""
        return self._is_on

    @property
    def compat(self) -> sites.Compat:
        """How containers are to be understood, as of the last reading."""
        return self._compat

    async def read(self) -> model.Snapshot:
        return await asyncio.to_thread(self.complete, await self._file.read())

    def complete(self, snapshot: model.Snapshot) -> model.Snapshot:
        """The file's snapshot, with what nginx-proxy's environment and folders add. Blocking, milliseconds."""
        completed, compat = self.preview(snapshot)
        self._is_on, self._compat = compat.is_on, compat
        return completed

    def preview(self, snapshot: model.Snapshot) -> tuple[model.Snapshot, sites.Compat]:
        """The same of a snapshot that is not applied, and how containers would be understood."""
        word = self._environ.get(VARIABLE, "").strip()
        problems = snapshot.problems
        if word not in {"", "none", WORD}:
            found = f"{VARIABLE}: expected none or {WORD}, found {words.quoted(word)}"
            origin = model.Origin(source="environment", place=VARIABLE)
            problems = (*problems, model.Problem(origin=origin, message=found))
        settings = snapshot.globals
        if settings is None or not (settings.like_nginx_proxy or is_enabled(self._environ)):
            return dataclasses.replace(snapshot, problems=problems), sites.Compat()
        folders = self._folders.read()
        completed = dataclasses.replace(
            snapshot,
            globals=self._gate.apply(settings, folders),
            problems=(*problems, *(_warning(note) for note in self._gate.notes), *folders.problems),
        )
        return completed, sites.Compat(is_on=True, gate=self._gate, folders=folders)

    def changes(self) -> collections.abc.AsyncIterator[str]:
        return self._file.changes()

    async def watch_folders(self, on_change: collections.abc.Callable[[], None]) -> None:
        """Never returns."""
        before = await asyncio.to_thread(self._folders.sign)
        while True:
            await ticks.sleep(LOOK_EVERY_S)
            if not self._is_on:
                continue
            now = await asyncio.to_thread(self._folders.sign)
            if now != before:
                before = now
                on_change()


def _warning(note: str) -> model.Problem:
    origin = model.Origin(source=container_remarks.SOURCE, place="environment of the gate")
    return model.Problem(origin=origin, message=note, severity=model.Severity.WARNING)
