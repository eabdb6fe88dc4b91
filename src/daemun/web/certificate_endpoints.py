"""The API's endpoints for certificates: all of them, trouble first, what comes, and a renewal."""

import collections
import datetime
import typing

from starlette import exceptions, responses

from daemun.control import gate_port
from daemun.core import model
from daemun.core.access import dashboard_roles
from daemun.core.certificates import renewal_forecast
from daemun.core.dashboard import certificate_rows
from daemun.web import endpoint, forecast_json, paging, request_body_json, site_json

Json = dict[str, typing.Any]

FORECAST_DAYS = 30
MOST_FORECAST_DAYS = 3650
MOST_ENTRIES = 1000
"""Of a forecast: more are counted by day."""


def endpoints(gate: gate_port.GatePort) -> tuple[endpoint.ApiEndpoint, ...]:
    handlers = _Handlers(gate)
    look, change = dashboard_roles.Role.LOOK, dashboard_roles.Role.CHANGE
    return (
        endpoint.ApiEndpoint(
            method="GET",
            path="/certificates",
            needs=look,
            summary="List the certificates, trouble first",
            handler=handlers.list,
            query=(
                *paging.QUERY,
                endpoint.Parameter(name="q", meaning="a part of a name that they have"),
                endpoint.Parameter(name="lamp", meaning="bad, warning or good: those alone"),
            ),
            answer="as `daemun certs --json`, with lamp and story of each, and lamps: how many of each there are",
        ),
        endpoint.ApiEndpoint(
            method="GET",
            path="/certificates/forecast",
            needs=look,
            summary="Show the coming renewals",
            handler=handlers.forecast,
            query=(
                endpoint.Parameter(
                    name="days", meaning=f"how far to look ahead, {FORECAST_DAYS} if left out", kind="integer"
                ),
            ),
            answer=f"as `daemun certs forecast --json`; of more than {MOST_ENTRIES} entries, more_entries has how many",
        ),
        endpoint.ApiEndpoint(
            method="GET",
            path="/certificates/{host}",
            needs=look,
            summary="Show the certificates of a name",
            handler=handlers.show,
            answer="certificates: as rows of the list; there are two where two types of keys are wanted",
        ),
        endpoint.ApiEndpoint(
            method="POST",
            path="/certificates/{host}/renew",
            needs=change,
            summary="Order a certificate anew",
            handler=handlers.renew,
            body=(endpoint.Parameter(name="force", meaning="also while the CA demands a wait", kind="boolean"),),
            answer="host; 202: the CA has not answered yet",
        ),
    )


class _Handlers:
    def __init__(self, gate: gate_port.GatePort) -> None:
        self._gate = gate

    async def list(self, call: endpoint.Call) -> Json:
        page, now = paging.read(call), _now()
        wanted, lamp = call.query("q").strip().lower(), call.query("lamp")
        found = certificate_rows.sort_by_trouble(self._gate.status().certificates, now)
        counted = collections.Counter(row.lamp.light.value for row in found)
        chosen = certificate_rows.choose(found, text=wanted, lamp=lamp)
        shown = [row_json(row, now) for row in chosen[page.first : page.first + page.size]]
        counts = {light.value: counted[light.value] for light in certificate_rows.LIGHTS}
        return {**page.of(shown, total=len(chosen)), "lamps": counts}

    async def show(self, call: endpoint.Call) -> Json:
        host, now = call.path("host").lower(), _now()
        found = [one for one in self._gate.status().certificates if host == one.host or host in one.names]
        if not found:
            text = f'cannot show the certificate of "{host[:255]}": no site has one; `daemun certs` lists all'
            raise exceptions.HTTPException(404, text)
        return {"certificates": [row_json(certificate_rows.make_row(one, now), now) for one in found]}

    async def forecast(self, call: endpoint.Call) -> Json:
        days = paging.read_number(call.request.query_params, "days", FORECAST_DAYS, most=MOST_FORECAST_DAYS)
        now, span = _now(), datetime.timedelta(days=days)
        found = renewal_forecast.make_forecast(self._gate.status().certificates, now, span)
        answer = forecast_json.forecast_json(found, now, span)
        more = {f"more_{key}": max(len(answer[key]) - MOST_ENTRIES, 0) for key in ("entries", "unrenewed")}
        return {**answer, **{key: answer[key][:MOST_ENTRIES] for key in ("entries", "unrenewed")}, **more}

    async def renew(self, call: endpoint.Call) -> responses.Response:
        host = call.path("host").lower()
        call.target = host[:255]
        is_found = await self._gate.renew(host, force=request_body_json.take_flag(call.body, "force"))
        if not is_found:
            raise exceptions.HTTPException(404, f'cannot renew "{host[:255]}": no certificate of a CA belongs to it')
        return responses.JSONResponse({"host": host}, status_code=202)


def row_json(row: certificate_rows.CertificateRow, now: datetime.datetime) -> Json:
    """Keys may be added, never renamed. `why`, `cure`: of the lamp; null when all is well."""
    status = row.status
    is_orderable = status.kind is not model.CertificateKind.OWN and status.state is not model.CertificateState.LOCAL
    return {
        **site_json.certificate_json(status, now),
        "lamp": row.lamp.light.value,
        "why": row.lamp.why or None,
        "cure": row.cure,
        "can_be_renewed": is_orderable,
    }


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
