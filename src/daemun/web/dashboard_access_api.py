"""Who may use the dashboard, on the control socket: beside the routes of `web.api`. Whoever can open that socket is the
machine's owner, and what is requested here stands in the audit log as such.
"""

import collections.abc
import typing

from starlette import exceptions, requests, responses, routing

from daemun.control import operator_port
from daemun.core.access import dashboard_roles
from daemun.errors import ConflictError
from daemun.web import operator_json, request_body_json

FindUrl = collections.abc.Callable[[], str | None]
"""Of the dashboard, without a path; None: there is none."""
_UNNAMED = "the machine's owner"


def routes(access: operator_port.OperatorAccess, find_url: FindUrl) -> list[routing.BaseRoute]:
    handlers = _Handlers(access, find_url)
    return [
        routing.Route("/dashboard/link", handlers.make_link, methods=["POST"]),
        routing.Route("/dashboard/sessions", handlers.list_sessions, methods=["GET"]),
        routing.Route("/dashboard/sessions/end", handlers.end_sessions, methods=["POST"]),
        routing.Route("/dashboard/tokens", handlers.list_tokens, methods=["GET"]),
        routing.Route("/dashboard/tokens", handlers.add_token, methods=["POST"]),
        routing.Route("/dashboard/tokens/remove", handlers.remove_token, methods=["POST"]),
    ]


class _Handlers:
    """One method per route. `user` of each body: the account that runs the command."""

    def __init__(self, access: operator_port.OperatorAccess, find_url: FindUrl) -> None:
        self._access = access
        self._find_url = find_url

    async def make_link(self, request: requests.Request) -> responses.Response:
        user = _find_user(await request_body_json.read_object(request))
        url = self._find_url()
        if url is None:
            raise ConflictError(
                "cannot make a link: there is no dashboard; take `dashboard: false` out of daemun.yaml, or wait "
                "where daemun is just starting"
            )
        made = await self._access.make_link(user)
        await self._note(request, user, "Make a link to the dashboard")
        return responses.JSONResponse(operator_json.link_json(made, url), status_code=201)

    async def list_sessions(self, _: requests.Request) -> responses.Response:
        found = await self._access.list_sessions()
        return responses.JSONResponse({"sessions": [operator_json.session_json(one) for one in found]})

    async def end_sessions(self, request: requests.Request) -> responses.Response:
        """{"number": "..."}; without it all."""
        body = await request_body_json.read_object(request)
        number = request_body_json.take_optional_text(body, "number")
        ended = await self._access.end_sessions(number=number)
        if ended.ended:
            await self._note(request, _find_user(body), "End sessions of the dashboard", target=number or "all")
        return responses.JSONResponse({"ended": ended.ended, "saved": ended.is_saved})

    async def list_tokens(self, _: requests.Request) -> responses.Response:
        found = await self._access.list_tokens()
        return responses.JSONResponse({"tokens": [operator_json.token_json(one) for one in found]})

    async def add_token(self, request: requests.Request) -> responses.Response:
        body = await request_body_json.read_object(request)
        user, wanted = _find_user(body), operator_json.read_token(body)
        made = await self._access.add_token(
            wanted.name, wanted.role, lifetime_s=wanted.lifetime_s, networks=wanted.networks, by=user
        )
        summary = "Make a token of the API"
        await self._note(request, user, summary, target=made.token.name, after=operator_json.describe(made.token))
        return responses.JSONResponse(operator_json.made_token_json(made), status_code=201)

    async def remove_token(self, request: requests.Request) -> responses.Response:
        body = await request_body_json.read_object(request)
        name = request_body_json.take_text(body, "name")
        gone = await self._access.remove_token(name)
        if gone is None:
            raise exceptions.HTTPException(404, operator_json.no_token(name))
        summary = "Withdraw a token of the API"
        await self._note(request, _find_user(body), summary, target=name, before=operator_json.describe(gone))
        return responses.JSONResponse({"name": name})

    async def _note(self, request: requests.Request, user: str, summary: str, **more: str) -> None:
        operator = dashboard_roles.Operator(name=user, role=dashboard_roles.Role.OWN, how=dashboard_roles.COMMAND)
        noted = operator_port.NotedRequest(
            operator=operator, method=request.method, path=request.url.path, summary=summary, status=200, **more
        )
        await self._access.note(noted)


def _find_user(body: dict[str, typing.Any]) -> str:
    return request_body_json.take_optional_text(body, "user") or _UNNAMED
