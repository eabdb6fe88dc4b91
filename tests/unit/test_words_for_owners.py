"""Kind K: words that a person reads in the log, in lists and in help."""

import datetime
import io
import logging
import pathlib
import subprocess
import sys

import pytest
import structlog
import typer.testing

from daemun import log, settings
from daemun.cli import app, certificate_table, control_client, output, site_filter, truststores
from daemun.cli.commands import plan as plan_command
from daemun.core import model
from daemun.core.plan import change_plan

NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
REASON = (
    'cannot order a certificate for "www.example.com": its name does not resolve; make an A or AAAA record. '
    "The CA says: DNS problem: NXDOMAIN looking up A for www.example.com; "
    "before that, daemun found: port 80 does not answer; open it"
)


def logged(monkeypatch: pytest.MonkeyPatch, **values: object) -> str:
    """A line of the terminal's log with these values."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    before = logging.getLogger().handlers[:]
    try:
        log.configure(settings.LogFormat.TEXT)
        structlog.get_logger().warning("no certificate", **values)
    finally:
        logging.getLogger().handlers[:] = before
        structlog.reset_defaults()
    return stream.getvalue()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (datetime.datetime(2026, 3, 1, 12, 30, tzinfo=datetime.UTC), "at=2026-03-01 12:30:00"),
        ("something is in this machine's way: port 80", '''at="something is in this machine's way: port 80"'''),
        ("a.test", "at=a.test"),
        ("", 'at=""'),
        (["a.test", "b.test"], "at=a.test, b.test"),
        (("a.test",), "at=a.test"),
        (None, "at=none"),
        (3, "at=3"),
        (True, "at=True"),
        ('a "b"', r'at="a \"b\""'),
        ("a\nb", r'at="a\nb"'),
    ],
)
def test_values_in_the_log_of_a_terminal(monkeypatch: pytest.MonkeyPatch, value: object, shown: str) -> None:
    """K3."""
    line = logged(monkeypatch, at=value)
    assert shown in line
    assert "datetime" not in line
    assert "\\'" not in line


def test_a_long_reason_is_told_in_parts() -> None:
    """K12: in the list and for one certificate."""
    certificate = {
        "host": "example.com",
        "names": ["example.com"],
        "state": "failing",
        "kind": "ca",
        "issuer": "Local",
        "not_before": None,
        "not_after": None,
        "renew_at": None,
        "next_attempt": None,
        "reason": REASON,
    }
    lines = [line.text.strip() for line in certificate_table.lines_of([certificate], NOW, 200)]
    assert 'cannot order a certificate for "www.example.com": its name does not resolve' in lines
    assert "make an A or AAAA record" in lines
    assert max(map(len, lines)) < 120
    detail = [value for _, value in certificate_table.detail_of(certificate, NOW)]
    assert "open it" in detail
    assert " ".join(detail).count("NXDOMAIN") == 1, "nothing is left out"
    assert certificate_table.sentences_of("short; reason") == ["short; reason"]


def test_no_jargon_in_what_owners_read() -> None:
    """K13."""
    assert output.state_of("quarantined") == model.SiteState.QUARANTINED.words == "held back"
    taken = {site_filter.state_of(one) for one in site_filter.STATES}
    assert taken == {state.value for state in model.SiteState}, "what `--only` takes"
    assert {site_filter.state_of(state.words) for state in model.SiteState} == taken, "as it is shown, too"


def test_a_plan_shows_what_changes() -> None:
    """L4."""
    path = change_plan.site_file("a.test")
    old = {path: b"server {\n    # daemun.yaml:1:1\n    listen 80;\n    proxy_pass http://a;\n}\n"}
    new = {path: b"server {\n    # daemun.yaml:9:1\n    listen 80;\n    proxy_pass http://b;\n}\n"}
    change = change_plan.SiteChange(host="a.test", kind=change_plan.ChangeKind.CHANGED)
    (found,) = change_plan.with_lines([change], new, old)
    assert found.lines == ("- proxy_pass http://a;", "+ proxy_pass http://b;")
    report = {"changes": [{"host": "a.test", "kind": "changed", "lines": list(found.lines)}], "reload": False}
    shown = plan_command.lines_of({**report, "problems": []})
    assert shown[:3] == ["~ a.test", "    - proxy_pass http://a;", "    + proxy_pass http://b;"]


def test_a_plan_of_many_changes_stays_short() -> None:
    """L4: ten thousand changed sites are no reason to compare each."""
    changes = [change_plan.SiteChange(host=f"s{n}.test", kind=change_plan.ChangeKind.CHANGED) for n in range(500)]
    old = {change_plan.site_file(change.host): b"a 1;\n" * 40 for change in changes}
    new = {change_plan.site_file(change.host): b"b 1;\n" * 40 for change in changes}
    found = change_plan.with_lines(changes, new, old)
    assert len(found) == 500
    assert sum(bool(change.lines) for change in found) == change_plan.MOST_DETAILED
    assert max(len(change.lines) for change in found) == change_plan.MOST_LINES + 1


def test_programs_of_root_are_found_by_users(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """K5: /usr/sbin is not on the PATH of Debian's users."""
    folder = tmp_path
    program = folder / "update-ca-certificates"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr(truststores, "_ROOTS_FOLDERS", (str(folder),))
    assert truststores.find_machine({"PATH": "/usr/bin:/bin"}).has_update_ca


def test_a_daemon_of_root_is_named_while_it_runs_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """K4: what it leaves behind is no sign of it."""
    monkeypatch.setattr(settings, "SYSTEM_STATE", tmp_path / "root")
    mine = settings.Settings(config=tmp_path / "daemun.yaml", state=tmp_path / "mine")
    lock = tmp_path / "root" / "run" / "daemun.lock"

    def told() -> str:
        with pytest.raises(control_client.NotRunningError) as caught:
            control_client.ControlClient(mine).status()
        return str(caught.value)

    assert "There is one of root" not in told()
    program = [sys.executable, "-c", "print(flush=True); input()", "daemun"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()  # until then the kernel may not show its command line
        lock.parent.mkdir(parents=True)
        lock.write_text(f"{other.pid}\n")
        assert "There is one of root" in told()
        assert other.stdin is not None
        other.stdin.close()
    assert lock.exists()
    assert "There is one of root" not in told()


def test_help_of_the_demo_names_its_own_directory() -> None:
    """K6."""
    said = typer.testing.CliRunner().invoke(app.app, ["demo", "--help"], env={"COLUMNS": "200"}).stdout
    assert "daemun-demo" in said
    assert "/var/lib/daemun as root" not in said


@pytest.mark.parametrize(
    ("word", "command"), [("restart", "apply"), ("start", "up"), ("list", "sites"), ("ls", "sites")]
)
def test_commands_of_other_programs_are_answered_with_ours(word: str, command: str) -> None:
    said = typer.testing.CliRunner().invoke(app.app, [word, "--anything"], env={"COLUMNS": "200"})
    assert said.exit_code == 2
    assert f"No such command '{word}'. Write `daemun {command}`." in said.output
    assert typer.testing.CliRunner().invoke(app.app, [command, "--help"]).exit_code == 0
