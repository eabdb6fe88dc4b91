"""Hand-written nginx with a mistake takes down its own site's change, and nothing else (DESIGN.md decision 7)."""

import pathlib
import textwrap

import pytest

from daemun.control import round_reports
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


@pytest.mark.parametrize("kind", ["a name", "a file"])
def test_a_site_for_something_outside_the_file_comes_by_itself(
    daemon: Daemon, own_hosts: pathlib.Path, kind: str
) -> None:
    """Nothing reports that a name can be resolved now, or that a file of an `include` is there."""
    late = daemon.root / "late.conf"
    snippet = "set_real_ip_from late.invalid;" if kind == "a name" else f"include {late};"
    daemon.write("sites:\n" + _snippet("late.test", "one", snippet) + signpost("b.test", "one"))
    daemon.start()
    daemon.wait_sign("b.test", "one")
    reason = daemon.wait_state("late.test", "quarantined")["reason"]
    assert ("host not found" if kind == "a name" else "No such file") in reason
    assert daemon.get("https://late.test/").status_code == 503
    if kind == "a name":
        with own_hosts.open("a") as hosts:
            hosts.write("192.0.2.7 late.invalid\n")
    else:
        late.write_text("add_header X-Late yes always;\n")
    daemon.wait(lambda: daemon.sign("late.test") == "one", "the site", within_s=round_reports.RETRY_S + 60)
    daemon.wait(lambda: not daemon.status()["problems"], "no problem")


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


NAMED_WITHOUT_A_LINE = {
    "a log in a folder that is not there": ("access_log /no/such/folder/x.log;", "/no/such/folder/x.log", "create"),
    "a CA that is none": ("ssl_trusted_certificate {root}/junk.pem;", "junk.pem", "PEM"),
    "a name that does not fit": ("server_name " + "x" * 200 + ".test;", "server_names_hash", "shorten its names"),
    "a name that cannot be found": (
        "access_log syslog:server=no-such-name.invalid;",
        "no-such-name.invalid",
        "write an address",
    ),
}


@pytest.mark.parametrize("kind", NAMED_WITHOUT_A_LINE)
def test_whatever_nginx_says_the_site_is_found(running: Daemon, kind: str) -> None:
    """Also where nginx names no line, and at the first start of a site, which then shows a 503 page."""
    snippet, words, cure = NAMED_WITHOUT_A_LINE[kind]
    (running.root / "junk.pem").write_text("junk\n")
    written = snippet.format(root=running.root)
    running.write(
        "sites:\n" + _snippet("a.test", "two", written) + signpost("b.test", "two") + _snippet("c.test", "one", written)
    )
    running.wait_sign("b.test", "two")
    assert running.sign("a.test") == "one"
    assert running.get("https://c.test/").status_code == 503
    for host in ("a.test", "c.test"):
        reason = running.wait_state(host, "quarantined")["reason"]
        assert words in reason
        assert cure in reason
    assert running.site("b.test")["state"] == "live"
    for command in ("status", "doctor", "check"):
        done = running.cli(command)
        assert done.returncode in {1, 3}
        assert words in done.stdout + done.stderr, command
    running.kill()
    running.start()
    running.wait_state("c.test", "quarantined")
    assert running.sign("a.test") == "one"
    assert running.sign("b.test") == "two"


CRASHING = """#!/bin/sh
# nginx with a fault: one word of a configuration ends it.
for word in "$@"; do
  case "$word" in
    */nginx.conf) if grep -rq crashes-nginx "${{word%/nginx.conf}}/sites"; then kill -SEGV $$; fi ;;
  esac
done
exec {nginx} "$@"
"""


def test_a_site_that_ends_nginx_by_a_signal_is_found(daemon: Daemon) -> None:
    faulty = daemon.root / "faulty-nginx"
    faulty.write_text(CRASHING.format(nginx=daemon.environment["DAEMUN_NGINX"]))
    faulty.chmod(0o755)
    daemon.environment["DAEMUN_NGINX"] = str(faulty)
    sites = signpost("a.test", "one") + signpost("b.test", "one")
    daemon.write("sites:\n" + sites + _snippet("wrong.test", "one", "add_header X-Mine crashes-nginx;"))
    daemon.start()
    daemon.wait_sign("a.test", "one")
    daemon.wait_sign("b.test", "one")
    assert daemon.get("https://wrong.test/").status_code == 503
    reason = daemon.wait_state("wrong.test", "quarantined")["reason"]
    assert "ended by signal 11" in reason
    assert "--nginx PATH" in reason


def test_a_site_without_hand_written_nginx_is_found_too(running: Daemon) -> None:
    """Its file of a CA is there and is none, which nginx says without a line."""
    (running.root / "junk.pem").write_text("junk\n")
    wrong = "  wrong.test: {/: {to: 'https://127.0.0.1:1', server_name: x, verify: junk.pem}}\n"
    running.write("sites:\n" + signpost("a.test", "two") + signpost("b.test", "two") + wrong)
    running.wait_sign("b.test", "two")
    running.wait_sign("a.test", "two")
    assert running.get("https://wrong.test/").status_code == 503
    assert "junk.pem" in running.wait_state("wrong.test", "quarantined")["reason"]
