"""What is wrong with the nginx that serves, above all its known weaknesses: what is seen without a daemon."""

import datetime
import shutil
import typing

from daemun import errors
from daemun import settings as settings_
from daemun.core import doctor_findings, model
from daemun.core.nginx_builds import nginx_build, nginx_weaknesses
from daemun.nginx.builds import build_facts, running_build
from daemun.wiring import nginx_environment


def look(settings: settings_.Settings) -> running_build.Exposure | None:
    """Of the nginx that runs, else of the one that would. None: there is none. Blocking, some 10 ms."""
    today = datetime.datetime.now(datetime.UTC).date()
    return running_build.look(settings.layout, lambda: nginx_environment.find_nginx(settings).path, today=today)


def find_successor(settings: settings_.Settings) -> nginx_build.Build | None:
    """The nginx that would be started, whatever serves now; None: there is none. Blocking, some 10 ms."""
    try:
        return build_facts.read(nginx_environment.find_next(settings).path)
    except errors.EnvironmentProblemError:
        return None


def judge_allocator(settings: settings_.Settings, serving: nginx_build.Build) -> tuple[model.Finding, ...]:
    """Whether its requests cost what they must, and the cure that can be had here. Blocking, some 10 ms."""
    return doctor_findings.judge_allocator(
        serving,
        find_successor(settings),
        named=settings.nginx_from if settings.nginx is not None else None,
        has_apt=shutil.which("apt-get") is not None,
    )


def look_at_allocator(settings: settings_.Settings, path: str) -> tuple[model.Finding, ...]:
    """The same of a binary. Blocking, some 10 ms."""
    try:
        return judge_allocator(settings, build_facts.read(path))
    except errors.EnvironmentProblemError:
        return ()


def weaknesses_json(weaknesses: tuple[nginx_weaknesses.Weakness, ...]) -> list[dict[str, typing.Any]]:
    """`fixed` is empty where no nginx has the fix; `applies` is whether the running configuration lays it open."""
    return [
        {
            "name": one.name,
            "title": one.title,
            "severity": one.severity,
            "fixed": list(one.fixed),
            "applies": one.applies,
            "meanwhile": one.meanwhile,
        }
        for one in weaknesses
    ]
