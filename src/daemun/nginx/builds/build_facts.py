"""What is known of one nginx binary."""

import contextlib
import datetime
import gzip
import os
import pathlib
import subprocess

from daemun import causes, errors
from daemun.core.nginx_builds import nginx_build
from daemun.nginx import find_nginx

_CHANGELOG = "share/doc/nginx/changelog.Debian.gz"
"""From the folder above a program's own. Source: Debian Policy 12.7."""
_DELETED = " (deleted)"
"""What the kernel adds to the path of a program that is gone. Source: proc(5), /proc/pid/exe."""
_LONGEST_CHANGELOG_BYTES = 4 << 20


def read(path: str) -> nginx_build.Build:
    """Run a binary with -V. Blocking, about 10 ms. Raises: EnvironmentProblemError when it is no nginx."""
    try:
        printed = find_nginx.run_version(path)
    except (OSError, subprocess.TimeoutExpired) as error:
        words = causes.describe(error) if isinstance(error, OSError) else "it does not answer"
        raise errors.EnvironmentProblemError(
            f"cannot run {path}: {words}; name another nginx with --nginx PATH"
        ) from error
    version = find_nginx.parse_version(printed)
    if version is None:
        raise errors.EnvironmentProblemError(f"cannot use {path}: it is not nginx; name another with --nginx PATH")
    return nginx_build.Build(
        path=path,
        version=version,
        arguments=find_nginx.parse_arguments(printed),
        openssl=nginx_build.parse_openssl(printed),
        libc=nginx_build.GLIBC if find_nginx.is_for_glibc(path) else "musl or static",
        patched=_read_patched(path, ".".join(map(str, version))),
    )


def read_date(path: str) -> datetime.datetime | None:
    """When the file was made, which packages keep. Blocking."""
    with contextlib.suppress(OSError):
        return datetime.datetime.fromtimestamp(os.stat(path).st_mtime, datetime.UTC)  # noqa: PTH116
    return None


def _read_patched(path: str, version: str) -> frozenset[str] | None:
    """What the changelog of the binary's package says; None: it belongs to none that has one."""
    real = os.path.realpath(path)
    try:
        with gzip.open(pathlib.Path(real).parent.parent / _CHANGELOG) as file:
            text = file.read(_LONGEST_CHANGELOG_BYTES).decode(errors="replace")
    except (OSError, EOFError):
        return None
    if real.endswith(_DELETED):
        return frozenset()  # it was replaced while it runs, and the file is the new package's
    return nginx_build.find_patched(text, version)
