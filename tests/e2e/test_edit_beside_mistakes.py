"""B3: a site that is wrong keeps no command from editing the others, with and without a daemon, and can be removed."""

import json
import os

import pytest

from tests.support import clients
from tests.support.daemon import Daemon, signpost

pytestmark = pytest.mark.nginx

IS_DEEP = bool(os.environ.get("DAEMUN_TEST_DEEP"))
"""Else each mistake is met with a daemon or without one."""

WRONG = {
    "a target of no known kind": "ftp://127.0.0.1",
    "an unknown option": "{acess: {allow: [private]}, routes: {/: {redirect: https://x.test}}}",
    "a key twice": "{/: http://127.0.0.1:1, /: http://127.0.0.1:2}",
    "a variable": "'http://${NAME}'",
    "a file that is missing": "{/: {to: 'https://127.0.0.1:1', server_name: x, verify: missing.pem}}",
}


def _file(wrong: str) -> str:
    return "# of the owner\nsites:\n" + signpost("a.test", "a") + f"  wrong.test: {wrong}\n" + signpost("z.test", "z")


@pytest.mark.walk
@pytest.mark.parametrize("kind", WRONG if IS_DEEP else [*WRONG][::2])
def test_beside_a_daemon(daemon: Daemon, kind: str) -> None:
    daemon.write(_file(WRONG[kind]))
    daemon.start()
    daemon.wait_sign("z.test", "z")
    before = daemon.config.read_text()
    added = daemon.cli("add", "new.test", "http://127.0.0.1:1")
    assert added.returncode == 0, added.stderr
    assert "daemun.yaml:5" in added.stdout, "the mistake is still mentioned"
    assert daemon.config.read_text().startswith(before)
    assert daemon.cli("rm", "new.test").returncode == 0
    assert daemon.config.read_text() == before

    assert daemon.cli("disable", "z.test").returncode == 0
    assert daemon.sign("z.test") is None
    assert daemon.cli("enable", "z.test").returncode == 0
    daemon.wait_sign("z.test", "z")

    off = daemon.cli("disable", "wrong.test")
    assert off.returncode == 0, off.stderr
    assert daemon.site("wrong.test")["state"] == "disabled"
    answer = clients.try_get(daemon.gate, "https://wrong.test/")
    assert answer is None or answer.status_code != 503
    on = daemon.cli("enable", "wrong.test")
    assert on.returncode == 1
    assert "wrong.test" in on.stderr
    assert daemon.site("wrong.test")["state"] == "disabled"

    assert daemon.cli("rm", "wrong.test").returncode == 0
    assert "wrong.test" not in daemon.config.read_text()
    assert daemon.cli("status").returncode == 0


def test_the_last_good_site_goes_when_it_is_removed(daemon: Daemon) -> None:
    """What stays is wrong, and shows so: the site that was taken away is not served on."""
    daemon.write("sites:\n" + signpost("a.test", "a") + "  wrong.test: ftp://x\n")
    daemon.start()
    daemon.wait_sign("a.test", "a")
    gone = daemon.cli("rm", "a.test")
    assert gone.returncode == 0, gone.stderr
    assert daemon.sign("a.test") is None
    answer = clients.try_get(daemon.gate, "https://wrong.test/")
    assert answer is not None
    assert answer.status_code == 503


@pytest.mark.walk
@pytest.mark.parametrize("kind", WRONG if IS_DEEP else [*WRONG][1::2])
def test_without_a_daemon(daemon: Daemon, kind: str) -> None:
    before = daemon.write(_file(WRONG[kind]))
    (daemon.root / "files").mkdir()
    for host in ("new.test", "other.test"):
        added = daemon.cli("add", host, str(daemon.root / "files"))
        assert added.returncode == 0, added.stderr
        assert "daemun.yaml:5" in added.stdout
    for command, host in (("rm", "new.test"), ("rm", "other.test"), ("disable", "a.test"), ("rm", "wrong.test")):
        done = daemon.cli(command, host)
        assert done.returncode == 0, done.stderr
    assert "daemun.yaml:" not in done.stdout
    assert "wrong.test" not in daemon.config.read_text()
    assert daemon.config.read_text().endswith(before.splitlines(keepends=True)[-1])


def test_the_answer_for_programs(daemon: Daemon) -> None:
    daemon.write(_file(WRONG["an unknown option"]))
    files = daemon.root / "files"
    files.mkdir()
    answer = json.loads(daemon.cli_good("add", "new.test", str(files), "--json"))
    (mistake,) = answer["mistakes"]
    assert mistake["host"] == "wrong.test"
