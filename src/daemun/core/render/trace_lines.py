"""Traces of requests (`tracing`): what servers are sent of one, and the line that nginx writes of a request that is
exported, from which daemun makes its spans (`core.tracing.request_spans`).

A trace that is begun here has nginx's id of the request, which every error page shows. Only a trusted proxy can have
begun one before (w3.org/TR/trace-context section 7.3): whoever is not trusted could give many requests one id, or have
all of its own exported. The id of the span that servers are sent is the second half of nginx's id.
"""

from daemun.core import arguments, directive, layout, model, render_environment
from daemun.core.directive import Expr
from daemun.core.options import tracing_option
from daemun.core.render import forwarded_headers, site_scope
from daemun.core.tracing import traced_request

FORMAT = "daemun_span"
STATE = "$daemun_trace_state"
_SENT, _TRACE, _SPAN = "$daemun_trace_sent", "$daemun_trace_id", "$daemun_trace_span"
_SAMPLED, _DRAWN, _ONLY_ROUTE = "$daemun_trace_sampled", "$daemun_trace_drawn", "$daemun_trace_only_route"
_MEMBERS = r"~^\|(?<daemun_trace_members>[a-z0-9][\x20-\x7e]{2,511})\z"
"""What servers can be expected to take of `tracestate` (section 3.3.1.5): 512 characters."""


def is_on(settings: model.Globals) -> bool:
    return tracing_option.OPTION.of(settings) is not None


def headers(settings: model.Globals) -> dict[str, str]:
    """What every server is sent, in place of what a visitor sends."""
    if not is_on(settings):
        return {}
    is_trusting = forwarded_headers.is_anybody_believed(settings)
    trace = _TRACE if is_trusting else "$request_id"
    return {"traceparent": f"00-{trace}-{_SPAN}-0{_SAMPLED}", "tracestate": STATE if is_trusting else ""}


def format_line(settings: model.Globals, nginx: render_environment.Nginx) -> directive.Directive:
    """For the http level. Always there: a site may be kept from a time when there were traces."""
    if not is_on(settings):
        return arguments.line("log_format", FORMAT, "escape=none", "-")
    ours = forwarded_headers.expressions(settings, nginx)
    is_trusting = forwarded_headers.is_anybody_believed(settings)
    values = {
        **traced_request.VARIABLES,
        "sent": _SENT if is_trusting else "",
        "name": ours.request_id,
        "scheme": ours.forwarded_proto,
        "route": _ONLY_ROUTE,
    }
    line = ",".join(f'"{name}":"{value}"' for name, value in values.items())
    return arguments.line("log_format", FORMAT, "escape=json", Expr(f"{{{line}}}"))


def line(env: render_environment.Environment) -> directive.Directive:
    """Beside each access log."""
    where = f"{env.layout.logs}/{layout.SPANS_LOG}"
    return arguments.line("access_log", where, FORMAT, "buffer=64k", "flush=1s", Expr(f"if={_SAMPLED}"))


def only_route(scope: site_scope.Scope) -> tuple[directive.Directive, ...]:
    """For the server of a site whose single route is for every path: its traffic is counted without a name of it."""
    if not is_on(scope.settings) or [one.name for one in scope.site.routes] != ["/"]:
        return ()
    return (arguments.line("set", Expr(_ONLY_ROUTE), "/"),)


def variables(settings: model.Globals) -> tuple[directive.Node, ...]:
    found = tracing_option.OPTION.of(settings)
    half = (r"~(?<daemun_trace_half>[0-9a-f]{16})\z", "$daemun_trace_half")
    return (
        directive.Comment(
            "The span of a request that its server is sent, and the name of a route that is the only one."
        ),
        arguments.map_to("$request_id", _SPAN, half),
        arguments.map_to("", _ONLY_ROUTE),
        *_trusted(settings),
        *_sampled(found, is_trusting=forwarded_headers.is_anybody_believed(settings)),
    )


def _trusted(settings: model.Globals) -> tuple[directive.Node, ...]:
    """What a trusted proxy sends of a trace that it began."""
    if not forwarded_headers.is_anybody_believed(settings):
        return (
            arguments.map_to("", _SENT),
            arguments.map_to("", STATE),
            arguments.map_to("", _TRACE, default="$request_id"),
        )
    valid = (f"~^1:{traced_request.TRACEPARENT}\\z", "$http_traceparent")
    sent_id = (r"~^.{3}(?<daemun_trace_known>.{32})", "$daemun_trace_known")
    return (
        directive.Comment("The trace that a trusted proxy began (w3.org/TR/trace-context)."),
        arguments.map_to("$daemun_trusted:$http_traceparent", _SENT, valid),
        arguments.map_to(_SENT, _TRACE, ("", "$request_id"), sent_id),
        arguments.map_to(_SENT, "$daemun_trace_separator", ("", ""), default="|"),
        arguments.map_to("$daemun_trace_separator$http_tracestate", STATE, (_MEMBERS, "$daemun_trace_members")),
    )


def _sampled(found: tracing_option.Tracing | None, *, is_trusting: bool) -> tuple[directive.Node, ...]:
    if found is None:
        return (arguments.map_to("", _SAMPLED, default="0"),)
    if found.sample == tracing_option.EVERY:
        drawn: directive.Directive = arguments.map_to("", _DRAWN, default="1")
    else:
        share = arguments.line(f"{found.sample / 100:g}%", "1")
        drawn = arguments.line(
            "split_clients", Expr("$request_id"), Expr(_DRAWN), block=(share, arguments.line("*", "0"))
        )
    if not is_trusting:
        return (drawn, arguments.map_to("", _SAMPLED, default=_DRAWN))
    odd = (r"~^.{54}[13579bdf]", "1")
    return (drawn, arguments.map_to(_SENT, _SAMPLED, ("", _DRAWN), odd, default="0"))
