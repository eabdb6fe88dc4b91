"""Programs from PyPI that are measured beside daemun, in a virtual environment of the benchmark's own."""

import os
import pathlib
import subprocess
import sys
import venv

ROOT = pathlib.Path(__file__).parents[1]
FOLDER = pathlib.Path(os.environ.get("XDG_CACHE_HOME", ROOT / ".cache")) / "bench"


def program(name: str, package: str) -> str:
    """The path of a program, installed on first use. Raises: CalledProcessError when pip cannot get it."""
    path = FOLDER / "bin" / name
    if not path.exists():
        print(f"installing {package} into {FOLDER}", file=sys.stderr)
        if not (FOLDER / "bin" / "pip").exists():
            venv.create(FOLDER, with_pip=True)
        subprocess.run([FOLDER / "bin" / "pip", "--quiet", "install", package], check=True)
    return str(path)


def version(*command: str) -> str:
    """The first line a program says of its version."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
    return done.stdout.strip().splitlines()[0]
