"""Exit code 3, and whether an edit went live."""

import typing

import pytest

from daemun import errors
from daemun.cli import problem_lines, site_filter, verdict
from daemun.cli.commands import status as status_command

Json = dict[str, typing.Any]


def _status(**values: typing.Any) -> Json:
    return {
        "generation": 1,
        "nginx": {"pid": 7},
        "sites": [{"host": "a.test", "state": "live", "reason": None}],
        "problems": [],
        "waiting_change": None,
        **values,
    }


def _problem(message: str, *, host: str | None = None, severity: str = "error", origin: str = "f:1") -> Json:
    return {"severity": severity, "origin": origin, "message": message, "host": host}


@pytest.mark.parametrize(
    ("status", "is_live"),
    [
        (_status(), True),
        (_status(sites=[]), True),
        (_status(sites=[{"host": "a.test", "state": "disabled"}]), True),
        (_status(problems=[_problem("a look", severity="warning")]), True),
        (_status(problems=[_problem("bad")]), False),
        (_status(sites=[{"host": "a.test", "state": "quarantined"}]), False),
        (_status(sites=[{"host": "a.test", "state": "pending"}]), False),
        (_status(nginx={"pid": None}), False),
        (_status(generation=None), False),
        (_status(waiting_change={"since": "2026-03-01T12:00:00Z"}), False),
    ],
)
def test_all_live(status: Json, *, is_live: bool) -> None:
    assert verdict.all_live(status) is is_live


@pytest.mark.parametrize(
    ("state", "is_served"), [("valid", True), ("local", True), ("pending", False), ("failing", False)]
)
def test_all_served(state: str, *, is_served: bool) -> None:
    assert verdict.all_served([{"state": "valid"}, {"state": state}]) is is_served


def test_m10_a_container_is_named_once_in_a_line() -> None:
    told = problem_lines.lines_of(
        [
            _problem('container "web" has no network', origin="container web"),
            _problem('cannot serve container "web": x', origin="container web"),
            _problem('"a.test": HSTS: x', origin="container web"),
            _problem("x", origin="default"),
        ]
    )
    assert told == [
        'error: container "web" has no network',
        'error: cannot serve container "web": x',
        'error: container web: "a.test": HSTS: x',
        "error: x",
    ]


def test_reasons_are_not_told_twice() -> None:
    sites = [
        {"host": "a.test", "state": "quarantined", "reason": "told below"},
        {"host": "b.test", "state": "pending", "reason": "not applied yet"},
        {"host": "c.test", "state": "live", "reason": None},
    ]
    status = _status(sites=sites, problems=[_problem("cannot apply", host="a.test")])
    assert verdict.reasons(status) == ["b.test is pending: not applied yet"]


def test_an_edit_answers_for_its_own_site_and_for_the_whole_file_only() -> None:
    before = [_problem("old, of the file", origin="daemun.yaml:9")]
    moved = _problem("old, of the file", origin="daemun.yaml:10")
    mine, whole = _problem("mine", host="b.test"), _problem("new, of the file")
    others = [_problem("other", host="a.test"), _problem("look", host="b.test", severity="warning")]
    assert verdict.new_errors(host="b.test", before=before, after=[moved, *others]) == []
    assert verdict.new_errors(host="b.test", before=before, after=[moved, mine, whole, *others]) == [mine, whole]
    expired = _problem("its certificate expired", host="b.test")
    assert verdict.new_errors(host="b.test", before=[expired], after=[expired]) == [expired]
    assert verdict.new_errors(host="b.test", before=[expired], after=[expired, mine], is_served=True) == [mine]


def test_problems_are_told_errors_first_and_with_their_place() -> None:
    told = problem_lines.lines_of(
        [_problem("look", severity="warning"), _problem("bad"), _problem("no place", origin="default")]
    )
    assert told == ["error: f:1: bad", "error: no place", "warning: f:1: look"]


def _certificate(state: str, **values: typing.Any) -> Json:
    return {"name": "a.test", "state": state, "reason": None, "next_attempt": None, **values}


