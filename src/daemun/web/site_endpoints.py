"""The API of one site's page: its numbers over time, servers, routes, certificate and rules."""

import asyncio
import datetime
import time
import typing

from starlette import exceptions

from daemun.control import gate_port, site_port
from daemun.core import model
from daemun.core.access import dashboard_roles
from daemun.core.certificates import certificate_choice
from daemun.core.dashboard import access_rules, route_picture, site_row
from daemun.core.texts import words
from daemun.core.traffic import traffic_series, traffic_sums
from daemun.web import container_json, endpoint, json_values, overview_json, request_body_json, site_json

_LOOK, _CHANGE = dashboard_roles.Role.LOOK, dashboard_roles.Role.CHANGE
_MOST_ROUTES = 50
"""In the list of who was used most."""

Json = dict[str, typing.Any]


def endpoints(gate: gate_port.GatePort, records: site_port.SiteRecords) -> tuple[endpoint.ApiEndpoint, ...]:
    """All of it but the log and the story of a URL (`site_log_endpoints`, `why_endpoints`)."""
    handlers = _Handlers(gate, records)
    spans = ", ".join(one.value for one in traffic_series.GraphSpan)
    return (
        endpoint.ApiEndpoint(
            method="GET",
            path="/sites/{host}",
            needs=_LOOK,
            summary="Show one site: its state, its routes and what visitors receive",
            handler=handlers.show,
            answer="As an entry of `sites` of `daemun status --json`, with the problems that concern it.",
        ),
        endpoint.ApiEndpoint(
            method="GET",
            path="/sites/{host}/traffic",
            needs=_LOOK,
            summary="Count the requests of a site over time",
            handler=handlers.traffic,
            query=(
                endpoint.Parameter(name="span", meaning=f"how far back: {spans}"),
                endpoint.Parameter(name="steps", meaning="fine, for a graph, or coarse, for a table"),
                endpoint.Parameter(name="route", meaning="of this route alone, as `routes` names it"),
            ),
            answer="Columns with a number for each step, the requests that each rule refused, and the sums of each "
            "route.",
        ),
        endpoint.ApiEndpoint(
            method="GET",
            path="/sites/{host}/servers",
            needs=_LOOK,
            summary="Show the servers of a site, and when each was in trouble",
            handler=handlers.servers,
        ),
        endpoint.ApiEndpoint(
            method="GET",
            path="/sites/{host}/routes",
            needs=_LOOK,
            summary="Show the routes of a site as rows and as a picture",
            handler=handlers.routes,
        ),
        endpoint.ApiEndpoint(
            method="GET",
            path="/sites/{host}/certificate",
            needs=_LOOK,
            summary="Show the certificates of a site: what happened, and what comes",
            handler=handlers.certificate,
        ),
        endpoint.ApiEndpoint(
            method="GET",
            path="/sites/{host}/access",
            needs=_LOOK,
            summary="Show the access rules of a site",
            handler=handlers.access,
        ),
        endpoint.ApiEndpoint(
            method="POST",
            path="/sites/{host}/probe",
            needs=_CHANGE,
            summary="Look at a site now, as a visitor would",
            handler=handlers.probe,
            answer="`left`: how much was not looked at in time.",
        ),
        endpoint.ApiEndpoint(
            method="POST",
            path="/sites/{host}/purge",
            needs=_CHANGE,
            summary="Forget the answers that are kept of a site",
            handler=handlers.purge,
            body=(endpoint.Parameter(name="path", meaning="that path alone; /blog/* for all that begin so"),),
            answer="`purged`: how many.",
        ),
    )


