"""What becomes of the body of a request: held until it is whole, or sent to the server as it comes.

A small one is held, so that it can be sent once more, or wait (`hold`). A large one, and one of unknown size,
goes to the server as it comes: whoever sends it sees how far it got, and no disk fills up. nginx cannot choose that by
a variable, so a request with a small body is handed to a named location with the same server.

    under 10,000 bytes      held (client_body_buffer_size)
    under 1,000,000 bytes   held, MOST_HELD of them at a time, all workers together; further ones are not held
    other                   not held

What is held is held in memory, of which nginx takes as much as a body's declared size
(ngx_http_read_client_request_body): with a full disk such requests are answered as ever, and strangers cannot take more
than a quarter of a gigabyte. FastCGI, uwsgi and SCGI cannot be sent a body without its size: one in chunks
is held on disk, up to CHUNKED_BYTES, and MOST_CHUNKED of them at a time.

Only what declares its size is held: over HTTP/2 nothing distinguishes a request without a body from one with a body of
unknown size before it is read (1.31.3; both have no $content_length). For a request without a body the locations are
the same: nginx sends it again as if its body were held (ngx_http_read_client_request_body). Such a GET waits, too,
unless it has the type of a body.
"""

from daemun.core import arguments, directive, model, render_environment
from daemun.core.directive import Expr
from daemun.core.options import max_body_option
from daemun.core.render import custom_pages, effective_access, site_scope

BUFFER = "16k"
_HELD_BUFFER = "1m"
MOST_HELD = "256"
CHUNKED_BYTES = 64 << 20
MOST_CHUNKED = "16"

APART_STATUS = "418"
"""Never leaves nginx: `return` needs some status to be caught by `error_page`."""
FULL_STATUS = "419"
"""As many bodies are held as may be. It does not leave nginx either."""

_HELD, _CHUNKED = "daemun_held", "daemun_chunked"
_APART, _APART_UNCOUNTED = "apart", "apart_uncounted"
_CGI, _CGI_UNCOUNTED = "apart_cgi", "apart_cgi_uncounted"
OF_HTTP = (f"daemun_{_APART}", f"daemun_{_APART_UNCOUNTED}")
"""The variables of `variable` for HTTP servers."""


# --- for all sites ---------------------------------------------------------------------------------------------


def shared(env: render_environment.Environment) -> tuple[directive.Node, ...]:
    if render_environment.Feature.LIMIT_CONN not in env.nginx.features:
        return ()
    return (
        directive.Comment("How many bodies are held beside the smallest ones."),
        arguments.line("limit_conn_zone", Expr("$daemun_held"), f"zone={_HELD}:64k"),
        arguments.line("limit_conn_zone", Expr("$daemun_chunked"), f"zone={_CHUNKED}:64k"),
    )


def variables(env: render_environment.Environment) -> tuple[directive.Node, ...]:
    counted = "$limit_conn_status" if render_environment.Feature.LIMIT_CONN in env.nginx.features else ""
    return (
        directive.Comment(
            "Which location a request is handed to: WebSockets may be silent for long, and a small body is"
        ),
        directive.Comment("held until it is whole."),
        _apart(_APART, most_digits=6),
        directive.Comment("The same where bodies are not counted: only the smallest are held."),
        _apart(_APART_UNCOUNTED, most_digits=4),
        directive.Comment("For FastCGI, uwsgi and SCGI, which need to know the size of a body."),
        _apart_cgi(_CGI, most_digits=6),
        _apart_cgi(_CGI_UNCOUNTED, most_digits=4),
        directive.Comment("1 for a body that is counted, and for one in chunks."),
        arguments.map_to("$content_length", "$daemun_held", (r"~^[0-9]{5,6}\z", "1")),
        arguments.map_to("", "$daemun_chunked", default="1"),
        directive.Comment("1 for a request whose body was not held: it cannot be sent again."),
        *(_unheld(name, counted) for name in (_APART, _APART_UNCOUNTED, _CGI, _CGI_UNCOUNTED)),
    )


def _unheld(name: str, counted: str) -> directive.Directive:
    return arguments.map_to(
        f"$daemun_{name}|{counted}|$request_method|$content_length|$http_transfer_encoding|$server_protocol"
        "|$http_content_type",
        f"$daemun_unheld_{name}",
        (r"~^(?:body|chunked)\|(?!REJECTED)", ""),
        # Without a body; over HTTP/2 as far as that is visible.
        (r"~^[^|]*\|[^|]*\|[^|]*\|(?:0\||\|\|HTTP/1)", ""),
        (r"~^[^|]*\|[^|]*\|(?:GET|HEAD|OPTIONS|DELETE)\|\|\|[^|]*\|\z", ""),
        default="1",
        volatile=True,
    )


