"""The API's endpoints for containers: what is served, and why one is not."""

import collections
import typing

from daemun.control import gate_port
from daemun.core import model
from daemun.core.access import dashboard_roles
from daemun.web import container_json, endpoint, json_values, paging

Json = dict[str, typing.Any]

MOST_PROBLEMS = 100


def endpoints(gate: gate_port.GatePort) -> tuple[endpoint.ApiEndpoint, ...]:
    handlers = _Handlers(gate)
    return (
        endpoint.ApiEndpoint(
            method="GET",
            path="/containers",
            needs=dashboard_roles.Role.LOOK,
            summary="List the containers that request to be reached, those that are not first",
            handler=handlers.list,
            query=(
                *paging.QUERY,
                endpoint.Parameter(name="q", meaning="a part of the name, of its engine or of a host"),
                endpoint.Parameter(name="lamp", meaning="bad, warning or good: those alone"),
            ),
            answer=(
                "name, engine, hosts, streams, served, why and cure, state, health, restarts, started_at, lamp; lamps: "
                "how many of each there are; engines: name, endpoint, answers, since and why, and how many containers "
                "of it there are (containers) and are served; problems: what is wrong with an engine, or with what "
                "containers request"
            ),
        ),
    )


class _Handlers:
    def __init__(self, gate: gate_port.GatePort) -> None:
        self._gate = gate

    async def list(self, call: endpoint.Call) -> Json:
        page, status = paging.read(call), self._gate.status(added=False)
        wanted, lamp = call.query("q").strip().lower(), call.query("lamp")
        found = sorted(
            ((container_json.lamp_of(one), one) for one in status.containers),
            key=lambda item: (container_json.LAMPS.index(item[0]), item[1].full_name),
        )
        chosen = [
            row_json(one)
            for shown, one in found
            if lamp in {"", shown} and any(wanted in text.lower() for text in (one.full_name, *one.hosts, *one.streams))
        ]
        counted = collections.Counter(shown for shown, _ in found)
        problems = tuple(one for one in status.problems if one.origin.source == model.CONTAINERS)
        return {
            **page.cut(chosen),
            "lamps": {one: counted[one] for one in container_json.LAMPS},
            "engines": [_engine_json(one, status.containers) for one in status.engines],
            "problems": json_values.problems_json(problems[:MOST_PROBLEMS]),
        }


def _engine_json(engine: model.EngineStatus, containers: tuple[model.ContainerStatus, ...]) -> Json:
    """With how many containers of it request something, and how many of those are served."""
    own = [one for one in containers if one.engine == engine.name]
    counted = {"containers": len(own), "served": sum(one.is_served for one in own)}
    return {**container_json.engine_json(engine), **counted}


def row_json(container: model.ContainerStatus) -> Json:
    """Keys may be added, never renamed."""
    started_at = json_values.instant_json(container.started_at)
    return {**container_json.container_json(container), "started_at": started_at}
