"""A plan and a round's outcome as their callers get them, and when the next round is due. Pure."""

import datetime

from daemun.control import gate_port, reconciler
from daemun.core import model
from daemun.core.plan import change_plan

RETRY_S = 15.0
"""How long after a round that went wrong (`Outcome.may_pass`) the next one is tried without any change of a source."""
LONGEST_RETRY_S = 600.0
"""The same while nginx refuses a site for something outside the configuration, at most: each try asks nginx several
times, which may wait for a name server."""


def report_plan(plan: change_plan.Plan, problems: tuple[model.Problem, ...]) -> gate_port.PlanReport:
    """A plan as people are shown it."""
    return gate_port.PlanReport(
        changes=plan.changes,
        streams=plan.streams,
        reload=plan.activation is not change_plan.Activation.NOTHING,
        steps=tuple(str(step) for step in plan.steps),
        problems=problems,
    )


def report_apply(last: reconciler.Outcome, live_since: datetime.datetime | None) -> gate_port.ApplyReport:
    """A round's outcome as its caller gets it. live_since: as of the report."""
    return gate_port.ApplyReport(
        ok=last.ok,
        generation=last.generation,
        reloaded=last.activated is not change_plan.Activation.NOTHING,
        live_since=live_since,
        changes=last.plan.changes if last.plan else (),
        streams=last.plan.streams if last.plan else (),
        problems=last.problems,
        error=last.error,
        waits=last.held,
        unread=last.unread,
    )


def find_pause_s(last: reconciler.Outcome | None, tries: int) -> float | None:
    """How long after a round the next one begins without a change; None: not at all. tries: how many did in a row."""
    if last is not None and last.may_pass:
        return RETRY_S
    if last is not None and last.may_be_accepted:
        return min(RETRY_S * 2.0 ** min(tries, 10), LONGEST_RETRY_S)
    return None
