"""What is in danger in a fleet: a node that gives no sign of life, and the database. Pure."""

import collections.abc

from daemun.core.alerts import alert_ledger
from daemun.core.fleet import node_alerts, node_states
from daemun.core.options import alerting_forms

DATABASE = "database"


def of_fleet(
    status: node_states.FleetStatus | None,
    rules: alerting_forms.Rules,
    open_alerts: collections.abc.Collection[tuple[alert_ledger.Danger, str]],
) -> collections.abc.Iterator[alert_ledger.Concern]:
    """status: None: there is no fleet. open_alerts: the danger and name of those that this node sent and that are not
    over. A node is reported by one of the others, the database by every node that does not reach it."""
    if status is None or not rules.fleet:
        return
    danger = alert_ledger.Danger
    sent = [name for known, name in open_alerts if known is danger.NODE_DOWN]
    for name, one in node_alerts.find_reported(status, sent).items():
        yield alert_ledger.Concern(
            danger=danger.NODE_DOWN,
            name=name,
            about=name,
            cause="nothing is known of it now"
            if one is None
            else f"it gives no sign of life since {node_states.moment(one.since)}, as seen by {status.name}",
            cure="" if one is None else f"{node_states.cure_down(one).capitalize()}.",
        )
    is_open = (danger.FLEET_DATABASE, DATABASE) in open_alerts
    if status.unreached_since is not None or (is_open and not status.is_settled):
        cause = status.cause or "it does not answer"
        yield alert_ledger.Concern(
            danger=danger.FLEET_DATABASE,
            name=DATABASE,
            about=status.name,
            cause=f"{cause}; {node_states.UNREACHED}",
            cure="`daemun fleet status` shows whether other machines reach it.",
        )
