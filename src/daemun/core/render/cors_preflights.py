"""Answers to preflights (`cors_headers`), which nginx gives itself: no server behind is sent one.

A browser sends none of the visitor's passwords, cookies and certificates with a preflight (fetch.spec.whatwg.org,
"CORS-preflight fetch"), so it passes what looks at these. What looks at addresses and countries holds: the request that
follows comes from the same one.
"""

import collections.abc
import dataclasses

from daemun.core import arguments, directive, model
from daemun.core.directive import Expr
from daemun.core.render import (
    cors_headers,
    early_answers,
    effective_access,
    header_directives,
    network_refusals,
    site_scope,
)
from daemun.core.texts import names

_FOLDER = "/.daemun/preflight/"


def answered(
    scope: site_scope.Scope, route: model.Route, locations: tuple[directive.Node, ...], *, https: bool
) -> tuple[directive.Node, ...]:
    """The locations of a route with an answer to preflights, first after refusals by country."""
    cors, _ = cors_headers.held(scope, route)
    if cors is None or (isinstance(route.action, model.Respond) and route.action.refuses):
        return locations
    rules = _address_rules(scope, route)
    place = names.variable_suffix(scope.site.host, route.name)
    away = arguments.line("return", "204")
    if rules:
        away = arguments.line("rewrite", Expr("^"), f"{_FOLDER}{place}", "last")
    answer = arguments.line("if", Expr(cors_headers.PREFLIGHT), block=(away,))
    found = tuple(_answered(node, answer) for node in locations)
    return (*found, *_checked(scope, route, place, rules, https=https)) if rules else found


def _address_rules(scope: site_scope.Scope, route: model.Route) -> tuple[directive.Directive, ...]:
    """Nothing where an address is one of several conditions of which one is enough."""
    access = effective_access.of_route(scope, route).access
    return () if access.any else effective_access.address_rules(access, scope.environment)


def _answered(node: directive.Node, answer: directive.Directive) -> directive.Node:
    if not isinstance(node, directive.Directive) or node.name != "location" or node.block is None:
        return node
    if node.args[0].value.startswith("@"):
        return node
    count = next((number for number, one in enumerate(node.block) if not network_refusals.is_refusal(one)), 0)
    return dataclasses.replace(node, block=(*node.block[:count], answer, *node.block[count:]))


def _checked(
    scope: site_scope.Scope,
    route: model.Route,
    place: str,
    rules: tuple[directive.Directive, ...],
    *,
    https: bool,
) -> collections.abc.Iterator[directive.Directive]:
    """nginx looks at addresses after `return`, so the answer stands behind a file that is not there."""
    there = f"@daemun_preflight_{place}"
    open_ = effective_access.open_lines(scope.environment, rules)
    block = (arguments.line("internal"), *open_, *early_answers.beyond(scope, there))
    yield arguments.line("location", "=", f"{_FOLDER}{place}", block=block)
    lines = header_directives.response_lines(scope, route, https=https, hide_header=None)
    yield arguments.line("location", there, block=(*open_, *lines, arguments.line("return", "204")))
