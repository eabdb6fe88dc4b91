"""The API's endpoints for alerts: who gets them, what was sent, what is in danger; and a test."""

import collections.abc
import typing

from starlette import exceptions

from daemun.control import gate_port
from daemun.core.access import dashboard_roles
from daemun.core.alerts import alert_ledger, alert_report
from daemun.web import endpoint, json_values, paging

Json = dict[str, typing.Any]


def endpoints(
    gate: gate_port.GatePort, report: collections.abc.Callable[[], alert_report.AlertReport | None]
) -> tuple[endpoint.ApiEndpoint, ...]:
    """report: None: nothing is known yet."""
    handlers = _Handlers(gate, report)
    return (
        endpoint.ApiEndpoint(
            method="GET",
            path="/alerts",
            needs=dashboard_roles.Role.LOOK,
            summary="Show who gets alerts, what was sent, and what is in danger",
            handler=handlers.show,
            query=paging.QUERY,
            answer="targets: name, error, next_attempt, sent; kinds: which dangers are reported; rows: those of now "
            "and those that are just over, with cause and cure",
        ),
        endpoint.ApiEndpoint(
            method="POST",
            path="/alerts/test",
            needs=dashboard_roles.Role.CHANGE,
            summary="Send a test to every target of alerts",
            handler=handlers.test,
            answer="results: target, error (null: it was accepted), remark",
        ),
    )


class _Handlers:
    """One method per endpoint."""

    def __init__(
        self, gate: gate_port.GatePort, report: collections.abc.Callable[[], alert_report.AlertReport | None]
    ) -> None:
        self._gate = gate
        self._report = report

    async def show(self, call: endpoint.Call) -> Json:
        page, found = paging.read(call), self._report()
        if found is None:
            raise exceptions.HTTPException(503, "nothing is known of alerts yet; try again", {"Retry-After": "2"})
        rows = found.dangers[page.first : page.first + page.size]
        return {
            **page.of([_danger_json(one) for one in rows], total=len(found.dangers)),
            "targets": [_target_json(one) for one in found.targets],
            "kinds": [{"kind": one.value, "is_reported": one in found.wanted} for one in alert_ledger.Danger],
        }

    async def test(self, call: endpoint.Call) -> Json:
        sent = await self._gate.test_alerts()
        call.target = ", ".join(one.target for one in sent)[:200]
        return json_values.sent_alerts_json(sent)


def _target_json(one: alert_report.TargetReport) -> Json:
    return {
        "name": one.name,
        "error": one.error,
        "failures": one.failures,
        "next_attempt": json_values.instant_json(one.next_attempt),
        "sent": [{"event": sent.event.value, "at": json_values.instant_json(sent.at)} for sent in one.sent],
    }


def _danger_json(one: alert_report.DangerReport) -> Json:
    return {
        "kind": one.alert.danger.value,
        "about": one.alert.host,
        "raised_at": json_values.instant_json(one.alert.raised_at),
        "solved_at": json_values.instant_json(one.alert.solved_at),
        "cause": one.alert.cause,
        "cure": one.alert.cure,
        "sent_to": list(one.sent_to),
    }
