"""The API of what one site is made of: nginx's file, and the lines of daemun.yaml."""

import asyncio
import typing

from daemun.control import gate_port, site_port
from daemun.core.access import dashboard_roles
from daemun.web import endpoint, site_endpoints

Json = dict[str, typing.Any]


def endpoints(gate: gate_port.GatePort, files: site_port.SiteFiles) -> tuple[endpoint.ApiEndpoint, ...]:
    return (
        endpoint.ApiEndpoint(
            method="GET",
            path="/sites/{host}/files",
            needs=dashboard_roles.Role.LOOK,
            summary="Show nginx's file of a site, and the lines of daemun.yaml that it comes from",
            handler=_Handler(gate, files).show,
            hides_secrets=True,
            answer="`nginx`, `source`: parts of files with their first lines; owners see secrets. `containers`: names.",
        ),
    )


class _Handler:
    def __init__(self, gate: gate_port.GatePort, files: site_port.SiteFiles) -> None:
        self._gate = gate
        self._files = files

    async def show(self, call: endpoint.Call) -> Json:
        status, item = site_endpoints.find(self._gate, call.path("host"))
        shows_secrets = call.operator.role >= dashboard_roles.Role.OWN
        nginx = await asyncio.to_thread(self._files.read_nginx, item.site.host, shows_secrets=shows_secrets)
        source = await asyncio.to_thread(self._files.read_source, item.site, shows_secrets=shows_secrets)
        return {
            "host": item.site.host,
            "origin": str(item.site.origin),
            "hides_secrets": not shows_secrets,
            "generation": status.generation,
            "nginx": list(map(_text_json, nginx)),
            "source": list(map(_text_json, source)),
            "containers": [one.full_name for one in status.containers],
        }


def _text_json(one: site_port.SiteText) -> Json:
    return {"name": one.name, "first": one.first, "text": one.text, "whole": one.is_whole}
