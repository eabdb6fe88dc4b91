"""Debian's PHP-FPM with a pool of its own."""

import collections.abc
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

from tests.support import until


def program() -> str:
    """Its name has its version. Skips the test when it is not installed."""
    folders = [*os.environ.get("PATH", "").split(":"), "/usr/sbin"]
    found = (
        shutil.which(path.name, path=folder) for folder in folders for path in pathlib.Path(folder).glob("php-fpm*")
    )
    path = next((one for one in found if one is not None), None)
    if path is None:
        pytest.skip("php-fpm is not installed (Debian package php-fpm)")
    return path


def _accepts(path: pathlib.Path) -> bool:
    """The file is there a moment before somebody listens."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        return True
    return False


@contextlib.contextmanager
def running(*settings: str, options: collections.abc.Iterable[str] = ("-n",)) -> collections.abc.Iterator[pathlib.Path]:
    """Yields: its socket. settings: further lines of the pool. options: of the command; -n: without php.ini."""
    with tempfile.TemporaryDirectory(prefix="daemun-test-php-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        path = folder / "fpm.sock"
        account = ("user = www-data", "group = www-data") if os.geteuid() == 0 else ()
        lines = (
            "[global]",
            f"error_log = {folder}/log",
            "daemonize = no",
            "[tests]",
            f"listen = {path}",
            "listen.mode = 0666",
            "pm = static",
            "pm.max_children = 2",
            *account,
            *settings,
        )
        (folder / "fpm.conf").write_text("\n".join(lines) + "\n")
        command = [program(), *options, "-F", "-y", str(folder / "fpm.conf")]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until.true(lambda: _accepts(path) or process.poll() is not None)
            assert process.poll() is None, (folder / "log").read_text()
            yield path
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)
