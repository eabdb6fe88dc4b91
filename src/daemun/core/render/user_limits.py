"""Requests that are counted by user (`access.rate_limit`, `by: user`).

nginx looks at `limit_req` before it queries a judge (nginx.org/en/docs/dev/development_guide.html#http_phases), and so
before anybody has a name. A location that counts by user therefore has two halves: the first has the conditions, and
tries a file that is not there; the second is a named one, in which nginx looks at limits again, and has the server. The
name is what the judge answered, which no header of a request can change. nginx counts a request once, however often it
is handed on (ngx_http_limit_req_handler).

So it is for routes that lead to servers. Files, redirects and fixed answers are counted by address.

Routes whose servers' errors have pages (`render.server_error_pages`) have the same two halves.
"""

import dataclasses

from daemun.core import arguments, directive, model
from daemun.core.directive import Expr
from daemun.core.options import access_option
from daemun.core.render import custom_pages, early_answers, effective_access, request_body, site_scope
from daemun.core.texts import names, words
from daemun.errors import RenderError

_APART = ("_body", "_upgrade", "_chunked", "_php", "_cached")
"""The endings of named locations that nginx goes to before it looks at conditions."""
_OF_BOTH = (
    *("error_page", "recursive_error_pages", "access_log", "error_log", "add_header", "add_trailer"),
    # nginx compares a declared size with that of the location that it found first.
    "client_max_body_size",
    "set",  # what locations read that it hands a request to
)
_ENTERED = "$daemun_entered"
"""The route whose conditions a request met."""
_OF_FIRST = ("include",)
"""Which clients an internal route serves."""


def is_on(access: access_option.Access) -> bool:
    """Whether a judge or the sign-in names the users that are to be counted by."""
    limit = access.rate_limit
    return limit is not None and limit.is_by_user and access.names_users


def is_split(scope: site_scope.Scope, route: model.Route) -> bool:
    """Whether the locations of a route have two halves."""
    if not isinstance(route.action, model.Proxy):
        return False
    return is_on(effective_access.of_route(scope, route).access) or bool(custom_pages.of_servers(scope, route))


def check(route: model.Route) -> None:
    """Raises: RenderError where an owner wrote what can stand in no named location, or would come too early."""
    if route.replaced or route.snippet:
        raise RenderError(
            f"route {words.quoted(route.path)}: `rate_limit` with `by: user` cannot stand beside hand-written nginx of "
            "the route; write `by: address`, or remove its `nginx:`"
        )


def split(
    scope: site_scope.Scope, route: model.Route, node: directive.Node, limits: tuple[directive.Directive, ...]
) -> tuple[directive.Directive, directive.Directive] | None:
    """A location of such a route as its two halves. None: it leads to no server, or requests only come to it later."""
    if not isinstance(node, directive.Directive) or node.name != "location" or node.block is None:
        return None
    place = node.args[-1].value
    is_named = place.startswith("@")
    if not (place.endswith(_APART) if is_named else any(_name(one).endswith("_pass") for one in node.block)):
        return None
    own = names.upstream_name(scope.site.host, route.name)
    there = f"{place if is_named else f'@{own}'}_counted"
    first = tuple(one for one in node.block if _name(one) in (*_OF_BOTH, *_OF_FIRST) or _is_return(one))
    second = tuple(one for one in node.block if _name(one) not in _OF_FIRST and not _hands_on(one))
    # Where an owner wrote nginx, a server may send a request there by an X-Accel-Redirect: from its own route alone.
    entered = arguments.line("set", Expr(_ENTERED), own)
    others = arguments.line("if", Expr(_ENTERED), "!=", own, block=(arguments.line("return", "403"),))
    open_to_all = effective_access.open_lines(scope.environment)
    return (
        dataclasses.replace(node, block=(entered, *first, *early_answers.beyond(scope, there))),
        arguments.line("location", there, block=(others, *open_to_all, *limits, *second)),
    )


def _name(node: directive.Node) -> str:
    return node.name if isinstance(node, directive.Directive) else ""


def _is_return(node: directive.Node) -> bool:
    """Whether a condition ends a request, or hands it on. Where one with other lines holds, nginx looks at nothing but
    these."""
    if not isinstance(node, directive.Directive) or node.name != "if":
        return False
    return all(_name(one) == "return" for one in node.block or ())


def _hands_on(node: directive.Node) -> bool:
    """Whether it leads to another location before nginx looks at anything (`request_body.handing`)."""
    if not isinstance(node, directive.Directive):
        return False
    values = [one.value for one in node.args]
    is_page = node.name == "error_page" and values[:1] == [request_body.APART_STATUS]
    away = arguments.line("return", request_body.APART_STATUS)
    return is_page or (node.name == "if" and away in (node.block or ()))
