"""examples/fleet: what it brings for keepalived is what keepalived takes."""

import os
import pathlib
import re
import subprocess
import sys

from tests.support import binaries

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "fleet"


def test_keepalived_takes_its_configuration(tmp_path: pathlib.Path) -> None:
    keepalived = binaries.program("keepalived", "keepalived")
    binaries.needs_root("keepalived")
    text = (EXAMPLE / "keepalived" / "keepalived.conf").read_text()
    (command,) = re.findall(r'script "(.*)"', text)
    assert command.split()[1:] == ["status", "--alive"]
    (interface,) = re.findall(r"^    interface (\S+)", text, re.MULTILINE)
    daemun = pathlib.Path(sys.executable).parent / "daemun"
    file = tmp_path / "keepalived.conf"
    file.write_text(text.replace(command.split()[0], str(daemun)))
    # In a network of its own, with the interface that the file names.
    apart = ("unshare", "--net", "sh", "-c", f'ip link add {interface} type veth peer name other && exec "$@"', "sh")
    look = [*apart, keepalived, "-t", "-f", str(file)]
    done = subprocess.run(look, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    # It would notice a check that it cannot run.
    file.write_text(file.read_text().replace(str(daemun), str(tmp_path / "none")))
    assert subprocess.run(look, capture_output=True, check=False, timeout=60).returncode != 0


def test_the_check_needs_nothing_that_a_login_has(tmp_path: pathlib.Path) -> None:
    """keepalived runs it with next to no environment; without a daemon it says so by its exit code."""
    daemun = pathlib.Path(sys.executable).parent / "daemun"
    command = [str(daemun), "--state", str(tmp_path / "s"), "status", "--alive"]
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60, cwd="/")
    assert done.returncode == 3, done.stdout + done.stderr