@pytest.mark.parametrize(
    ("state", "certificate", "is_live"),
    [
        ("degraded", _certificate("failing"), False),
        ("wrong certificate", _certificate("failing"), False),
        ("live", _certificate("valid"), True),
        ("live", _certificate("local"), True),
        ("live", _certificate("pending"), True),
        ("live", None, True),
        ("disabled", _certificate("failing"), True),
    ],
)
def test_c8_a_certificate_that_fails_is_not_live(state: str, certificate: Json | None, *, is_live: bool) -> None:
    site = {"host": "a.test", "state": state, "reason": None, "certificate": certificate}
    assert verdict.all_live(_status(sites=[site])) is is_live
    assert (verdict.reasons(_status(sites=[site])) == []) is is_live


def test_sites_with_the_same_trouble_are_told_in_one_line() -> None:
    def site(host: str, reason: str = "no") -> Json:
        return {"host": host, "state": "degraded", "reason": reason, "cure": "do"}

    alike = [site(f"{name}.test") for name in "abcde"]
    lines = verdict.reasons(_status(sites=[*alike, site("z.test", "two\nlines")]))
    assert lines == ["a.test, b.test, c.test and 2 more are degraded: no; do", "z.test is degraded: two\nlines; do"]


def test_what_a_problem_tells_of_a_site_is_not_told_twice() -> None:
    told = _problem('site "a.test": it expired', host="a.test", severity="warning")
    sites = [
        {"host": "a.test", "state": "wrong certificate", "reason": "it expired", "cure": "replace it"},
        {"host": "b.test", "state": "wrong certificate", "reason": "it expired", "cure": None},
        {"host": "c.test", "state": "unreachable", "reason": "refused", "cure": None},
    ]
    problems_ = [told, _problem("something else", host="c.test")]
    assert verdict.reasons(_status(sites=sites, problems=problems_)) == [
        "b.test has a wrong certificate: it expired",
        "c.test is unreachable: refused",
    ]


_STREAMS = [
    {"name": "Echo", "state": "live", "hosts": []},
    {"name": "dead", "state": "unreachable", "hosts": ["in.mail.test"]},
]
_MIXED = _status(
    version="1",
    pid=1,
    config="f",
    nginx={
        "pid": None,
        "version": "1.28.0",
        "successor": None,
        "old_workers": {"generations": 0},
    },
    sites=[{"host": "a.test", "aliases": [], "state": "live"}],
    streams=_STREAMS,
    containers=[],
)


@pytest.mark.parametrize(
    ("names", "states", "line"),
    [
        ([], [], "1 of 1 site live; 1 of 2 streams live, 1 unreachable"),
        (["echo"], [], "1 of 1 stream live"),
        (["stream dead"], [], "0 of 1 stream live, 1 unreachable"),
        (['Stream "Echo"'], [], "1 of 1 stream live"),
        (["in.mail.test"], [], "0 of 1 stream live, 1 unreachable"),
        (["a.test"], [], "1 of 1 site live"),
        ([], ["unreachable"], "0 of 1 stream live, 1 unreachable"),
        ([], ["disabled"], "no site or stream is in such a state"),
        (["a.test"], ["disabled"], "no site or stream is in such a state"),
    ],
)
def test_streams_are_counted_beside_sites(names: list[str], states: list[str], line: str) -> None:
    shown = site_filter.choose(_MIXED, names, states)
    assert status_command.summary_of(shown, is_part=bool(names or states))[-1] == line


def test_a_gate_without_anything() -> None:
    assert status_command.summary_of({**_MIXED, "sites": [], "streams": []})[-1].startswith("no sites yet; add one")


@pytest.mark.parametrize("name", ["stream a.test", "stream nope", "nope"])
def test_a_name_of_nothing(name: str) -> None:
    with pytest.raises(errors.ConfigError, match="no site or stream has the name"):
        site_filter.choose(_MIXED, [name], None)
