"""The API's endpoints for the machine: nginx with its weaknesses, old workers, memory, disks, reloads; and what
`daemun doctor` finds of the gate."""

import asyncio
import datetime
import time
import typing

from daemun.control import gate_port, machine_port
from daemun.core.access import dashboard_roles
from daemun.web import endpoint, json_values, nginx_json

Json = dict[str, typing.Any]

KEPT_S = 60.0
"""So long what was found is shown again: a look takes seconds, and queries name servers."""


def endpoints(gate: gate_port.GatePort, machine: machine_port.MachinePort) -> tuple[endpoint.ApiEndpoint, ...]:
    handlers = _Handlers(gate, machine)
    look = dashboard_roles.Role.LOOK
    return (
        endpoint.ApiEndpoint(
            method="GET",
            path="/machine",
            needs=look,
            summary="Show nginx with its weaknesses, old workers, memory, disks and reloads",
            handler=handlers.show,
            answer="nginx (version, weaknesses, reloads, workers, successor), old_workers, memory, disks, load",
        ),
        endpoint.ApiEndpoint(
            method="GET",
            path="/machine/findings",
            needs=look,
            summary="Look for what is wrong, or will be, as `daemun doctor` does of the gate",
            handler=handlers.find,
            answer=f"findings with cures, the worst first; of the last {KEPT_S:g} seconds at most: `looked_at`",
        ),
    )


class _Handlers:
    """One method per endpoint."""

    def __init__(self, gate: gate_port.GatePort, machine: machine_port.MachinePort) -> None:
        self._gate = gate
        self._machine = machine
        self._looking = asyncio.Lock()
        self._found: tuple[float, Json] | None = None

    async def show(self, _: endpoint.Call) -> Json:
        await self._gate.look_at_nginx()
        old = await self._gate.look_at_old_workers()
        status = self._gate.status(added=False)
        found = await asyncio.to_thread(self._machine.look)
        weaknesses = () if found.nginx is None else found.nginx.weaknesses
        return {
            "version": status.version,
            "started_at": json_values.instant_json(status.started_at),
            "nginx": {
                **nginx_json.nginx_json(status, old),
                "name": None if found.nginx is None else found.nginx.name,
                "weaknesses": nginx_json.weaknesses_json(weaknesses),
            },
            "memory": {
                "daemon_bytes": found.daemon_bytes,
                "nginx_bytes": found.nginx_bytes,
                "total_bytes": found.total_bytes,
                "available_bytes": found.available_bytes,
            },
            "disks": [
                {"folder": one.folder, "free_bytes": one.free_bytes, "total_bytes": one.total_bytes}
                for one in found.disks
            ],
            "cores": found.cores,
            "load": [round(one, 2) for one in found.load],
            "problems": json_values.problems_json(status.problems),
        }

    async def find(self, _: endpoint.Call) -> Json:
        async with self._looking:  # many who look at once share one look
            if self._found is None or time.monotonic() - self._found[0] > KEPT_S:
                found = json_values.findings_json(await self._gate.diagnose(None))
                found.sort(key=lambda one: _ORDER[one["weight"]])
                looked_at = json_values.instant_json(datetime.datetime.now(datetime.UTC))
                self._found = (time.monotonic(), {"looked_at": looked_at, "findings": found})
            return self._found[1]


_ORDER = {"blocks": 0, "warns": 1, "good": 2}