class _Handlers:
    """One method per endpoint."""

    def __init__(self, gate: gate_port.GatePort, records: site_port.SiteRecords) -> None:
        self._gate = gate
        self._records = records

    async def show(self, call: endpoint.Call) -> Json:
        status, item = find(self._gate, call.path("host"))
        certificates = _certificates_of(status, item)
        shown = json_values.site_json(
            item,
            next((one for one in certificates if one.state is not model.CertificateState.VALID), None)
            or next(iter(certificates), None),
            {pool.name: pool for pool in status.pools},
            self._gate.look(item.site.host),
        )
        problems = tuple(one for one in status.problems if one.host == item.site.host)
        return {
            **shown,
            "lamps": self._find_lamps(status, item),
            "problems": json_values.problems_json(problems),
            "containers": [container_json.container_json(one) for one in status.containers],
            "config": status.config_path,
            "as_of": json_values.instant_json(_now()),
        }

    def _find_lamps(self, status: gate_port.GateStatus, item: model.SiteStatus) -> Json:
        """As in the list of sites."""
        look = self._gate.look(item.site.host)
        seen = site_row.SeenGate(
            sites=(item,),
            certificates=status.certificates,
            problems=status.problems,
            looks={} if look is None else {item.site.host: look},
        )
        [row] = site_row.make_rows(seen, _now())
        found: Json = overview_json.row_json(row, None, None, is_counted=False)["lamps"]
        return found

    async def traffic(self, call: endpoint.Call) -> Json:
        _, item = find(self._gate, call.path("host"))
        span, is_coarse, route = _choose_span(call)
        steps = traffic_series.STEPS[span]
        step_s = steps.coarse_s if is_coarse else steps.fine_s
        now_s = time.time()
        begin_s, end_s = traffic_series.bounds(span, step_s, now_s)
        is_by_hour = span in {traffic_series.GraphSpan.MONTH, traffic_series.GraphSpan.QUARTER}
        rows = await asyncio.to_thread(
            self._records.read_traffic, site_row.traffic_name(item.site.host), begin_s, now_s, is_by_hour=is_by_hour
        )
        of_route = rows if route is None else [row for row in rows if row[1].route == route]
        return {
            "host": item.site.host,
            "span": span.value,
            "route": route,
            **site_json.series_json(traffic_series.join(of_route, begin_s, end_s, step_s)),
            "refused_by_rule": _refused_by_rule(of_route, begin_s),
            "routes": _sums_of_routes(rows, begin_s),
            "as_of": json_values.instant_json(_now()),
        }

    async def servers(self, call: endpoint.Call) -> Json:
        status, item = find(self._gate, call.path("host"))
        return site_json.servers_json(self._gate.look(item.site.host), status.started_at)

    async def routes(self, call: endpoint.Call) -> Json:
        status, item = find(self._gate, call.path("host"))
        found = route_picture.find_routes(
            item.site,
            self._records.find_settings(),
            self._gate.look(item.site.host),
            {pool.name: pool for pool in status.pools},
        )
        return site_json.routes_json(item.site, found)

    async def certificate(self, call: endpoint.Call) -> Json:
        status, item = find(self._gate, call.path("host"))
        now = _now()
        return {
            "host": item.site.host,
            "tls": item.site.tls.mode.value,
            "file": item.site.tls.certificate,
            "certificates": [site_json.certificate_json(one, now) for one in _certificates_of(status, item)],
        }

    async def access(self, call: endpoint.Call) -> Json:
        _, item = find(self._gate, call.path("host"))
        rules = access_rules.find_all(item.site, self._records.find_settings())
        return {"host": item.site.host, "places": site_json.access_json(rules)}

    async def probe(self, call: endpoint.Call) -> Json:
        _, item = find(self._gate, call.path("host"))
        call.target = item.site.host
        return {"left": await self._gate.probe(item.site.host)}

    async def purge(self, call: endpoint.Call) -> Json:
        _, item = find(self._gate, call.path("host"))
        path = request_body_json.take_optional_text(call.body, "path") or None
        call.target = f"{item.site.host}{path or ''}"
        return {"purged": await asyncio.to_thread(self._records.purge, item.site.host, path)}


def find(gate: gate_port.GatePort, host: str) -> tuple[gate_port.GateStatus, model.SiteStatus]:
    """A site by any of its names. Raises: HTTPException 404."""
    status = gate.status(added=False, host=host.lower())
    if not status.sites:
        text = f"there is no site {words.quoted(host)} (any more); `daemun sites` lists all"
        raise exceptions.HTTPException(404, text)
    return status, status.sites[0]


def _certificates_of(status: gate_port.GateStatus, item: model.SiteStatus) -> list[model.CertificateStatus]:
    name = certificate_choice.name_of(item.site)
    return [one for one in status.certificates if one.host == item.site.host or one.name == name]


def _choose_span(call: endpoint.Call) -> tuple[traffic_series.GraphSpan, bool, str | None]:
    """The span, whether its steps are coarse, and the route. Raises: HTTPException 400."""
    text, steps = call.query("span", traffic_series.GraphSpan.DAY.value), call.query("steps", "fine")
    try:
        span = traffic_series.GraphSpan(text)
    except ValueError:
        expected = words.listed(one.value for one in traffic_series.GraphSpan)
        raise exceptions.HTTPException(400, f"cannot use span {words.quoted(text)}; expected {expected}") from None
    if steps not in {"fine", "coarse"}:
        raise exceptions.HTTPException(400, f"cannot use steps {words.quoted(steps)}; expected fine or coarse")
    return span, steps == "coarse", call.request.query_params.get("route")


def _sums_of_routes(rows: typing.Iterable[traffic_series.Row], begin_s: int) -> list[Json]:
    """The most used first. `route` is "" for what the site itself answers, or where it has one route."""
    found: dict[str, traffic_sums.Sums] = {}
    for start_s, series, sums in rows:
        if start_s >= begin_s:
            found.setdefault(series.route, traffic_sums.Sums()).add(sums)
    ordered = sorted(found.items(), key=lambda one: (-one[1].requests, one[0]))
    return [
        {
            "route": route,
            "requests": sums.requests,
            "errors": sum(n for key, n in sums.counts.items() if key.isdigit() and key >= "500"),
            "bytes_out": sums.bytes_out,
            "bytes_in": sums.bytes_in,
            "refused_by_rule": traffic_sums.find_refused(sums.counts),
        }
        for route, sums in ordered[:_MOST_ROUTES]
    ]


def _refused_by_rule(rows: typing.Iterable[traffic_series.Row], begin_s: int) -> dict[str, int]:
    whole = traffic_sums.Sums()
    for start_s, _, sums in rows:
        if start_s >= begin_s:
            whole.add(sums)
    return traffic_sums.find_refused(whole.counts)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
