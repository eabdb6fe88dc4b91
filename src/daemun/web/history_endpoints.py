"""The API's endpoints for what was applied: the history, what differs, the way back, and files edited by hand."""

import typing

from starlette import exceptions

from daemun.control import applied_port, history_port
from daemun.core.access import dashboard_roles
from daemun.core.plan import hand_edits
from daemun.errors import DaemunError
from daemun.web import endpoint, paging, request_body_json

Json = dict[str, typing.Any]


def endpoints(applied: applied_port.AppliedConfigurations) -> tuple[endpoint.ApiEndpoint, ...]:
    handlers = _Handlers(applied)
    look, change = dashboard_roles.Role.LOOK, dashboard_roles.Role.CHANGE
    return (
        endpoint.ApiEndpoint(
            method="GET",
            path="/history",
            needs=look,
            summary="List the configurations that were applied",
            handler=handlers.list,
            query=paging.QUERY,
            answer="the newest first: number, at, by (a command, an edit, containers), user, state, reason, changes",
        ),
        endpoint.ApiEndpoint(
            method="GET",
            path="/history/{number}",
            needs=look,
            summary="Show one of them with what its files held",
            handler=handlers.show,
            hides_secrets=True,
            answer="as a row of the list, with content (texts by file, without secrets) and containers",
        ),
        endpoint.ApiEndpoint(
            method="GET",
            path="/diff",
            needs=look,
            summary="Show what differs between two configurations",
            handler=handlers.compare,
            hides_secrets=True,
            query=(
                endpoint.Parameter(name="from", meaning="a number, now (the default) or file"),
                endpoint.Parameter(name="to", meaning="a number, now or file (the default)"),
                endpoint.Parameter(name="nginx", meaning="what differs in nginx's files instead", kind="boolean"),
            ),
            answer="from, to, changes (host or key, kind, file, lines) and containers; or nginx_files and notes",
        ),
        endpoint.ApiEndpoint(
            method="POST",
            path="/history/{number}/rollback",
            needs=change,
            summary="Go back to a configuration",
            handler=handlers.roll_back,
            body=(
                endpoint.Parameter(
                    name="confirm_s", meaning="undo it after so many seconds unless it is confirmed", kind="number"
                ),
                endpoint.Parameter(
                    name="force", meaning="also when something would be lost that is nowhere else", kind="boolean"
                ),
            ),
            answer="live, waits, changed, trial, and what was taken from the files of now, deleted or not undone",
        ),
        endpoint.ApiEndpoint(
            method="GET",
            path="/drift",
            needs=look,
            summary="List nginx's files that were edited by hand",
            handler=handlers.drift,
            answer="files (file, kind), message and cure, which are null when there are none",
        ),
    )


class _Handlers:
    def __init__(self, applied: applied_port.AppliedConfigurations) -> None:
        self._applied = applied

    async def list(self, call: endpoint.Call) -> Json:
        page = paging.read(call)
        total, rows = await self._applied.list_newest(page.first, page.size)
        return page.of(rows, total=total)

    async def show(self, call: endpoint.Call) -> Json:
        return await self._applied.show(call.path("number"))

    async def compare(self, call: endpoint.Call) -> Json:
        one, other = call.query("from", "now"), call.query("to", "file")
        of_nginx = call.query("nginx") == "true"
        return await (self._applied.compare_nginx if of_nginx else self._applied.compare)(one, other)

    async def roll_back(self, call: endpoint.Call) -> Json:
        text, force = call.path("number"), request_body_json.take_flag(call.body, "force")
        trial_s = request_body_json.take_seconds(call.body, "confirm_s")
        if not text.isascii() or not text.isdecimal() or len(text) > 15:
            raise exceptions.HTTPException(404, f'cannot go back to "{text[:50]}": expected a number of the history')
        call.target = f"number {text}"
        call.before = await name_newest(self._applied)
        caller = history_port.Caller(
            command=f"dashboard: rollback {int(text)}",
            user=name_user(call.operator),
        )
        report = await self._applied.roll_back(
            int(text),
            is_owner=call.operator.role >= dashboard_roles.Role.OWN,
            force=force,
            trial_s=trial_s,
            caller=caller,
        )
        call.after = await name_newest(self._applied)
        return report

    async def drift(self, _: endpoint.Call) -> Json:
        found = await self._applied.find_drift()
        problem = hand_edits.describe(found, "") if found else None
        return {
            "files": [{"file": one.file, "kind": one.kind.value} for one in found],
            "message": None if problem is None else problem.message,
            "cure": None if problem is None else problem.cure,
        }


def name_user(operator: dashboard_roles.Operator) -> str:
    """Who it is, for the history."""
    return ", ".join(filter(None, (operator.name, operator.address)))


async def name_newest(applied: applied_port.AppliedConfigurations) -> str:
    """What was applied last, for the audit log. "": nothing was, or the history cannot be read."""
    try:
        _, newest = await applied.list_newest(0, 1)
    except DaemunError:
        return ""
    return f"number {newest[0]['number']}" if newest else ""
