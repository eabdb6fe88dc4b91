"""What is wrong with the nginx that serves, above all its known weaknesses: what is seen without a daemon."""

import datetime
import shutil

from daemun import errors, settings
from daemun.core import doctor_findings, model
from daemun.core.alerts import gate_concerns
from daemun.core.nginx_builds import nginx_build
from daemun.nginx.builds import build_facts, running_build
from daemun.wiring import nginx_environment


def look(chosen: settings.Settings) -> running_build.Exposure | None:
    """Of the nginx that runs, else of the one that would. None: there is none. Blocking, some 10 ms."""
    today = datetime.datetime.now(datetime.UTC).date()
    return running_build.look(chosen.layout, lambda: nginx_environment.choose_nginx(chosen).path, today=today)


def look_at_serving(chosen: settings.Settings) -> gate_concerns.ServingNginx | None:
    """The same for alerts."""
    found = look(chosen)
    if found is None:
        return None
    return gate_concerns.ServingNginx(name=f"nginx {found.build.text}", weaknesses=found.weaknesses)


def find_successor(chosen: settings.Settings) -> nginx_build.Build | None:
    """The nginx that would be started, whatever serves now; None: there is none. Blocking, some 10 ms."""
    try:
        return build_facts.read(nginx_environment.find_next(chosen).path)
    except errors.EnvironmentProblemError:
        return None


def judge_allocator(chosen: settings.Settings, serving: nginx_build.Build) -> tuple[model.Finding, ...]:
    """Whether its requests cost what they must, and the cure that can be had here. Blocking, some 10 ms."""
    return doctor_findings.judge_allocator(
        serving,
        find_successor(chosen),
        named=chosen.nginx_from if chosen.nginx is not None else None,
        has_apt=shutil.which("apt-get") is not None,
    )


def look_at_allocator(chosen: settings.Settings, path: str) -> tuple[model.Finding, ...]:
    """The same of a binary. Blocking, some 10 ms."""
    try:
        return judge_allocator(chosen, build_facts.read(path))
    except errors.EnvironmentProblemError:
        return ()
