"""Access logs of servers that have a cache: their lines for counting requests have `$upstream_cache_status`.

nginx takes the access logs of one level alone, so such a server has all of them again.
"""

import dataclasses

from daemun.core import directive, model, render_environment
from daemun.core.render import access_log, site_scope, traffic_log


def beside_logs(
    nodes: tuple[directive.Node, ...], settings: model.Globals, env: render_environment.Environment
) -> tuple[directive.Node, ...]:
    """The nodes of a site's file, all of whose requests are counted."""
    counted = traffic_log.beside_logs(nodes, settings, env)
    if not traffic_log.is_on(settings):
        return counted
    return tuple([_of_server(node, settings, env) for node in counted])


def _of_server(node: directive.Node, settings: model.Globals, env: render_environment.Environment) -> directive.Node:
    if isinstance(node, directive.Comment) or node.name != "server" or not traffic_log.has_cache(node.block or ()):
        return node
    block = node.block or ()
    logs = () if site_scope.owned(block, "access_log") else access_log.of_server(settings, env, ())
    short, long = traffic_log.line(settings, env), traffic_log.line_with_cache(env)
    return _replace(dataclasses.replace(node, block=(*logs, *block)), short, long)


def _replace(node: directive.Node, line: directive.Directive, by: directive.Directive) -> directive.Node:
    if isinstance(node, directive.Comment):
        return node
    if node.block is not None:
        return dataclasses.replace(node, block=tuple([_replace(one, line, by) for one in node.block]))
    return by if node == line else node
