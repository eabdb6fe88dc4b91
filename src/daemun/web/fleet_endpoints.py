"""The nodes of a fleet in the API, and on the control socket for `daemun fleet status`."""

import collections.abc
import typing

from starlette import requests, responses, routing

from daemun.core.access import dashboard_roles
from daemun.core.fleet import node_states
from daemun.web import endpoint, fleet_json, json_values

Json = dict[str, typing.Any]
Find = collections.abc.Callable[[], node_states.FleetStatus | None]


def endpoints(find: Find) -> tuple[endpoint.ApiEndpoint, ...]:
    async def show(_: endpoint.Call) -> Json:
        return _answer(find())

    return (
        endpoint.ApiEndpoint(
            method="GET",
            path="/fleet",
            needs=dashboard_roles.Role.LOOK,
            summary="Show the machines of the fleet and whether its database is reached",
            handler=show,
            answer="`fleet`: name of this machine, `database`, `nodes` with state and version, or null; `problems`",
        ),
    )


def control_routes(find: Find) -> list[routing.BaseRoute]:
    """The same on the control socket."""

    async def show(_: requests.Request) -> responses.Response:
        return responses.JSONResponse(_answer(find()))

    return [routing.Route("/fleet", show, methods=["GET"])]


def _answer(status: node_states.FleetStatus | None) -> Json:
    problems = () if status is None else node_states.find_problems(status)
    return {"fleet": fleet_json.fleet_json(status), "problems": json_values.problems_json(problems)}
