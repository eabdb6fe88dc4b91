"""The files that nginx would be given, and what they would change."""

import collections.abc
import dataclasses

from daemun import settings
from daemun.certs.acme import acme_accounts
from daemun.control import gate_port, round_reports
from daemun.core import model, render_environment
from daemun.core.options import user_option
from daemun.core.plan import change_plan
from daemun.core.rounds import assembly, merge, outcome
from daemun.discovery import resolver_places
from daemun.nginx import nginx_server, worker_account
from daemun.wiring import nginx_environment
from daemun.wiring.offline import configuration, run_async

UNUSED_RESOLVER = "127.0.0.1:53530"
"""Stands in rendered files for the address that the first `daemun up` will choose."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """files: what nginx would be given, relative path -> content. problems: what is not in them, or deserves a look."""

    files: dict[str, bytes]
    problems: tuple[model.Problem, ...]


def render(chosen: settings.Settings) -> Rendered:
    """The files nginx would be given. Raises: DaemunError."""
    desired = configuration.read(chosen)
    assembled = assemble(chosen, desired, nginx_environment.choose_nginx(chosen), last_good={})
    return Rendered(files=assembled.files, problems=problems_of(chosen, desired, assembled))


def plan(chosen: settings.Settings) -> gate_port.PlanReport:
    """What `daemun up` would do now. Raises: DaemunError when nothing can be planned."""
    desired = configuration.read(chosen)
    binary = nginx_environment.choose_nginx(chosen)
    actual = run_async.run(nginx_server.NginxServer(binary, chosen.layout).read_actual())
    assembled = assemble(chosen, desired, binary, last_good=actual.files or {})
    wanted = change_plan.plan(
        desired, assembled.files, actual, specs=merge.certificate_specs(desired), services=merge.services(desired)
    )
    wanted = dataclasses.replace(
        wanted, changes=change_plan.with_lines(wanted.changes, assembled.files, actual.files or {})
    )
    return round_reports.report_plan(wanted, problems_of(chosen, desired, assembled))


def assemble(
    chosen: settings.Settings,
    desired: model.Desired,
    binary: render_environment.Nginx,
    *,
    last_good: collections.abc.Mapping[str, bytes],
) -> assembly.Assembled:
    """As the daemon would, with what an earlier one left. last_good: what sites at fault keep, path -> content."""
    store = configuration.find_store(chosen)
    account = worker_account.choose(user_option.OPTION.of(desired.globals))
    env = nginx_environment.Machine(layout=chosen.layout, account=account).describe(
        desired.globals,
        binary=binary,
        thumbprint=acme_accounts.read_thumbprint(store) if store else None,
        resolver=(resolver_places.read_address(store) if store else None) or UNUSED_RESOLVER,
    )
    return assembly.assemble_files(desired, env, last_good=last_good)


def problems_of(
    chosen: settings.Settings, desired: model.Desired, assembled: assembly.Assembled
) -> tuple[model.Problem, ...]:
    """All that is reported of what would be served."""
    refusals = outcome.refusal_problems(desired, assembled.refused)
    return (*desired.problems, *configuration.unseen(chosen, desired), *assembled.problems, *refusals)
