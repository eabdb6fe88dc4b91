"""Which site and route the line of a request in the traffic log names."""

import collections.abc
import dataclasses

from daemun.core import arguments, directive, model
from daemun.core.directive import Expr
from daemun.core.render import route_choice, site_scope, trace_lines, traffic_log
from daemun.core.traffic import traffic_names


def of_site(scope: site_scope.Scope) -> tuple[directive.Directive, ...]:
    """For a server of a site, before anything that may answer. A constant costs a request less than `$server_name`,
    which would have to be the default of a variable."""
    if not traffic_log.is_named(scope.settings):
        return ()
    only = trace_lines.only_route(scope)
    if scope.variables is not None:
        return (arguments.line("set", Expr(traffic_log.OF), Expr(scope.variables.waits_as)), *only)
    return (arguments.line("set", Expr(traffic_log.OF), traffic_names.encode(scope.site.host)), *only)


def of_routes(scope: site_scope.Scope, nodes: tuple[directive.Node, ...]) -> tuple[directive.Node, ...]:
    """The locations of a server, those of a route of several with its name."""
    routes = scope.site.routes
    if not traffic_log.is_named(scope.settings) or scope.variables is not None or len(routes) < 2:
        return nodes
    named = {_place(scope, one): traffic_names.encode(scope.site.host, one.name) for one in routes}
    return tuple(_named(node, named) for node in nodes)


def _place(scope: site_scope.Scope, route: model.Route) -> str:
    """The name of its first location."""
    if route.entry is not None:
        return route_choice.entry_name(scope, route)
    return site_scope.location_name(arguments.location(route.path, ()))


def _named(node: directive.Node, named: collections.abc.Mapping[str, str]) -> directive.Node:
    if isinstance(node, directive.Comment) or node.name != "location" or node.block is None:
        return node
    name = named.get(site_scope.location_name(node))
    return node if name is None else _with_route(node, name)


def _with_route(node: directive.Directive, name: str) -> directive.Directive:
    """Locations inside it, too: nginx takes no `set` from around them."""
    block = tuple(
        _with_route(one, name)
        if isinstance(one, directive.Directive) and one.name == "location" and one.block is not None
        else one
        for one in node.block or ()
    )
    return dataclasses.replace(node, block=(arguments.line("set", Expr(traffic_log.OF), name), *block))
