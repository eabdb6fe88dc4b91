"""The policy for generations of old workers: whether a reload may add one, and what is done when it may not. Pure;
DESIGN.md decision 5: bounded by a stated policy, never by a silent cut.

A worker that is to go ends with its last connection, and a WebSocket may stay for days. So while the budget is
used up, a change that needs a reload waits: others join it, and connections end by themselves. When that does not help
in time, the oldest generation is drained, a few connections a second, and in the end the change goes live in any case.
docs/nginx.md, "Old workers", has it for people.
"""

import collections.abc
import dataclasses
import datetime
import enum
import math

from daemun.core import model
from daemun.core.options import old_workers_option

DRAIN_S = 240.0
"""A change waits no longer than this for the draining that began for it."""
CLOSED_WITHIN = 0.75
"""So much of DRAIN_S may pass until the last connection is ended; requests get the rest to come to theirs."""
IDLE_S = 20.0
"""So long nothing could be closed any more, and workers did not end: they are ended with what they still have."""
LONGEST_PAUSE_S = 10.0
"""Between the ends of two workers, where connections cannot be closed one by one."""


class Urgency(enum.IntEnum):
    """Whose change it is that needs a reload; the most urgent of those that are merged counts.

    CHANGED: a source reported it. REQUESTED: a person waits for it. NEEDED: daemun needs it itself, as at its start,
    and nothing holds it back.
    """

    CHANGED = 1
    REQUESTED = 2
    NEEDED = 3


class ReloadVerdict(enum.Enum):
    """What is to be done for a change that needs a reload. OVERDUE: reload, though the budget is used up."""

    RELOAD = "reload"
    WAIT = "wait"
    DRAIN = "drain"
    OVERDUE = "overdue"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HeldReload:
    """A change that waits. since, until: aware UTC; it is live at `until` at the latest, whatever old workers do.

    reason: what uses up the budget. drains_at: when the oldest generation begins to be drained for it, unless
    connections end by themselves before.
    """

    reason: str
    since: datetime.datetime
    drains_at: datetime.datetime
    until: datetime.datetime

    def __str__(self) -> str:
        return (
            f"{self.reason}; unless one ends by itself, the oldest is drained from {self.drains_at:%H:%M:%S} UTC on, "
            f"and the change is live by {self.until:%H:%M:%S} UTC"
        )

    @property
    def brief(self) -> str:
        """For each site that waits."""
        return f"waits until old workers are within their budget, {self.until:%H:%M:%S} UTC at the latest"


Old = collections.abc.Sequence[model.OldGeneration]
"""Oldest first."""


def widen(limits: old_workers_option.OldWorkersBudget, urgency: Urgency) -> old_workers_option.OldWorkersBudget:
    """What a person requested and waits for may take the share of one generation more, so that a person waits only when
    this was taken already."""
    if urgency is Urgency.CHANGED:
        return limits
    share = limits.memory_bytes // limits.generations
    return dataclasses.replace(limits, generations=limits.generations + 1, memory_bytes=limits.memory_bytes + share)


def find_excess(old: Old, limits: old_workers_option.OldWorkersBudget) -> str | None:
    """Why a reload, which may leave one more old generation, would exceed the budget; None: it would not."""
    memory = sum(one.memory_bytes for one in old)
    if len(old) < limits.generations and memory <= limits.memory_bytes:
        return None
    many = "generation" if len(old) == 1 else "generations"
    return (
        f"{len(old)} old {many} with open connections and {megabytes(memory)} of memory "
        f"(old_workers allows {limits.generations} and {megabytes(limits.memory_bytes)})"
    )


def judge(old: Old, limits: old_workers_option.OldWorkersBudget, *, urgency: Urgency, waited_s: float) -> ReloadVerdict:
    """waited_s: how long the change, or the first of those merged with it, has waited."""
    if urgency is Urgency.NEEDED or find_excess(old, widen(limits, urgency)) is None:
        return ReloadVerdict.RELOAD
    if waited_s < limits.wait_s:
        return ReloadVerdict.WAIT
    return ReloadVerdict.DRAIN if waited_s < limits.wait_s + DRAIN_S else ReloadVerdict.OVERDUE


def hold(
    excess: str, limits: old_workers_option.OldWorkersBudget, *, now: datetime.datetime, waited_s: float
) -> HeldReload:
    """now: aware UTC."""
    since = now - datetime.timedelta(seconds=waited_s)
    drains_at = since + datetime.timedelta(seconds=limits.wait_s)
    return HeldReload(
        reason=excess, since=since, drains_at=drains_at, until=drains_at + datetime.timedelta(seconds=DRAIN_S)
    )


def sockets_per_s(sockets: int, limits: old_workers_option.OldWorkersBudget) -> int:
    """How many connections of a generation are closed a second: as configured, or more when it has so many that this
    would take too long."""
    return max(limits.sockets_per_s, math.ceil(sockets / (DRAIN_S * CLOSED_WITHIN)))


def worker_pause_s(workers: int) -> float:
    """Between the ends of two workers, where connections cannot be closed one by one."""
    return min(LONGEST_PAUSE_S, DRAIN_S * CLOSED_WITHIN / max(workers, 1))


def megabytes(size: int) -> str:
    """ "12 MB"."""
    return f"{round(size / (1 << 20))} MB"
