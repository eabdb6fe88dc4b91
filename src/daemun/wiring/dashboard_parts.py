"""The dashboard in the daemon, put together: its API, and the process of its pages."""

import collections.abc
import contextlib
import dataclasses
import pathlib
import typing

import daemun
from daemun import settings
from daemun.alerts import notifier
from daemun.control import fleet_port, gate, ports
from daemun.core import layout, model
from daemun.core.access import login_url
from daemun.core.options import dashboard_option
from daemun.dashboard import dashboard_process
from daemun.nginx import nginx_server
from daemun.operators import operators
from daemun.sources import last_good_file
from daemun.sources.docker import nginx_proxy_mode
from daemun.sources.history import trial
from daemun.uptime import status_page_writer
from daemun.web import overview_snapshots, socket_server

if typing.TYPE_CHECKING:
    from starlette import types

    from daemun.web import endpoint


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ApiParts:
    """What the API is made of, all of it the daemon's own. account: of nginx's workers, who may connect; None: nginx
    runs as daemun does."""

    settings: settings.Settings
    gate: gate.Gate
    operators: operators.Operators
    overview: overview_snapshots.OverviewSnapshots
    alerts: notifier.Notifier
    status_page: status_page_writer.StatusPageWriter
    trials: trial.TrialManager
    store: ports.Store
    known: last_good_file.Remembering
    compatible: nginx_proxy_mode.Compatible
    nginx: nginx_server.NginxServer
    account: model.WorkerAccount | None
    read_traffic: fleet_port.ReadTraffic


class DashboardTasks:
    """What listens and what serves."""

    def __init__(self, parts: ApiParts) -> None:
        self._parts = parts
        self._layout = parts.settings.layout
        self._group = parts.account.gid if parts.account else None
        self._account = dashboard_process.choose_account(self._layout)
        self._process = dashboard_process.DashboardProcess(self._layout, group=self._group, account=self._account)
        self._app: types.ASGIApp | None = None

    def list(self) -> dict[str, collections.abc.Callable[[], collections.abc.Coroutine[None, None, None]]]:
        """By their names."""
        return {"dashboard": self._process.run, "API": self._serve_api, "API of pages": self._serve_api_of_pages}

    async def _serve_api(self) -> None:
        """For nginx, which passes on what programs request."""
        await socket_server.serve(self._make_app, pathlib.Path(self._layout.api_socket), group=self._group)

    async def _serve_api_of_pages(self) -> None:
        """The same for the process of the pages."""
        path = pathlib.Path(self._layout.dashboard_api_socket)
        with contextlib.suppress(OSError):  # found again, and reported, by whoever opens the socket
            dashboard_process.prepare_folder(path.parent, self._account)
        await socket_server.serve(self._make_app, path, group=self._account)

    def _make_app(self) -> "types.ASGIApp":
        """Called in a thread, at the first request: what it imports is slow."""
        from daemun.web import operator_api  # noqa: PLC0415

        if self._app is None:
            every = _list_endpoints(self._parts)
            self._app = operator_api.create_app(every, self._parts.operators, version=daemun.__version__)
        return self._app


def paths_of_tasks(paths: layout.Layout) -> dict[str, str]:
    """The path that each of these tasks listens on."""
    return {
        "dashboard": paths.dashboard_socket,
        "API": paths.api_socket,
        "API of pages": paths.dashboard_api_socket,
    }


def _list_endpoints(parts: ApiParts) -> "tuple[endpoint.ApiEndpoint, ...]":
    """Everything there is, an area after the other."""
    from daemun.sources.history import live_changes  # noqa: PLC0415
    from daemun.web import (  # noqa: PLC0415
        ban_endpoints,
        certificate_endpoints,
        container_endpoints,
        edit_endpoints,
        fleet_endpoints,
        history_endpoints,
        operator_endpoints,
        option_search_endpoints,
        overview_endpoints,
        people_endpoints,
        sign_in_endpoints,
        trial_endpoints,
    )
    from daemun.wiring import applied_parts, draft_parts, machine_parts, people, site_parts, target_tries  # noqa: PLC0415

    front = parts.gate
    tries = target_tries.TargetTries(lambda: None if front.last is None else front.last.desired, lambda: parts.account)
    users = people.LoginPeople(parts.settings, lambda: _find_sign_in(front))
    drafts = draft_parts.DraftParts(
        settings=parts.settings, store=parts.store, known=parts.known, compatible=parts.compatible
    )
    changes = live_changes.LiveChanges(parts.settings.config, parts.trials, front)
    applied = applied_parts.make(parts.settings, parts.store, parts.trials, changes, parts.nginx)
    return (
        *sign_in_endpoints.endpoints(
            parts.operators,
            version=daemun.__version__,
            command_options=parts.settings.options,
            has_login=lambda: _has_login(front),
            summarise=parts.overview.summarise,
            refresh=parts.overview.refresh,
        ),
        *overview_endpoints.endpoints(parts.overview),
        *site_parts.endpoints(front, parts.settings, lambda: front.last),
        *edit_endpoints.endpoints(draft_parts.make_desk(drafts, changes, front), tries, applied),
        *trial_endpoints.endpoints(parts.trials),
        *option_search_endpoints.endpoints(),
        *history_endpoints.endpoints(applied),
        *certificate_endpoints.endpoints(front),
        *container_endpoints.endpoints(front),
        *ban_endpoints.endpoints(front),
        *fleet_endpoints.endpoints(front.status_of_fleet, parts.read_traffic),
        *operator_endpoints.endpoints(parts.operators),
        *people_endpoints.endpoints(users, users, parts.operators),
        *machine_parts.endpoints(
            front, parts.settings, report_alerts=parts.alerts.report, find_page=parts.status_page.find_state
        ),
    )


def _find_sign_in(front: gate.Gate) -> str | None:
    """The URL of the page of the sign-in, without a path."""
    last = front.last
    return None if last is None else login_url.find_url(last.desired.globals)


def _has_login(front: gate.Gate) -> bool:
    last = front.last
    return last is not None and dashboard_option.find_login_host(last.desired.globals) is not None
