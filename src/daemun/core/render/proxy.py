"""Locations of routes whose servers speak HTTP: http, https, h2, h2c.

Answers leave as they come, whatever their headers and those of requests want (`proxy_buffering off` in nginx.conf). A
WebSocket may be silent for a day, other requests for as long as the route allows; nginx cannot choose timeouts by a
variable, so WebSockets are handed to a named location with the same server and other times. So are requests with a
large body, or one of unknown size: see `request_body`.
"""

import dataclasses

from daemun.core import arguments, directive, model, render_environment
from daemun.core.directive import Expr
from daemun.core.options import (
    bandwidth_option,
    buffering_option,
    cache_option,
    retries_option,
    timeout_option,
    translate_option,
)
from daemun.core.render import (
    compression,
    error_pages,
    header_directives,
    hold_locations,
    http_defaults,
    internal_clients,
    option_lines,
    path_rewrites,
    path_translation,
    request_body,
    response_cache,
    server_tls,
    site_scope,
    upstream,
    user_limits,
)
from daemun.core.texts import names

_OF_BUFFERED = ("proxy_cache", "proxy_store", "proxy_limit_rate")
"""What nginx does with buffered answers only."""


def upstreams(scope: site_scope.Scope, route: model.Route, proxy: model.Proxy) -> tuple[directive.Node, ...]:
    """The blocks a route needs: one, and for HTTP/2 another one for WebSockets, which HTTP/2 servers take over HTTP/1.1
    (nginx would hand a kept HTTP/2 connection to an HTTP/1.1 request of the same block)."""
    names_ = dict.fromkeys([_name(scope, route), _upgrade_upstream(scope, route, proxy)])
    return tuple(upstream.block(scope, name, proxy) for name in names_)


def locations(
    scope: site_scope.Scope, route: model.Route, proxy: model.Proxy, *, https: bool
) -> tuple[directive.Directive, ...]:
    """Raises: RenderError."""
    if proxy.targets[0].scheme.is_http2:
        scope.require(render_environment.Feature.HTTP2_UPSTREAM)
    written = [
        _main_location(scope, route, proxy, https=https),
        _upgrade_location(scope, route, proxy, https=https, is_retry=False),
    ]
    if buffering_option.OPTION.of(proxy) is not False:
        written.append(_body_location(scope, route, proxy, https=https))
    if (kept := response_cache.find(scope, route)) is not None:
        written.append(_cached_location(scope, route, proxy, kept, https=https))
    if hold_locations.is_held(scope, route, proxy):
        written.append(hold_locations.location(scope, route, proxy, https=https))
        written.append(_retry_location(scope, route, proxy, https=https))
        written.append(_upgrade_location(scope, route, proxy, https=https, is_retry=True))
    return tuple(written)


def _name(scope: site_scope.Scope, route: model.Route) -> str:
    return names.upstream_name(scope.site.host, route.name)


def _upgrade_upstream(scope: site_scope.Scope, route: model.Route, proxy: model.Proxy) -> str:
    name = _name(scope, route)
    return f"{name}_upgrade" if proxy.targets[0].scheme.is_http2 else name


def _main_location(
    scope: site_scope.Scope, route: model.Route, proxy: model.Proxy, *, https: bool
) -> directive.Directive:
    target, name = proxy.targets[0], _name(scope, route)
    lines: list[directive.Node] = [*path_translation.request_lines(route, proxy), *path_rewrites.guards(proxy)]
    if buffering_option.OPTION.of(proxy) is False:
        lines += request_body.handing(f"@{name}_upgrade", "$daemun_upgrade")
    else:
        apart = response_cache.apart_variable(scope, route) or request_body.variable(scope, route, cgi=False)
        lines += request_body.handing(f"@{name}_${apart}", f"${apart}")
    lines += compression.as_is(scope, route)
    if hold_locations.is_held(scope, route, proxy):
        lines += hold_locations.error_lines(scope, route)
    else:
        lines += (error_pages.RECURSIVE, *error_pages.repeated(scope, route))
    lines += _ordinary(scope, route, proxy, https=https, is_named=False)
    sent = path_translation.sent(scope, route, proxy)
    last: list[directive.Node] = []
    if path_rewrites.is_by_expression(proxy):
        last = [*path_rewrites.lines(route, proxy), arguments.line("proxy_pass", _goal(scope, target, name))]
    elif target.path is None:
        lines.append(arguments.line("proxy_pass", _goal(scope, target, name)))
    elif sent or _is_named(scope, route):
        # Behind what an owner wrote: nothing of that kind is looked at behind it.
        last = [
            *path_rewrites.lines(route, proxy),
            arguments.line("proxy_pass", _goal(scope, target, name, sent=sent)),
        ]
    else:
        lines.append(arguments.line("proxy_pass", _goal(scope, target, name, arguments.sent_path(target.path))))
    lines = [*http_defaults.leave(lines, scope, proxy, module="proxy")]
    last = [*site_scope.yielding(last, route.snippet)]
    return arguments.location(route.path, (*site_scope.yielding(lines, route.snippet), *route.snippet, *last))


