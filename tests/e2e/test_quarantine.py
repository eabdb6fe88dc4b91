"""Hand-written nginx with a mistake takes down its own site's change, and nothing else (DESIGN.md decision 7)."""

import textwrap

import pytest

from tests.support.daemon import Daemon, signpost

pytestmark = pytest.mark.nginx


def _snippet(host: str, sign: str, snippet: str) -> str:
    """A signpost with a line of hand-written nginx, four lines long; the snippet is on the last one."""
    return textwrap.indent(
        textwrap.dedent(f"""\
        {host}:
          routes: {{/: {{redirect: "https://sign.test/{sign}", status: 302}}}}
          nginx: |
            {snippet}
        """),
        "  ",
    )


GOOD = "add_header X-Mine yes always;"
WRONG_ARGUMENT = "client_max_body_size lots;"
UNKNOWN_DIRECTIVE = "no_such_directive on;"
UNKNOWN_VARIABLE = 'add_header X-Mine "$no_such_variable" always;'


@pytest.fixture
def running(daemon: Daemon) -> Daemon:
    """a.test has a good snippet; b.test has none. Both are live."""
    daemon.write("sites:\n" + _snippet("a.test", "one", GOOD) + signpost("b.test", "one"))
    daemon.start()
    daemon.wait_sign("a.test", "one")
    daemon.wait_sign("b.test", "one")
    assert daemon.get("https://a.test/").headers["X-Mine"] == "yes"
    return daemon


@pytest.mark.parametrize(
    ("snippet", "words"),
    [
        (WRONG_ARGUMENT, "invalid value"),
        (UNKNOWN_DIRECTIVE, "unknown directive"),
        (UNKNOWN_VARIABLE, "no_such_variable"),
    ],
    ids=["a wrong argument", "an unknown directive", "an unknown variable"],
)
def test_a_site_keeps_its_last_good_version(running: Daemon, snippet: str, words: str) -> None:
    running.write("sites:\n" + _snippet("a.test", "two", snippet) + signpost("b.test", "two"))
    running.wait_sign("b.test", "two")
    answer = running.get("https://a.test/")
    assert answer.headers["Location"] == "https://sign.test/one"
    assert answer.headers["X-Mine"] == "yes"

    site = running.wait_state("a.test", "quarantined")
    assert words in site["reason"]
    assert running.site("b.test")["state"] == "live"
    status = running.cli("status")
    assert status.returncode == 3
    assert words in status.stdout
    assert "a.test" in status.stdout
    assert "daemun.yaml:3" in status.stdout or "daemun.yaml:6" in status.stdout, "the line of the site or its snippet"
    for command in ("apply", "check"):
        done = running.cli(command)
        assert done.returncode == 1, f"{command} must not call good what is not live"
        assert words in done.stdout + done.stderr

    running.write("sites:\n" + _snippet("a.test", "three", GOOD) + signpost("b.test", "two"))
    running.wait_sign("a.test", "three")
    assert running.cli_good("apply")
    assert running.site("a.test")["state"] == "live"


def test_a_site_without_a_last_good_version_is_503(running: Daemon) -> None:
    running.write("sites:\n" + _snippet("new.test", "one", WRONG_ARGUMENT) + signpost("b.test", "two"))
    running.wait_sign("b.test", "two")
    assert running.get("https://new.test/").status_code == 503
    assert running.get("https://new.test/any/path").status_code == 503
    assert running.wait_state("new.test", "quarantined")["reason"]
    running.write("sites:\n" + _snippet("new.test", "good", GOOD) + signpost("b.test", "two"))
    running.wait_sign("new.test", "good")


def test_from_the_very_first_start(daemon: Daemon) -> None:
    daemon.write("sites:\n" + _snippet("a.test", "one", UNKNOWN_DIRECTIVE) + signpost("b.test", "one"))
    daemon.start()
    daemon.wait_sign("b.test", "one")
    assert daemon.get("https://a.test/").status_code == 503


def test_two_sites_at_once_of_both_kinds(running: Daemon) -> None:
    """One mistake that nginx places in a file, one that it does not."""
    running.write(
        "sites:\n"
        + _snippet("a.test", "two", UNKNOWN_VARIABLE)
        + signpost("b.test", "two")
        + _snippet("c.test", "one", WRONG_ARGUMENT)
        + _snippet("d.test", "one", UNKNOWN_VARIABLE)
        + _snippet("e.test", "one", GOOD)
    )
    running.wait_sign("b.test", "two")
    running.wait_sign("e.test", "one")
    assert running.sign("a.test") == "one"
    assert running.get("https://c.test/").status_code == 503
    assert running.get("https://d.test/").status_code == 503
    status = running.wait_sites("e.test")
    states = {site["host"]: site["state"] for site in status["sites"]}
    assert states == {
        "a.test": "quarantined",
        "b.test": "live",
        "c.test": "quarantined",
        "d.test": "quarantined",
        "e.test": "live",
    }


def test_a_bad_snippet_of_the_whole_file(running: Daemon) -> None:
    running.write("nginx: |\n  no_such_directive on;\nsites:\n" + signpost("b.test", "two"))
    running.wait_sign("b.test", "two")
    status = running.cli("status")
    assert status.returncode == 3
    assert "no_such_directive" in status.stdout
    running.write("nginx: |\n  server_names_hash_bucket_size 128;\nsites:\n" + signpost("b.test", "three"))
    running.wait_sign("b.test", "three")
    running.wait(lambda: running.cli("status").returncode == 0, "status to be good again", every_s=0.2)


def test_a_snippet_that_leaves_its_place_is_refused_before_nginx_sees_it(running: Daemon) -> None:
    """Unbalanced braces would end the server block and open another one."""
    running.write("sites:\n" + _snippet("a.test", "two", "} server { listen 1; }") + signpost("b.test", "two"))
    running.wait(lambda: running.cli("status").returncode == 3, "status to tell", every_s=0.2)
    assert running.sign("a.test") == "one"
    assert running.cli("check").returncode == 1


def test_quarantine_survives_a_restart(running: Daemon) -> None:
    running.write("sites:\n" + _snippet("a.test", "two", WRONG_ARGUMENT) + signpost("b.test", "two"))
    running.wait_sign("b.test", "two")
    running.kill()
    running.start()
    assert running.wait_state("a.test", "quarantined")["reason"]
    assert running.sign("a.test") == "one"
    assert running.sign("b.test") == "two"
