"""The nodes of a fleet in the API, and on the control socket for `daemun fleet status`."""

import asyncio
import collections.abc
import typing

from starlette import requests, responses, routing

from daemun.control import fleet_port
from daemun.core.access import dashboard_roles
from daemun.core.dashboard import site_row
from daemun.core.fleet import node_states
from daemun.errors import EnvironmentProblemError
from daemun.web import endpoint, fleet_json, json_values

Json = dict[str, typing.Any]
Find = collections.abc.Callable[[], node_states.FleetStatus | None]


def endpoints(find: Find, read_traffic: fleet_port.ReadTraffic) -> tuple[endpoint.ApiEndpoint, ...]:
    async def show(_: endpoint.Call) -> Json:
        return _answer(find())

    async def traffic(call: endpoint.Call) -> Json:
        host = call.query("host", "")
        try:
            found = await asyncio.to_thread(read_traffic, site_row.traffic_name(host) if host else None)
        except EnvironmentProblemError as error:
            return {"traffic": None, "error": str(error)}
        return {"traffic": fleet_json.traffic_json(found), "error": None}

    return (
        endpoint.ApiEndpoint(
            method="GET",
            path="/fleet",
            needs=dashboard_roles.Role.LOOK,
            summary="Show the machines of the fleet and whether its database is reached",
            handler=show,
            answer="`fleet`: name of this machine, `database`, `nodes` with state and version, or null; `problems`",
        ),
        endpoint.ApiEndpoint(
            method="GET",
            path="/fleet/traffic",
            needs=dashboard_roles.Role.LOOK,
            summary="Count the requests of the last 24 hours on each machine of the fleet, and on all together",
            handler=traffic,
            query=(endpoint.Parameter(name="host", meaning="of this site alone"),),
            answer="`traffic`: `since`, `nodes` and their `total`; null without a fleet, or with the `error` of its "
            "database. Machines tell each other some minutes later, by whole hours.",
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
