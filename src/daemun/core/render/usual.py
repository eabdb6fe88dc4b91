"""What an owner's nginx says further out than a location, and what every location says anyway.

A location of ours has a line for each limit and each time. One that is only the usual value must not undo what an owner
wrote for the whole site or gate.
"""

import collections.abc

from daemun.core import directive, model
from daemun.core.render import scope as scope_


def leave(
    lines: collections.abc.Iterable[directive.Node],
    scope: scope_.Scope,
    route: model.Route,
    proxy: model.Proxy,
    *,
    module: str,
) -> tuple[directive.Node, ...]:
    """The lines of a location without those that only repeat the usual value where the owner says another.

    module: "proxy", "grpc", "fastcgi", ...
    """
    outer = {
        node.name
        for node in (*scope.settings.snippet, *scope.site.snippet)
        if isinstance(node, directive.Directive) and node.block is None
    }
    left = outer & _at_usual_values(route, proxy, module)
    return tuple(line for line in lines if isinstance(line, directive.Comment) or line.name not in left)


def _at_usual_values(route: model.Route, proxy: model.Proxy, module: str) -> set[str]:
    times, usual = proxy.timeouts, model.Timeouts()
    found = {
        "client_max_body_size": route.max_body_bytes == model.USUAL_MAX_BODY_BYTES,
        f"{module}_connect_timeout": times.connect_s == usual.connect_s,
        f"{module}_read_timeout": times.read_s == usual.read_s,
        f"{module}_send_timeout": times.send_s == usual.send_s,
        f"{module}_buffer_size": times.idle_s == usual.idle_s,
    }
    tries = proxy.retries == model.USUAL_RETRIES
    found |= dict.fromkeys((f"{module}_next_upstream{end}" for end in ("", "_tries", "_timeout")), tries)
    return {name for name, is_usual in found.items() if is_usual}
