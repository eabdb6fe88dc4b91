"""Variables of the environment in daemun.yaml: into single values alone, and never into a message."""

import pathlib

import pytest

from daemun.core import model
from daemun.core.options import header_options, host_header_option, logs_option, max_body_option, workers_option
from daemun.sources import yaml_edit, yaml_file, yaml_variables

SECRET = "s3cret: {x: [1]}"
VALUES = {
    "BACKEND": "app.internal",
    "PORT": "8000",
    "ZERO": "007",
    "ON": "true",
    "EMPTY": "",
    "SECRET": SECRET,
    "BREAK": "a\n  b: c",
    "NESTED": "${PORT}",
    "BELL": "a\x07b",
    "LONG": "x" * 70_000,
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VALUES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("GONE", raising=False)


def parse(text: str) -> model.Snapshot:
    return yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc/daemun")


def header(written: str) -> str:
    snapshot = parse(f"sites:\n  a.test:\n    /:\n      to: http://a\n      request_headers:\n        X-A: {written}\n")
    assert not snapshot.problems
    ((_, value),) = header_options.REQUEST.of(snapshot.sites[0].routes[0].action)
    return value


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${BACKEND}", "app.internal"),
        ("a ${BACKEND}:${PORT} b", "a app.internal:8000 b"),
        ("'${PORT}'", "8000"),
        ("${GONE:-usual}", "usual"),
        ("${GONE:-}x", "x"),
        ("${EMPTY:-usual}", "usual"),
        ("${EMPTY}x", "x"),
        ("${SECRET}", SECRET),
        ("${ZERO}", "007"),
        ("$host ${remote_addr} $5", "$host ${remote_addr} $5"),
        ("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA", "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA"),
    ],
)
def test_values(written: str, value: str) -> None:
    if "argon" in written:
        snapshot = parse(f"sites: {{a.test: {{access: {{basic_auth: {{users: {{a: '{written}'}}}}}}, /: http://a}}}}\n")
        assert "environment" not in "".join(problem.message for problem in snapshot.problems)
        return
    assert header(written) == value


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${NESTED}", "${PORT}"),
        ("$${BACKEND}", "${BACKEND}"),
        ("$$${PORT}", "$${PORT}"),
        ("${port} $PORT", "${port} $PORT"),
    ],
)
def test_a_dollar_sign_too_many_is_the_text_itself(written: str, value: str) -> None:
    found = yaml_variables.expand(written, VALUES)
    assert (found.text, found.causes) == (value, ())


def test_a_variable_alone_is_a_number_or_a_truth() -> None:
    snapshot = parse("workers: ${PORT}\nlogs:\n  access: ${ON}\n  keep: ${GONE:-3}\nsites: {}\n")
    assert snapshot.globals is not None
    assert workers_option.OPTION.of(snapshot.globals) == 8000
    assert logs_option.OPTION.of(snapshot.globals).keep == 3
    assert "expected" in parse("workers: '${PORT}'\nsites: {}\n").problems[0].message


def test_targets_and_options() -> None:
    snapshot = parse("sites:\n  a.test:\n    /:\n      to: http://${BACKEND}:${PORT}/\n      host_header: ${BACKEND}\n")
    (route,) = snapshot.sites[0].routes
    assert isinstance(route.action, model.Proxy)
    assert str(route.action.targets[0]) == "http://app.internal:8000/"
    assert host_header_option.OPTION.of(route.action) == "app.internal"
    assert max_body_option.OPTION.of(route) == 0


def test_no_variable_changes_what_the_file_is_made_of() -> None:
    (problem,) = parse("sites:\n  a.test: http://a\n  b.test: ${BREAK}\n").problems
    assert problem.host == "b.test"
    snapshot = parse("sites: ${SECRET}\n")
    assert not snapshot.sites
    assert all(SECRET not in one.message for one in snapshot.problems)


def test_nginx_has_variables_of_its_own() -> None:
    text = (
        "sites:\n  a.test:\n    nginx: |\n      set $GONE 1;\n      add_header X ${GONE};\n    routes: {/: http://a}\n"
    )
    assert not parse(text).problems


def test_anchors_take_them_where_they_are_used() -> None:
    assert not parse("x-a: &a {b: '${GONE}'}\nsites: {}\n").problems
    used = parse("x-a: &a 'http://${GONE}'\nsites: {a.test: *a}\n").problems
    assert "has no GONE" in used[0].message


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("${GONE}", "the environment of this daemun has no GONE; set it there"),
        ("${GONE:?must be set}", "is not read here: write `${GONE}`"),
        ("${PORT:+x}", "is not read here"),
        ("${BELL}", "holds a character that cannot stand in YAML"),
        ("${LONG}", "is too long: 70000 characters"),
    ],
)
def test_what_has_no_value_is_an_error_that_names_it(written: str, words: str) -> None:
    problems = parse(f"sites:\n  a.test:\n    /: http://a\n  b.test:\n    /:\n      to: {written}\n").problems
    found = [one for one in problems if words in one.message]
    assert (found[0].host, found[0].origin.place) == ("b.test", "daemun.yaml:6:11")


@pytest.mark.parametrize(
    "text",
    [
        "sites: {a.test: '${SECRET}'}\n",
        "workers: ${SECRET}\nsites: {}\n",
        "acme: {email: '${SECRET}'}\nsites: {}\n",
        "sites: {a.test: {/: {to: 'http://a', timeout: '${SECRET}', balance: 'x ${SECRET}'}}}\n",
    ],
)
def test_a_value_is_in_no_message(text: str) -> None:
    problems = parse(text).problems
    assert problems
    for problem in problems:
        assert "s3cret" not in problem.message
        assert "${SECRET}" in problem.message


def test_a_long_value_is_in_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hunter2-" * 30)
    for text in ("workers: ${SECRET}\nsites: {}\n", "sites: {a.test: 'http://${SECRET}'}\n"):
        assert all("hunter2" not in problem.message for problem in parse(text).problems)


def test_a_command_without_the_daemons_environment_edits_the_file(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "daemun.yaml"
    text = (
        "workers: ${GONE}\nacme:\n  email: ${GONE_TOO}\nsites:\n  a.test: http://${GONE}\n  b.test: http://${BACKEND}\n"
    )
    file.write_text(text)
    yaml_edit.add_route(file, "c.test", "http://c")
    assert file.read_text() == f"{text}  c.test: http://c\n"
    yaml_edit.set_enabled(file, "b.test", enabled=False)
    assert "      /: http://${BACKEND}\n" in file.read_text().replace('"', "")
    yaml_edit.remove_site(file, "c.test")
    yaml_edit.set_enabled(file, "a.test", enabled=False)
    assert "/: http://${GONE}" in file.read_text().replace('"', "")