def _apart_cgi(name: str, *, most_digits: int) -> directive.Directive:
    return arguments.map_to(
        "$content_length|$http_transfer_encoding|$server_protocol|$request_method",
        f"$daemun_{name}",
        ("||HTTP/1.1|GET", ""),
        ("||HTTP/2.0|GET", ""),
        (rf"~^[1-9][0-9]{{0,{most_digits - 1}}}\|", "body"),
        (r"~^\|(?:[^|]|\|HTTP/[2-9][^|]*\|(?!(?:GET|HEAD|OPTIONS|DELETE)\z))", "chunked"),
    )


def _apart(name: str, *, most_digits: int) -> directive.Directive:
    return arguments.map_to(
        "$daemun_upgrade|$content_length",
        f"$daemun_{name}",
        # Nearly all requests, found without a regular expression.
        ("|", ""),
        (rf"~^\|[1-9][0-9]{{0,{most_digits - 1}}}\z", "body"),
        (r"~^[^|]+\|0?\z", "upgrade"),
    )


# --- for a route -----------------------------------------------------------------------------------------------


def apart_lines(scope: site_scope.Scope, route: model.Route, name: str, *, cgi: bool) -> tuple[directive.Node, ...]:
    """First in the main location of a route that holds bodies. name: of its upstream, which its other locations are
    named after."""
    held_in = variable(scope, route, cgi=cgi)
    return handing(f"@{name}_${held_in}", f"${held_in}")


def unheld_line(scope: site_scope.Scope, route: model.Route, *, cgi: bool) -> directive.Directive:
    """For the location where requests wait: those that were not held do not."""
    condition = Expr(f"${variable(scope, route, cgi=cgi).replace('daemun_', 'daemun_unheld_', 1)}")
    return arguments.line("if", condition, block=(arguments.line("return", "502"),))


def variable(scope: site_scope.Scope, route: model.Route, *, cgi: bool) -> str:
    """Which location a request is handed to, without the dollar sign; empty: none."""
    names = (_CGI, _CGI_UNCOUNTED) if cgi else (_APART, _APART_UNCOUNTED)
    return f"daemun_{names[not is_counted(scope, route)]}"


def held_lines(scope: site_scope.Scope, route: model.Route, overflow: str) -> tuple[directive.Node, ...]:
    """For the location of bodies that are held. overflow: the location for those beyond the bound."""
    if not is_counted(scope, route):
        return ()
    snippets = (scope.site.snippet, scope.settings.snippet)
    owners = any(site_scope.owned(snippet, "client_body_buffer_size") for snippet in snippets)
    return (
        *(() if owners else (arguments.line("client_body_buffer_size", _HELD_BUFFER),)),
        *_limit(_HELD, MOST_HELD, FULL_STATUS),
        arguments.line("error_page", FULL_STATUS, "=", overflow),
    )


def handing(there: str, condition: str) -> tuple[directive.Node, ...]:
    """A request for which the variable is not empty is handed to another location."""
    return (
        arguments.line("error_page", APART_STATUS, "=", Expr(there)),
        arguments.line("if", Expr(condition), block=(arguments.line("return", APART_STATUS),)),
    )


def chunked_lines(scope: site_scope.Scope, route: model.Route) -> tuple[directive.Node, ...]:
    """For a body of unknown size that must be held all the same."""
    most = min(max_body_option.OPTION.of(route) or CHUNKED_BYTES, CHUNKED_BYTES)
    counted = _limit(_CHUNKED, MOST_CHUNKED, "503") if is_counted(scope, route) else ()
    return (arguments.line("client_max_body_size", arguments.size(most)), *counted)


def _limit(zone: str, most: str, status: str) -> tuple[directive.Directive, ...]:
    return (
        arguments.line("limit_conn", zone, most),
        arguments.line("limit_conn_status", status),
        # A line in the error log for each body that is not held would be one for each request of an attack.
        arguments.line("limit_conn_log_level", "info"),
    )


def is_counted(scope: site_scope.Scope, route: model.Route) -> bool:
    """A `limit_conn` of ours would undo an owner's further out (nginx inherits all of them or none)."""
    snippets = (route.snippet, scope.site.snippet, scope.settings.snippet)
    if isinstance(route.action, model.Proxy) and route.action.targets[0].scheme.is_http2:
        return False  # what is beyond the bound goes where WebSockets go, and that is HTTP/1.1
    if effective_access.of_route(scope, route).access.connections is not None:
        return False
    if custom_pages.of_servers(scope, route):
        return False  # nginx would take a server's 419 for one of ours
    owners = any(site_scope.owned(snippet, name) for snippet in snippets for name in ("limit_conn", "include"))
    return render_environment.Feature.LIMIT_CONN in scope.environment.nginx.features and not owners
