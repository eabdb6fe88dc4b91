"""The nginx binaries of this machine and those that daemun installs, for `daemun nginx`."""

import datetime
import os
import pathlib

from daemun import settings as settings_
from daemun.core import nginx_weaknesses
from daemun.nginx import process
from daemun.nginx.builds import (
    build_facts,
    build_list,
    debian_packages,
    install_build,
    installed_builds,
    running_build,
)


def list_builds(settings: settings_.Settings) -> tuple[build_list.Listed, ...]:
    """See `build_list`. Blocking."""
    return build_list.list_builds(
        settings.layout,
        named=str(settings.nginx) if settings.nginx is not None else None,
        path=os.environ.get("PATH", ""),
        today=datetime.datetime.now(datetime.UTC).date(),
    )


def install_debian(
    settings: settings_.Settings, *, is_shared: bool, mirror: str | None, suite: str | None, accept_expired: bool
) -> installed_builds.Installed:
    """Debian's newest. Blocking, seconds. Raises: EnvironmentProblemError; then nothing has changed."""

    def fetch(folder: pathlib.Path) -> tuple[pathlib.Path, ...]:
        suites = debian_packages.SUITES if suite is None else (suite,)
        return debian_packages.fetch(folder, mirror=mirror, suites=suites, accept_expired=accept_expired).files

    return install_build.install(_choose_folder(settings, is_shared=is_shared), fetch)


def install_files(
    settings: settings_.Settings, files: tuple[pathlib.Path, ...], *, is_shared: bool
) -> installed_builds.Installed:
    """The packages that the owner has. Blocking. Raises: EnvironmentProblemError; then nothing has changed."""
    return install_build.install(_choose_folder(settings, is_shared=is_shared), lambda _: files)


def use(settings: settings_.Settings, name: str) -> installed_builds.Installed:
    """Raises: EnvironmentProblemError."""
    return installed_builds.use(settings.layout, name)


def remove(settings: settings_.Settings, name: str) -> installed_builds.Installed:
    """Raises: EnvironmentProblemError."""
    return installed_builds.remove(settings.layout, name, running=process.find_program(settings.layout))


def list_weaknesses(settings: settings_.Settings, path: str) -> tuple[nginx_weaknesses.Weakness, ...]:
    """Of one binary, with the configuration that runs or ran last. Blocking. Raises: EnvironmentProblemError."""
    return running_build.judge(
        build_facts.read(path), settings.layout, today=datetime.datetime.now(datetime.UTC).date()
    )


def find_running(settings: settings_.Settings) -> str | None:
    """The program that serves; None: none does. Blocking."""
    return process.find_program(settings.layout)


def _choose_folder(settings: settings_.Settings, *, is_shared: bool) -> pathlib.Path:
    own, shared = installed_builds.folders(settings.layout)
    return shared if is_shared else own
