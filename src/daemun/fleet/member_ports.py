"""What one node's part in a fleet's configuration needs of the machine, and what a step of it comes to."""

import dataclasses
import enum
import typing

from daemun.control import history_port
from daemun.fleet import configuration_files, configuration_values

Files = configuration_values.Files


class LocalFilesPort(typing.Protocol):
    """See `configuration_files.ConfigurationFiles`."""

    def read(self) -> configuration_files.LocalFiles | None: ...

    def find_obstacle(self, files: Files) -> str | None: ...

    def write(self, files: Files, expected: Files) -> None: ...

    def copy_beside(self, names: tuple[str, ...], suffix: str, expected: Files) -> tuple[tuple[str, str], ...]: ...


class ServingPort(typing.Protocol):
    """What this node's nginx serves. Raises: DaemunError."""

    def check(self, files: Files) -> str | None:
        """Why this node could not serve these; None: it could."""
        ...

    def serve(self, files: Files | None, caller: history_port.Caller | None) -> str | None:
        """From now on these, whatever the files hold; None: what they hold. Returns when that is live: why not all of
        it is; None: it is. Where it raises, the next step tries it again."""
        ...


class EditState(enum.Enum):
    """What became of what the files hold. AGREED: it is part of what the fleet serves. WAITING: for other nodes.
    REFUSED: it is not taken. UNREACHABLE: the database is. UNREADABLE: the files cannot be read.
    NOT_WRITTEN: as AGREED, and what others changed since, which is served, cannot be written into the files.
    NOT_BEGUN: the fleet has agreed on nothing yet, and the files hold nothing to begin with."""

    AGREED = "agreed"
    WAITING = "waiting"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    UNREADABLE = "unreadable"
    NOT_WRITTEN = "not written"
    NOT_BEGUN = "not begun"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """pause_s: after that the next step is due; None: when something changes. cause: why what the files hold is not
    agreed on. digest: of what they hold."""

    state: EditState
    pause_s: float | None = None
    cause: str = ""
    digest: str = ""
