"""What the daemon listens on, besides nginx's ports."""

import asyncio
import dataclasses
import pathlib
import typing

import structlog

from daemun import errors
from daemun.banning import guess_reports
from daemun.certs import account_service
from daemun.certs.served import client_links
from daemun.control import gate, history_port
from daemun.core import layout
from daemun.hold import hold_queue
from daemun.nginx import work_folder
from daemun.on_demand import ask_program, missed_handshakes
from daemun.operators import operators
from daemun.web import overview_snapshots, socket_server
from daemun.wiring import dashboard_parts, operator_parts

if typing.TYPE_CHECKING:
    from starlette import types


log: structlog.stdlib.BoundLogger = structlog.get_logger()


def paths_of_tasks(paths: layout.Layout) -> dict[str, str]:
    """The path that each of the daemon's tasks listens on."""
    return {
        "control socket": paths.control_socket,
        "hold socket": paths.hold_socket,
        "domains socket": paths.domains_socket,
        "client links socket": paths.client_links_socket,
        "missed handshakes": paths.missed_socket,
        "guesses": paths.guesses_socket,
        **dashboard_parts.paths_of_tasks(paths),
    }


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sockets:
    """Each is served until cancelled. group: the number of the workers' group, None: nginx runs as daemun does."""

    layout: layout.Layout
    group: int | None
    gate: gate.Gate
    acme_service: account_service.AccountService
    queue: hold_queue.HoldQueue
    program: ask_program.AskProgram
    guess_reports: guess_reports.GuessReports
    links: client_links.ClientLinks
    trials: history_port.Trials
    overview: overview_snapshots.OverviewSnapshots
    operators: operators.Operators

    async def serve_control(self) -> None:
        """In a folder in memory where the state directory cannot be written: commands look there, too."""
        try:
            await socket_server.serve(self._make_api, pathlib.Path(self.layout.control_socket))
        except errors.EnvironmentProblemError as error:
            other = await asyncio.to_thread(work_folder.make_control_socket, self.layout.state)
            log.warning(f"{error}; commands are answered at {other}")
            await socket_server.serve(self._make_api, pathlib.Path(other))

    async def serve_hold(self) -> None:
        await socket_server.serve(self._make_hold_app, pathlib.Path(self.layout.hold_socket), group=self.group)

    async def serve_domains(self) -> None:
        await socket_server.serve(self._make_on_demand_app, pathlib.Path(self.layout.domains_socket), group=self.group)

    async def serve_client_links(self) -> None:
        path = pathlib.Path(self.layout.client_links_socket)
        await socket_server.serve(self._make_client_link_app, path, group=self.group)

    async def listen_to_missed(self) -> None:
        await missed_handshakes.listen(self.layout, self.program, group=self.group)

    async def listen_to_guesses(self) -> None:
        await self.guess_reports.listen(self.group)

    # Their modules are imported here, at the first request: starlette is slow to import.

    def _make_api(self) -> "types.ASGIApp":
        from daemun.web import (  # noqa: PLC0415
            accounts_api,
            api,
            dashboard_access_api,
            fleet_endpoints,
            overview_endpoints,
            trial_api,
        )

        more = [
            *accounts_api.routes(self.acme_service, self.acme_service),
            *trial_api.routes(self.trials),
            *overview_endpoints.control_routes(self.overview),
            *fleet_endpoints.control_routes(self.gate.status_of_fleet),
            *dashboard_access_api.routes(self.operators, lambda: operator_parts.find_url(self.gate)),
        ]
        return api.create_app(self.gate, more)

    def _make_hold_app(self) -> "types.ASGIApp":
        from daemun.hold import hold_app  # noqa: PLC0415

        return hold_app.create_app(self.queue, self.layout.hold_socket)

    def _make_on_demand_app(self) -> "types.ASGIApp":
        from daemun.on_demand import on_demand_app  # noqa: PLC0415

        return on_demand_app.create_app(self.program)

    def _make_client_link_app(self) -> "types.ASGIApp":
        from daemun.certs.served import client_link_app  # noqa: PLC0415

        return client_link_app.create_app(self.links)
