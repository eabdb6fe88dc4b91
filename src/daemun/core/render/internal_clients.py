"""Which clients a route serves.

What an owner wrote of internal clients is a file of its own, so that a mistake in it closes what it guards and touches
nothing else.
"""

import collections.abc
import dataclasses

from daemun.core import arguments, directive, model
from daemun.core.plan import generation_files
from daemun.core.render import site_scope


def internal_file(settings: model.Globals) -> tuple[directive.Node, ...]:
    return (
        directive.Comment(f"Which clients internal routes serve{site_scope.place(settings.internal_origin)}"),
        *settings.internal,
    )


def lines(route: model.Route) -> tuple[directive.Directive, ...]:
    """For each of its locations: a request for a stream reaches a named one before nginx looked at its address."""
    return (arguments.line("include", generation_files.INTERNAL_CLIENTS),) if route.is_internal else ()


def yielding(
    scope: site_scope.Scope, route: model.Route, locations: collections.abc.Iterable[directive.Node]
) -> tuple[directive.Node, ...]:
    """The locations of a route without ours that the file sets otherwise, where nginx accepts a directive once."""
    return tuple(_yielding(scope, route, node) for node in locations)


def _yielding(scope: site_scope.Scope, route: model.Route, node: directive.Node) -> directive.Node:
    if not isinstance(node, directive.Directive) or node.block is None or not set(lines(route)) & set(node.block):
        return node
    left = site_scope.yielding((one for one in node.block if one not in route.snippet), scope.settings.internal)
    block = tuple(one for one in node.block if one in left or one in route.snippet)
    return dataclasses.replace(node, block=block)
