r"""Requests that no server answers are held by the daemon, and are then sent to the address it names.

Two kinds of requests may wait:

- Those that no server took: none accepted a connection, so nothing was sent. They may have any method.
- Those that a server took and lost: its connection ended before the first byte of an answer, as those of a server that
  ends at once when it is stopped. It is unknown whether it acted upon them, so only those may wait that may be
  repeated without a person's consent (RFC 9110 section 9.2.2): GET, HEAD and OPTIONS without a body, where `retries`
  and the owner's nginx allow a second try. Each is repeated once: a request that ends every server that reads it is
  not to end the next ones, too.

The way of such a request, all inside nginx: a location that got no answer (502, 504) → @NAME_hold, which queries the
daemon over a unix socket → once a server is ready, its answer `X-Accel-Redirect: @NAME_retry` → @NAME_retry, which
sends the request, whose body nginx kept, to the address in the answer's header. A request that goes well never comes
near any of it. Tried with nginx 1.31.3:

- Attempts of one location are separated by ", " in `$upstream_...`, locations by " : "; the second, fourth ... group is
  that of a @NAME_hold. The variables for one attempt:

      what happened                                            _status  _bytes_sent  _bytes_received
      could not connect: refused, no live upstreams, TLS       502      0 or -       0 or -
      could not connect in time                                504      0 or -       0 or -
      reset or closed without a byte, read or not, kept or new 502      more         0
      closed or reset within the header, or after a 103        502      more         more
      a header that nginx does not accept                      502      more         more
      no answer in time                                        504      more         0
      an answer, also one of 502                               its own  more         more

- nginx itself sends a GET, HEAD, OPTIONS, PUT or DELETE again when a connection was closed, one that was kept without
  counting it as a try. All that is one location, however often it was.
- An HTTP/2 server sends SETTINGS before any request, so that "without a byte" is true of a kept connection only.
- A volatile map is evaluated at each use, which matters for a request that comes here twice. What the daemon answered
  can be read until the next `proxy_pass`, so `set` keeps it.
- nginx follows at most ten redirects of one request (ngx_http_named_location): the room sends it back three times.
- A body that was not held (a large one, `buffering: false`, gRPC) is gone with the first attempt.
- `$content_length` is known of every body that was read, also of one in chunks or without a length over HTTP/2.

Only the daemon can name an address: the answer counts when the last server tried was its socket.
"""

import re

from daemun.core import arguments, directive, layout, model, render_environment
from daemun.core.directive import Expr
from daemun.core.options import buffering_option, hold_option, retries_option
from daemun.core.render import (
    accel_redirect,
    custom_pages,
    error_pages,
    forwarded_headers,
    header_directives,
    request_body,
    site_scope,
)
from daemun.core.texts import names

HOLD = "hold.conf"
HOLD_UNBUFFERED = "hold-unbuffered.conf"

_UPSTREAM = "daemun_hold"
_MARGIN_S = 5.0
"""How much longer nginx waits for the daemon than the daemon for a server."""

MODULES = {
    model.Scheme.HTTP: "proxy",
    model.Scheme.HTTPS: "proxy",
    model.Scheme.H2: "proxy",
    model.Scheme.H2C: "proxy",
    model.Scheme.FASTCGI: "fastcgi",
    model.Scheme.UWSGI: "uwsgi",
    model.Scheme.SCGI: "scgi",
}
"""What can wait, by the nginx module for it. gRPC cannot: nginx does not keep the bodies of its requests."""

_UNSENT = r"[0-](?:, [0-])*"
"""Attempts of one location of which none sent anything."""

_SENT_ONCE = rf"(?:{_UNSENT} : [0-9]+ : )*[0-9-]+(?:, [0-9-]+)*(?: : [0-9]+ : {_UNSENT})*"
"""At most one location sent anything."""

_LIST = r"(?:[0-9, :-]* )?"
"""What comes before the last attempt."""

# --- for all sites ---------------------------------------------------------------------------------------------


def shared(paths: layout.Layout) -> tuple[directive.Node, ...]:
    """The daemon as a server."""
    return (
        directive.Comment("Requests that no server took wait in daemun, and some that one lost."),
        arguments.line("upstream", _UPSTREAM, block=(arguments.line("server", f"unix:{paths.hold_socket}"),)),
    )


