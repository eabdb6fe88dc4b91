"""The API on the control socket: translates requests into calls of the gate and its answers into JSON.

Whoever can open the socket (mode 0600: its owner and root) may request anything, so there is nothing else to log in to.
Every error is {"error": "..."} with a fitting status; what a person may not see stays in the log.
"""

import collections.abc
import datetime

from starlette import applications, exceptions, requests, responses, routing

from daemun.control import gate_port, history_port
from daemun.core.certificates import on_demand_names, renewal_forecast
from daemun.core.dashboard import certificate_rows
from daemun.errors import DaemunError
from daemun.web import error_answers, fleet_json, forecast_json, json_values, request_body_json

FORECAST_DAYS = 30
MOST_FORECAST_DAYS = 3650
_LONGEST_CALLER = 200
_DENIED = {on_demand_names.Denial.INVALID: 400, on_demand_names.Denial.FULL: 429, on_demand_names.Denial.BUSY: 429}


def create_app(
    gate: gate_port.GatePort, more: collections.abc.Sequence[routing.BaseRoute] = ()
) -> applications.Starlette:
    """The API in front of a gate, to be run on the gate's event loop. more: routes that others answer."""
    handlers = _Handlers(gate)
    return applications.Starlette(
        routes=error_answers.with_refusals(
            [
                routing.Route("/status", handlers.status, methods=["GET"]),
                routing.Route("/probe", handlers.probe, methods=["POST"]),
                routing.Route("/certs", handlers.certificates, methods=["GET"]),
                routing.Route("/certs/forecast", handlers.forecast, methods=["GET"]),
                routing.Route("/certs/{host}/renew", handlers.renew, methods=["POST"]),
                routing.Route("/domains", handlers.domains, methods=["GET"]),
                routing.Route("/domains", handlers.add_domain, methods=["POST"]),
                routing.Route("/domains/{host}", handlers.remove_domain, methods=["DELETE"]),
                routing.Route("/bans", handlers.bans, methods=["GET"]),
                routing.Route("/bans", handlers.ban, methods=["POST"]),
                routing.Route("/attacks", handlers.attacks, methods=["GET"]),
                routing.Route("/bans/remove", handlers.unban, methods=["POST"]),
                routing.Route("/alerts/test", handlers.test_alerts, methods=["POST"]),
                routing.Route("/plan", handlers.plan, methods=["GET"]),
                routing.Route("/apply", handlers.apply, methods=["POST"]),
                routing.Route("/nginx/upgrade", handlers.upgrade_nginx, methods=["POST"]),
                routing.Route("/doctor", handlers.doctor, methods=["GET"]),
                routing.Route("/stop", handlers.stop, methods=["POST"]),
                *more,
            ]
        ),
        exception_handlers={
            exceptions.HTTPException: _answer_error,
            DaemunError: _answer_error,
            Exception: _answer_error,  # which Starlette raises again after it, and uvicorn logs with its trace
        },
    )


