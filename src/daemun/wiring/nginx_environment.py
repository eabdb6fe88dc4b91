"""The nginx of this machine, and what else rendering needs to know of it."""

import dataclasses

from daemun import settings
from daemun.core import layout, model, render_environment
from daemun.core.options import workers_option
from daemun.nginx import (
    answers_folder,
    find_nginx,
    judge_cache,
    machine_limits,
    master_program,
    old_workers,
    process,
    worker_register,
)
from daemun.nginx.builds import installed_builds


def choose_nginx(chosen: settings.Settings) -> render_environment.Nginx:
    """The one that was named; else the one that serves, for what it refuses counts; else the best that is there.

    Raises: EnvironmentProblemError with what was looked at.
    """
    if chosen.nginx is not None:
        return find_nginx.find(str(chosen.nginx))
    return find_serving(chosen) or find_next(chosen)


def find_serving(chosen: settings.Settings) -> render_environment.Nginx | None:
    """The one that serves, also when its file was replaced meanwhile; None: none does, or it cannot be used. Blocking,
    some 10 ms."""
    master = process.find_master(chosen.layout)
    if master is None:
        return None
    # A file that was deleted is still there for whoever runs it.
    running = process.find_program(chosen.layout) or master_program.path_of(master.pid)
    found = find_nginx.examine(running)
    return found if isinstance(found, render_environment.Nginx) else None


def find_next(chosen: settings.Settings) -> render_environment.Nginx:
    """What would be started, whatever serves now. Raises: EnvironmentProblemError with what was looked at."""
    if chosen.nginx is not None:
        return find_nginx.find(str(chosen.nginx))
    return find_nginx.find(None, installed=installed_builds.find_current(chosen.layout))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What rendering needs that does not change while daemun runs."""

    layout: layout.Layout
    account: model.WorkerAccount | None

    def describe(
        self,
        current: model.Globals,
        *,
        binary: render_environment.Nginx,
        thumbprint: str | None,
        resolver: str | None,
    ) -> render_environment.Environment:
        return render_environment.Environment(
            layout=self.layout,
            nginx=binary,
            thumbprint=thumbprint,
            user=self.account.user if self.account else None,
            group=self.account.group if self.account else None,
            resolver=resolver,
            ca_bundle=machine_limits.find_ca_bundle(),
            workers=workers_option.OPTION.of(current) or machine_limits.count_cores(),
            ipv6=machine_limits.has_ipv6(),
            open_files=machine_limits.count_open_files(),
            judge_cache=judge_cache.find(self.layout.state),
            keeps_answers=answers_folder.is_possible(self.layout),
        )


def observe(paths: layout.Layout, workers: worker_register.Register) -> tuple[model.Actual, int]:
    """The nginx that runs, and how often it was reloaded. Blocking, milliseconds."""
    master = process.find_master(paths)
    found = old_workers.find_workers(paths, workers.read())
    if master is None:
        return model.Actual(workers=found), 0
    return model.Actual(pid=master.pid, workers=found), process.read_reloads(paths, master)
