"""What the gate reports of each round to who keeps the history of applied configurations (`daemun.sources.history`)."""

import dataclasses
import datetime
import typing

from daemun.core import model
from daemun.core.texts import durations


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who requested a round. command: "daemun add shop.example.com". user: the account that ran it; "": not known.
    message: why, in that person's words; "": nothing was said."""

    command: str
    user: str = ""
    message: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRoute:
    """What a container requests. origin: of the route, "container web-1"."""

    host: str
    path: str
    origin: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AppliedRound:
    """How a round ended, when its sources could be read.

    is_complete: all that was wanted is live. is_held: it waits for old workers. failure: why nothing new is live; None:
    something is. refused: why some of it is not. changes: of sites and streams, in words.
    """

    is_complete: bool
    is_held: bool = False
    failure: str | None = None
    refused: str = ""
    generation: int | None = None
    changes: tuple[str, ...] = ()
    routes: tuple[ContainerRoute, ...] = ()
    callers: tuple[Caller, ...] = ()


class History(typing.Protocol):
    def note(self, applied: AppliedRound) -> None:
        """Keep what this round applied, if it differs from what is kept. Returns at once; never raises."""
        ...

    def problems(self) -> tuple[model.Problem, ...]:
        """What deserves a look now: a configuration on trial."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrialReport:
    """A configuration on trial. number: of the history's entry to which it goes back. until: when, aware UTC.
    taken: the places of secrets that may have been other ones then."""

    number: int
    until: datetime.datetime
    taken: tuple[str, ...] = ()


def trial_json(trial: TrialReport | None) -> dict[str, typing.Any] | None:
    """None: nothing is on trial. Keys may be added, never renamed."""
    if trial is None:
        return None
    return {"number": trial.number, "until": durations.instant(trial.until), "taken": list(trial.taken)}


class Trials(typing.Protocol):
    """What changed is undone at a set time, unless a person confirms it until then."""

    async def begin(self, seconds: float, number: int | None = None) -> TrialReport:
        """number: of the entry to which it goes back; None: that before the last change of the files, where it is
        fresh. Raises: ConfigError; EnvironmentProblemError when it cannot be written down."""
        ...

    async def confirm(self, *, is_owner: bool = True) -> TrialReport:
        """What is live stays, also by a trial that begins later. is_owner: whether what `sources.owned_keys` has may be
        on trial, which is a ForbiddenError else. Raises: ConflictError when nothing is on trial;
        EnvironmentProblemError: it is on trial as before."""
        ...

    async def undo(self, caller: Caller | None = None, *, is_owner: bool = True) -> TrialReport:
        """Go back now, and wait until that is live. caller: who wants it, for the history. is_owner: as of `confirm`.

        Raises: ConflictError when nothing is on trial, or it is not done yet; EnvironmentProblemError: it is on trial
        as before."""
        ...

    def find(self) -> TrialReport | None:
        """What is on trial now."""
        ...
