"""A plan and a round's outcome as their callers get them. Pure."""

import datetime

from daemun.control import gate_port, reconciler
from daemun.core import model
from daemun.core.plan import change_plan


def report_plan(wanted: change_plan.Plan, problems: tuple[model.Problem, ...]) -> gate_port.PlanReport:
    """A plan as people are shown it."""
    return gate_port.PlanReport(
        changes=wanted.changes,
        streams=wanted.streams,
        reload=wanted.activation is not change_plan.Activation.NOTHING,
        steps=tuple(str(step) for step in wanted.steps),
        problems=problems,
    )


def report_apply(last: reconciler.Outcome, live_since: datetime.datetime | None) -> gate_port.ApplyReport:
    """A round's outcome as its caller gets it. live_since: as of the report."""
    return gate_port.ApplyReport(
        ok=last.ok,
        generation=last.generation,
        reloaded=last.activated is not change_plan.Activation.NOTHING,
        live_since=live_since,
        changes=last.wanted.changes if last.wanted else (),
        streams=last.wanted.streams if last.wanted else (),
        problems=last.problems,
        error=last.error,
        waits=last.held,
        unread=last.unread,
    )
