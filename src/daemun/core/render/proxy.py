"""Locations of routes whose servers speak HTTP: http, https, h2c.

An ordinary request waits for its answer as long as the route says and may be buffered. A WebSocket or an event stream
may be silent for a day and must not be buffered. nginx cannot choose timeouts by a variable, so a request that
`$daemun_stream` tells to be one is handed to a named location with the same server and other times.
"""

import dataclasses

from daemun.core import directive, model, names
from daemun.core.directive import Expr
from daemun.core.render import access, environment, headers, hold, server_tls, upstream, usual, values
from daemun.core.render import scope as scope_

STREAM_STATUS = "418"
"""Never leaves nginx: `return` needs some status to be caught by `error_page`."""

STREAM_BUFFER = "8k"
"""Each open WebSocket holds one such buffer as long as it lives."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Stream:
    """A named location for what stays open. condition: the variable that sends a request there."""

    name: str
    condition: str
    upstream: str
    version: str


def upstreams(scope: scope_.Scope, route: model.Route, proxy: model.Proxy) -> tuple[directive.Node, ...]:
    """The blocks a route needs: one, and for h2c another one for WebSockets, which HTTP/2 servers take over HTTP/1.1
    (nginx would hand a kept HTTP/2 connection to an HTTP/1.1 request of the same block)."""
    names_ = dict.fromkeys([_name(scope, route), *(stream.upstream for stream in _streams(scope, route, proxy))])
    return tuple(upstream.block(scope, name, proxy) for name in names_)


def locations(
    scope: scope_.Scope, route: model.Route, proxy: model.Proxy, *, https: bool
) -> tuple[directive.Directive, ...]:
    """Raises: RenderError."""
    if proxy.targets[0].scheme is model.Scheme.H2C:
        scope.require(environment.Feature.H2C_UPSTREAM)
    streams = _streams(scope, route, proxy)
    written = [
        _main_location(scope, route, proxy, streams, https=https),
        *(_stream_location(scope, route, proxy, stream, https=https, is_retry=False) for stream in streams),
    ]
    if hold.is_held(scope, route, proxy):
        written.append(hold.location(scope, route, proxy, https=https))
        written.append(_retry_location(scope, route, proxy, https=https))
        written += [_stream_location(scope, route, proxy, stream, https=https, is_retry=True) for stream in streams]
    return tuple(written)


def _name(scope: scope_.Scope, route: model.Route) -> str:
    return names.upstream_name(scope.site.host, route.path)


def _streams(scope: scope_.Scope, route: model.Route, proxy: model.Proxy) -> tuple[_Stream, ...]:
    name = _name(scope, route)
    if proxy.targets[0].scheme is not model.Scheme.H2C:
        return (_Stream(name=f"@{name}_stream", condition="$daemun_stream", upstream=name, version="1.1"),)
    return (
        _Stream(name=f"@{name}_upgrade", condition="$daemun_upgrade", upstream=f"{name}_upgrade", version="1.1"),
        _Stream(name=f"@{name}_events", condition="$daemun_events", upstream=name, version="2"),
    )


def _main_location(
    scope: scope_.Scope, route: model.Route, proxy: model.Proxy, streams: tuple[_Stream, ...], *, https: bool
) -> directive.Directive:
    target = proxy.targets[0]
    lines: list[directive.Node] = []
    for number, stream in enumerate(streams):
        status = str(int(STREAM_STATUS) + number)
        lines.append(values.line("error_page", status, "=", stream.name))
        lines.append(values.line("if", Expr(stream.condition), block=(values.line("return", status),)))
    if hold.is_held(scope, route, proxy):
        lines += hold.error_lines(scope, route)
    else:
        lines += scope_.owned(scope.site.snippet, "error_page")
    lines += _ordinary(scope, route, proxy, https=https)
    path = "" if target.path is None else values.sent_path(target.path)
    lines.append(values.line("proxy_pass", _goal(scope, target, _name(scope, route), path)))
    lines = [*usual.leave(lines, route, proxy, module="proxy")]
    return values.location(route.path, (*scope_.yielding(lines, route.snippet), *route.snippet))


def _ordinary(
    scope: scope_.Scope, route: model.Route, proxy: model.Proxy, *, https: bool
) -> tuple[directive.Node, ...]:
    """How a request that is no stream is sent."""
    lines: list[directive.Node] = [*_common(scope, route, proxy, https=https)]
    if proxy.targets[0].scheme is model.Scheme.H2C:
        lines.append(values.line("proxy_http_version", "2"))
    lines.append(values.line("proxy_read_timeout", values.duration(proxy.timeouts.read_s, "timeout read")))
    lines.append(values.line("proxy_send_timeout", values.duration(proxy.timeouts.send_s, "timeout send")))
    if not proxy.buffering:
        lines += [values.line("proxy_buffering", "off"), values.line("proxy_request_buffering", "off")]
    return tuple(lines)


def _retry_location(scope: scope_.Scope, route: model.Route, proxy: model.Proxy, *, https: bool) -> directive.Directive:
    """The main location once more, for one request that waited and for the address it waited for."""
    target = proxy.targets[0]
    lines: list[directive.Node] = [
        *hold.error_lines(scope, route),
        hold.retry_line(),
        *_ordinary(scope, route, proxy, https=https),
    ]
    if target.path is not None:
        # The path of one that waits a second time is replaced already.
        lines.append(values.line("if", Expr("$daemun_replaced"), block=(values.line("break"),)))
        lines.append(replacement(route.path, target.path))
    lines.append(values.line("proxy_pass", Expr(f"{_protocol(target)}://$daemun_to")))
    lines = [*usual.leave(lines, route, proxy, module="proxy")]
    block = (*scope_.yielding(lines, route.snippet), *route.snippet)
    return values.line("location", f"@{_name(scope, route)}_retry", block=block)


def _stream_location(
    scope: scope_.Scope, route: model.Route, proxy: model.Proxy, stream: _Stream, *, https: bool, is_retry: bool
) -> directive.Directive:
    """is_retry: for one that waited, and for the address it waited for; its path is replaced already."""
    target = proxy.targets[0]
    idle = values.duration(proxy.timeouts.idle_s, "timeout idle")
    lines: list[directive.Node] = []
    if hold.is_held(scope, route, proxy):
        lines += hold.error_lines(scope, route)
    if is_retry:
        lines.append(hold.retry_line())
    lines += usual.leave(_common(scope, route, proxy, https=https), route, proxy, module="proxy")
    if stream.version != "1.1":
        lines.append(values.line("proxy_http_version", stream.version))
    lines += [
        values.line("proxy_read_timeout", idle),
        values.line("proxy_send_timeout", idle),
        values.line("proxy_buffering", "off"),
        values.line("proxy_buffer_size", STREAM_BUFFER),
    ]
    if not proxy.buffering:
        lines.append(values.line("proxy_request_buffering", "off"))
    # A named location has no prefix that proxy_pass could replace. The owner's rewrites go first, as in the main one.
    last: list[directive.Node] = []
    if target.path is not None and not is_retry:
        last.append(replacement(route.path, target.path))
    goal = Expr(f"{_protocol(target)}://$daemun_to") if is_retry else _goal(scope, target, stream.upstream)
    last.append(values.line("proxy_pass", goal))
    times = {"proxy_read_timeout", "proxy_send_timeout", "proxy_buffering", "proxy_buffer_size"}
    owners = tuple(
        node for node in route.snippet if isinstance(node, directive.Comment) or node.name not in {"location", *times}
    )
    return values.line(
        "location",
        Expr(f"{stream.name}_retry" if is_retry else stream.name),
        block=(*scope_.yielding(lines, owners), *owners, *scope_.yielding(last, owners)),
    )


def _common(scope: scope_.Scope, route: model.Route, proxy: model.Proxy, *, https: bool) -> tuple[directive.Node, ...]:
    return (
        *access.lines(route),
        values.line("client_max_body_size", values.size(route.max_body_bytes, "max_body")),
        *headers.response_lines(scope, route, https=https, hide_header="proxy_hide_header"),
        *headers.request_lines(scope, route, "proxy_set_header"),
        *(server_tls.lines(scope, proxy, "proxy") if proxy.targets[0].scheme is model.Scheme.HTTPS else ()),
        values.line("proxy_connect_timeout", values.duration(proxy.timeouts.connect_s, "timeout connect")),
        *usual.retries(proxy.retries, proxy.timeouts, "proxy"),
        *_redirects(scope, route, proxy),
    )


def replacement(prefix: str, path: str) -> directive.Directive:
    """`rewrite` that does what a path in proxy_pass does, where nginx does not allow one."""
    pattern = values.prefix_pattern(prefix, "daemun_rest")
    return values.line(
        "rewrite", Expr(pattern), Expr(f"{values.literal(values.decoded_path(path))}$daemun_rest"), "break"
    )


def _goal(scope: scope_.Scope, target: model.Target, upstream_: str, path: str = "") -> directive.Arg:
    """Where `proxy_pass` leads. upstream_: the name of the route's block. path: what replaces the route's prefix."""
    if scope.variables is not None:
        return Expr(f"{_protocol(target)}://{scope.variables.server}")
    return directive.Text(f"{_protocol(target)}://{upstream_}{path}")


def _redirects(scope: scope_.Scope, route: model.Route, proxy: model.Proxy) -> tuple[directive.Directive, ...]:
    """What `proxy_redirect default` does for a literal address: a redirect to the server's own address leads here.

    Not where an owner says for the whole site or gate what is done with redirects.
    """
    if any(scope_.owned(snippet, "proxy_redirect") for snippet in (scope.site.snippet, scope.settings.snippet)):
        return ()
    if scope.variables is not None:
        return (values.line("proxy_redirect", Expr(f"{scope.variables.url}/"), "/"),)
    lines = []
    for target in proxy.targets:
        if target.host is not None:
            there = f"{target.scheme.value if target.scheme is not model.Scheme.H2C else 'http'}" + str(
                dataclasses.replace(target, path=target.path or "/")
            ).removeprefix(target.scheme.value)
            here = route.path if target.path is not None else "/"
            lines.append(values.line("proxy_redirect", there, here))
    return tuple(dict.fromkeys(lines))


def _protocol(target: model.Target) -> str:
    return "https" if target.scheme is model.Scheme.HTTPS else "http"
