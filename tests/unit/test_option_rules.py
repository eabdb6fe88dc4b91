"""Rules of options that are not set are left out where they can find nothing."""

import typing

import pytest

from daemun.core import model, problem_report
from daemun.core.options import catalogue, option, option_rules
from daemun.core.validation import validate
from tests.support import features


def _check_all(one: option.Option[typing.Any], holder: option.HasOptions, place: option.Place) -> None:
    if one.check is not None:
        one.check(one.of(holder), place.below(one.name))


@pytest.mark.parametrize("name", features.FEATURES)
def test_as_if_every_rule_had_looked(name: str) -> None:
    desired = features.FEATURES[name].desired
    for site in desired.sites:
        for route in site.routes:
            found, expected = (problem_report.ProblemReport(host=site.host, origin=site.origin) for _ in range(2))
            here, there = (
                option.Place(report=one, field=route.field, site=site, route=route) for one in (found, expected)
            )
            option_rules.check_route(route, here)
            for one in catalogue.OF_ACTIONS[catalogue.find_action(route.action)]:
                _check_all(one, route if one.actions == option.EVERY_ACTION else route.action, there)
            assert found.problems == expected.problems


def test_rules_that_look_at_their_surroundings_are_never_left_out() -> None:
    report = problem_report.ProblemReport(host="a.example.com", origin=model.NOWHERE)
    target = model.Target(scheme=model.Scheme.HTTPS, host="127.0.0.1", port=443)
    route = model.Route(path="/", action=model.Proxy(targets=(target,)))
    site = model.Site(host="a.example.com", aliases=("not a name",), routes=(route,))
    option_rules.check_level(option.Level.SITE, site, option.Place(report=report, field=(), site=site))
    assert [problem.field for problem in report.problems] == [("aliases", 0)]
    assert validate.find_site_problems(site)
