"""nginx went on serving, and what a new daemun reads of it is damaged, or a process is another account's."""

import collections.abc
import pathlib
import subprocess
import sys

import pytest

from tests.support import binaries, other_account
from tests.support.daemon import Daemon, signpost

pytestmark = pytest.mark.nginx


def _garble(path: pathlib.Path) -> None:
    path.write_bytes(b"\xff\xfeuser daemun;\n")


def _make_folder(path: pathlib.Path) -> None:
    path.unlink()
    path.mkdir()


def _lose_the_folder(path: pathlib.Path) -> None:
    """Its folder is a file."""
    current = path.parent.parent / path.parent.name
    current.unlink()
    current.write_text("x")


@pytest.mark.parametrize("damage", [_garble, _make_folder, _lose_the_folder])
def test_a_start_with_what_cannot_be_read_of_the_running_configuration(
    daemon: Daemon, damage: collections.abc.Callable[[pathlib.Path], None]
) -> None:
    daemon.write("sites:\n" + signpost("a.test", "one"))
    daemon.start()
    daemon.wait_sign("a.test", "one")
    daemon.kill()
    damage(daemon.state / "nginx" / "current" / "nginx.conf")
    daemon.write("sites:\n" + signpost("a.test", "two"))
    daemon.start()
    daemon.wait_sign("a.test", "two")
    assert "Traceback" not in daemon.log_text()


@pytest.mark.parametrize("keep_traffic", [True, False])
def test_another_accounts_daemon_is_not_ended_by_force(tmp_path: pathlib.Path, keep_traffic: bool) -> None:
    """root without the right to end it is what another account is."""
    process = other_account.start("print('x', flush=True); sys.stdin.read()", "daemun")
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "x\n"
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "daemun.lock").write_text(f"{process.pid}\n")
        program = (
            "import pathlib, sys\n"
            "from daemun import errors, settings\n"
            "from daemun.cli.commands import stop\n"
            "chosen = settings.Settings(config=pathlib.Path('x'), state=pathlib.Path(sys.argv[1]))\n"
            "try:\n"
            f"    stop._end_by_force(chosen, keep_traffic={keep_traffic})\n"
            "except errors.EnvironmentProblemError as error:\n"
            "    print(error)\n"
        )
        without = (binaries.program("setpriv", "util-linux"), "--bounding-set=-kill", "--")
        done = subprocess.run(
            [*without, sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False
        )
        assert "it is another user's; use sudo" in done.stdout, done.stderr
        assert process.poll() is None
    finally:
        process.communicate()
