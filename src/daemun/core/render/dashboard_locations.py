"""The dashboard (`core.options.dashboard_option`): its pages, which a process without rights makes, and its API, which
the daemon answers.

nginx decides nothing here: both know who comes by what is sent with each request. Server-sent events switch nginx's
buffers off themselves (X-Accel-Buffering, nginx.org/r/proxy_buffering).
"""

from daemun.core import arguments, directive, layout
from daemun.core.access import dashboard_paths
from daemun.core.directive import Expr
from daemun.core.render import access, judge_locations, site_scope

_PAGES, _API = "daemun_dashboard", "daemun_api"
_API_PATH = "/api/"
_LARGEST_BODY = "14m"
"""A file of sites as its owner edits it: 4 MB, for some of whose bytes a form has three."""


def shared(paths: layout.Layout) -> tuple[directive.Node, ...]:
    """Both as servers. Always there: a site may be kept from an earlier generation."""
    return (
        directive.Comment("The dashboard: its pages, and what they and programs request."),
        arguments.line("upstream", _PAGES, block=(arguments.line("server", f"unix:{paths.dashboard_socket}"),)),
        arguments.line("upstream", _API, block=(arguments.line("server", f"unix:{paths.api_socket}"),)),
    )


def content(scope: site_scope.Scope, *, has_pages: bool) -> tuple[directive.Node, ...]:
    """For the dashboard's server. has_pages: whether the gate's error pages are there."""
    first, *others = scope.site.routes
    locations = (
        arguments.line("location", "^~", _API_PATH, block=_passing(scope, _API)),
        arguments.line("location", "/", block=_passing(scope, _PAGES)),
    )
    found = [*access.server_lines(scope), *judge_locations.server_lines(scope, has_pages=has_pages)]
    found += access.guarded(scope, first, locations, ())
    for route in others:
        there = arguments.line("location", "=", dashboard_paths.SIGNED_IN, block=_passing(scope, _PAGES))
        found += access.guarded(scope, route, (there,), ())
    return tuple(found)


def _passing(scope: site_scope.Scope, server: str) -> tuple[directive.Node, ...]:
    """Whatever a visitor says of an address, or of a session in a header that is not a cookie, is not passed on."""
    sent = {
        "Host": scope.forwarded.host,
        "Connection": "",
        "X-Real-IP": "$remote_addr",
        "X-Forwarded-Proto": scope.forwarded.forwarded_proto,
        "X-Forwarded-Host": scope.forwarded.host,
        "X-Forwarded-For": "$remote_addr",
        "X-Daemun-Login": "",
    }
    return (
        arguments.line("client_max_body_size", _LARGEST_BODY),
        arguments.line("proxy_http_version", "1.1"),
        *(arguments.line("proxy_set_header", name, Expr(value)) for name, value in sent.items()),
        arguments.line("proxy_connect_timeout", "2s"),
        arguments.line("proxy_read_timeout", "330s"),
        arguments.line("proxy_next_upstream", "off"),
        arguments.line("proxy_intercept_errors", "off"),
        arguments.line("proxy_ignore_headers", "X-Accel-Redirect"),
        arguments.line("proxy_cache", "off"),
        arguments.line("proxy_pass", f"http://{server}"),
    )
