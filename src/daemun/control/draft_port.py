"""Drafts of the configuration, for those who change it by the dashboard (`daemun.sources.drafts`)."""

import collections.abc
import dataclasses
import datetime
import typing

from daemun.control import gate_port, history_port
from daemun.core import model
from daemun.errors import ConfigError, ConflictError, ForbiddenError

Json = dict[str, typing.Any]

USUAL_TRIAL_S = 60.0


class DraftConflictError(ConflictError):
    """Files were changed by others since the draft began to change them. conflicts: what both changed."""

    def __init__(self, message: str, conflicts: tuple["FileConflict", ...]) -> None:
        super().__init__(message)
        self.conflicts = conflicts


class DraftFaultError(ConfigError):
    """The draft cannot go live. problems: why."""

    def __init__(self, message: str, problems: tuple[model.Problem, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class ForbiddenDraftError(ForbiddenError):
    """The draft changes what another role may change. problems: what."""

    def __init__(self, message: str, problems: tuple[model.Problem, ...]) -> None:
        super().__init__(message)
        self.problems = problems


class RefusedInputError(ConfigError):
    """A site cannot be added as somebody wrote it. field: of `DraftEdit`, where it is wrong; "": of no one."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class StaleDraftError(ConflictError):
    """The draft, or a file, is not what it was when the caller looked at it last."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FileConflict:
    """One file that the draft and others changed. mine, theirs: what, as `daemun diff --json` has it.
    can_be_merged: whether no change of the one meets one of the other."""

    file: str
    mine: tuple[Json, ...]
    theirs: tuple[Json, ...]
    can_be_merged: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DraftedFile:
    """One file of the configuration. text: None: it is no text, or may not be shown. is_changed: by the draft.
    is_new: it is not there yet. is_changed_by_others: others changed it since. version: differs whenever the text does.
    refusal: why daemun cannot write it; None: it can."""

    name: str
    text: str | None
    is_changed: bool
    is_new: bool
    is_changed_by_others: bool
    version: str
    refusal: str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DraftReport:
    """began_at, changed_at: None: there is no draft, and the files are as they are. version: of all of it, to be sent
    with what is to be applied. others: whose drafts there are besides, and since when they are as they are. edited: how
    many sites an edit made others than they were; None: it comes of none."""

    files: tuple[DraftedFile, ...]
    version: str
    began_at: datetime.datetime | None = None
    changed_at: datetime.datetime | None = None
    others: tuple[tuple[str, datetime.datetime], ...] = ()
    edited: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DraftReview:
    """What is wrong with a draft, and what it would change; nothing that runs is touched.

    problems: of all files as the draft has them. new: those of them that keep it from going live: the files have them
    not as they are. changes: of the files, as `daemun diff --json` has them. plan: None: it cannot be made, for
    `plan_error`. nginx: what differs in nginx's files, as `daemun diff --nginx-files --json` has it. conflicts: of
    files that others changed since. version: of what was looked at.
    """

    version: str
    problems: tuple[model.Problem, ...] = ()
    new: tuple[model.Problem, ...] = ()
    changes: tuple[Json, ...] = ()
    plan: gate_port.PlanReport | None = None
    plan_error: str | None = None
    nginx: Json = dataclasses.field(default_factory=dict)
    conflicts: tuple[FileConflict, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AppliedDraft:
    """trial: None: what is live stays. report: of the gate."""

    report: gate_port.ApplyReport
    trial: history_port.TrialReport | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DraftEdit:
    """One edit of a draft, checked for its form alone.

    what: "add", "remove", "enable", "disable", "maintenance_on", "maintenance_off", "set" (keys of the gate, a site, or
    a route), "remove_route". host: None: the gate. hosts: instead of it: many sites that are switched at once.
    path, index: of a route; index: of one of several of that path. file: in which a new site is written; None:
    daemun.yaml. values: as JSON has them. inputs: as somebody wrote them into a form, "": the key is to go. unset: keys
    that are to go.
    """

    what: str
    host: str | None = None
    hosts: tuple[str, ...] = ()
    path: str | None = None
    index: int | None = None
    target: str = ""
    app: str | None = None
    file: str | None = None
    values: collections.abc.Mapping[str, object] = dataclasses.field(default_factory=dict)
    inputs: collections.abc.Mapping[str, str] = dataclasses.field(default_factory=dict)
    unset: tuple[str, ...] = ()


class Drafts(typing.Protocol):
    """operator: whose draft, in one form for each (`dashboard_roles.Operator` by how and name). shows_secrets: whether
    that operator has the role `own`, and with it may see those of the files, and change what `sources.owned_keys` has.

    All methods raise: ConfigError, EnvironmentProblemError, TooManyAtOnceError.
    """

    async def show(self, operator: str, *, shows_secrets: bool) -> DraftReport: ...

    async def set_text(
        self, operator: str, name: str, text: str, *, shows_secrets: bool, version: str | None
    ) -> DraftReport:
        """version: of the text that was edited. Raises: StaleDraftError."""
        ...

    async def check_text(
        self, operator: str, name: str, text: str, *, shows_secrets: bool
    ) -> tuple[model.Problem, ...]:
        """What is wrong with the files, if this one had this text; nothing is kept. For what is being typed."""
        ...

    async def find_schema(self) -> Json:
        """The JSON Schema of the file."""
        ...

    async def edit(
        self, operator: str, edits: collections.abc.Sequence[DraftEdit], *, shows_secrets: bool
    ) -> DraftReport:
        """All of them, or none."""
        ...

    async def describe(self, operator: str, *, host: str | None, path: str | None, index: int | None) -> Json:
        """Every key of the gate, a site or a route with what it means, what is set in the draft, and where."""
        ...

    async def discard(self, operator: str, name: str | None, *, shows_secrets: bool) -> DraftReport:
        """name: of one file; None: all."""
        ...

    async def review(self, operator: str, *, shows_secrets: bool) -> DraftReview:
        """Takes as long as reading the files and making nginx's; one at a time."""
        ...

    async def rebase(self, operator: str, *, shows_secrets: bool) -> DraftReport:
        """Let the draft begin with the files as they are now. Raises: DraftConflictError."""
        ...

    async def apply(
        self,
        operator: str,
        *,
        shows_secrets: bool,
        caller: history_port.Caller,
        trial_s: float | None,
        version: str | None,
    ) -> AppliedDraft:
        """Write the files, and wait until they are live. Where they cannot be, they are put back, and the draft stays.

        trial_s: it is undone after so long unless it is confirmed; None: it stays. version: of what was reviewed.
        Raises: DraftConflictError, DraftFaultError, ForbiddenDraftError, StaleDraftError."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TriedServer:
    """One address of a target. status: of its answer to one request that changes nothing; None: it has none, or is no
    server of HTTP."""

    server: str
    works: bool
    cause: str | None = None
    cure: str | None = None
    status: int | None = None


class TargetTrier(typing.Protocol):
    async def try_target(self, target: str, *, host: str, path: str) -> tuple[TriedServer, ...]:
        """Try a server that is in no file yet, as nginx would reach it for the site. Empty: a name without addresses.

        Raises: ConfigError for what no file could have; TooManyAtOnceError when too many are tried at once."""
        ...
