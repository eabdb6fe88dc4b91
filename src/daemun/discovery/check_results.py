"""Judges each endpoint by its last health checks, and chooses which endpoints are used. Pure.

No endpoint is judged before the first check: a start of daemun takes no site down. Once one endpoint of a service is
known to be well, those that are not known yet wait for their first check. While all are unwell none is used, as with
Traefik and HAProxy: requests wait for the first that recovers (`hold`) instead of reaching one that is known not to
work.
"""

import collections.abc
import dataclasses
import datetime
import typing

from daemun.core import model
from daemun.core.options import health_option
from daemun.core.served import server_history
from daemun.core.services import dns_service
from daemun.discovery import service_table

_Endpoint = typing.TypeVar("_Endpoint")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CheckedEndpoint:
    """One endpoint and how it is checked. Weights do not matter here."""

    check: dns_service.Check
    address: service_table.Address
    port: int

    def __str__(self) -> str:
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return f"{host}:{self.port}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CheckStreak:
    """is_well: None before the first check. in_a_row: checks that contradict it, one after another.

    reason: why the last failed check failed. since: when it became unwell; None while it is not. history: of verdicts.
    """

    is_well: bool | None = None
    in_a_row: int = 0
    reason: str | None = None
    since: datetime.datetime | None = None
    history: server_history.History = dataclasses.field(default=(), compare=False)


UNKNOWN = CheckStreak()


def judge(
    streak: CheckStreak, failure: str | None, health: health_option.Health, *, now: datetime.datetime
) -> CheckStreak:
    """The streak after one more check. failure: why it failed; None: it succeeded."""
    succeeded = failure is None
    needed = health.threshold if streak.is_well else health.recover
    if streak.is_well is None:
        needed = 1
    elif streak.is_well == succeeded:
        return dataclasses.replace(streak, in_a_row=0, reason=failure)
    if streak.in_a_row + 1 < needed:
        return dataclasses.replace(streak, in_a_row=streak.in_a_row + 1, reason=failure or streak.reason)
    return CheckStreak(
        is_well=succeeded,
        reason=failure,
        since=None if succeeded else now,
        history=server_history.follow(streak.history, None if succeeded else model.Trouble.UNWELL, failure, now),
    )


def choose(
    endpoints: collections.abc.Iterable[_Endpoint], find: collections.abc.Callable[[_Endpoint], CheckStreak]
) -> tuple[_Endpoint, ...]:
    """Those that are well; else those that are not known yet; else none."""
    streaks = [(endpoint, find(endpoint)) for endpoint in endpoints]
    well = tuple(endpoint for endpoint, streak in streaks if streak.is_well)
    return well or tuple(endpoint for endpoint, streak in streaks if streak.is_well is None)
