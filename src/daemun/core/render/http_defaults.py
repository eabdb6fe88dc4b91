"""The usual limits and times, where everything inherits them: at the http level.

So they hold in hand-written locations, too, and an owner's line for the gate or a site replaces them as nginx does it.
A location of ours has lines for what differs from the usual only.
"""

import collections.abc
import functools

from daemun.core import arguments, directive, model, render_environment
from daemun.core.options import buffering_option, max_body_option, retries_option, timeout_option
from daemun.core.render import site_scope

_LONGEST_S = 10 * 366 * 86400.0
_MODULES: tuple[tuple[str, render_environment.Feature | None], ...] = (
    ("proxy", None),
    ("grpc", render_environment.Feature.GRPC),
    ("fastcgi", render_environment.Feature.FASTCGI),
    ("uwsgi", render_environment.Feature.UWSGI),
    ("scgi", render_environment.Feature.SCGI),
    ("memcached", render_environment.Feature.MEMCACHED),
)


def lines(nginx: render_environment.Nginx) -> tuple[directive.Node, ...]:
    """For the http level."""
    times = timeout_option.Timeouts()
    found: list[directive.Node] = [
        directive.Comment("What every location inherits, hand-written ones among them."),
        arguments.line("client_max_body_size", arguments.size(max_body_option.OPTION.default)),
        arguments.line("client_body_timeout", arguments.duration(times.body_s)),
    ]
    for module, feature in _MODULES:
        if feature is None or feature in nginx.features:
            found += (
                arguments.line(f"{module}_connect_timeout", arguments.duration(times.connect_s)),
                arguments.line(f"{module}_read_timeout", arguments.duration(times.read_s)),
                arguments.line(f"{module}_send_timeout", arguments.duration(times.send_s)),
                *next_upstream(retries_option.OPTION.default, times, module),
            )
    return tuple(found)


def next_upstream(number: int, times: timeout_option.Timeouts, module: str) -> tuple[directive.Directive, ...]:
    """Which failed requests go to a further server: those whose connection failed, and idempotent ones that got no
    answer. nginx never sends a POST again once it was sent (no `non_idempotent` here). All tries together may take as
    long as failing to connect to each server, so a slow answer is not requested again and again.
    """
    if number == 0:
        return (arguments.line(f"{module}_next_upstream", "off"),)
    bound_s = min(times.connect_s * (number + 1), _LONGEST_S)
    return (
        arguments.line(f"{module}_next_upstream", "error", "timeout"),
        arguments.line(f"{module}_next_upstream_tries", str(number + 1)),
        arguments.line(f"{module}_next_upstream_timeout", arguments.duration(bound_s)),
    )


def leave(
    lines: collections.abc.Iterable[directive.Node],
    scope: site_scope.Scope,
    proxy: model.Proxy,
    *,
    module: str,
    lasting: bool = False,
) -> tuple[directive.Node, ...]:
    """The lines of a location without those that equal the defaults.

    module: "proxy", "grpc", "fastcgi", ... lasting: it is for what stays open; its usual times are not in nginx.conf,
    so they go only where an owner sets them further out.
    """
    outer = {
        node.name
        for node in (*scope.settings.snippet, *scope.site.snippet)
        if isinstance(node, directive.Directive) and node.block is None
    }
    default = timeout_option.Timeouts()
    own = {
        f"{module}_buffering": buffering_option.OPTION.of(proxy) is None,
        f"{module}_request_buffering": buffering_option.OPTION.of(proxy) is None,
    }
    if lasting:
        is_default = (timeout_option.OPTION.of(proxy).idle_s, timeout_option.OPTION.of(proxy).read_s) == (
            default.idle_s,
            default.read_s,
        )
        own |= {f"{module}_read_timeout": is_default, f"{module}_send_timeout": is_default}
    left = {name for name in outer if own.get(name)}
    defaults = _default_lines(scope.environment.nginx)
    return tuple(
        line
        for line in lines
        if isinstance(line, directive.Comment) or (line.name not in left and defaults.get(line.name) != line.args)
    )


@functools.lru_cache(maxsize=8)
def _default_lines(nginx: render_environment.Nginx) -> dict[str, tuple[directive.Arg, ...]]:
    """The lines of nginx.conf, by the names of directives."""
    return {line.name: line.args for line in lines(nginx) if isinstance(line, directive.Directive)}
