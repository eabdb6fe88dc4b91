"""The files of one machine, as they follow what its fleet agreed on: written, with what is not served kept beside.
Blocking.
"""

import structlog

from daemun import errors
from daemun.fleet import configuration_files, configuration_values, followed_record, member_ports

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_AGAIN_S = 1.0
_JOINED = "this machine joined a fleet, whose configuration takes the place of its own"
Files = configuration_values.Files
_Report = member_ports.StepReport
_States = member_ports.EditState


class FollowedFiles:
    """For one thread at a time."""

    def __init__(self, files: member_ports.LocalFilesPort, record: followed_record.FollowedRecord) -> None:
        self._files = files
        self._record = record
        self.unread = ""
        """Why the files could not be read."""

    def read(self) -> configuration_files.LocalFiles | None:
        """None: see `unread`."""
        self.unread = "the file is not there"
        try:
            return self._files.read()
        except (errors.ConfigError, errors.EnvironmentProblemError) as error:
            self.unread = str(error)
            return None

    def follow(self, current: configuration_values.Revision, mine: Files) -> str | None:
        """What this machine's files hold is part of the current revision. Returns: why they are not all of it."""
        self._record.follow(current, mine)
        if mine == current.files:
            return None
        try:
            self._files.write(current.files, mine)
        except errors.ConflictError:  # a command edits the file: it is written after that
            return None
        except (errors.ConfigError, errors.EnvironmentProblemError) as error:
            return str(error)
        self._record.follow(current, current.files)
        return None

    def put_aside(
        self,
        current: configuration_values.Revision,
        mine: Files,
        names: tuple[str, ...],
        suffix: str,
        cause: str,
    ) -> _Report:
        """Keep what was written, and make the file what the fleet agreed on. Where a command wrote it, which holds the
        file until it knows how it went, that puts it back itself."""
        try:
            copies = self._files.copy_beside(names, suffix, mine)
            self._record.add_copies(
                configuration_values.FileCopy(name=name, path=path, cause=cause) for name, path in copies
            )
            self._files.write(current.files, mine)
            self._record.follow(current, current.files)
        except errors.ConflictError:
            pass
        except (errors.ConfigError, errors.EnvironmentProblemError) as error:
            cause = f"{cause or _JOINED}; and the files stay as they are: {error}"
            return _Report(state=_States.REFUSED, cause=cause, digest=configuration_values.digest_of(mine))
        else:
            log.warning("what was written is not served, and is kept beside", copies=[path for _, path in copies])
        return _Report(
            state=_States.REFUSED,
            pause_s=_AGAIN_S,
            cause=cause or _JOINED,
            digest=configuration_values.digest_of(mine),
        )
