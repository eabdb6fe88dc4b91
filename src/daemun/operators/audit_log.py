"""The audit log: who changed what by the dashboard and its API, in `logs/audit.log` (0600), one JSON object a line.

It is bounded: when it is full it becomes `audit.log.1`, in the place of the one before.
"""

import collections.abc
import contextlib
import datetime
import errno
import os
import stat

from daemun import causes, regular_files
from daemun.control import operator_port
from daemun.core import layout
from daemun.core.access import audit_entries
from daemun.errors import EnvironmentProblemError

MOST_BYTES = 5 << 20
"""Of each of the two files."""


class AuditLog:
    """Blocking. One at a time writes."""

    def __init__(self, paths: layout.Layout) -> None:
        self.path = f"{paths.logs}/audit.log"

    def append(self, entry: audit_entries.AuditEntry) -> None:
        """On the disk when it returns. Raises: EnvironmentProblemError; then nothing of it is there."""
        try:
            self._append(audit_entries.encode(entry))
        except OSError as error:
            raise EnvironmentProblemError(
                f'cannot write the audit log "{self.path}": {causes.describe(error)}; what is changed by the dashboard '
                "and its API is not noted until it can be written"
            ) from error

    def _append(self, line: bytes) -> None:
        descriptor = self._open()
        try:
            size = os.fstat(descriptor).st_size
            if size + len(line) > MOST_BYTES and size > 0:
                os.replace(self.path, f"{self.path}.1")  # noqa: PTH105
                os.close(descriptor)
                descriptor = -1
                descriptor = self._open()
                size = os.fstat(descriptor).st_size
            # What a power cut left of a line ends there.
            if size > 0 and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line
            try:
                written = 0
                while written < len(line):
                    written += os.write(descriptor, line[written:])
            except OSError:
                os.ftruncate(descriptor, size)
                raise
            os.fsync(descriptor)
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(self.path, flags, 0o600)
        try:
            _make_private(descriptor)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor


def _make_private(descriptor: int) -> None:
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "is no file")
    if stat.S_IMODE(mode) != 0o600:
        os.fchmod(descriptor, 0o600)


def read(paths: layout.Layout) -> collections.abc.Iterator[audit_entries.AuditEntry]:
    """The newest first; what is no entry is passed over. Raises: EnvironmentProblemError."""
    path = f"{paths.logs}/audit.log"
    for name in (path, f"{path}.1"):
        try:
            with contextlib.suppress(FileNotFoundError):
                content = regular_files.read(name, MOST_BYTES + 1)
                for line in reversed(content.splitlines()):
                    entry = audit_entries.decode(line)
                    if entry is not None:
                        yield entry
        except OSError as error:
            cure = (
                "; it is for the account that runs daemun alone: use sudo" if isinstance(error, PermissionError) else ""
            )
            raise EnvironmentProblemError(
                f'cannot read the audit log "{name}": {causes.describe(error)}{cure}'
            ) from error


def choose(
    entries: collections.abc.Iterable[audit_entries.AuditEntry],
    *,
    since: datetime.datetime | None = None,
    who: str = "",
    text: str = "",
) -> collections.abc.Iterator[audit_entries.AuditEntry]:
    """Those that are wanted (`operator_port.AuditQuery`), of the newest first."""
    sought = text.casefold()
    for entry in entries:
        if since is not None and entry.at < since:
            return
        if who in {"", entry.who} and sought in f"{entry.target}\n{entry.summary}".casefold():
            yield entry


def read_page(paths: layout.Layout, wanted: operator_port.AuditQuery) -> operator_port.AuditPage:
    """Raises: EnvironmentProblemError."""
    found: list[audit_entries.AuditEntry] = []
    total = 0
    for entry in choose(read(paths), since=wanted.since, who=wanted.who, text=wanted.text):
        if wanted.first <= total < wanted.first + wanted.most:
            found.append(entry)
        total += 1
    return operator_port.AuditPage(entries=tuple(found), total=total)
