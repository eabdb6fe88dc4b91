"""How a location changes a request's path before it sends it: a server's path in the place of the route's prefix, or
what `rewrite` makes of it."""

import dataclasses

from daemun.core import arguments, directive, model
from daemun.core.directive import Expr
from daemun.core.options import catalogue, rewrite_option
from daemun.core.render import path_translation
from daemun.core.texts import expressions, route_paths

_REWRITTEN = "$daemun_rewritten"
_DOTS = r"(?:^|[/\\])\.\.?(?:[;/\\]|\z)"
"""A part of a path that leads out of the one before, for servers that follow it: groups can make one together."""


def is_by_expression(action: model.Proxy) -> bool:
    value = rewrite_option.OPTION.of(action)
    return value is not None and value.match is not None


def with_rewrite(route: model.Route) -> model.Route:
    """A route by expression whose servers have a path, which is written as a rewrite: there is no prefix to replace."""
    is_expression = route_paths.find_kind(route.path) is route_paths.PathKind.EXPRESSION
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
        there = Expr(_expanded(value.to))
        return (arguments.line("rewrite", Expr(rewrite_option.written(value.match)), there, "break"),)
    return () if path is None else (_replacement(path_translation.replaced_prefix(route), path),)


def _replacement(prefix: str, path: str) -> directive.Directive:
    """What a path in proxy_pass does, where nginx does not allow one."""
    pattern = arguments.prefix_pattern(prefix, "daemun_rest")
    there = f"{arguments.literal(arguments.decoded_path(path))}$daemun_rest"
    return arguments.line("rewrite", Expr(pattern), Expr(there), "break")


def guards(action: model.Proxy) -> tuple[directive.Directive, ...]:
    """First in a location: the end of requests that would lead out of where the groups of an expression lead."""
    value = rewrite_option.OPTION.of(action)
    if value is None or value.match is None or value.to is None or not expressions.find_parts(value.to):
        return ()
    made = (arguments.line("set", Expr(_REWRITTEN), Expr(_expanded(value.to))),)
    refused = (arguments.line("return", "400"),)
    return (
        arguments.line("set", Expr(_REWRITTEN), ""),
        arguments.line("if", Expr("$uri"), "~", Expr(rewrite_option.written(value.match)), block=made),
        arguments.line("if", Expr(_REWRITTEN), "~", Expr(_DOTS), block=refused),
    )


def _expanded(to: str) -> str:
    return expressions.expand(to, lambda text: arguments.literal(arguments.decoded_path(text)))
