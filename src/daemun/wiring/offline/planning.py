"""What the next `daemun up` would do."""

import dataclasses

from daemun import settings as settings_
from daemun.control import gate, gate_port
from daemun.core import change_plan, merge
from daemun.nginx import nginx_server
from daemun.wiring import nginx_environment
from daemun.wiring.offline import configuration, rendering, run_async


def plan(settings: settings_.Settings) -> gate_port.PlanReport:
    """What `daemun up` would do now. Raises: DaemunError when nothing can be planned."""
    desired = configuration.read(settings)
    binary = nginx_environment.find_nginx(settings)
    actual = run_async.run(nginx_server.Nginx(binary, settings.layout).read_actual())
    assembled = rendering.assemble(settings, desired, binary, last_good=actual.files or {})
    wanted = change_plan.plan(
        desired, assembled.files, actual, specs=merge.certificate_specs(desired), services=merge.services(desired)
    )
    wanted = dataclasses.replace(
        wanted, changes=change_plan.with_lines(wanted.changes, assembled.files, actual.files or {})
    )
    return gate.report_plan(wanted, rendering.problems_of(settings, desired, assembled))
