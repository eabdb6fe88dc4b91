"""The numbers of the gate as Prometheus reads them (prometheus.io/docs/practices/naming). Slow to import
(prometheus_client): only `metrics_app` does.

Lines are bounded: at most `traffic_totals.MOST_SITES` sites have their own, whatever else there is.
"""

import collections.abc
import dataclasses
import typing

import prometheus_client
from prometheus_client import exposition, metrics_core, registry

from daemun.control import gate_port
from daemun.core import model
from daemun.core.fleet import node_states
from daemun.core.traffic import traffic_totals

UNKNOWN = "unknown"
"""The site of requests for names that no site has: an empty label is none."""
_MOST_NODES = 1000
_OPENMETRICS = "application/openmetrics-text;version=1.0.0"
_UP = frozenset({model.SiteState.LIVE, model.SiteState.DEGRADED})
Families = collections.abc.Iterator[metrics_core.Metric]
Encoder = collections.abc.Callable[[registry.Collector], bytes]
Look = collections.abc.Callable[[str], model.SiteLook | None]
UseTotals = collections.abc.Callable[[collections.abc.Callable[[traffic_totals.Totals | None], bytes]], bytes]
"""Calls that with the sums, None where nothing is counted, while nobody changes them."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GateNumbers:
    """What there is beside requests. is_applied: whether all that the sources want went live with the last round; None:
    there was none. servers: of a site, whether each one that was looked at answers."""

    status: gate_port.GateStatus
    is_applied: bool | None
    servers: tuple[tuple[str, str, bool], ...] = ()


def find_servers(status: gate_port.GateStatus, look: Look) -> tuple[tuple[str, str, bool], ...]:
    """The site, the server, and whether it answers, each pair once."""
    found: dict[tuple[str, str], bool] = {}
    for one in status.sites[: traffic_totals.MOST_SITES]:
        seen = look(one.site.host)
        for server in (server for route in seen.routes for server in route.servers) if seen is not None else ():
            key = one.site.host, server.server
            found[key] = found.get(key, True) and server.trouble is None
            if len(found) >= traffic_totals.MOST_SITES:
                return tuple((*key, is_up) for key, is_up in found.items())
    return tuple((*key, is_up) for key, is_up in found.items())


def encode(encoder: Encoder, numbers: GateNumbers, totals: traffic_totals.Totals | None) -> bytes:
    known = registry.CollectorRegistry()
    prometheus_client.ProcessCollector(registry=known)
    known.register(_Collector(numbers, totals))
    return encoder(known)


def choose_encoder(accept: str) -> tuple[Encoder, str]:
    """Text, or OpenMetrics 1.0 where the request accepts it; with the Content-Type. The library fails for what is no
    number of a version, and answers with it, so it gets none of a client."""
    kinds = {one.partition(";")[0].strip().lower() for one in accept.split(",")}
    return exposition.choose_encoder(_OPENMETRICS if _OPENMETRICS.partition(";")[0] in kinds else "")


class _Collector(registry.Collector):
    def __init__(self, numbers: GateNumbers, totals: traffic_totals.Totals | None) -> None:
        self._numbers = numbers
        self._totals = totals

    def describe(self) -> collections.abc.Iterable[metrics_core.Metric]:
        """Nothing else is in the registry that could have the same names."""
        return ()

    def collect(self) -> Families:
        yield from _of_gate(self._numbers)
        yield from _of_sites(self._numbers)
        if self._totals is not None:
            yield from _of_requests(self._totals.rows)
            yield from _of_times(self._totals.times)


def _of_gate(numbers: GateNumbers) -> Families:
    status = numbers.status
    build = metrics_core.InfoMetricFamily("daemun_build", "The versions of daemun and of the nginx that serves.")
    build.add_metric([], {"version": status.version, "nginx": status.nginx_version})
    yield build
    yield _gauge("daemun_nginx_up", "Whether nginx runs and its workers answer.", _is_nginx_up(status))
    yield _counter("daemun_nginx_reloads", "Reloads of nginx since daemun started.", status.reloads)
    workers = metrics_core.GaugeMetricFamily(
        "daemun_nginx_workers",
        "Worker processes of nginx; those that drain belong to an earlier generation and finish their connections.",
        labels=["state"],
    )
    workers.add_metric(["active"], status.workers)
    workers.add_metric(["draining"], status.draining_workers)
    yield workers
    if numbers.is_applied is not None:
        about = "Whether all that daemun.yaml and the containers want went live with the last change."
        yield _gauge("daemun_config_last_apply_successful", about, numbers.is_applied)
    yield _gauge("daemun_bans", "Addresses and networks that are refused on every site.", status.bans)
    yield _gauge("daemun_requests_waiting", "Requests that wait for a server now.", status.waiting)
    if status.fleet is not None:
        yield from _of_fleet(status.fleet)


def _of_fleet(fleet: node_states.FleetStatus) -> Families:
    """As this node sees it: a node of which nothing is known now is in no sum."""
    is_reached = fleet.unreached_since is None
    yield _gauge("daemun_fleet_database_up", "Whether this machine reaches the fleet's database.", is_reached)
    about = "Whether the machine of the fleet gives signs of life, as this one sees it."
    nodes = metrics_core.GaugeMetricFamily("daemun_fleet_node_up", about, labels=["node"])
    for one in fleet.nodes[:_MOST_NODES]:
        if one.state is not node_states.NodeState.UNKNOWN:
            nodes.add_metric([one.name], one.state is node_states.NodeState.ALIVE)
    yield nodes


def _of_sites(numbers: GateNumbers) -> Families:
    up = metrics_core.GaugeMetricFamily("daemun_site_up", "Whether visitors of the site are served.", labels=["site"])
    for one in numbers.status.sites[: traffic_totals.MOST_SITES]:
        if one.state not in {model.SiteState.DISABLED, model.SiteState.WAITING}:
            up.add_metric([one.site.host], is_site_up(one))
    yield up
    about = "Whether the server of a site answered when it was last looked at."
    servers = metrics_core.GaugeMetricFamily("daemun_server_up", about, labels=["site", "server"])
    for site, server, is_up in numbers.servers:
        servers.add_metric([site, server], is_up)
    yield servers
    expiry = metrics_core.GaugeMetricFamily(
        "daemun_certificate_expiry_timestamp_seconds",
        "When the certificate of the site ends that is served; the first end where there are several.",
        labels=["site"],
    )
    for site, ends_s in find_ends(numbers.status.certificates).items():
        expiry.add_metric([site], ends_s)
    yield expiry


def is_site_up(status: model.SiteStatus) -> bool:
    """A site that is held back is served by its last good version, unless there is none."""
    if status.state is model.SiteState.QUARANTINED:
        return not status.has_page
    return status.state in _UP


def find_ends(certificates: collections.abc.Iterable[model.CertificateStatus]) -> dict[str, float]:
    """When the first certificate of each site ends, in seconds since the epoch."""
    found: dict[str, float] = {}
    for one in certificates:
        if one.not_after is None or (one.host not in found and len(found) >= traffic_totals.MOST_SITES):
            continue
        ends_s = one.not_after.timestamp()
        found[one.host] = min(found.get(one.host, ends_s), ends_s)
    return found


def _of_requests(rows: collections.abc.Mapping[tuple[str, str], traffic_totals.RouteTotals]) -> Families:
    labels = ["site", "route"]
    requests = metrics_core.CounterMetricFamily("daemun_requests", "Answered requests.", labels=[*labels, "code"])
    for (site, route), row in rows.items():
        for code, count in row.codes.items():
            requests.add_metric([site or UNKNOWN, route, code], count)
    yield requests
    about = "Requests that a rule refused: a key of access, bans, deny_route or maintenance."
    refused = metrics_core.CounterMetricFamily("daemun_refused_requests", about, labels=[*labels, "rule"])
    for (site, route), row in rows.items():
        for rule, count in row.refused.items():
            refused.add_metric([site or UNKNOWN, route, rule], count)
    yield refused
    for name, about, value in _SUMS:
        family = metrics_core.CounterMetricFamily(name, about, labels=labels)
        for (site, route), row in rows.items():
            family.add_metric([site or UNKNOWN, route], value(row))
        yield family


_SUMS: tuple[tuple[str, str, collections.abc.Callable[[traffic_totals.RouteTotals], int]], ...] = (
    ("daemun_request_bytes", "Bytes of requests, with their headers.", lambda row: row.bytes_in),
    ("daemun_response_bytes", "Bytes of answers, with their headers.", lambda row: row.bytes_out),
    ("daemun_request_retries", "Further tries of servers for the same request.", lambda row: row.retries),
    ("daemun_requests_held", "Requests that waited for a server.", lambda row: row.held),
)


def _of_times(times: collections.abc.Mapping[str, traffic_totals.SiteTimes]) -> Families:
    kinds: tuple[
        tuple[str, str, collections.abc.Callable[[traffic_totals.SiteTimes], traffic_totals.TimeHistogram]], ...
    ] = (
        ("daemun_request_duration_seconds", "From the first byte of a request to the last of its answer.", _whole),
        ("daemun_upstream_duration_seconds", "Of that, how long servers took.", _upstream),
    )
    for name, about, find in kinds:
        family = metrics_core.HistogramMetricFamily(name, about, labels=["site"])
        for site, one in times.items():
            found = find(one)
            if any(found.buckets):
                family.add_metric([site or UNKNOWN], _cumulated(found.buckets), sum_value=found.sum_s)
        yield family


def _whole(times: traffic_totals.SiteTimes) -> traffic_totals.TimeHistogram:
    return times.whole


def _upstream(times: traffic_totals.SiteTimes) -> traffic_totals.TimeHistogram:
    return times.upstream


def _cumulated(buckets: collections.abc.Iterable[int]) -> list[typing.Any]:
    names = [*map(str, traffic_totals.BOUNDS_S), "+Inf"]
    whole, found = 0, []
    for name, count in zip(names, buckets, strict=True):
        whole += count
        found.append((name, float(whole)))
    return found


def _is_nginx_up(status: gate_port.GateStatus) -> bool:
    return status.nginx_pid is not None and status.answers


def _gauge(name: str, about: str, value: float) -> metrics_core.Metric:
    return metrics_core.GaugeMetricFamily(name, about, value=value)


def _counter(name: str, about: str, value: float) -> metrics_core.Metric:
    return metrics_core.CounterMetricFamily(name, about, value=value)
