"""The API's endpoints for operators: who is an operator by `login`, sessions of links, tokens, and the audit log."""

import datetime
import typing

from starlette import exceptions, responses

from daemun.control import operator_port
from daemun.core.access import audit_entries, dashboard_roles
from daemun.core.logged import request_filter
from daemun.web import endpoint, operator_json, paging, request_body_json

Json = dict[str, typing.Any]


def endpoints(access: operator_port.OperatorAccess) -> tuple[endpoint.ApiEndpoint, ...]:
    handlers = _Handlers(access)
    look, own = dashboard_roles.Role.LOOK, dashboard_roles.Role.OWN
    name = endpoint.Parameter(name="name", meaning="of the token: deploy", is_required=True)
    return (
        endpoint.ApiEndpoint(
            method="GET",
            path="/operators",
            needs=own,
            is_noted=False,
            summary="List who may come to the dashboard by signing in",
            handler=handlers.list_people,
            answer="host (null: no operator signs in so), and rows: name (a user, or a group behind @), role",
        ),
        endpoint.ApiEndpoint(
            method="GET",
            path="/operators/sessions",
            needs=own,
            is_noted=False,
            summary="List who is signed in by a link of daemun dashboard",
            handler=handlers.list_sessions,
            query=paging.QUERY,
            answer="number, name, address, agent, created_at, seen_at, ends_at (without a further use), is_this",
        ),
        endpoint.ApiEndpoint(
            method="POST",
            path="/operators/sessions/end",
            needs=own,
            summary="End sessions of the dashboard",
            handler=handlers.end_sessions,
            body=(
                endpoint.Parameter(
                    name="number", meaning="of the session; all but the one that requests it if left out"
                ),
            ),
            answer="ended: how many; is_saved: false: they may be back when daemun starts again",
        ),
        endpoint.ApiEndpoint(
            method="GET",
            path="/operators/tokens",
            needs=own,
            is_noted=False,
            summary="List the tokens of the API",
            handler=handlers.list_tokens,
            query=paging.QUERY,
            answer="name, role, by, networks (none: everywhere), created_at, ends_at (null: no end), seen_at, is_over",
        ),
        endpoint.ApiEndpoint(
            method="POST",
            path="/operators/tokens",
            needs=own,
            summary="Make a token of the API",
            handler=handlers.add_token,
            body=(
                name,
                endpoint.Parameter(name="role", meaning="look, change or own", is_required=True),
                endpoint.Parameter(
                    name="lifetime_s", meaning="after how long it ends; no end if left out", kind="number"
                ),
                endpoint.Parameter(name="networks", meaning="from where it is good: 192.0.2.0/24", kind="array"),
            ),
            answer="as a row of the list, with token: for Authorization: Bearer, shown this once",
        ),
        endpoint.ApiEndpoint(
            method="POST",
            path="/operators/tokens/remove",
            needs=own,
            summary="Withdraw a token of the API",
            handler=handlers.remove_token,
            body=(name,),
            answer="what the token was",
        ),
        endpoint.ApiEndpoint(
            method="GET",
            path="/audit",
            needs=look,
            summary="List who changed what by the dashboard and its API",
            handler=handlers.read_audit,
            query=(
                *paging.QUERY,
                endpoint.Parameter(name="since", meaning="none before: 1h, yesterday, 2026-11-30T09:10:11Z"),
                endpoint.Parameter(name="who", meaning="one operator alone"),
                endpoint.Parameter(name="q", meaning="a part of what was changed, or of the summary"),
            ),
            answer="newest first: at, who, role, how, address, method, path, summary, target, before, after, status",
        ),
    )


class _Handlers:
    """One method per endpoint."""

    def __init__(self, access: operator_port.OperatorAccess) -> None:
        self._access = access

    async def list_people(self, _: endpoint.Call) -> Json:
        rights = self._access.rights
        lists = ((rights.own, "own"), (rights.change, "change"), (rights.look, "look"))
        rows = [{"name": one, "role": role} for names, role in lists for one in names]
        return {"host": rights.host, "total": len(rows), "page": 1, "rows": rows}

    async def list_sessions(self, call: endpoint.Call) -> Json:
        found = await self._access.list_sessions()
        current = call.operator.number if call.operator.how == dashboard_roles.LINK else None
        rows = [{**operator_json.session_json(one), "is_this": one.number == current} for one in found]
        return paging.read(call).cut(rows)

    async def end_sessions(self, call: endpoint.Call) -> Json:
        number = request_body_json.take_optional_text(call.body, "number")
        call.target = number or "all others"
        but = call.operator.number if number is None and call.operator.how == dashboard_roles.LINK else None
        ended = await self._access.end_sessions(number=number, but=but)
        if number is not None and not ended.ended:
            raise exceptions.HTTPException(404, "there is no such session; `daemun dashboard sessions` lists them")
        return {"ended": ended.ended, "is_saved": ended.is_saved}

    async def list_tokens(self, call: endpoint.Call) -> Json:
        rows = [operator_json.token_json(one) for one in await self._access.list_tokens()]
        return paging.read(call).cut(rows)

    async def add_token(self, call: endpoint.Call) -> responses.Response:
        token = operator_json.read_token(call.body)
        call.target = token.name
        made = await self._access.add_token(
            token.name,
            token.role,
            lifetime_s=token.lifetime_s,
            networks=token.networks,
            by=call.operator.name,
        )
        call.after = operator_json.describe(made.token)
        return responses.JSONResponse(operator_json.made_token_json(made), status_code=201)

    async def remove_token(self, call: endpoint.Call) -> Json:
        call.target = name = request_body_json.take_text(call.body, "name")
        gone = await self._access.remove_token(name)
        if gone is None:
            raise exceptions.HTTPException(404, operator_json.no_token(name))
        call.before = operator_json.describe(gone)
        return operator_json.token_json(gone)

    async def read_audit(self, call: endpoint.Call) -> Json:
        page = paging.read(call)
        query = operator_port.AuditQuery(
            since=_read_moment(call.query("since")),
            who=call.query("who"),
            text=call.query("q").strip(),
            first=page.first,
            most=page.size,
        )
        found = await self._access.read_audit(query)
        return page.of([audit_entries.value_of(one) for one in found.entries], total=found.total)


def _read_moment(text: str) -> datetime.datetime | None:
    """Raises: HTTPException 400."""
    if not text:
        return None
    try:
        return request_filter.parse_moment(text, datetime.datetime.now(datetime.UTC))
    except ValueError as error:
        raise exceptions.HTTPException(400, f"cannot use the query: since: {error}") from error
