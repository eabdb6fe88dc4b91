"""A prefix that is requested without the slash at its end leads to it.

GET and HEAD by 301, others by `redirect_status`: after a 301 a POST comes as a GET. nginx does that of itself where a
location sends requests to servers, and by 301 for all.
"""

from daemun.core import arguments, directive
from daemun.core.directive import Expr
from daemun.core.options import redirect_status_option
from daemun.core.render import site_scope
from daemun.core.texts import route_paths

MOVED = 301


def locations(scope: site_scope.Scope, path: str) -> tuple[directive.Directive, ...]:
    """Of a prefix that has a route, or several; nothing where another route, or a hand-written location, may be of the
    path without its slash."""
    bare = path.rstrip("/")
    others = (one.path for one in scope.site.routes if one.path != path)
    written = {site_scope.location_name(node) for node in site_scope.owned(scope.site.snippet, "location")}
    if not bare or any(route_paths.takes(other, bare) for other in others) or {bare, f"= {bare}"} & written:
        return ()
    status = redirect_status_option.OPTION.of(scope.site)
    there = Expr(f"{arguments.literal(arguments.encoded(bare))}/$is_args$args")
    kept = (arguments.line("return", str(status), there),)
    is_kept = arguments.line("if", Expr("$request_method"), "!~", Expr(r"^(?:GET|HEAD)\z"), block=kept)
    block = (*(() if status == MOVED else (is_kept,)), arguments.line("return", str(MOVED), there))
    return (arguments.line("location", "=", bare, block=block),)