def _is_named(scope: site_scope.Scope, route: model.Route) -> bool:
    """Whether what is sent to the server stands in a named location in the end, where nginx replaces no prefix."""
    return route.entry is not None or user_limits.is_split(scope, route)


def _ordinary(
    scope: site_scope.Scope, route: model.Route, proxy: model.Proxy, *, https: bool, is_named: bool
) -> tuple[directive.Node, ...]:
    """How a request that is no WebSocket is sent."""
    lines: list[directive.Node] = [*_common(scope, route, proxy, https=https, is_named=is_named)]
    if proxy.targets[0].scheme.is_http2:
        lines.append(arguments.line("proxy_http_version", "2"))
    lines.append(arguments.line("proxy_read_timeout", arguments.duration(timeout_option.OPTION.of(proxy).read_s)))
    lines.append(arguments.line("proxy_send_timeout", arguments.duration(timeout_option.OPTION.of(proxy).send_s)))
    lines += _buffering(scope, route, proxy)
    return tuple(lines)


def _held(proxy: model.Proxy) -> tuple[directive.Directive, ...]:
    return () if buffering_option.OPTION.of(proxy) is False else (arguments.line("proxy_request_buffering", "on"),)


def _buffering(scope: site_scope.Scope, route: model.Route, proxy: model.Proxy) -> tuple[directive.Directive, ...]:
    """Nothing where it is as for the whole gate."""
    is_on = buffering_option.OPTION.of(proxy)
    if is_on is None:
        snippets = (route.snippet, scope.site.snippet, scope.settings.snippet)
        is_needed = any(site_scope.owned(snippet, name) for snippet in snippets for name in _OF_BUFFERED)
        is_on = is_needed or bandwidth_option.OPTION.of(route, scope.site).rate > 0 or None
    return () if is_on is None else (arguments.line("proxy_buffering", "on" if is_on else "off"),)


def _body_location(
    scope: site_scope.Scope, route: model.Route, proxy: model.Proxy, *, https: bool
) -> directive.Directive:
    """For a request whose body is held until it is whole."""
    target, name = proxy.targets[0], _name(scope, route)
    pages = (error_pages.RECURSIVE, *error_pages.repeated(scope, route))
    lines = [
        *request_body.held_lines(scope, route, f"@{name}_upgrade"),
        *compression.as_is(scope, route, always=True),
        *(hold_locations.error_lines(scope, route) if hold_locations.is_held(scope, route, proxy) else pages),
        *_ordinary(scope, route, proxy, https=https, is_named=True),
        *_held(proxy),
    ]
    goal = _goal(scope, target, name, sent=path_translation.sent(scope, route, proxy))
    return _named(scope, route, proxy, "body", lines=lines, goal=goal)


def _cached_location(
    scope: site_scope.Scope, route: model.Route, proxy: model.Proxy, kept: cache_option.Cache, *, https: bool
) -> directive.Directive:
    """For a request whose answer may be kept."""
    target, name = proxy.targets[0], _name(scope, route)
    pages = (error_pages.RECURSIVE, *error_pages.repeated(scope, route))
    ours = _ordinary(scope, route, proxy, https=https, is_named=True)
    lines = [
        *(hold_locations.error_lines(scope, route) if hold_locations.is_held(scope, route, proxy) else pages),
        *(one for one in ours if getattr(one, "name", "") not in {"proxy_buffering", "proxy_set_header"}),
        *header_directives.request_lines_between(scope, route, response_cache.sent(kept), response_cache.REPLACED),
        arguments.line("proxy_buffering", "on"),
        *response_cache.lines(scope, route, kept),
    ]
    goal = _goal(scope, target, name, sent=path_translation.sent(scope, route, proxy))
    return _named(scope, route, proxy, response_cache.ENDING, lines=lines, goal=goal)


def _retry_location(
    scope: site_scope.Scope, route: model.Route, proxy: model.Proxy, *, https: bool
) -> directive.Directive:
    """The main location once more, for one request that waited and for the address it waited for."""
    target = proxy.targets[0]
    lines: list[directive.Node] = [
        *hold_locations.error_lines(scope, route),
        hold_locations.retry_line(f"{_protocol(target)}://"),
        *compression.as_is(scope, route, always=True),
        *_ordinary(scope, route, proxy, https=https, is_named=True),
        *_held(proxy),
    ]
    sent = path_translation.sent(scope, route, proxy)
    if target.path is not None and not sent and not _is_named(scope, route):
        # The path of one that waits a second time is replaced already.
        lines.append(arguments.line("if", Expr("$daemun_replaced"), block=(arguments.line("break"),)))
        lines += path_rewrites.lines(route, proxy)
    lines.append(arguments.line("proxy_pass", Expr(f"$daemun_to{sent}")))
    lines = [*http_defaults.leave(lines, scope, proxy, module="proxy")]
    block = (*site_scope.yielding(lines, route.snippet), *route.snippet)
    return arguments.line("location", f"@{_name(scope, route)}_retry", block=block)


