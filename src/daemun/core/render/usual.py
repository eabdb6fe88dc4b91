"""The usual limits and times, where everything inherits them: at the http level.

So they hold in hand-written locations, too, and an owner's line for the gate or a site replaces them as nginx does it.
A location of ours has lines for what differs from the usual only.
"""

import collections.abc

from daemun.core import directive, model
from daemun.core.render import environment, values

_MODULES: tuple[tuple[str, environment.Feature | None], ...] = (
    ("proxy", None),
    ("grpc", environment.Feature.GRPC),
    ("fastcgi", environment.Feature.FASTCGI),
    ("uwsgi", environment.Feature.UWSGI),
    ("scgi", environment.Feature.SCGI),
    ("memcached", environment.Feature.MEMCACHED),
)


def lines(nginx: environment.Nginx) -> tuple[directive.Node, ...]:
    """For the http level."""
    times = model.Timeouts()
    found: list[directive.Node] = [
        directive.Comment("What every location inherits, hand-written ones among them."),
        values.line("client_max_body_size", values.size(model.USUAL_MAX_BODY_BYTES, "max_body")),
    ]
    for module, feature in _MODULES:
        if feature is None or feature in nginx.features:
            found += (
                values.line(f"{module}_connect_timeout", values.duration(times.connect_s, "timeout connect")),
                values.line(f"{module}_read_timeout", values.duration(times.read_s, "timeout read")),
                values.line(f"{module}_send_timeout", values.duration(times.send_s, "timeout send")),
                *retries(model.USUAL_RETRIES, times, module),
            )
    return tuple(found)


def retries(number: int, times: model.Timeouts, module: str) -> tuple[directive.Directive, ...]:
    """Which failed requests go to a further server: those whose connection failed, and idempotent ones that got no
    answer. nginx never sends a POST again once it was sent (no `non_idempotent` here). All tries together may take as
    long as failing to connect to each server, so a slow answer is not asked for again and again.
    """
    if number == 0:
        return (values.line(f"{module}_next_upstream", "off"),)
    tries = values.integer(number + 1, "retries", most=1001)
    bound_s = min(times.connect_s * (number + 1), values.MOST_S)
    return (
        values.line(f"{module}_next_upstream", "error", "timeout"),
        values.line(f"{module}_next_upstream_tries", tries),
        values.line(f"{module}_next_upstream_timeout", values.duration(bound_s, "timeout connect times retries")),
    )


def leave(
    lines: collections.abc.Iterable[directive.Node], route: model.Route, proxy: model.Proxy, *, module: str
) -> tuple[directive.Node, ...]:
    """The lines of a location without those that only repeat the usual value. module: "proxy", "grpc", ..."""
    left = _at_usual_values(route, proxy, module)
    return tuple(line for line in lines if isinstance(line, directive.Comment) or line.name not in left)


def _at_usual_values(route: model.Route, proxy: model.Proxy, module: str) -> set[str]:
    times, usual = proxy.timeouts, model.Timeouts()
    found = {
        "client_max_body_size": route.max_body_bytes == model.USUAL_MAX_BODY_BYTES,
        f"{module}_connect_timeout": times.connect_s == usual.connect_s,
        f"{module}_read_timeout": times.read_s == usual.read_s,
        f"{module}_send_timeout": times.send_s == usual.send_s,
        f"{module}_next_upstream": proxy.retries == model.USUAL_RETRIES,
        f"{module}_next_upstream_tries": proxy.retries == model.USUAL_RETRIES,
        f"{module}_next_upstream_timeout": (proxy.retries, times.connect_s) == (model.USUAL_RETRIES, usual.connect_s),
    }
    return {name for name, is_usual in found.items() if is_usual}
