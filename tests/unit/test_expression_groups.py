"""Locations of expressions in groups: a group is found exactly when one of its members is, in their order."""

import random
import re
import urllib.parse

import pytest

from daemun.core import arguments, directive, model
from daemun.core.render import expression_groups
from daemun.core.texts import expressions
from tests.support import route_rule
from tests.support.sites import route, site


def nodes_of(*paths: str) -> tuple[directive.Node, ...]:
    """The locations of a site with these routes, each with its title."""
    made = site("a.test", *(route(path, model.Respond(body="x")) for path in paths))
    nodes = (node for one in made.routes for node in (directive.Comment(one.path), arguments.location(one.path, ())))
    return expression_groups.in_groups(made, tuple(nodes))


def find_locations(nodes: tuple[directive.Node, ...]) -> list[directive.Directive]:
    """Those by expression."""
    return [
        node
        for node in nodes
        if isinstance(node, directive.Directive) and node.name == "location" and node.args[0].value in {"~", "~*"}
    ]


def members_of(group: directive.Directive) -> list[directive.Directive]:
    return find_locations(group.block or ())


def finds(location: directive.Directive, path: str) -> bool:
    sign, expression = (one.value for one in location.args)
    flags = re.IGNORECASE if sign == "~*" else 0
    return re.search(expression.replace("(?<daemun", "(?P<daemun"), path, flags) is not None


def test_few_stay_as_they_are() -> None:
    paths = [f"~ ^/p{number}$" for number in range(expression_groups.FEWEST - 1)]
    assert len(find_locations(nodes_of(*paths))) == len(paths)


def test_a_group_is_found_when_one_of_its_members_is() -> None:
    chance = random.Random("groups of expressions")
    grouped = 0
    for _ in range(40):
        tree = route_rule.make_tree(chance, 30)
        locations = find_locations(nodes_of(*tree.paths))
        for group in locations:
            if not (inside := members_of(group)):
                continue
            grouped += 1
            for _ in range(30):
                path = route_rule.make_request(chance, tree)
                assert finds(group, path) == any(finds(one, path) for one in inside), (group.args, path)
        flat = [one for location in locations for one in (members_of(location) or [location])]
        ordered = [path for path in tree.paths if path.startswith(("~", "*"))]
        assert len(flat) == len(ordered)
        for _ in range(30):
            path = urllib.parse.unquote(route_rule.make_request(chance, tree).partition("?")[0])
            first = next((index for index, one in enumerate(flat) if finds(one, path)), None)
            alone = (index for index, one in enumerate(ordered) if route_rule.find_ordered(one, path))
            assert first == next(alone, None), (tree, path)
    assert grouped > 10


def test_what_an_owner_wrote_between_them_stays_there() -> None:
    made = site("a.test", *(route(f"~ ^/p{number}$", model.Respond(body="x")) for number in range(10)))
    nodes: list[directive.Node] = [arguments.location(one.path, ()) for one in made.routes]
    owners = arguments.line("location", "~", "(x)", block=())
    found = find_locations(expression_groups.in_groups(made, (*nodes[:5], owners, *nodes[5:])))
    assert found[1] == owners
    assert [members_of(found[0]), members_of(found[2])] == [nodes[:5], nodes[5:]]


def test_groups_are_of_one_kind_and_of_bounded_length() -> None:
    paths = [f"~ ^/{'x' * 120}{number}$" for number in range(40)] + [f"~ /y{number}" for number in range(5)]
    groups = find_locations(nodes_of(*paths))
    assert len(members_of(groups[-1])) == 5
    assert sum(len(members_of(one)) or 1 for one in groups) == len(paths)
    assert all(len(one.args[1].value) < 2000 for one in groups)
    for one in filter(members_of, groups):
        assert len({member.args[1].value.startswith("(?s)^") for member in members_of(one)}) == 1


@pytest.mark.parametrize(
    ("expression", "expected"),
    [("^/a", True), ("/a", False), ("^/a|/b", False), ("^/a|^/b", True), ("^(?:/a|/b)", True), ("(?:^/a)", False)],
)
def test_which_expressions_begin_at_the_start(expression: str, *, expected: bool) -> None:
    assert expressions.begins_at_start(expression) is expected