def _upgrade_location(
    scope: site_scope.Scope, route: model.Route, proxy: model.Proxy, *, https: bool, is_retry: bool
) -> directive.Directive:
    """For WebSockets. is_retry: for one that waited, and the address it waited for; its path is replaced already."""
    target = proxy.targets[0]
    idle = arguments.duration(timeout_option.OPTION.of(proxy).idle_s)
    lines: list[directive.Node] = []
    if hold_locations.is_held(scope, route, proxy):
        lines += hold_locations.error_lines(scope, route)
    if is_retry:
        lines.append(hold_locations.retry_line(f"{_protocol(target)}://"))
    lines += _common(scope, route, proxy, https=https, is_named=True)
    lines += [arguments.line("proxy_read_timeout", idle), arguments.line("proxy_send_timeout", idle)]
    sent = path_translation.sent(scope, route, proxy)
    if is_retry:
        goal: directive.Arg = Expr(f"$daemun_to{sent}")
    else:
        goal = _goal(scope, target, _upgrade_upstream(scope, route, proxy), sent=sent)
    name = "upgrade_retry" if is_retry else "upgrade"
    return _named(scope, route, proxy, name, lines=lines, goal=goal, is_replaced=is_retry, lasting=True)


def _named(
    scope: site_scope.Scope,
    route: model.Route,
    proxy: model.Proxy,
    ending: str,
    *,
    lines: list[directive.Node],
    goal: directive.Arg,
    is_replaced: bool = False,
    lasting: bool = False,
) -> directive.Directive:
    """A location beside the main one, with what the owner wrote for that: all but locations inside it, which nginx
    allows in no named one and looks up before it comes here. is_replaced: the path is what the server gets."""
    ours = http_defaults.leave(lines, scope, proxy, module="proxy", lasting=lasting)
    # There is no prefix that proxy_pass could replace. The owner's rewrites go first, as in the main location.
    last = [*(() if is_replaced else path_rewrites.lines(route, proxy)), arguments.line("proxy_pass", goal)]
    owners = tuple(node for node in route.snippet if isinstance(node, directive.Comment) or node.name != "location")
    return arguments.line(
        "location",
        f"@{_name(scope, route)}_{ending}",
        block=(*site_scope.yielding(ours, owners), *owners, *site_scope.yielding(last, owners)),
    )


def _common(
    scope: site_scope.Scope, route: model.Route, proxy: model.Proxy, *, https: bool, is_named: bool
) -> tuple[directive.Node, ...]:
    times = timeout_option.OPTION.of(proxy)
    return (
        *internal_clients.lines(route),
        *option_lines.of_route(scope, route, "proxy", is_named=is_named),
        *header_directives.response_lines(scope, route, https=https, hide_header="proxy_hide_header"),
        *header_directives.request_lines(scope, route, "proxy_set_header"),
        *(server_tls.lines(scope, proxy, "proxy") if proxy.targets[0].scheme.is_encrypted else ()),
        arguments.line("client_body_timeout", arguments.duration(times.body_s)),
        arguments.line("proxy_connect_timeout", arguments.duration(times.connect_s)),
        *http_defaults.next_upstream(retries_option.OPTION.of(proxy), times, "proxy"),
        *_redirects(scope, route, proxy),
    )


def _goal(
    scope: site_scope.Scope, target: model.Target, upstream_: str, path: str = "", *, sent: str = ""
) -> directive.Arg:
    """Where `proxy_pass` leads. upstream_: the name of the route's block. path: what replaces the route's prefix.

    sent: a variable with the whole path.
    """
    if scope.variables is not None:
        return Expr(f"{_protocol(target)}://{scope.variables.server}")
    if sent:
        return Expr(f"{_protocol(target)}://{upstream_}{sent}")
    return directive.Text(f"{_protocol(target)}://{upstream_}{path}")


def _redirects(scope: site_scope.Scope, route: model.Route, proxy: model.Proxy) -> tuple[directive.Directive, ...]:
    """The server's own addresses become those that the visitor sees.

    Not where an owner sets for the whole site or gate what is done with redirects.
    """
    cookies = () if translate_option.OPTION.of(proxy) else path_translation.untranslated(scope)
    if any(site_scope.owned(snippet, "proxy_redirect") for snippet in (scope.site.snippet, scope.settings.snippet)):
        return cookies
    if not translate_option.OPTION.of(proxy):
        return (arguments.line("proxy_redirect", "off"), *cookies)
    if path_translation.is_on(scope, proxy):
        return path_translation.answer_lines(scope, proxy)
    if scope.variables is not None:
        return (arguments.line("proxy_redirect", Expr(f"{scope.variables.url}/"), "/"),)
    lines = []
    for target in proxy.targets:
        if target.host is not None:
            there = str(dataclasses.replace(target, path=target.path or "/")).removeprefix(target.scheme.value)
            there = f"{_protocol(target)}{there}"
            here = route.path if target.path is not None else "/"
            lines.append(arguments.line("proxy_redirect", there, here))
    return tuple(dict.fromkeys(lines))


def _protocol(target: model.Target) -> str:
    return "https" if target.scheme.is_encrypted else "http"