class _Handlers:
    """One method per route."""

    def __init__(self, gate: gate_port.GatePort) -> None:
        self._gate = gate

    async def status(self, request: requests.Request) -> responses.Response:
        """?host=NAME leaves out all other sites with their certificates and containers."""
        await self._gate.look_at_nginx()
        old = await self._gate.look_at_old_workers()
        host = request.query_params.get("host")
        status = self._gate.status(added=False, host=host)
        found = json_values.status_json(status, old, self._gate.look)
        return responses.JSONResponse({**found, "fleet": fleet_json.fleet_json(status.fleet)})

    async def probe(self, request: requests.Request) -> responses.Response:
        """{"host": NAME} looks at one site, {} at all. `left` is how much was not looked at in time."""
        body = await request_body_json.read_object(request)
        host = body.pop("host", None)
        if body or not isinstance(host, str | None):
            raise exceptions.HTTPException(400, 'cannot look: the body must be {"host": "shop.example.com"} or {}')
        return responses.JSONResponse({"left": await self._gate.probe(host)})

    async def certificates(self, request: requests.Request) -> responses.Response:
        """?state=local: those alone. ?most=1: no more of them. ?q=shop&lamp=bad: as in the list of the dashboard."""
        state, most = request.query_params.get("state"), request.query_params.get("most", "")
        text, lamp = request.query_params.get("q", "").strip().lower(), request.query_params.get("lamp", "")
        chosen = [one for one in self._gate.status().certificates if state is None or one.state.value == state]
        if text or lamp:
            rows = certificate_rows.sort_by_trouble(chosen, datetime.datetime.now(datetime.UTC))
            chosen = [row.status for row in certificate_rows.choose(rows, text=text, lamp=lamp)]
        if most.isascii() and most.isdecimal():
            chosen = chosen[: int(most[:9])]
        return responses.JSONResponse(json_values.certificates_json(tuple(chosen)))

    async def forecast(self, request: requests.Request) -> responses.Response:
        text = request.query_params.get("days", str(FORECAST_DAYS))
        days = int(text) if text.isascii() and text.isdecimal() and len(text) <= 4 else 0
        if not 1 <= days <= MOST_FORECAST_DAYS:
            raise exceptions.HTTPException(
                400, f"cannot make a forecast: days must be a number from 1 to {MOST_FORECAST_DAYS}"
            )
        now, span = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=days)
        found = renewal_forecast.make_forecast(self._gate.status().certificates, now, span)
        return responses.JSONResponse(forecast_json.forecast_json(found, now, span))

    async def test_alerts(self, _: requests.Request) -> responses.Response:
        return responses.JSONResponse(json_values.sent_alerts_json(await self._gate.test_alerts()))

    async def renew(self, request: requests.Request) -> responses.Response:
        host = request.path_params["host"]
        is_found = await self._gate.renew(host, force=request.query_params.get("force") == "true")
        if not is_found:
            raise exceptions.HTTPException(404, f'cannot renew "{host}": no certificate of a CA belongs to it')
        return responses.JSONResponse({"host": host}, status_code=202)

    async def domains(self, _: requests.Request) -> responses.Response:
        return responses.JSONResponse({"domains": list(self._gate.domains())})

    async def add_domain(self, request: requests.Request) -> responses.Response:
        """201 also when it was there before: a second request wants the same."""
        body = await request_body_json.read_object(request)
        host = body.pop("host", None)
        if body or not isinstance(host, str):
            raise exceptions.HTTPException(400, 'cannot add a name: the body must be {"host": "shop.example.com"}')
        refused = await self._gate.add_domain(host)
        if refused is not None:
            answer = {"error": refused.message, "code": refused.denial.value}
            return responses.JSONResponse(answer, status_code=_DENIED.get(refused.denial, 409))
        return responses.JSONResponse({"host": host}, status_code=201)

    async def remove_domain(self, request: requests.Request) -> responses.Response:
        host = request.path_params["host"]
        if not await self._gate.remove_domain(host):
            raise exceptions.HTTPException(404, f'cannot remove "{host}": it was not added')
        return responses.JSONResponse({"host": host})

    async def bans(self, _: requests.Request) -> responses.Response:
        return responses.JSONResponse({"bans": [json_values.ban_json(one) for one in self._gate.bans()]})

    async def attacks(self, _: requests.Request) -> responses.Response:
        return responses.JSONResponse({"attacks": [json_values.ban_json(one) for one in self._gate.find_attacks()]})

    async def ban(self, request: requests.Request) -> responses.Response:
        """{"address": "203.0.113.7", "seconds": 3600}; without `seconds`, or null: for good."""
        body = await request_body_json.read_object(request)
        address, seconds = request_body_json.take_text(body, "address"), body.get("seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, int | None) or (seconds is not None and seconds < 1):
            raise exceptions.HTTPException(400, 'cannot ban: "seconds" must be a number above 0, or null')
        return responses.JSONResponse(json_values.ban_json(await self._gate.ban(address, seconds)), status_code=201)

    async def unban(self, request: requests.Request) -> responses.Response:
        address = request_body_json.take_text(await request_body_json.read_object(request), "address")
        return responses.JSONResponse(json_values.ban_json(await self._gate.unban(address)))

    async def plan(self, _: requests.Request) -> responses.Response:
        return responses.JSONResponse(json_values.plan_json(await self._gate.plan()))

    async def apply(self, request: requests.Request) -> responses.Response:
        """422 when something was refused, 202 when something waits, with the same report: a client that looks at the
        status alone is right. ?file=VERSION: a run that read just that version of daemun.yaml counts.
        ?by=COMMAND&user=NAME: who requests it."""
        version = request.query_params.get("file")
        caller = find_caller(request)
        report = await self._gate.apply(seen={"file": version} if version else None, caller=caller)
        status = 200 if report.ok else 202 if report.waits is not None else 422
        return responses.JSONResponse(json_values.apply_json(report), status_code=status)

    async def upgrade_nginx(self, _: requests.Request) -> responses.Response:
        """As `apply`: 422 when the other nginx did not take over, 202 when it has to wait."""
        report = await self._gate.upgrade_nginx()
        status = 200 if report.ok else 202 if report.waits is not None else 422
        return responses.JSONResponse(json_values.upgrade_json(report), status_code=status)

    async def doctor(self, request: requests.Request) -> responses.Response:
        """?host=NAME looks at one name."""
        found = await self._gate.diagnose(request.query_params.get("host"))
        return responses.JSONResponse({"findings": json_values.findings_json(found)})

    async def stop(self, request: requests.Request) -> responses.Response:
        body = await request_body_json.read_object(request)
        keep_traffic = body.pop("keep_traffic", False)
        if body or not isinstance(keep_traffic, bool):
            raise exceptions.HTTPException(400, 'cannot stop: the body must be {"keep_traffic": true or false}')
        self._gate.request_stop(keep_traffic=keep_traffic)
        return responses.JSONResponse({"stopping": True, "keep_traffic": keep_traffic}, status_code=202)


def find_caller(request: requests.Request) -> history_port.Caller | None:
    command, user = (_line(request.query_params.get(key, "")) for key in ("by", "user"))
    return history_port.Caller(command=command, user=user) if command else None


def _line(text: str) -> str:
    return "".join(sign for sign in text[:_LONGEST_CALLER] if sign.isprintable())


async def _answer_error(request: requests.Request, error: Exception) -> responses.Response:
    return error_answers.answer(error, error_answers.text_of(error, request))
