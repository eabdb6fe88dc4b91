"""How a location changes a request's path before it sends it: a server's path in the place of the route's prefix, or
what `rewrite` makes of it."""

import dataclasses

from daemun.core import arguments, directive, model
from daemun.core.directive import Expr
from daemun.core.options import catalogue, rewrite_option
from daemun.core.render import path_translation
from daemun.core.texts import expressions, route_paths

_DOT_AT_END = r"\.(?:[;/\\]|\z)"
"""A part of a path that ends in a dot: a group that begins or ends in the middle of one could become "..", which some
servers follow."""


def is_by_expression(action: model.Proxy) -> bool:
    value = rewrite_option.OPTION.of(action)
    return value is not None and value.match is not None


def with_rewrite(route: model.Route) -> model.Route:
    """A route by expression whose servers have a path, which is written as a rewrite: there is no prefix to replace."""
    is_expression = route_paths.find_kind(route.path) is route_paths.Kind.EXPRESSION
    if not is_expression or not isinstance(route.action, model.Proxy):
        return route
    path = route.action.targets[0].path
    if path is None:
        return route
    rewrite = rewrite_option.Rewrite(match=route.path, to=path)
    targets = tuple(dataclasses.replace(one, path=None) for one in route.action.targets)
    options = catalogue.with_value(route.action.options, rewrite_option.OPTION, rewrite)
    return dataclasses.replace(route, action=dataclasses.replace(route.action, targets=targets, options=options))


def lines(route: model.Route, action: model.Proxy) -> tuple[directive.Directive, ...]:
    """Last in a location, before what sends the request."""
    value, path = rewrite_option.OPTION.of(action), action.targets[0].path
    if value is not None and value.match is not None and value.to is not None:
        there = expressions.expand(value.to, lambda text: arguments.literal(arguments.decoded_path(text)))
        return (arguments.line("rewrite", Expr(rewrite_option.written(value.match)), Expr(there), "break"),)
    return () if path is None else (_replacement(path_translation.replaced_prefix(route), path),)


def _replacement(prefix: str, path: str) -> directive.Directive:
    """What a path in proxy_pass does, where nginx does not allow one."""
    pattern = arguments.prefix_pattern(prefix, "daemun_rest")
    there = f"{arguments.literal(arguments.decoded_path(path))}$daemun_rest"
    return arguments.line("rewrite", Expr(pattern), Expr(there), "break")


def guards(action: model.Proxy) -> tuple[directive.Directive, ...]:
    """First in a location: the end of requests that could lead out of where the groups of an expression lead."""
    value = rewrite_option.OPTION.of(action)
    if value is None or value.to is None or not expressions.find_parts(value.to):
        return ()
    refused = (arguments.line("return", "400"),)
    return (arguments.line("if", Expr("$uri"), "~", Expr(_DOT_AT_END), block=refused),)
