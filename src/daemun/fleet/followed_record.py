"""Up to where this machine's files are part of what its fleet agreed on, kept on this machine. Blocking."""

import collections.abc
import dataclasses
import os

from daemun import errors, regular_files
from daemun.control import damaged_keys, ports
from daemun.fleet import configuration_values, shared_text

Files = configuration_values.Files


class FollowedRecord:
    """For one thread at a time. Commands write it, too: it is read each time."""

    def __init__(self, store: ports.Store) -> None:
        self._store = store
        self._known: tuple[bytes, configuration_values.FollowedRevision] | None = None

    def read(self) -> configuration_values.FollowedRevision | None:
        """None: this machine followed none yet. Raises: EnvironmentProblemError."""
        follows = "its files are taken for those of a machine that joins its fleet now"
        key = configuration_values.KEY_OF_NODE
        return damaged_keys.read(self._store, key, self._decode, follows=follows)

    def _decode(self, content: bytes) -> configuration_values.FollowedRevision:
        """It is mostly what it was, and has all files in it. Raises: ValueError."""
        known = self._known
        if known is None or known[0] != content:
            self._known = known = (content, configuration_values.decode_followed(content))
        return known[1]

    def find(self, own: bytes) -> configuration_values.FollowedRevision | None:
        """As `read`. own: the machine's own part of daemun.yaml, which is remembered."""
        known = self.read()
        if known is None or not known.id:
            return None
        if known.own != own:
            self._write(dataclasses.replace(known, own=own))
        return known

    def find_lost(self, current: configuration_values.Revision | None) -> configuration_values.Revision | None:
        """What this machine followed after the revision that the database has; None: nothing, or it is not known.
        Raises: EnvironmentProblemError."""
        known = self.read()
        lost = None if known is None else known.revision
        return lost if lost is not None and configuration_values.came_before(current, lost) else None

    def follow(self, revision: configuration_values.Revision, files: Files) -> None:
        """These files are part of this revision."""
        known = self.read()
        whole = revision if revision.files == files else None
        made = configuration_values.FollowedRevision(
            number=revision.number, id=revision.id, files=files, revision=whole
        )
        if known is not None:
            made = dataclasses.replace(made, own=known.own, copies=known.copies)
        if made != known:
            self._write(made)

    def add_copies(self, copies: collections.abc.Iterable[configuration_values.FileCopy]) -> None:
        known = self.read() or configuration_values.FollowedRevision(number=0, id="", files={})
        added = {one.path: one for one in (*known.copies, *copies)}
        self._write(dataclasses.replace(known, copies=tuple(added.values())))

    def list_copies(self, served: Files | None = None) -> tuple[configuration_values.FileCopy, ...]:
        """Those that are there still. served: without those that hold what is served after all. Raises:
        EnvironmentProblemError."""
        known = self.read()
        there = () if known is None else [one for one in known.copies if os.path.lexists(one.path)]
        return tuple(one for one in there if not _is_served(one, served or {}))

    def _write(self, value: configuration_values.FollowedRevision) -> None:
        copies = tuple(one for one in value.copies if os.path.lexists(one.path))
        self._store.write(
            configuration_values.KEY_OF_NODE, configuration_values.encode(dataclasses.replace(value, copies=copies))
        )


def _is_served(one: configuration_values.FileCopy, served: Files) -> bool:
    """daemun.yaml may have any name, which no included file has then."""
    wanted = served.get(one.name, served.get(configuration_values.MAIN))
    try:
        held = regular_files.read(one.path)
        return wanted is not None and wanted in (held, shared_text.split(held).shared)
    except (OSError, errors.ConfigError):
        return False
