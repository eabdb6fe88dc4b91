"""The known weaknesses of the nginx that serves, for commands: what a state directory shows without a daemon."""

import datetime
import typing

from daemun import errors
from daemun import settings as settings_
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
