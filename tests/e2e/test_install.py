"""J2: `make install` puts a version beside those that are there, and changes nothing when it fails.

The real Makefile, scripts and pip, with a small project in daemun's place. tests/e2e/test_upgrade.py has daemun itself.
"""

import collections.abc
import contextlib
import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import threading

import pytest

from tests.support.daemon import wait_for

ROOT = pathlib.Path(__file__).parents[2]

PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "daemun"
version = "1"
optional-dependencies = { nginx = [], fleet = [] }
scripts = { daemun = "daemun:main" }
"""
BACKEND = """
import pathlib, time, zipfile

def build_wheel(folder, settings=None, metadata=None):
    while pathlib.Path("wait").exists():
        pathlib.Path("waits").touch()
        time.sleep(0.02)
    parts = {
        "daemun/__init__.py": pathlib.Path("src/daemun/__init__.py").read_text(),
        "daemun-1.dist-info/METADATA": "Metadata-Version: 2.1\\nName: daemun\\nVersion: 1\\n"
        "Provides-Extra: nginx\\nProvides-Extra: fleet\\n"
        + pathlib.Path("requires").read_text(),
        "daemun-1.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        "daemun-1.dist-info/entry_points.txt": "[console_scripts]\\ndaemun = daemun:main\\n",
        "daemun-1.data/data/share/man/man1/daemun.1": pathlib.Path("src/daemun/__init__.py").read_text(),
        "daemun-1.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(pathlib.Path(folder, "daemun-1-py3-none-any.whl"), "w") as wheel:
        for name, text in parts.items():
            wheel.writestr(name, text)
    return "daemun-1-py3-none-any.whl"
"""
PROGRAM = """
__version__ = "{version}"

def main():
    import sys
    print(__version__, flush=True)
    if "up" in sys.argv:
        sys.stdin.read()
"""


COPYING = """#!/bin/sh
if [ "$1 $2 $3" = "-m venv --clear" ]; then
    set -e
    rm -rf "$4"
    mkdir -p "$4"
    cp -a "{made}/." "$4"
    exec find "$4/bin" "$4/pyvenv.cfg" -type f -exec sed -i "s|{made}|$4|g" {{}} +
fi
exec "{python}" "$@"
"""
"""A Python whose virtual environments are copies of one: to put pip into each takes seconds."""


class Clone:
    """Where `make install` is run, and where it installs into. python: what makes virtual environments."""

    def __init__(self, root: pathlib.Path, python: pathlib.Path) -> None:
        self._python = python
        self.source = root / "clone"
        self.prefix = root / "opt" / "daemun"
        self.program = root / "bin" / "daemun"
        self.etc = root / "etc"
        (self.source / "src" / "daemun").mkdir(parents=True)
        shutil.copytree(ROOT / "scripts", self.source / "scripts")
        shutil.copy(ROOT / "Makefile", self.source)
        for name, text in {"pyproject.toml": PROJECT, "backend.py": BACKEND}.items():
            (self.source / name).write_text(text)
        for name in ("constraints.txt", "requires"):
            (self.source / name).touch()

    def write(self, version: str) -> None:
        (self.source / "src/daemun/__init__.py").write_text(PROGRAM.format(version=version))

    def command(self) -> list[str]:
        places = (f"PREFIX={self.prefix}", f"BINDIR={self.program.parent}", f"SYSCONFDIR={self.etc}", "NGINX=bundled")
        return ["make", "--no-print-directory", "install", *places]

    def start(self, *run_by: str) -> subprocess.Popen[str]:
        """In a process group of its own, as a terminal's."""
        return subprocess.Popen(
            [*run_by, *self.command()],
            cwd=self.source,
            env={**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PYTHON": str(self._python)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )

    def try_install(self, *run_by: str) -> tuple[int, str]:
        process = self.start(*run_by)
        said, _ = process.communicate(timeout=300)
        return process.returncode, said

    def install(self, version: str) -> str:
        self.write(version)
        code, said = self.try_install()
        assert code == 0, said
        assert self.version() == version
        return said

    def version(self) -> str:
        """Of the daemun that a user of this machine runs."""
        return subprocess.run([self.program], capture_output=True, text=True, check=True).stdout.strip()

    def versions(self) -> set[str]:
        return {path.name for path in (self.prefix / "versions").iterdir()}

    @contextlib.contextmanager
    def up(self) -> collections.abc.Iterator[None]:
        """A process of the version that is installed now."""
        process = subprocess.Popen([self.program, "up"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline()
        try:
            yield
        finally:
            process.communicate()


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("python")
    made = folder / "made"
    subprocess.run([ROOT / "scripts" / "make-venv", made], check=True)
    program = folder / "python3"
    program.write_text(COPYING.format(made=made, python=(made / "bin" / "python").resolve()))
    program.chmod(0o755)
    return program


@pytest.fixture
def clone(tmp_path: pathlib.Path, python: pathlib.Path) -> Clone:
    return Clone(tmp_path, python)


def read_tree(folder: pathlib.Path) -> dict[str, str]:
    """Each file's content and each link's target."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[str(path)] = f"-> {path.readlink()}"
        elif path.is_file():
            found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[str(path)] = "folder"
    return found


@contextlib.contextmanager
def watched(program: pathlib.Path) -> collections.abc.Iterator[set[str]]:
    """What was found wrong with the command, looked at all the time."""
    ended = threading.Event()
    wrong: set[str] = set()

    def look() -> None:
        while not ended.wait(0.0005):
            try:
                program.stat()
            except OSError as error:
                wrong.add(repr(error))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield wrong
    finally:
        ended.set()
        thread.join()


@pytest.mark.timeout(300)
def test_j2_a_version_is_installed_beside_the_others_which_stay_while_they_run(clone: Clone) -> None:
    clone.install("1.0")
    assert clone.versions() == {"1.0"}
    assert clone.program.resolve() == (clone.prefix / "versions/1.0/bin/daemun").resolve()
    assert not (clone.prefix / "previous").is_symlink()
    assert (clone.etc / "daemun").is_dir(), "L1: where the first site is written, as README.md says"
    first = read_tree(clone.prefix / "versions/1.0")
    with clone.up():
        with watched(clone.program) as wrong:
            assert "daemun stop --keep-traffic" in clone.install("2.0")
        assert not wrong, "the command is there at every moment"
        assert str((clone.prefix / "previous").readlink()) == "versions/1.0"
        clone.install("2.0")
        assert clone.versions() == {"1.0", "2.0", "2.0.2"}, "what runs stays, whatever is installed"
        assert read_tree(clone.prefix / "versions/1.0") == first
    assert "keep-traffic" not in clone.install("3.0")
    assert clone.versions() == {"2.0.2", "3.0"}, "of those that do not run the one before stays"
    page = clone.program.parents[1] / "share/man/man1/daemun.1"
    assert '"3.0"' in page.read_text(), "L6: the man page of the version that is installed"
    # To go back, as README.md says.
    (clone.prefix / "current").unlink()
    (clone.prefix / "current").symlink_to((clone.prefix / "previous").readlink())
    assert clone.version() == "2.0"


@pytest.mark.timeout(300)
def test_j2_a_failed_installation_changes_nothing(clone: Clone) -> None:
    """What it needs cannot be had; it does not start; files cannot be written; it is interrupted; its link's place is
    taken. What is left of a killed one goes with the next."""
    assert clone.try_install()[0] != 0, "there is no version yet"
    assert not clone.prefix.exists(), "nor after the first one has failed"
    clone.install("1.0")
    before = read_tree(clone.prefix.parents[1] / "opt") | read_tree(clone.program.parent)

    def check(*run_by: str) -> str:
        code, said = clone.try_install(*run_by)
        assert code != 0, said
        assert read_tree(clone.prefix.parents[1] / "opt") | read_tree(clone.program.parent) == before
        assert clone.version() == "1.0"
        return said

    clone.write("2.0")
    (clone.source / "requires").write_text("Requires-Dist: not-to-be-had\n")
    assert "not-to-be-had" in check()
    (clone.source / "requires").write_text("")
    check("prlimit", "--fsize=100000")
    (clone.source / "src/daemun/__init__.py").write_text('__version__ = "2.0"\n')
    check()

    clone.write("2.0")
    for number in (signal.SIGINT, signal.SIGTERM):
        (clone.source / "wait").touch()
        process = clone.start()
        wait_for((clone.source / "waits").exists, "pip to be under way", within_s=120)
        code, said = clone.try_install()
        assert code != 0
        assert "another installation" in said
        os.killpg(process.pid, number)
        process.communicate(timeout=60)
        assert process.returncode != 0
        for name in ("wait", "waits"):
            (clone.source / name).unlink()
        assert read_tree(clone.prefix.parents[1] / "opt") | read_tree(clone.program.parent) == before

    (clone.source / "wait").touch()
    process = clone.start()
    wait_for((clone.source / "waits").exists, "pip to be under way", within_s=120)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    (clone.source / "wait").unlink()
    assert clone.version() == "1.0"
    assert clone.versions() == {"1.0", "2.0"}

    clone.program.unlink()
    clone.program.mkdir()
    assert f"{clone.program} is a folder" in clone.try_install()[1]
    clone.program.rmdir()
    clone.install("2.0")
    assert clone.versions() == {"1.0", "2.0.2"}


@pytest.mark.timeout(300)
def test_j2_the_earlier_layout_stays_while_it_runs_and_goes_later(clone: Clone) -> None:
    """Until this one, PREFIX itself was the virtual environment."""
    clone.write("0.9")
    environment = {**os.environ, "PIP_NO_INDEX": "1"}
    clone.prefix.parent.mkdir()
    clone.program.parent.mkdir()
    subprocess.run(["scripts/make-venv", clone.prefix], cwd=clone.source, check=True)
    subprocess.run(
        [clone.prefix / "bin/pip", "-q", "install", ".[nginx]"], cwd=clone.source, env=environment, check=True
    )
    clone.program.symlink_to(clone.prefix / "bin/daemun")
    (clone.prefix / "notes.txt").write_text("of the owner")
    earlier = read_tree(clone.prefix)
    with clone.up():
        with watched(clone.program) as wrong:
            assert "daemun stop --keep-traffic" in clone.install("1.0")
        assert not wrong
        assert (clone.prefix / "previous").resolve() == clone.prefix.resolve(), "what one goes back to"
        clone.install("1.1")
        assert earlier.items() <= read_tree(clone.prefix).items(), "no file of what runs was touched"
    clone.install("1.2")
    assert {path.name for path in clone.prefix.iterdir()} == {"versions", "current", "previous", "notes.txt"}
