"""Access logs of servers whose counted requests have more in their lines: what a cache did (`$upstream_cache_status`),
and which rule refused (`counted_refusals`).

nginx takes the access logs of one level alone, so such a server has all of them again, and pages of errors of its own:
those that servers share log as servers without rules do.
"""

import dataclasses

from daemun.core import arguments, directive, model, render_environment
from daemun.core.render import access_log, counted_refusals, error_pages, site_scope, traffic_log

_PAGES = arguments.line("include", error_pages.FILE)


def beside_logs(
    nodes: tuple[directive.Node, ...], settings: model.Globals, env: render_environment.Environment
) -> tuple[directive.Node, ...]:
    """The nodes of a site's file, all of whose requests are counted."""
    counted = traffic_log.beside_logs(nodes, settings, env)
    if not traffic_log.is_on(settings):
        return counted
    return tuple([_of_server(node, settings, env) for node in counted])


def _of_server(node: directive.Node, settings: model.Globals, env: render_environment.Environment) -> directive.Node:
    if isinstance(node, directive.Comment) or node.name != "server":
        return node
    block, short = node.block or (), traffic_log.line(settings, env)
    with_cache = traffic_log.has_cache((*settings.snippet, *block))
    with_refusals = counted_refusals.is_any(block)
    long = traffic_log.line_of(env, with_cache=with_cache, with_refusals=with_refusals)
    if long == short:
        return node
    logs = () if site_scope.owned(block, "access_log") else access_log.of_server(settings, env, ())
    if with_refusals and _PAGES in block:
        at = block.index(_PAGES)
        pages = traffic_log.beside_logs(error_pages.nodes(settings, env), settings, env)
        block = (*block[:at], *pages, *block[at + 1 :])
    return _replace(dataclasses.replace(node, block=(*logs, *block)), short, long)


def _replace(node: directive.Node, line: directive.Directive, by: directive.Directive) -> directive.Node:
    if isinstance(node, directive.Comment):
        return node
    if node.block is not None:
        return dataclasses.replace(node, block=tuple([_replace(one, line, by) for one in node.block]))
    return by if node == line else node
