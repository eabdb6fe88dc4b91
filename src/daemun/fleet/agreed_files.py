"""What a node of a fleet serves in place of what its files hold, where that is not agreed on."""

import collections.abc
import dataclasses

import structlog

from daemun import errors
from daemun.control import ports
from daemun.core import model
from daemun.fleet import configuration_files, configuration_values, followed_record, roll_steps
from daemun.sources import given_files

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_NO_SITES = b"sites: {}\n"


class AgreedTexts:
    """files: this machine's. For all threads."""

    def __init__(self, files: configuration_files.ConfigurationFiles, record: followed_record.FollowedRecord) -> None:
        self._files = files
        self._record = record
        self._last: given_files.GivenFiles | None = None
        self.target: configuration_values.Files | None = None
        """None: the fleet has none yet, and each machine its own."""
        self.note_difference: collections.abc.Callable[[], None] = lambda: None
        """Called, by any thread, when the files are found to hold something else."""

    def find(self) -> given_files.GivenFiles | None:
        """Implements `given_files.FindGiven`. Never raises: what could be put together last stands in."""
        target = self.target
        if target is None:
            return self._find_begin()
        try:
            self._last = self.complete(target)
        except errors.DaemunError as error:
            log.error("what the fleet serves cannot be put together here", reason=str(error))  # noqa: TRY400 - for people
            if self._last is None:
                return given_files.GivenFiles(main=target[configuration_values.MAIN], included={})
        return self._last

    def _find_begin(self) -> given_files.GivenFiles | None:
        """Before the fleet agreed on anything: a machine whose file has no sites yet has none, which is no mistake."""
        try:
            local = self._files.read()
            if local is not None and roll_steps.is_blank(local.shared):
                return self._files.complete({configuration_values.MAIN: _NO_SITES}, local)
        except errors.DaemunError as error:
            log.debug("the files are not looked at", reason=str(error))
        else:
            self.note_difference()
        return None

    def complete(self, files: configuration_values.Files) -> given_files.GivenFiles:
        """With this machine's own part; where that does not fit as it stands, with what it was last: without one this
        machine would listen where others do. Blocking. Raises: DaemunError."""
        try:
            local = self._files.read()
        except errors.DaemunError as error:
            log.debug("the files are not looked at", reason=str(error))
            local = None
        if local is None or local.shared != files:
            self.note_difference()
        if local is not None:
            try:
                return self._files.complete(files, local)
            except errors.DaemunError as error:
                log.warning("this machine's own part of the file is not used as it stands", reason=str(error))
        return self._files.complete(files, None, self._find_own())

    def _find_own(self) -> bytes:
        try:
            known = self._record.read()
        except errors.DaemunError:
            return b""
        return b"" if known is None else known.own


class AgreedSource:
    """Implements `control.ports.Source`: the file's, with what of the fleet's configuration deserves a look."""

    def __init__(
        self, file: ports.Source, find_problems: collections.abc.Callable[[], tuple[model.Problem, ...]]
    ) -> None:
        self._file = file
        self._find_problems = find_problems

    @property
    def name(self) -> str:
        return self._file.name

    async def read(self) -> model.Snapshot:
        snapshot = await self._file.read()
        return dataclasses.replace(snapshot, problems=(*snapshot.problems, *self._find_problems()))

    def changes(self) -> collections.abc.AsyncIterator[str]:
        return self._file.changes()
