"""What is known of the machine for who looks at it: memory, disks, load, the nginx that serves; and all that the API of
the settings' pages consists of. Imported at the first request."""

import collections.abc
import functools
import os

import psutil

from daemun import settings
from daemun.alerts import gate_facts
from daemun.control import gate_port, machine_port
from daemun.core.alerts import alert_report
from daemun.core.uptime import status_report
from daemun.nginx import kernel_processes, process
from daemun.web import alert_endpoints, endpoint, machine_endpoints, uptime_endpoints
from daemun.wiring import nginx_exposure, uptime_parts


def endpoints(
    gate: gate_port.GatePort,
    chosen: settings.Settings,
    *,
    report_alerts: collections.abc.Callable[[], alert_report.AlertReport | None],
    find_page: collections.abc.Callable[[], status_report.PageState],
) -> tuple[endpoint.ApiEndpoint, ...]:
    """report_alerts: of the notifier. find_page: of what writes the status page."""
    return (
        *uptime_endpoints.endpoints(functools.partial(uptime_parts.read, chosen.layout), find_page),
        *machine_endpoints.endpoints(gate, MachineReader(chosen)),
        *alert_endpoints.endpoints(gate, report_alerts),
    )


class MachineReader:
    """Implements `control.machine_port.MachinePort`."""

    def __init__(self, chosen: settings.Settings) -> None:
        self._chosen = chosen

    def look(self) -> machine_port.MachineReport:
        paths = self._chosen.layout
        memory = psutil.virtual_memory()
        return machine_port.MachineReport(
            nginx=nginx_exposure.look_at_serving(self._chosen),
            disks=gate_facts.measure((paths.state, paths.store, paths.live, paths.logs, paths.run)),
            daemon_bytes=_memory_of([os.getpid()]),
            nginx_bytes=_memory_of([one.pid for one in process.find_family(paths)]),
            total_bytes=memory.total,
            available_bytes=memory.available,
            cores=os.cpu_count() or 1,
            load=os.getloadavg(),
        )


def _memory_of(processes: list[int]) -> int | None:
    total = 0
    for pid in processes:
        try:
            shared = kernel_processes.read_shared_memory(pid)
        except ProcessLookupError:
            continue
        if shared is None:
            return None
        total += shared
    return total if processes else None
