"""What visitors see where the gate itself answers with an error: short, nothing of the machine, and the request's id.

A server's own pages are never replaced by these: nginx looks at `error_page` for its own answers only, and where an
owner lets it look at those of servers (`proxy_intercept_errors`), there are no pages of ours. Pages of the owner's may
stand for them (`server_error_pages`).

Each server has one location for each form, found by a variable in `error_page`. `return 200` there leaves the status
as it was (`err_status` in ngx_http_send_header). The same locations write the request's id into the error log, in a
line of the form that nginx's own have, so that one id leads through both logs.
"""

import dataclasses

from daemun.core import arguments, directive, model, render_environment, visitor_page
from daemun.core.directive import Expr
from daemun.core.options import header_options
from daemun.core.render import (
    access,
    access_log,
    client_certificates,
    counted_refusals,
    custom_pages,
    forwarded_headers,
    header_directives,
    maintenance_lines,
    site_scope,
)
from daemun.core.texts import names

FILE = "errors.conf"

STATUSES = ("403", "404", "405", "413", "421", "429", "500", "502", "503", "504")

_PAGELESS = (444, 494, 495, 496, 497, 499)
"""nginx's own: it closes the connection at 444 and 499, and sends 400 instead of the others."""

_TEXTS: dict[str, tuple[str, str]] = {
    "401": ("Please sign in", "This address is for those who have a name and a password for it."),
    "403": ("Not allowed", "You have no access to this address."),
    "404": ("Not found", "There is nothing at this address."),
    "405": ("Not possible here", "This address does not take such a request."),
    "410": ("Gone", "What was at this address is not there any more."),
    "413": ("Too large", "What was sent is larger than this service takes."),
    "421": ("Wrong connection", "This connection is for another name. Please try again."),
    "429": ("Too many requests", "Please wait a moment before you try again."),
    "451": ("Not available here", "For legal reasons this address is not available."),
    "~^4": ("Not possible here", "This address does not answer such a request."),
    "500": ("Something went wrong", "The request could not be handled. Please try again later."),
    "502": ("Service not reachable", "The service behind this address does not answer. Please try again in a moment."),
    "503": ("Temporarily not available", "Please try again in a moment."),
    "504": ("No answer in time", "The service behind this address took too long. Please try again in a moment."),
}
_OTHER = ("Something went wrong", "Please try again later.")

_NO_CERTIFICATE = (
    "A certificate is needed",
    "This address is for devices that have a certificate for it, and this one showed none. Install the one that you "
    "were given, then close the browser and open it again.",
)
_CERTIFICATES = {
    "": _NO_CERTIFICATE,
    "NONE": _NO_CERTIFICATE,
    "~expired": (
        "The certificate has ended",
        "This device has a certificate, but its time is over. Ask for a new one.",
    ),
    "~revoked": ("The certificate was withdrawn", "This device's certificate is not taken any more."),
    "~not yet valid": ("The certificate is not valid yet", "Please check the date and time of this device."),
}
_OTHER_CERTIFICATE = (
    "The certificate is not taken",
    "This device showed a certificate that is not for this address. Close the browser, open it again, and choose "
    "another one.",
)

_INTERCEPTING = tuple(f"{module}_intercept_errors" for module in ("proxy", "grpc", "fastcgi", "uwsgi", "scgi"))

LOG_FORMAT = "daemun_error"

RECURSIVE = arguments.line("recursive_error_pages", "on")
"""For a location that hands requests to another one: that is an "error", too, and nginx would follow no second one."""


# --- for a server ----------------------------------------------------------------------------------------------


