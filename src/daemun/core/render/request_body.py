"""What becomes of the body of a request: held until it is whole, or sent to the server as it comes.

A small one is held, so that it can be sent once more, or wait (`hold`). A large one, and one whose size nobody knows,
goes to the server as it comes: whoever sends it sees how far it got, and no disk fills up. nginx cannot choose that by
a variable, so such a request is handed to a named location with the same server.

    under 10,000 bytes      held in memory (client_body_buffer_size)
    under 1,000,000 bytes   held on disk, MOST_HELD of them at a time, all workers together; further ones are not held
    other                   not held

So bodies take a gigabyte of the disk at most, whatever strangers send. FastCGI, uwsgi and SCGI cannot be told of a body
without telling its size: one in chunks is held, up to CHUNKED_BYTES, and MOST_CHUNKED of them at a time.

Over HTTP/1.1 a request without `Content-Length` and `Transfer-Encoding` has no body; over HTTP/2 nginx knows the size 0
of a request without one ($content_length is "0", ngx_http_v2_run_request), and none of a body that does not tell it.
"""

from daemun.core import directive, model
from daemun.core.directive import Expr
from daemun.core.render import environment, values
from daemun.core.render import scope as scope_

BUFFER = "16k"
MOST_HELD = "1000"
CHUNKED_BYTES = 64 << 20
MOST_CHUNKED = "16"

APART_STATUS = "418"
"""Never leaves nginx: `return` needs some status to be caught by `error_page`."""
FULL_STATUS = "419"
"""As many bodies are held as may be. It does not leave nginx either."""

_HELD, _CHUNKED = "daemun_held", "daemun_chunked"
_APART, _APART_ALL, _CGI = "apart", "apart_all", "cgi_body"


# --- for all sites ---------------------------------------------------------------------------------------------


def shared(env: environment.Environment) -> tuple[directive.Node, ...]:
    if environment.Feature.LIMIT_CONN not in env.nginx.features:
        return ()
    return (
        directive.Comment("How many bodies are held on disk."),
        values.line("limit_conn_zone", Expr("$daemun_held"), f"zone={_HELD}:64k"),
        values.line("limit_conn_zone", Expr("$daemun_chunked"), f"zone={_CHUNKED}:64k"),
    )


def variables() -> tuple[directive.Node, ...]:
    return (
        directive.Comment(
            "Which location a request is handed to: WebSockets may be silent for long, and a large body, or"
        ),
        directive.Comment("one of unknown size, is sent to the server as it comes."),
        _apart(_APART, least_digits=7),
        directive.Comment("The same where bodies are not counted: nothing is held on disk."),
        _apart(_APART_ALL, least_digits=5),
        directive.Comment("1 for a body that is held on disk, and for one in chunks."),
        _map("$content_length", "held", (r"~^[0-9]{5,6}\z", "1")),
        values.line("map", "", Expr("$daemun_chunked"), block=(values.line("default", "1"),)),
        directive.Comment("For FastCGI, uwsgi and SCGI, which need to know the size of a body."),
        _map(
            "$content_length|$http_transfer_encoding|$server_protocol",
            _CGI,
            ("||HTTP/1.1", ""),
            ("0||HTTP/2.0", ""),
            (r"~^[0-9]{7,}\|\|", "upload"),
            (r"~^[0-9]*\|[^|]|^\|\|HTTP/[2-9]", "chunked"),
        ),
    )


def _apart(name: str, *, least_digits: int) -> directive.Directive:
    return _map(
        "$daemun_upgrade|$content_length|$http_transfer_encoding|$server_protocol",
        name,
        # Nearly all requests, found without a regular expression.
        ("|||HTTP/1.1", ""),
        ("|0||HTTP/2.0", ""),
        (rf"~^[^|]*\|(?:[0-9]{{{least_digits},}}\||[0-9]*\|[^|]|\|\|HTTP/[2-9])", "upload"),
        (r"~^[^|]+\|0?\|", "upgrade"),
        (r"~^[^|]+\|", "upload"),
    )


def _map(source: str, variable: str, *entries: tuple[str, str]) -> directive.Directive:
    lines = (values.line(key, Expr(value) if value else "") for key, value in entries)
    return values.line("map", Expr(source), Expr(f"$daemun_{variable}"), block=(values.line("default", ""), *lines))


# --- for a route -----------------------------------------------------------------------------------------------


def apart_lines(scope: scope_.Scope, route: model.Route, name: str, *, cgi: bool) -> tuple[directive.Node, ...]:
    """First in the main location of a route that holds bodies. name: of its upstream, which its other locations are
    named after."""
    counted = is_counted(scope, route)
    variable = _CGI if cgi else _APART if counted else _APART_ALL
    return (
        *handing(f"@{name}_$daemun_{variable}", f"$daemun_{variable}"),
        *(() if not counted else _limit(_HELD, MOST_HELD, FULL_STATUS)),
        *(() if not counted else (values.line("error_page", FULL_STATUS, "=", f"@{name}_upload"),)),
    )


def handing(there: str, condition: str) -> tuple[directive.Node, ...]:
    """A request for which the variable says something is handed to another location."""
    return (
        values.line("error_page", APART_STATUS, "=", Expr(there)),
        values.line("if", Expr(condition), block=(values.line("return", APART_STATUS),)),
    )


def chunked_lines(scope: scope_.Scope, route: model.Route) -> tuple[directive.Node, ...]:
    """For a body of unknown size that must be held all the same."""
    most = min(route.max_body_bytes or CHUNKED_BYTES, CHUNKED_BYTES)
    counted = _limit(_CHUNKED, MOST_CHUNKED, "503") if is_counted(scope, route) else ()
    return (values.line("client_max_body_size", values.size(most, "max_body")), *counted)


def _limit(zone: str, most: str, status: str) -> tuple[directive.Directive, ...]:
    return (
        values.line("limit_conn", zone, most),
        values.line("limit_conn_status", status),
        # A line in the error log for each body that is not held would be one for each request of an attack.
        values.line("limit_conn_log_level", "info"),
    )


def is_counted(scope: scope_.Scope, route: model.Route) -> bool:
    """A `limit_conn` of ours would undo an owner's further out (nginx inherits all of them or none)."""
    snippets = (route.snippet, scope.site.snippet, scope.settings.snippet)
    owners = any(scope_.owned(snippet, name) for snippet in snippets for name in ("limit_conn", "include"))
    return environment.Feature.LIMIT_CONN in scope.environment.nginx.features and not owners