def variables(paths: layout.Layout) -> tuple[directive.Node, ...]:
    """What the locations below use."""
    room = "unix:" + re.sub(r"([^A-Za-z0-9_/\x80-\U0010ffff])", r"\\\1", paths.hold_socket)
    return (
        directive.Comment(
            "Why a request may wait, because no server took it or one has just lost it, or with which status"
        ),
        directive.Comment("it ends."),
        arguments.map_to(
            "$request_method|$content_length|$http_transfer_encoding"
            "|$upstream_status|$upstream_bytes_received|$upstream_bytes_sent",
            "$daemun_fate",
            (rf"~^[^|]+\|[^|]*\|[^|]*\|[^|]*\|[^|]*\|{_UNSENT}(?: : [0-9]+ : {_UNSENT})*\z", "unsent"),
            # What a server lost was sent again, by nginx itself or from here, and no server took it this time.
            (rf"~^(?:GET|HEAD|OPTIONS)\|[^|]*\|[^|]*\|[^|]*\|[^|]*\|(?=.*[, ][0-]\z){_SENT_ONCE}\z", "unsent"),
            (rf"~^(?:GET|HEAD|OPTIONS)\|0?\|\|{_LIST}502\|{_LIST}[0-]\|{_SENT_ONCE}\z", "lost"),
            (r"~504\|[^|]*\|[^|]*\z", "504"),
            default="502",
            volatile=True,
        ),
        arguments.map_to("$daemun_fate", "$daemun_lost", ("lost", "1"), default="0", volatile=True),
        directive.Comment("What daemun is sent of it."),
        arguments.map_to("$daemun_fate", "$daemun_question", default="$request_id/$daemun_fate", volatile=True),
        directive.Comment("Where it comes back to, and the server that daemun names."),
        arguments.map_to(
            "$daemun_upgrade", "$daemun_retry_upgrade", ("", "retry"), default="upgrade_retry", volatile=True
        ),
        directive.Comment("The same in files of earlier versions."),
        arguments.map_to("$daemun_stream", "$daemun_retry", ("", "retry"), default="stream_retry", volatile=True),
        arguments.map_to(
            "$daemun_upgrade", "$daemun_retry_h2c", ("", "$daemun_retry_events"), default="upgrade_retry", volatile=True
        ),
        arguments.map_to(
            "$daemun_events", "$daemun_retry_events", ("", "retry"), default="events_retry", volatile=True
        ),
        arguments.map_to(
            "$upstream_addr|$upstream_http_x_daemun_to",
            "$daemun_ready",
            # Where an owner wrote nginx, a server may send a request there by an X-Accel-Redirect: it gets a 500.
            (rf"~{room}\|(?<daemun_ready_at>[0-9A-Fa-f.:\[\]]+|unix:[^|]+)\z", "$daemun_ready_at"),
            volatile=True,
        ),
        directive.Comment(
            "Set in the locations that a request comes back to; what is read elsewhere, too, must be defined."
        ),
        arguments.map_to("", "$daemun_to"),
        directive.Comment(
            "1 when the request waited before, or came from a named location: its path is replaced already."
        ),
        arguments.map_to(
            "$daemun_apart|$upstream_addr", "$daemun_replaced", (f"~^body|{room}.*{room}", "1"), volatile=True
        ),
    )


def file(settings: model.Globals, nginx: render_environment.Nginx, *, buffered: bool) -> tuple[directive.Node, ...]:
    """What every location for waiting requests includes."""
    lines = [arguments.line("if", Expr("$daemun_fate"), "=", status, block=_end(status)) for status in ("502", "504")]
    if not buffered:
        lines += [
            arguments.line("if", Expr("$request_method"), "!~", r"^(?:GET|HEAD|OPTIONS|DELETE)\z", block=_end("502")),
            # Over HTTP/2 a body of unknown size is one that has its type (see `request_body`).
            arguments.line(
                "set",
                Expr("$daemun_body"),
                Expr("$content_length|$http_transfer_encoding|$server_protocol|$http_content_type"),
            ),
            arguments.line("if", Expr("$daemun_body"), "!~", r"^0?\|\|(?:HTTP/1|[^|]*\|\z)", block=_end("502")),
        ]
    return (
        directive.Comment("What cannot wait is never sent again. Its body must be there for that."),
        *lines,
        arguments.line("proxy_method", "GET"),
        arguments.line("proxy_pass_request_body", "off"),
        arguments.line("proxy_pass_request_headers", "off"),
        arguments.line("proxy_set_header", "Host", "daemun"),
        # Where the request was, here among others, and which page its client can read.
        arguments.line("proxy_set_header", "X-Tried", Expr("$upstream_addr")),
        arguments.line("proxy_set_header", "Accept", Expr("$http_accept")),
        # Its name on the page and in the logs, which a trusted proxy may have given it.
        arguments.line(
            "proxy_set_header", "X-Request-ID", Expr(forwarded_headers.expressions(settings, nginx).request_id)
        ),
        arguments.line("proxy_set_header", "Content-Length", ""),
        # nginx keeps connections by itself since 1.29.7, and a question would be lost on one that the daemon closes at
        # that moment.
        arguments.line("proxy_set_header", "Connection", "close"),
        accel_redirect.followed(),
        arguments.line("proxy_http_version", "1.1"),
        arguments.line("proxy_next_upstream", "off"),
        arguments.line("proxy_connect_timeout", "1s"),
    )


