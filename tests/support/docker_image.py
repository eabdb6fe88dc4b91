"""daemun's own image, built by the Dockerfile without any registry: on a base that debootstrap makes of this machine's
own Debian, and with wheels that this machine's own pip gets. Both are kept in the cache, because they take minutes.

No host of a mirror or an index is known here: they are read from this machine's apt, and used by its pip.
"""

import collections.abc
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import tomllib

import pytest

from tests.support import binaries
from tests.support.docker_engine import DockerEngine

IMAGE = "daemun-test/daemun:latest"
BASE = "daemun-test/base:latest"
ROOT = pathlib.Path(__file__).parents[2]
CACHE = pathlib.Path(os.environ["XDG_CACHE_HOME"], "daemun") if os.environ.get("XDG_CACHE_HOME") else ROOT / ".cache"
PACKAGES = "python3,python3-venv,ca-certificates,openssh-client"
_FILES = ("Dockerfile", ".dockerignore", "LICENSE", "README.md", "constraints.txt", "hatch_build.py", "pyproject.toml")
_FOLDERS = ("frontend", "scripts", "src")


@pytest.fixture(scope="session")
def daemun_image(docker_engine_of_the_session: DockerEngine) -> str:
    """The name of the image in the engine of the session."""
    engine = docker_engine_of_the_session
    with _base().open("rb") as base:
        engine.load_filesystem(base, BASE)
    version = engine.cli("run", "--rm", BASE, "python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    with tempfile.TemporaryDirectory(prefix="dm-") as folder:
        context = pathlib.Path(folder)
        for name in _FILES:
            shutil.copy(ROOT / name, context / name)
        for name in _FOLDERS:
            shutil.copytree(ROOT / name, context / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(_wheels(version), context / "wheels")
        options = "PIP_OPTIONS=--no-index --find-links wheels"
        engine.build(context, IMAGE, f"BASE={BASE}", options)
    return IMAGE


def _base() -> pathlib.Path:
    """A tar of a small Debian with Python, the same release as this machine's."""
    debootstrap = binaries.program("debootstrap", "debootstrap")
    uri, suite = _mirror()
    path = CACHE / f"base-{suite}-{hashlib.sha256(PACKAGES.encode()).hexdigest()[:8]}.tar"
    if path.exists():
        return path
    with tempfile.TemporaryDirectory(prefix="dm-") as folder:
        root = pathlib.Path(folder) / "root"
        _run([debootstrap, "--variant=minbase", f"--include={PACKAGES}", suite, str(root), uri])
        shutil.rmtree(root / "var/cache/apt/archives")
        draft = pathlib.Path(folder) / "base.tar"
        _run(["tar", "--create", "--numeric-owner", "--one-file-system", f"--directory={root}", f"--file={draft}", "."])
        return _keep(draft, path)


def _mirror() -> tuple[str, str]:
    """Where this machine's packages come from, and the name of its release."""
    form = "$(REPO_URI) $(CODENAME) $(COMPONENT)"
    known = _run(["apt-get", "indextargets", "--format", form, "Identifier: Packages"])
    suite = next(
        line.partition("=")[2].strip('"')
        for line in pathlib.Path("/etc/os-release").read_text().splitlines()
        if line.startswith("VERSION_CODENAME=")
    )
    for line in known.splitlines():
        uri, codename, component = line.split()
        if (codename, component) == (suite, "main"):
            return uri, suite
    pytest.skip(f"apt knows no source of {suite} main")


def _wheels(python: str) -> pathlib.Path:
    """A folder with everything that the image installs, for this version of Python."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    needed = [*project["project"]["dependencies"], *extras["nginx"], *extras["fleet"], "hatchling"]
    constraints = ROOT / "constraints.txt"
    version = hashlib.sha256("\n".join([*needed, constraints.read_text()]).encode()).hexdigest()[:8]
    path = CACHE / f"wheels-{python}-{version}"
    if path.exists():
        return path
    with tempfile.TemporaryDirectory(prefix="dm-") as folder:
        draft = pathlib.Path(folder) / "wheels"
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
        which = ["--only-binary=:all:", "--python-version", python, "--constraint", str(constraints)]
        _run([*pip, *which, "--dest", str(draft), *needed])
        return _keep(draft, path)


def _keep(draft: pathlib.Path, path: pathlib.Path) -> pathlib.Path:
    """Whole or not at all, also when two test runs do it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    near = path.with_name(f".{path.name}-{os.getpid()}")
    shutil.move(draft, near)
    try:
        near.rename(path)
    except OSError:  # somebody else's folder is there
        shutil.rmtree(near)
    return path


def _run(command: collections.abc.Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout
