"""Files that are live when they were written, or are what they were before: for commands and for the API. Blocking."""

import collections.abc
import dataclasses
import pathlib
import typing

from daemun.core import model
from daemun.errors import ConfigError, DaemunError, EnvironmentProblemError
from daemun.sources import edited_file
from daemun.sources.history import written_files

FILE = "file"
"""The source that is not read where daemun.yaml is damaged."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AppliedFiles:
    """errors: what keeps something from being live, by its message; as text it is what people see. error, unread: as of
    `gate_port.ApplyReport`."""

    errors: collections.abc.Mapping[str, object]
    error: str | None = None
    unread: collections.abc.Collection[str] = ()


class FileApplier(typing.Protocol):
    """Who lets files become live. Raises: DaemunError."""

    def find_known(self) -> collections.abc.Collection[str]:
        """The messages of the errors that there are before."""
        ...

    def apply(self, version: str) -> AppliedFiles:
        """version: of daemun.yaml, where that alone was written (`edited_file.find_version`); else ""."""
        ...

    def apply_again(self) -> None:
        """The files as they were before: called whenever `apply` was, and they are put back. Raises: DaemunError."""
        ...


class NotLiveError(ConfigError):
    """The files cannot go live, and are as they were. errors: those that were not there before, as `AppliedFiles` has
    them."""

    def __init__(self, message: str, errors: tuple[object, ...]) -> None:
        super().__init__(message)
        self.errors = errors


class NotUndoneError(EnvironmentProblemError):
    """The files cannot go live, and could not be put back, or not all of them."""


def apply(
    main: pathlib.Path,
    files: written_files.WrittenFiles,
    live: FileApplier,
    settle: collections.abc.Callable[[], None] = lambda: None,
) -> None:
    """Under `edited_file.alone`. main: daemun.yaml. settle: the last that has to go well.

    Raises: ConflictError when others changed a file since it was planned, with nothing written; NotLiveError;
    DaemunError when they cannot be written, or where `live` or `settle` raise one. Whatever it is, the files are as
    they were then, with what others wrote meanwhile, and live again, but for NotUndoneError."""
    known = frozenset(live.find_known())
    written_files.check(main, files)
    may_be_live = False

    def undo() -> str:
        undone = _undo(main, files)
        return f"{undone}{_apply_again(live)}" if may_be_live else undone

    try:
        written_files.write(main, files)
        version = edited_file.find_version(main) if [*files] == [main.name] else ""
        may_be_live = True
        applied = live.apply(version)
        refusal = find_refusal(applied, known)
        if refusal is None:
            settle()
            return
    except DaemunError as error:
        kind = EnvironmentProblemError if isinstance(error, EnvironmentProblemError) else DaemunError
        raise kind(f"{error}\n{undo()}") from error
    except BaseException:
        undo()
        raise
    undone = undo()
    errors = tuple(one for message, one in applied.errors.items() if message not in known)
    raise NotLiveError(f"{refusal}\n{undone}", errors)


def _undo(main: pathlib.Path, files: written_files.WrittenFiles) -> str:
    try:
        copies = written_files.undo(main, files)
    except EnvironmentProblemError as error:
        raise NotUndoneError(f"the files could not be put back: {error}") from error
    others = "".join(f"; what was written into {name} meanwhile is in {path}" for name, path in copies.items())
    return f"the files are as they were before{others}"


def _apply_again(live: FileApplier) -> str:
    """Returns: what is left to do, if anything is."""
    try:
        live.apply_again()
    except DaemunError as error:
        return f", but what is live may not be, until the next `daemun apply`: {error}"
    return ""


def find_errors(problems: collections.abc.Iterable[model.Problem]) -> dict[str, model.Problem]:
    """What keeps something from being live, by its message. Pure."""
    return {one.message: one for one in problems if one.severity is model.Severity.ERROR}


def find_refusal(applied: AppliedFiles, known: collections.abc.Set[str]) -> str | None:
    """Why the files are not live; None: they are. Pure. known: the messages of errors that were there before."""
    found = [str(one) for message, one in applied.errors.items() if message not in known]
    if found:
        return "\n".join(found)
    if applied.error:
        return applied.error
    if FILE in applied.unread:
        return "the file cannot be read; `daemun check` says why"
    return None
