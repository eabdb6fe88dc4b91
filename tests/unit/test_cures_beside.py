"""What stands beside a mistake: no untrue warning, a cure that works where it leads, the line that is meant."""

import dataclasses

import pytest

from daemun.core import model
from daemun.core.rounds import merge
from daemun.core.validation import validate
from daemun.sources import yaml_file


def read(text: str) -> model.Snapshot:
    return yaml_file.parse(text, file_name="daemun.yaml", base_dir="/")


@pytest.mark.parametrize("when", ["{methode: GET}", "[GET]", "{header: 7}", "{probability: often}", "{}"])
def test_a_condition_that_cannot_be_read_hides_no_other_route(when: str) -> None:
    text = f"sites:\n  a.test:\n    /:\n      - {{when: {when}, to: http://a}}\n      - http://b\n"
    problems = read(text).problems
    assert problems
    assert not [one.message for one in problems if "can never be reached" in one.message]


@pytest.mark.parametrize("option", ["max_body: 1g", "timeout: {read: 10m}", "buffering: true"])
def test_the_cure_for_an_option_beside_php_works(option: str) -> None:
    site = "sites:\n  a.test:\n    hsts: true\n    {}\n"
    php = "php: {socket: 127.0.0.1:9000, root: /srv/app}"
    (problem,) = read(site.format(f"{php}\n    {option}")).problems
    cure, _, where = problem.message.partition("write `")[2].partition("`")
    assert where == " in place of `php`", problem.message
    snapshot = read(site.format(cure))
    assert not snapshot.problems
    (route,) = snapshot.sites[0].routes
    assert isinstance(route.action, model.Proxy)
    assert route.action.php is not None


def test_what_nginx_lacks_for_an_option_of_the_gate_is_told_with_its_line() -> None:
    snapshot = read("# ours\ncompress: {brotli: true}\nsites: {a.test: http://a}\n")
    assert not snapshot.problems
    (problem,) = validate.find_unmet(merge.merge_snapshots([snapshot]), frozenset())
    assert str(problem).startswith("daemun.yaml:2:1: compress: nginx was built without ")
    assert snapshot.globals is not None
    moved = dataclasses.replace(snapshot.globals, origins=())
    assert moved == snapshot.globals, "another line alone is no change"