def lines(scope: site_scope.Scope, *, https: bool) -> tuple[directive.Node, ...]:
    """Last in a server, behind what an owner wrote: nginx takes the first page for a status."""
    uncertified = _uncertified(scope)
    custom = custom_pages.every(scope)
    has_others = is_on(scope.settings, scope.site.snippet)
    if not has_others and not custom:
        return uncertified
    headers: tuple[directive.Directive, ...] = maintenance_lines.page_lines(scope)
    wait = access.retry_after(scope)
    if any(custom_pages.of_servers(scope, route) for route in scope.site.routes):
        wait = access.retry_after_of_server(wait)
    if wait is not None:
        headers = (*headers, arguments.line("add_header", "Retry-After", Expr(wait), "always"))
    if headers:
        written = site_scope.owned(scope.site.snippet, "add_header")
        ours = header_directives.without_written(header_directives.server_lines(scope, https=https), written)
        headers = (*ours, *written, *headers)
    if custom:
        more = (*_access_logs(scope.settings, scope.environment, scope.site.snippet), *headers)
        places = (custom_pages.location(page, scope.environment, more, has_others=has_others) for page in custom)
        custom_lines = (*custom_pages.lines(custom_pages.of_site(scope)), *places)
        others = (
            nodes(scope.settings, scope.environment, scope.site.snippet, headers, custom_lines)
            if has_others
            else custom_lines
        )
        return (*others, *uncertified)
    if headers or site_scope.owned(scope.site.snippet, "access_log"):
        return (*nodes(scope.settings, scope.environment, scope.site.snippet, headers), *uncertified)
    return (arguments.line("include", FILE), *uncertified)