def _end(status: str) -> tuple[directive.Directive, ...]:
    return (arguments.line("return", status),)


# --- for a route -----------------------------------------------------------------------------------------------


def is_held(scope: site_scope.Scope, route: model.Route, proxy: model.Proxy) -> bool:
    """Whether requests of this route wait. Not where an owner's nginx rewrites them, answers them otherwise, or looks
    at errors itself: sending them again would not do the same."""
    module = MODULES.get(proxy.targets[0].scheme)
    if module is None or hold_option.OPTION.of(proxy) == 0:
        return False
    intercepting = f"{module}_intercept_errors"
    turning = {"if", "location", "return", "rewrite", "try_files", f"{module}_pass", intercepting}
    return not any(
        isinstance(node, directive.Directive) and node.name in forbidden
        for snippet, forbidden in ((route.snippet, turning), (scope.site.snippet, {intercepting}))
        for node in snippet
    )


def error_lines(scope: site_scope.Scope, route: model.Route) -> tuple[directive.Node, ...]:
    """Where requests of a location go that got no answer; an owner's error pages stay."""
    return (
        error_pages.RECURSIVE,
        arguments.line("error_page", "502", "504", "=", f"@{_name(scope, route)}_hold"),
        *error_pages.repeated(scope, route),
    )


def is_place(location: str) -> bool:
    """Whether requests wait there."""
    return location.startswith("@") and location.endswith("_hold")


def retry_line(protocol: str = "") -> directive.Directive:
    """First in a location that sends a request to `$daemun_to`. protocol: for proxy_pass, "http://" or "https://"."""
    return arguments.line("set", Expr("$daemun_to"), Expr(f"{protocol}$daemun_ready"))


def location(scope: site_scope.Scope, route: model.Route, proxy: model.Proxy, *, https: bool) -> directive.Directive:
    """Where a request waits. Raises: RenderError."""
    pages = site_scope.owned(scope.site.snippet, "error_page")
    own_pages = site_scope.owned(route.snippet, "error_page")
    is_replaced = bool(pages or own_pages or custom_pages.of_route(scope, route))
    is_cgi = MODULES[proxy.targets[0].scheme] != "proxy"
    lost = arguments.line("if", Expr("$daemun_fate"), "=", "lost", block=(arguments.line("return", "502"),))
    lines: list[directive.Node] = [
        *(() if _is_repeated(scope, route, proxy) else (lost,)),
        *(
            (request_body.unheld_line(scope, route, cgi=is_cgi),)
            if buffering_option.OPTION.of(proxy) is not False
            else ()
        ),
        arguments.line("include", HOLD if buffering_option.OPTION.of(proxy) is not False else HOLD_UNBUFFERED),
        *header_directives.response_lines(scope, route, https=https, hide_header="proxy_hide_header"),
        *((*own_pages, *error_pages.repeated(scope, route, "503")) if is_replaced else ()),
        *error_pages.log_lines(scope, route),
        *((arguments.line("proxy_intercept_errors", "on"),) if is_replaced else ()),
        arguments.line("proxy_read_timeout", arguments.duration(hold_option.OPTION.of(proxy) + _MARGIN_S)),
        arguments.line(
            "proxy_pass",
            Expr(f"http://{_UPSTREAM}/{_path_of_route(scope, route)}/{_retry(proxy)}/$request_id/$daemun_fate"),
        ),
    ]
    return arguments.line("location", f"@{_name(scope, route)}_hold", block=tuple(lines))


def _is_repeated(scope: site_scope.Scope, route: model.Route, proxy: model.Proxy) -> bool:
    """Whether what a server lost may be sent once more: not where a second try after an error is switched off."""
    name = f"{MODULES[proxy.targets[0].scheme]}_next_upstream"
    snippets = (route.snippet, scope.site.snippet, scope.settings.snippet)
    owners = (node for snippet in snippets for node in site_scope.owned(snippet, name))
    return retries_option.OPTION.of(proxy) > 0 and all(
        "error" in {argument.value for argument in node.args} for node in owners
    )


def _retry(proxy: model.Proxy) -> str:
    match proxy.targets[0].scheme:
        case model.Scheme.HTTP | model.Scheme.HTTPS | model.Scheme.H2 | model.Scheme.H2C:
            return "$daemun_retry_upgrade"
        case _:
            return "retry"


def _path_of_route(scope: site_scope.Scope, route: model.Route) -> str:
    """Which servers are waited for, and where the request comes back to when that is not named after them."""
    name = _name(scope, route)
    return name if scope.variables is None else f"@{name}/{scope.variables.waits_as}"


def _name(scope: site_scope.Scope, route: model.Route) -> str:
    return names.upstream_name(scope.site.host, route.name)
