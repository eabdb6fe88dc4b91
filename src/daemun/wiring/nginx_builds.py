"""The nginx binaries of this machine and those that daemun installs, for `daemun nginx`."""

import datetime
import os
import pathlib

from daemun import causes, errors, settings
from daemun.core.nginx_builds import nginx_weaknesses
from daemun.nginx import find_nginx, process
from daemun.nginx.builds import (
    build_facts,
    build_list,
    debian_packages,
    install_build,
    installed_builds,
    running_build,
)
from daemun.wiring import nginx_environment


def list_builds(chosen: settings.Settings) -> tuple[build_list.Listed, ...]:
    """See `build_list`. Blocking."""
    return build_list.list_builds(
        chosen.layout,
        named=str(chosen.nginx) if chosen.nginx is not None else None,
        path=os.environ.get("PATH", ""),
        today=datetime.datetime.now(datetime.UTC).date(),
    )


def install_debian(
    chosen: settings.Settings, *, is_shared: bool, mirror: str | None, suite: str | None, accept_expired: bool
) -> installed_builds.Installed:
    """Debian's newest. Blocking, seconds. Raises: EnvironmentProblemError; then nothing has changed."""

    def fetch(folder: pathlib.Path) -> tuple[pathlib.Path, ...]:
        suites = debian_packages.SUITES if suite is None else (suite,)
        return debian_packages.fetch(folder, mirror=mirror, suites=suites, accept_expired=accept_expired).files

    return install_build.install(_choose_folder(chosen, is_shared=is_shared), fetch)


def install_best(chosen: settings.Settings, *, is_shared: bool) -> str:
    """The best that can be had: one of the system that is new enough, else Debian's newest, else the bundled one.
    Blocking, seconds.

    Returns: which it is, and why. Raises: EnvironmentProblemError when there is none.
    """
    for path in find_nginx.search(os.environ.get("PATH", "")):
        usable = find_nginx.examine(path)
        if not isinstance(usable, str):
            return f"nginx {_text(usable.version)} of the system is used ({path}): it is new enough"
    try:
        made = install_debian(chosen, is_shared=is_shared, mirror=None, suite=None, accept_expired=False)
    except errors.EnvironmentProblemError as error:
        usable = nginx_environment.find_next(chosen)
        return f"nginx {_text(usable.version)} is used ({usable.path}), for no newer one can be had: {error}"
    return f"nginx {made.name} of Debian is used ({made.path}): the system has none that is new enough"


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def install_files(
    chosen: settings.Settings, files: tuple[pathlib.Path, ...], *, is_shared: bool
) -> installed_builds.Installed:
    """The packages that the owner has. Blocking. Raises: EnvironmentProblemError; then nothing has changed."""
    return install_build.install(_choose_folder(chosen, is_shared=is_shared), lambda _: files)


def use(chosen: settings.Settings, name: str) -> installed_builds.Installed:
    """Raises: EnvironmentProblemError."""
    return installed_builds.use(chosen.layout, name)


def read_choices(chosen: settings.Settings) -> dict[pathlib.Path, str | None]:
    """Which one is chosen, for `restore_choices`."""
    return installed_builds.read_choices(chosen.layout)


def restore_choices(choices: dict[pathlib.Path, str | None]) -> None:
    """Raises: EnvironmentProblemError."""
    try:
        installed_builds.restore_choices(choices)
    except OSError as error:
        raise errors.EnvironmentProblemError(
            f"cannot choose the former nginx again: {causes.describe(error)}; `daemun nginx list` shows which one is"
        ) from error


def remove(chosen: settings.Settings, name: str) -> installed_builds.Installed:
    """Raises: EnvironmentProblemError."""
    return installed_builds.remove(chosen.layout, name, running=process.find_program(chosen.layout))


def list_weaknesses(chosen: settings.Settings, path: str) -> tuple[nginx_weaknesses.Weakness, ...]:
    """Of one binary, with the configuration that runs or ran last. Blocking. Raises: EnvironmentProblemError."""
    return running_build.judge(build_facts.read(path), chosen.layout, today=datetime.datetime.now(datetime.UTC).date())


def find_running(chosen: settings.Settings) -> str | None:
    """The program that serves; None: none does. Blocking."""
    return process.find_program(chosen.layout)


def _choose_folder(chosen: settings.Settings, *, is_shared: bool) -> pathlib.Path:
    own, shared = installed_builds.folders(chosen.layout)
    return shared if is_shared else own
