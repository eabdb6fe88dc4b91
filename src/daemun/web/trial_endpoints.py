"""The API's endpoints for a configuration that is undone by itself unless it is confirmed."""

import typing

from daemun.control import history_port
from daemun.core.access import dashboard_roles
from daemun.web import endpoint, history_endpoints

Json = dict[str, typing.Any]


def endpoints(trials: history_port.Trials) -> tuple[endpoint.ApiEndpoint, ...]:
    handlers = _Handlers(trials)
    look, change = dashboard_roles.Role.LOOK, dashboard_roles.Role.CHANGE
    return (
        endpoint.ApiEndpoint(
            method="GET",
            path="/trial",
            needs=look,
            summary="Show what is on trial",
            handler=handlers.show,
            answer="trial (number, until), or null",
        ),
        endpoint.ApiEndpoint(
            method="POST",
            path="/trial/confirm",
            needs=change,
            summary="Keep what is on trial",
            handler=handlers.confirm,
            answer="trial, as it was",
        ),
        endpoint.ApiEndpoint(
            method="POST",
            path="/trial/undo",
            needs=change,
            summary="Undo what is on trial now",
            handler=handlers.undo,
            answer="trial, as it was",
        ),
    )


class _Handlers:
    def __init__(self, trials: history_port.Trials) -> None:
        self._trials = trials

    async def show(self, _: endpoint.Call) -> Json:
        return {"trial": history_port.trial_json(self._trials.find())}

    async def confirm(self, call: endpoint.Call) -> Json:
        found = await self._trials.confirm(is_owner=_is_owner(call))
        call.target = f"trial, back to {found.number}"
        return {"trial": history_port.trial_json(found)}

    async def undo(self, call: endpoint.Call) -> Json:
        caller = history_port.Caller(command="dashboard: undo", user=history_endpoints.name_user(call.operator))
        found = await self._trials.undo(caller, is_owner=_is_owner(call))
        call.target = f"trial, back to {found.number}"
        return {"trial": history_port.trial_json(found)}


def _is_owner(call: endpoint.Call) -> bool:
    return call.operator.role >= dashboard_roles.Role.OWN
