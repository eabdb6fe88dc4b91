"""The API of sign-in and sign-out."""

import collections.abc
import typing

from starlette import background, exceptions, responses

from daemun.control import operator_port
from daemun.core.access import dashboard_roles
from daemun.core.dashboard import gate_totals
from daemun.web import endpoint, json_values, request_body_json

_LOOK = dashboard_roles.Role.LOOK
_LONGEST_LINK = 1000
_NO_LINK = "this link is no good, or not any more; `daemun dashboard` prints another"

Json = dict[str, typing.Any]


def endpoints(
    operators: operator_port.OperatorSignIn,
    *,
    version: str,
    command_options: str,
    has_login: collections.abc.Callable[[], bool],
    summarise: collections.abc.Callable[[], collections.abc.Awaitable[gate_totals.GateSummary]],
    refresh: collections.abc.Callable[[], collections.abc.Awaitable[None]],
) -> tuple[endpoint.ApiEndpoint, ...]:
    """command_options: what commands need to reach this gate. has_login: whether users of `login` may sign in here.
    summarise: quick, called for each page. refresh: called after each of these answers."""
    handlers = _Handlers(
        operators,
        version=version,
        command_options=command_options,
        has_login=has_login,
        summarise=summarise,
        refresh=refresh,
    )
    return (
        endpoint.ApiEndpoint(
            method="GET",
            path="/sign-in",
            needs=_LOOK,
            is_open=True,
            summary="List the ways to sign in",
            handler=handlers.ways,
            answer="login: whether users of daemun's own sign-in may sign in.",
        ),
        endpoint.ApiEndpoint(
            method="POST",
            path="/sign-in",
            needs=_LOOK,
            is_open=True,
            is_noted=True,
            summary="Sign in by a link of daemun dashboard",
            handler=handlers.begin,
            body=(
                endpoint.Parameter(name="link", meaning="the link, or what stands behind its #", is_required=True),
                endpoint.Parameter(name="former", meaning="the session that ends by this"),
            ),
            answer="session: for Authorization: Bearer; ends_at: at the latest.",
        ),
        endpoint.ApiEndpoint(
            method="POST",
            path="/sign-out",
            needs=_LOOK,
            is_open=True,
            is_noted=True,
            summary="End the session",
            handler=handlers.leave,
            answer="ended: how many sessions, that of a link and that of login; is_saved: false: they may be back "
            "after a start. Also for who is signed in by login and has no role.",
        ),
        endpoint.ApiEndpoint(
            method="GET",
            path="/me",
            needs=_LOOK,
            summary="Show who requests this, and how the gate is",
            handler=handlers.me,
            answer="name, role, how, number, state (a lamp), needs_you, version, command_options (for this gate).",
        ),
    )


class _Handlers:
    def __init__(
        self,
        operators: operator_port.OperatorSignIn,
        *,
        version: str,
        command_options: str,
        has_login: collections.abc.Callable[[], bool],
        summarise: collections.abc.Callable[[], collections.abc.Awaitable[gate_totals.GateSummary]],
        refresh: collections.abc.Callable[[], collections.abc.Awaitable[None]],
    ) -> None:
        self._operators = operators
        self._version = version
        self._command_options = command_options
        self._has_login = has_login
        self._summarise = summarise
        self._refresh = refresh

    async def ways(self, _: endpoint.Call) -> Json:
        return {"link": True, "login": self._has_login()}

    async def begin(self, call: endpoint.Call) -> Json:
        link = request_body_json.take_text(call.body, "link")[:_LONGEST_LINK].rpartition("#")[2].strip()
        former = request_body_json.take_optional_text(call.body, "former") or ""
        agent = call.request.headers.get("user-agent", "")
        begun = await self._operators.begin(link, call.operator.address, agent, former=former)
        if begun is None:
            raise exceptions.HTTPException(401, _NO_LINK)
        call.target = begun.number
        call.operator = dashboard_roles.Operator(
            name=begun.name,
            role=dashboard_roles.Role.OWN,
            how=dashboard_roles.LINK,
            number=begun.number,
            address=call.operator.address,
        )
        return {"session": begun.secret, "number": begun.number, "ends_at": json_values.instant_json(begun.ends_at)}

    async def leave(self, call: endpoint.Call) -> Json:
        found = await self._operators.sign_out(call.credentials)
        if found.operator is None and not found.ended:
            raise exceptions.HTTPException(401, "there is no session to end")
        call.operator = found.operator or call.operator
        return {"ended": found.ended, "is_saved": found.is_saved}

    async def me(self, call: endpoint.Call) -> responses.Response:
        found = await self._summarise()
        shown = {
            "name": call.operator.name,
            "role": call.operator.role.word,
            "how": call.operator.how,
            "number": call.operator.number,
            "state": found.light.value,
            "needs_you": found.needs_you,
            "version": self._version,
            "command_options": self._command_options,
        }
        return responses.JSONResponse(shown, background=background.BackgroundTask(self._refresh))
