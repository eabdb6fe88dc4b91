"""A site that some visitors cannot enter because a file of `access` is missing is degraded, with the cure."""

import dataclasses

import pytest

from daemun.core import model
from daemun.core.options import access_option, catalogue
from daemun.core.served import served_judgement
from tests.support.sites import site

A = model.SiteStatus(site=site("a.test", "http://127.0.0.1:9000"), state=model.SiteState.LIVE)
PUBLIC = catalogue.values(access_option.OPTION.set(access_option.Access()))
OPEN = model.SiteStatus(site=site("b.test", "http://127.0.0.1:9000", options=PUBLIC), state=model.SiteState.LIVE)
MISSING = model.Problem(
    origin=model.NOWHERE,
    message="site a.test: access.basic_auth.file: cannot read /x: no such file; correct the path; until then nobody",
    host="a.test",
    field=("access", "basic_auth", "file"),
    file="/x",
    cure="correct the path; until then nobody",
)


def test_the_site_says_why_and_what_to_do() -> None:
    found, other = served_judgement.with_missing_files((A, OPEN), (MISSING,))
    assert (found.state, other) == (model.SiteState.DEGRADED, OPEN)
    assert found.reason == "site a.test: access.basic_auth.file: cannot read /x: no such file"
    assert found.cure == "correct the path; until then nobody"


def test_what_every_site_has_closes_those_without_access_of_their_own() -> None:
    found = served_judgement.with_missing_files((A, OPEN), (dataclasses.replace(MISSING, host=None),))
    assert [one.state for one in found] == [model.SiteState.DEGRADED, model.SiteState.LIVE]


@pytest.mark.parametrize(
    "problem",
    [
        dataclasses.replace(MISSING, host="c.test"),
        dataclasses.replace(MISSING, severity=model.Severity.WARNING),
        dataclasses.replace(MISSING, field=("tls", "certificate")),
        dataclasses.replace(MISSING, file=None),
    ],
)
def test_other_problems_leave_it_live(problem: model.Problem) -> None:
    assert served_judgement.with_missing_files((A, OPEN), (problem,)) == (A, OPEN)


@pytest.mark.parametrize("state", [model.SiteState.UNREACHABLE, model.SiteState.QUARANTINED, model.SiteState.DISABLED])
def test_what_is_worse_stays(state: model.SiteState) -> None:
    one = dataclasses.replace(A, state=state)
    assert served_judgement.with_missing_files((one,), (MISSING,)) == (one,)