def _uncertified(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    """For those whose certificate is missing or not taken."""
    if not client_certificates.is_asking(scope):
        return ()
    logs = _access_logs(scope.settings, scope.environment, scope.site.snippet)
    marked = (*counted_refusals.marked(scope, "client_certificates"), *logs)
    return tuple(
        _location(f"{client_certificates.PAGE}{form}", kind, marked, page="$daemun_uncertified_page")
        for form, kind in visitor_page.FORMS.items()
    )


def of_gate(settings: model.Globals) -> tuple[directive.Node, ...]:
    """For a server that is no site's."""
    return (arguments.line("include", FILE),) if is_on(settings, ()) else ()


def of_gate_alone(scope: site_scope.Scope, statuses: list[str]) -> tuple[directive.Directive, ...]:
    """The gate's pages for these statuses alone."""
    if not statuses or not is_on(scope.settings, scope.site.snippet):
        return ()
    return (arguments.line("error_page", *statuses, Expr(visitor_page.LOCATION)),)


def of_status(scope: site_scope.Scope, route: model.Route, status: int) -> tuple[directive.Directive, ...]:
    """For a location that answers with this status alone, one that the gate has no page for elsewhere."""
    if status < 400 or status in _PAGELESS or str(status) in STATUSES:
        return ()
    return repeated(scope, route, also=(str(status),))


def repeated(
    scope: site_scope.Scope, route: model.Route, *but: str, also: tuple[str, ...] = ()
) -> tuple[directive.Directive, ...]:
    """For a location of a route with error pages of its own, which nginx takes for all there are. What an owner sets
    for a status in the route counts. but: statuses that have no page here. also: others that have one."""
    pages = site_scope.owned(scope.site.snippet, "error_page") or site_scope.owned(scope.settings.snippet, "error_page")
    written = {arg.value for line in site_scope.owned(route.snippet, "error_page") for arg in line.args[:-1]}
    pages = (*pages, *custom_pages.lines(custom_pages.of_route(scope, route), *written))
    if not is_on(scope.settings, (*scope.site.snippet, *route.snippet)):
        return pages
    is_apart = _has_logs(route) or _has_headers(route)
    place = f"{_prefix_of(scope, route)}$daemun_wanted" if is_apart else visitor_page.LOCATION
    return (*pages, _page(*but, *written, place=place, also=also))


def log_lines(scope: site_scope.Scope, route: model.Route) -> tuple[directive.Directive, ...]:
    """For a location that answers with an error page of another kind."""
    snippet = route.snippet if _has_logs(route) else scope.site.snippet
    return _access_logs(scope.settings, scope.environment, snippet)


def with_own(
    scope: site_scope.Scope, route: model.Route, locations: tuple[directive.Node, ...], *, https: bool
) -> tuple[directive.Node, ...]:
    """The locations of a route, with pages that log where an owner lets the route log, and that have its headers where
    they are its answer."""
    if custom_pages.is_own(route):
        locations = tuple(_with_pages(node, repeated(scope, route)) for node in locations)
    is_apart = _has_logs(route) or _has_headers(route)
    if not is_apart or not is_on(scope.settings, (*scope.site.snippet, *route.snippet)):
        return locations
    more = (*log_lines(scope, route), *(_header_lines(scope, route, https=https) if _has_headers(route) else ()))
    return (
        *(_with_pages(node, repeated(scope, route)) for node in locations),
        *(_location(f"{_prefix_of(scope, route)}{form}", kind, more) for form, kind in visitor_page.FORMS.items()),
    )


def _has_headers(route: model.Route) -> bool:
    """Whether its answer is a page of the gate, with headers that it sets."""
    is_page = isinstance(route.action, model.Respond) and route.action.refuses
    return is_page and bool(header_options.RESPONSE.of(route))


def _header_lines(scope: site_scope.Scope, route: model.Route, *, https: bool) -> tuple[directive.Directive, ...]:
    lines = header_directives.response_lines(scope, route, https=https, hide_header=None)
    wait = access.retry_after(scope)
    is_set = any(name.lower() == "retry-after" for name, _ in header_options.RESPONSE.of(route))
    if wait is None or is_set:
        return lines
    return (*lines, arguments.line("add_header", "Retry-After", Expr(wait), "always"))


def _with_pages(node: directive.Node, pages: tuple[directive.Directive, ...]) -> directive.Node:
    if isinstance(node, directive.Comment) or node.name != "location" or node.block is None:
        return node
    if site_scope.owned(node.block, "error_page"):
        return node
    return dataclasses.replace(node, block=(*pages, *node.block))


def _has_logs(route: model.Route) -> bool:
    return bool(site_scope.owned(route.snippet, "access_log"))


def _prefix_of(scope: site_scope.Scope, route: model.Route) -> str:
    return f"@{names.upstream_name(scope.site.host, route.name)}_error_"


def is_on(settings: model.Globals, snippet: model.Snippet) -> bool:
    """Whether nginx looks at answers of its own only."""
    nodes_ = (*settings.snippet, *snippet)
    written = [line for name in _INTERCEPTING for line in site_scope.owned(nodes_, name)]
    return not any(line.args and line.args[0].value == "on" for line in written)


def _page(*but: str, place: str = visitor_page.LOCATION, also: tuple[str, ...] = ()) -> directive.Directive:
    return arguments.line("error_page", *(one for one in (*STATUSES, *also) if one not in but), Expr(place))


def _location(
    name: str, kind: str, lines_: tuple[directive.Directive, ...], *, page: str = "$daemun_page"
) -> directive.Directive:
    answer = arguments.line("return", "200", Expr(page))
    return arguments.line("location", Expr(name), block=(*lines_, arguments.line("default_type", kind), answer))


def unlogged(prefix: str, logs: tuple[directive.Directive, ...]) -> tuple[directive.Node, ...]:
    """The pages for a location whose requests are in no log. logs: what keeps them out."""
    return tuple(_location(f"{prefix}{form}", kind, logs) for form, kind in visitor_page.FORMS.items())


# --- for all sites ---------------------------------------------------------------------------------------------


def nodes(
    settings: model.Globals,
    env: render_environment.Environment,
    snippet: model.Snippet = (),
    headers: tuple[directive.Directive, ...] = (),
    custom: tuple[directive.Node, ...] | None = None,
) -> tuple[directive.Node, ...]:
    """The pages. snippet: what an owner wrote for the server. headers: all that they carry; none: the server's.
    custom: pages of files, which count first; None: those of the gate."""
    logs = _access_logs(settings, env, snippet)
    # A list of the server's own hides that of an owner further out.
    outer = () if site_scope.owned(snippet, "error_page") else site_scope.owned(settings.snippet, "error_page")
    if custom is None:
        found = custom_pages.find(settings)
        places = (custom_pages.location(page, env, logs, has_others=True) for page in dict.fromkeys(found.values()))
        custom = (*custom_pages.lines(found), *places)
    return (
        *outer,
        *custom,
        _page(),
        *(_location(f"@daemun_error_{form}", kind, (*logs, *headers)) for form, kind in visitor_page.FORMS.items()),
    )


def _access_logs(
    settings: model.Globals, env: render_environment.Environment, snippet: model.Snippet
) -> tuple[directive.Directive, ...]:
    """The log of this server, with the id that the page shows, and the line in the error log."""
    written = access_log.with_request_id(settings, access_log.of_server(settings, env, snippet))
    return (
        *written,
        arguments.line("access_log", f"{env.layout.logs}/error.log", LOG_FORMAT, "buffer=64k", "flush=1s"),
    )


def log_format(settings: model.Globals, nginx: render_environment.Nginx) -> directive.Directive:
    """As nginx writes its own lines, so that whoever reads the error log reads these, too."""
    request_id = forwarded_headers.expressions(settings, nginx).request_id
    text = (
        f"$daemun_log_time [error] $pid#0: *$connection answered $status, request_id: {request_id}, "
        'client: $remote_addr, server: $server_name, request: "$request", upstream: "$upstream_addr", host: "$host"'
    )
    return arguments.line("log_format", LOG_FORMAT, Expr(text))


def variables(settings: model.Globals, nginx: render_environment.Nginx) -> tuple[directive.Node, ...]:
    request_id = forwarded_headers.expressions(settings, nginx).request_id
    return (
        directive.Comment("The pages of the gate: which form a client wants, and what they say."),
        arguments.map_to("$http_accept", "$daemun_wanted", *_wanted(), default="text"),
        arguments.map_to(
            "$status",
            "$daemun_error_title",
            *((status, title) for status, (title, _) in _TEXTS.items()),
            default=_OTHER[0],
        ),
        arguments.map_to(
            "$status",
            "$daemun_error_text",
            *((status, text) for status, (_, text) in _TEXTS.items()),
            default=_OTHER[1],
        ),
        arguments.map_to("$daemun_wanted", "$daemun_page", *_bodies(request_id).items()),
        arguments.map_to("$daemun_wanted", "$daemun_page_type", *visitor_page.FORMS.items()),
        *_of_certificates(request_id),
        directive.Comment("The same in files of earlier versions."),
        *(arguments.map_to("", f"$daemun_page_{form}", default=text) for form, text in _bodies(request_id).items()),
        arguments.map_to(
            "$time_iso8601",
            "$daemun_log_time",
            (
                r"~^(?<daemun_year>\d+)-(?<daemun_month>\d+)-(?<daemun_day>\d+)T(?<daemun_clock>[0-9:]+)",
                "$daemun_year/$daemun_month/$daemun_day $daemun_clock",
            ),
        ),
    )


def _of_certificates(request_id: str) -> tuple[directive.Node, ...]:
    """What is wrong with a visitor's certificate, as nginx has it ($ssl_client_verify)."""
    title, text = "$daemun_uncertified_title", "$daemun_uncertified_text"
    return (
        arguments.map_to(
            "$ssl_client_verify",
            "$daemun_uncertified_title",
            *((reason, title) for reason, (title, _) in _CERTIFICATES.items()),
            default=_OTHER_CERTIFICATE[0],
        ),
        arguments.map_to(
            "$ssl_client_verify",
            "$daemun_uncertified_text",
            *((reason, text) for reason, (_, text) in _CERTIFICATES.items()),
            default=_OTHER_CERTIFICATE[1],
        ),
        arguments.map_to(
            "$daemun_wanted", "$daemun_uncertified_page", *_bodies(request_id, title=title, text=text).items()
        ),
    )


def _bodies(request_id: str, *, title: str = "$daemun_error_title", text: str = "$daemun_error_text") -> dict[str, str]:
    return {
        "html": visitor_page.html(title=title, text=text, footer=f"Error $status · Request {request_id}"),
        "json": '{"error": "' + title + '", "message": "' + text + '", "status": $status, '
        f'"request_id": "{request_id}"' + "}\n",
        "text": visitor_page.plain(title=title, text=text, footer=f"Error $status, request {request_id}"),
    }


def _wanted() -> tuple[tuple[str, str], ...]:
    """RFC 9110 section 12.5.1: the first form that is wanted in full; else the first that is wanted at all."""
    forms = {
        "html": r"(?:text/html|application/xhtml\+xml)",
        "json": r"application/(?:[a-z.-]+\+)?json",
        "text": "text/plain",
    }
    parameters = r"\s*(?:;(?!\s*q\s*=\s*0)[^,;]*)*(?:,|\z)"
    less = r"\s*(?:;(?!\s*q\s*=\s*0(?:\.0*)?\s*(?:[,;]|\z))[^,;]*)*(?:,|\z)"
    found: list[tuple[str, str]] = []
    for ending in (parameters, less):
        every = rf"(?:{'|'.join(forms.values())}){ending}"
        found += [(rf"~*^(?:(?!\s*{every})[^,]*,)*\s*{kind}{ending}", form) for form, kind in forms.items()]
    return tuple(found)
