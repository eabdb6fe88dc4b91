"""B3: what is wrong with one site is that site's trouble, at the first start, at an edit and after a restart."""

import pathlib

import pytest

from tests.support import clients
from tests.support.daemon import Daemon, signpost

pytestmark = pytest.mark.nginx

GOOD = signpost("a.test", "a") + signpost("z.test", "z")

WRONG = {
    "a key that is missing": "{tls: {certificate: c.pem, key: missing.pem}, routes: {/: {redirect: https://x.test}}}",
    "a certificate that is missing": "{tls: {certificate: missing.pem, key: k.pem}, routes: {/: {redirect: https://x.test}}}",
    "a key that is a folder": "{tls: {certificate: c.pem, key: folder}, routes: {/: {redirect: https://x.test}}}",
    "a CA of servers that is missing": "{/: {to: 'https://127.0.0.1:1', server_name: x, verify: missing.pem}}",
    "a target of no known kind": "ftp://127.0.0.1",
    "an unknown option": "{acess: {allow: [private]}, routes: {/: {redirect: https://x.test}}}",
    "an unknown option of a route": "{routes: {/: {to: 'http://127.0.0.1:1', timeot: 3}}}",
    "a wrong value": "{http: sometimes, routes: {/: {redirect: https://x.test}}}",
    "no routes": "{routes: {}}",
    "a list": "[1, 2]",
    "nothing": "",
}
CLOSED = WRONG.keys() - {"a key that is missing", "a certificate that is missing", "a key that is a folder"}
"""Nothing can be served of these. A site without its certificate is served with another one."""


def _file(wrong: str) -> str:
    return f"sites:\n{GOOD}  wrong.test: {wrong}\n"


def _lay_files(root: pathlib.Path) -> None:
    (root / "c.pem").write_text("")
    (root / "k.pem").write_text("")
    (root / "folder").mkdir()


@pytest.mark.parametrize("kind", WRONG)
def test_the_first_start(daemon: Daemon, kind: str) -> None:
    _lay_files(daemon.root)
    daemon.write(_file(WRONG[kind]))
    daemon.start()
    daemon.wait_sign("a.test", "a")
    daemon.wait_sign("z.test", "z")
    daemon.wait_up()
    told = [line for line in daemon.log_lines() if line["level"] == "error"]
    assert any("daemun.yaml:5" in line["event"] for line in told), told
    assert daemon.cli("status").returncode == 3
    answer = clients.try_get(daemon.gate, "https://wrong.test/")
    if kind in CLOSED:
        assert answer is not None
        assert answer.status_code == 503
    daemon.write("sites:\n" + signpost("a.test", "edited") + f"  wrong.test: {WRONG[kind]}\n")
    daemon.wait_sign("a.test", "edited")


@pytest.mark.parametrize("kind", ["an unknown option", "a CA of servers that is missing"])
def test_an_edit_keeps_what_was_live_also_over_a_restart(daemon: Daemon, kind: str) -> None:
    daemon.write("sites:\n" + GOOD + signpost("wrong.test", "right"))
    daemon.start()
    daemon.wait_sign("wrong.test", "right")
    daemon.write(
        _file(WRONG[kind]).replace("/: {redirect: https://x.test}", "/: {redirect: 'https://sign.test/open'}")
        + GOOD_EDIT
    )
    daemon.wait_sign("new.test", "new")
    assert daemon.sign("wrong.test") == "right"
    daemon.wait_state("wrong.test", "quarantined")
    assert daemon.terminate() == 0
    daemon.start()
    daemon.wait_sign("new.test", "new")
    assert daemon.sign("wrong.test") == "right"
    daemon.write("sites:\n" + GOOD + signpost("wrong.test", "repaired"))
    daemon.wait_sign("wrong.test", "repaired")
    assert daemon.cli("status").returncode == 0


GOOD_EDIT = signpost("new.test", "new")


def test_a_file_that_comes_to_be(daemon: Daemon) -> None:
    """No source tells of it, so it is looked for again and again."""
    daemon.write(_file(WRONG["a CA of servers that is missing"]))
    daemon.start()
    daemon.wait_sign("a.test", "a")
    daemon.wait_state("wrong.test", "quarantined")
    (daemon.root / "missing.pem").write_bytes((daemon.state / "ca.pem").read_bytes())
    # No server answers there, which is found out a moment later.
    daemon.wait_site("wrong.test", lambda site: site["state"] in {"live", "unreachable"}, "the site as it is written")


def test_when_every_site_is_wrong_there_is_no_start(daemon: Daemon) -> None:
    daemon.write("sites:\n  a.test: ftp://127.0.0.1\n  b.test: ftp://127.0.0.1\n")
    daemon.start()
    assert daemon.wait_exit() == 1
    daemon.wait_log("daemun.yaml:3:11", "daemun.yaml:4:11")
