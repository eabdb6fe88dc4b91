"""The API for dashboards and programs (`web.endpoint`), below /api/v1: who requests, what they may, what is noted.

Unlike the control socket's, whoever reaches it has to say who it is. Every error is {"error": "..."} with a fitting
status; what a person may not see stays in the log.
"""

import asyncio
import collections.abc
import functools
import json

from starlette import applications, exceptions, requests, responses, routing

from daemun.control import operator_port
from daemun.core.access import dashboard_roles, request_origin
from daemun.core.texts import secret_forms
from daemun.errors import DaemunError, EnvironmentProblemError
from daemun.web import endpoint, error_answers, openapi, request_body_json

PREFIX = "/api/v1"
_STOPPED = "daemun is being stopped; look whether this was done when it runs again"
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="daemun"'}
_NEVER_KEPT = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def create_app(
    endpoints: collections.abc.Iterable[endpoint.ApiEndpoint], operators: operator_port.OperatorPort, *, version: str
) -> applications.Starlette:
    """version: daemun's, for the documentation."""
    every = tuple(endpoints)
    # Whoever reaches this gets it, so it is made once.
    described = functools.partial(_describe, json.dumps(openapi.describe(every, version=version)).encode())
    routes = [
        routing.Route(PREFIX + one.path, functools.partial(_answer, one, operators), methods=[one.method])
        for one in every
    ]
    found = applications.Starlette(
        routes=error_answers.with_refusals(
            [*routes, routing.Route(f"{PREFIX}/openapi.json", described, methods=["GET"])]
        ),
        exception_handlers={
            exceptions.HTTPException: _answer_error,
            DaemunError: _answer_error,
            Exception: _answer_error,
        },
    )
    found.router.redirect_slashes = False  # it would lead to http://, with what a body holds
    return found


async def _answer(
    entry: endpoint.ApiEndpoint, operators: operator_port.OperatorPort, request: requests.Request
) -> responses.Response:
    if _is_foreign(request):
        raise exceptions.HTTPException(403, "this request comes from a page of another host")
    operator = await _identify(entry, operators, request)
    if operator is None:
        text = (
            "sign in first: `daemun dashboard` prints a link, `daemun dashboard tokens add` makes a token for programs"
        )
        raise exceptions.HTTPException(401, text, _CHALLENGE)
    request.state.hides_secrets = _hides_from(operator)
    again = functools.partial(_identify, entry, operators, request)
    call = endpoint.Call(
        request=request, operator=operator, body={}, identify=again, credentials=_read_credentials(request)
    )
    if operator.role < entry.needs:
        await _note(entry, operators, call, 403)
        text = f"this needs the role `{entry.needs.word}`, and {operator.name} has `{operator.role.word}`"
        needed = {"error": text, "needs": entry.needs.word}
        return responses.JSONResponse(needed, status_code=403, headers=dict(_NEVER_KEPT))
    try:
        if request.method not in {"GET", "HEAD"}:
            call.body = await request_body_json.read_object(request, most_bytes=entry.most_body_bytes)
            request_body_json.check_keys(call.body, [one.name for one in entry.body])
        found = await entry.handler(call)
    except asyncio.CancelledError:
        await _note(entry, operators, call, 503)
        raise exceptions.HTTPException(503, _STOPPED, {"Retry-After": "5"}) from None
    except Exception as error:
        await _note(entry, operators, call, error_answers.status_of(error))
        raise
    answer = found if isinstance(found, responses.Response) else responses.JSONResponse(found)
    if _hides_from(call.operator) and not (entry.hides_secrets and answer.status_code < 400):
        _hide_secrets(answer)
    await _note(entry, operators, call, answer.status_code)
    answer.headers.update({name: value for name, value in _NEVER_KEPT.items() if name not in answer.headers})
    return answer


def _hides_from(operator: dashboard_roles.Operator) -> bool:
    return operator.role < dashboard_roles.Role.OWN


def _hide_secrets(answer: responses.Response) -> None:
    """Streams hide what is secret in each event."""
    if isinstance(answer, responses.JSONResponse):
        answer.body = answer.render(secret_forms.hide_in(json.loads(bytes(answer.body))))
        answer.headers["Content-Length"] = str(len(answer.body))


def _is_foreign(request: requests.Request) -> bool:
    """A page elsewhere can let its visitors' browsers send a body here, though nothing that says who they are: with a
    hundred wrong links it would have their network wait, or banned."""
    given = request.headers
    return request_origin.is_foreign(
        request.method,
        origin=given.get("origin"),
        fetch_site=given.get("sec-fetch-site"),
        ours=request_origin.make_ours(given.get("x-forwarded-proto"), given.get("host", "")),
        takes_programs=True,
    )


def _read_credentials(request: requests.Request) -> operator_port.OperatorCredentials:
    """The address and the session are named by nginx and the process of the pages, the only ones that can connect."""
    return operator_port.OperatorCredentials(
        authorization=request.headers.get("authorization", ""),
        login=request.headers.get("x-daemun-login", ""),
        host=request.headers.get("host", ""),
        address=request.headers.get("x-real-ip", ""),
    )


async def _identify(
    entry: endpoint.ApiEndpoint, operators: operator_port.OperatorPort, request: requests.Request
) -> dashboard_roles.Operator | None:
    credentials = _read_credentials(request)
    if entry.is_open:
        role = dashboard_roles.Role.LOOK
        return dashboard_roles.Operator(name="", role=role, how="", address=credentials.address)
    try:
        return await operators.identify(credentials)
    except EnvironmentProblemError as error:
        raise exceptions.HTTPException(503, str(error), {"Retry-After": "5"}) from error


async def _note(
    entry: endpoint.ApiEndpoint, operators: operator_port.OperatorPort, call: endpoint.Call, status: int
) -> None:
    is_noted = entry.needs > dashboard_roles.Role.LOOK if entry.is_noted is None else entry.is_noted
    if entry.is_open and (status >= 400 or not call.operator.name):
        # Whoever reaches it could fill the log, and with it push out what operators did.
        return
    if is_noted:
        noted = operator_port.NotedRequest(
            operator=call.operator,
            method=entry.method,
            path=call.request.url.path,
            summary=entry.summary,
            status=status,
            target=secret_forms.hide(call.target),
            before=secret_forms.hide(call.before),
            after=secret_forms.hide(call.after),
        )
        await operators.note(noted)


async def _describe(description: bytes, _: requests.Request) -> responses.Response:
    """Open to all: it has nothing about this gate."""
    return responses.Response(description, media_type="application/json", headers=dict(_NEVER_KEPT))


async def _answer_error(request: requests.Request, error: Exception) -> responses.Response:
    """Of a defect Starlette raises the exception again after this answer, and uvicorn logs it with its trace."""
    text = error_answers.text_of(error, request, hint=f"; {PREFIX}/openapi.json has all there is")
    return error_answers.answer(error, _shown(text, request), headers=_NEVER_KEPT)


def _shown(text: str, request: requests.Request) -> str:
    return secret_forms.hide(text) if getattr(request.state, "hides_secrets", True) else text
