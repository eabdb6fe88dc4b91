"""Pages of the owner's in place of those of servers (`errors` with `servers: true`).

nginx replaces each answer of a server whose status has an `error_page` where the request is passed on
(ngx_http_upstream_intercept_errors). So that is a location of its own, the second half of the route's (`user_limits`),
with pages for the statuses alone that the owner names: the gate's other pages, what leads to a judge's sign-in (401),
and what hands requests on inside nginx (418, 419) stay in the first half, out of reach of what a server answers.

nginx's own errors while it passes a request on need a page there, too. A server's answers of the same statuses
cannot be distinguished from them.
"""

import dataclasses

from daemun.core import arguments, directive, model
from daemun.core.options import max_body_option, page_file
from daemun.core.render import custom_pages, effective_access, error_pages, hold_locations, site_scope, user_limits


def replace(
    scope: site_scope.Scope, route: model.Route, nodes: tuple[directive.Node, ...]
) -> tuple[directive.Node, ...]:
    """The locations of a route, behind what guards them."""
    pages = custom_pages.of_servers(scope, route)
    return nodes if not pages else tuple(_replace(scope, route, node, pages) for node in nodes)


def _replace(
    scope: site_scope.Scope, route: model.Route, node: directive.Node, pages: dict[str, page_file.PageFile]
) -> directive.Node:
    if not isinstance(node, directive.Directive) or node.name != "location" or node.block is None:
        return node
    module = next((name.removesuffix("_pass") for name in _names(node.block) if name.endswith("_pass")), None)
    if module is None or hold_locations.is_place(node.args[-1].value):
        return node
    written = site_scope.owned(node.block, "error_page")
    kept = tuple(one for one in node.block if one not in written)
    held = tuple(one for one in written if hold_locations.is_place(one.args[-1].value))
    taken = {arg.value for line in held for arg in line.args[:-1]}
    gates = [one for one in _passing(scope, route) if one not in taken and one not in pages]
    lines = (
        arguments.line(f"{module}_intercept_errors", "on"),
        *held,
        *custom_pages.lines(pages, *taken),
        *error_pages.of_gate_alone(scope, gates),
    )
    return dataclasses.replace(node, block=(*lines, *kept))


def _names(block: tuple[directive.Node, ...]) -> list[str]:
    return [one.name for one in block if isinstance(one, directive.Directive)]


def _passing(scope: site_scope.Scope, route: model.Route) -> list[str]:
    """What nginx itself answers with in such a location."""
    found = ["502", "504"]
    if max_body_option.OPTION.of(route):
        found.append("413")  # a body of unknown size that became too large
    if user_limits.is_on(effective_access.of_route(scope, route).access):
        found.append("429")
    return sorted(found)
