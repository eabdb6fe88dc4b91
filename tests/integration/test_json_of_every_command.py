"""L5: every command has `--json`, and prints one JSON document then, errors too, with the exit code it has without."""

import collections.abc
import io
import json
import pathlib
import re
import sys
import typing

import pytest
import typer
import typer.main

from daemun import errors
from daemun.cli import app, clean_exit, json_answer, output
from tests.support import json_times

Json = dict[str, typing.Any]
Words = tuple[str, ...]


def walk(
    command: typing.Any, words: tuple[str, ...] = ()
) -> collections.abc.Iterator[tuple[tuple[str, ...], typing.Any]]:
    """Every command and every group of the application, with the words that lead to it."""
    yield words, command
    for name, child in getattr(command, "commands", {}).items():
        yield from walk(child, (*words, name))


EVERY = list(walk(typer.main.get_command(app.app)))
LEAVES = [words for words, command in EVERY if not getattr(command, "commands", {})]


@pytest.fixture(autouse=True)
def _process_stays(monkeypatch: pytest.MonkeyPatch) -> collections.abc.Iterator[None]:
    """The end of a command line changes what only a process that ends may change."""
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    yield
    json_answer.begin()


@pytest.fixture
def run(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> collections.abc.Callable[..., tuple[object, str]]:
    """A command line with a state directory and a file that are not there. Returns: exit code and standard output."""

    def run(*words: str) -> tuple[object, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("DAEMUN_STATE", str(tmp_path / "state"))
        monkeypatch.setattr(sys, "argv", ["daemun", *words])
        with pytest.raises(SystemExit) as end:
            clean_exit.end_well(lambda: app.app(list(words), prog_name="daemun"))
        return end.value.code or 0, capsys.readouterr().out

    return run


Run = collections.abc.Callable[..., tuple[object, str]]


@pytest.mark.parametrize(("words", "command"), EVERY, ids=[" ".join(words) or "daemun" for words, _ in EVERY])
def test_every_command_has_the_option(words: tuple[str, ...], command: typing.Any) -> None:
    assert any("--json" in option.opts for option in command.params), f"daemun {' '.join(words)} has no --json"


def test_paragraphs_of_the_help_have_no_line_breaks() -> None:
    """They are as wide as the terminal."""
    broken = [words for words, command in EVERY if re.search(r"[^\n]\n[^\n]", command.help or "")]
    assert broken == []


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_a_wrong_command_line_is_told_in_json(words: tuple[str, ...], run: Run) -> None:
    code, said = run(*words, "--no-such-option", "--json")
    assert code == 2
    assert "--no-such-option" in json.loads(said)["error"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("status", 3),
        ("status --probe", 3),
        ("sites", 3),
        ("certs", 3),
        ("certs list", 3),
        ("certs list --search a --only bad", 3),
        ("certs list --only odd", 1),
        ("containers", 3),
        ("containers --only odd", 1),
        ("sites --kind stream", 3),
        ("sites --only odd", 1),
        ("bans --reason odd", 1),
        ("certs show a.test", 3),
        ("certs forecast", 3),
        ("certs renew a.test", 1),
        ("certs revoke a.test --yes", 1),
        ("certs revoke a.test --yes --reason boredom", 1),
        ("certs import nothing", 1),
        ("certs dns a.test", 1),
        ("domains", 1),
        ("domains add a.test", 1),
        ("domains rm a.test", 1),
        ("accounts rollover", 1),
        ("accounts deactivate letsencrypt --yes", 1),
        ("alerts test", 3),
        ("apply", 1),
        ("stop", 1),
        ("stop --force", 1),
        ("logs", 1),
        ("logs --errors --follow", 1),
        ("why 5-1", 1),
        ("why ftp://a.test/", 1),
        ("why", 2),
        ("trust", 1),
        ("trust --print", 1),
        ("restore-file", 1),
        ("history", 1),
        ("diff", 1),
        ("rollback 1", 1),
        ("rollback", 2),
        ("rm a.test", 1),
        ("enable a.test", 1),
        ("disable a.test", 1),
        ("cache purge a.test blog", 1),
        ("maintenance a.test on", 1),
        ("maintenance a.test soon", 2),
        ("add a.test 3000", 1),
        ("add", 2),
        ("logs --lines many", 2),
        ("no-such-command", 2),
        ("alerts", 2),
        ("", 2),
    ],
)
def test_errors_are_json_with_the_same_exit_code(words: str, code: int, run: Run) -> None:
    with_json = run(*words.split(), "--json")
    assert (with_json[0], bool(json.loads(with_json[1])["error"])) == (code, True)
    if words not in {"", "alerts"}:  # those show their help
        assert run("--json", *words.split()) == with_json, "before the command's name it means the same"
        assert run(*words.split())[0] == code


def test_edits_say_what_they_did(run: Run, tmp_path: pathlib.Path) -> None:
    code, said = run("add", "a.test", "http://127.0.0.1:1", "--json")
    answer: Json = json.loads(said)
    assert (code, answer["ok"], answer["host"], answer["running"]) == (0, True, "a.test", False)
    assert answer["config"] == str(tmp_path / "daemun.yaml")
    assert "next `daemun up`" in answer["messages"][0]
    for words in ("disable a.test", "enable a.test", "maintenance a.test on", "maintenance a.test off", "rm a.test"):
        code, said = run(*words.split(), "--json")
        assert (code, json.loads(said)["ok"]) == (0, True)


def test_what_is_rendered(run: Run, tmp_path: pathlib.Path) -> None:
    run("add", "a.test", "http://127.0.0.1:1")
    files = json.loads(run("render", "--json")[1])["files"]
    assert "server_name a.test" in files["sites/a.test.conf"]
    answer = json.loads(run("render", "--json", "--out", str(tmp_path / "out"))[1])
    assert answer["folder"] == str(tmp_path / "out")
    assert sorted(files) == answer["files"]


def test_lines_of_logs(run: Run, tmp_path: pathlib.Path) -> None:
    """Each is an object, also one of a form that nobody knows."""
    logs = tmp_path / "state" / "logs"
    logs.mkdir(parents=True)
    (logs / "access.log").write_text('one\n{"status": 200}\n[1]\n"two"\n')
    assert json.loads(run("logs", "--json", "-n", "3")[1])["lines"] == [
        {"line": text} for text in ('{"status": 200}', "[1]", '"two"')
    ]
    assert run("logs", "-n", "1") == (0, '"two"\n')


LOGIN = """login: {host: auth.a.test}
sites:
  a.test:
    access: {any: true, login: true, client_certificates: local}
    routes: {/: "http://127.0.0.1:1"}
"""
ACCESS_LINE = (
    '192.0.2.1 - - [30/Nov/2026:14:02:11 +0900] "GET / HTTP/1.1" 200 9 "-" "-" host="a.test" upstream="-" '
    'upstream_status="-" request_time=0.000 upstream_response_time="-" tls="-" request_id=1-1\n'
)
ERROR_LINE = "2026/11/30 14:02:11 [error] 7#7: *1 it failed, client: 192.0.2.1, server: a.test\n"


@pytest.fixture
def house(tmp_path: pathlib.Path) -> None:
    """A file with sites and a state directory that have something to list."""
    (tmp_path / "daemun.yaml").write_text(LOGIN)
    logs = tmp_path / "state" / "logs"
    logs.mkdir(parents=True)
    (logs / "access.log").write_text(ACCESS_LINE)
    (logs / "error.log").write_text(ERROR_LINE)


@pytest.mark.usefixtures("house")
def test_times_have_one_form(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents of daemons are checked in every test with a daemon (`json_times.check_what_is_printed`)."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"correct horse battery staple\n")))
    found: list[str] = []
    for words in (
        "users invite alice",
        "users add bob",
        "users",
        "tokens add backup --user bob --site a.test",
        "tokens",
        "clients add phone",
        "clients add tablet --link",
        "clients revoke phone",
        "clients",
        "logs",
        "logs --errors",
        "traffic",
        "nginx list",
    ):
        code, said = run(*words.split(), "--json")
        assert code == 0, (words, said)
        assert json_times.find_others(json.loads(said)) == [], words
        found += re.findall(r'"([0-9]{4}-[0-9][^"]*)"', said)
    assert len(found) > 10
    assert found.count("2026-11-30T05:02:11Z") == 1


@pytest.mark.parametrize(
    "text", ["2026-11-30T09:10:11+00:00", "2026-11-30 09:10:11Z", "2026-11-30T09:10:11.5Z", "2026-11-30 09:10 UTC"]
)
def test_another_form_is_found(text: str) -> None:
    assert json_times.find_others({"a": [{"b": text, "c": "2026-11-30T09:10:11Z", "d": "2026-11-30"}]}) == [text]


def test_help_is_help(run: Run) -> None:
    code, said = run("stop", "--json", "--help")
    assert code == 0
    assert said.lstrip().startswith("Usage")


def test_a_defect_is_told_in_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAEMUN_DEBUG", "1")
    json_answer.begin(is_wanted=True)
    with pytest.raises(SystemExit) as end:
        clean_exit.end_well(lambda: json.loads("{"))
    assert end.value.code == clean_exit.DEFECT
    assert "defect in daemun" in json.loads(capsys.readouterr().out)["error"]


def test_facts_stand_beside_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """As those CAs that know the new key already, where another one could not be reached."""

    def program() -> None:
        json_answer.note(accounts=[{"directory": "one", "error": None}])
        output.print_line("one: knows the new key")
        raise errors.EnvironmentProblemError("not everywhere\x1b")

    json_answer.begin(is_wanted=True)
    with pytest.raises(SystemExit):
        clean_exit.end_well(program)
    assert json.loads(capsys.readouterr().out) == {
        "error": "not everywhere\N{REPLACEMENT CHARACTER}",
        "accounts": [{"directory": "one", "error": None}],
        "messages": ["one: knows the new key"],
    }
