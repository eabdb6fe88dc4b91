"""The listener of `metrics` with what it reads, the gate and the counted requests; and which of the parts that read
nginx's lines are on."""

import collections.abc
import typing

from daemun.control import damage_report, gate
from daemun.core import model
from daemun.core.options import metrics_option, tracing_option
from daemun.traffic import span_feeder, traffic_counter
from daemun.web import metrics_server

if typing.TYPE_CHECKING:
    from daemun.web import metrics_families


def make(
    find_gate: collections.abc.Callable[[], gate.Gate],
    counter: traffic_counter.TrafficCounter,
    damage: damage_report.DamageReport,
) -> metrics_server.MetricsServer:
    """find_gate: called with the first request."""

    async def find_numbers() -> "metrics_families.GateNumbers":
        from daemun.web import metrics_families  # noqa: PLC0415 - slow to import, and needed by few

        front = find_gate()
        await front.look_at_nginx()
        status, last = front.status(added=False), front.last
        return metrics_families.GateNumbers(
            status=status,
            is_applied=None if last is None else last.ok,
            servers=metrics_families.find_servers(status, front.look),
        )

    return metrics_server.MetricsServer(find_numbers, counter.with_totals, damage)


def configure(
    server: metrics_server.MetricsServer,
    counter: traffic_counter.TrafficCounter,
    spans: span_feeder.SpanFeeder,
    found: model.Globals,
) -> None:
    """Follow the settings, in each round."""
    metrics = metrics_option.OPTION.of(found)
    counter.keep_totals(is_on=metrics is not None)
    server.configure(metrics)
    spans.configure(tracing_option.OPTION.of(found))
