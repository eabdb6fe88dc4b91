"""Judges that are servers of their own (`core.options.forward_auth_forms`).

nginx's `auth_request` knows 2xx, 401 and 403, and takes anything else for a fault of the judge. So the location that
queries it makes 401 of whatever is for the visitor, and for that status the judge is queried once more, in a request
whose answer is the visitor's, with its status, redirect and cookies. Tried with nginx 1.31.3.

The judge is sent the path that nginx decided by, not of the spelling that a visitor chose: `/public/../admin` is
/admin. A path that is neither written without escapes nor free of what others could read otherwise is refused.
"""

import collections.abc

from daemun.core import arguments, directive, model, visitor_page
from daemun.core.directive import Expr
from daemun.core.options import access_option, forward_auth_forms
from daemun.core.render import (
    client_certificates,
    counted_refusals,
    effective_access,
    judge_memory,
    login_locations,
    network_refusals,
    server_tls,
    site_scope,
    upstream,
)
from daemun.core.texts import names

_MATCHED = "$daemun_matched_uri"
_ASKED = "$daemun_judged_uri"
_COOKIES = "$daemun_judge_cookies"
_MOST_COOKIES = 4
IDENTITY = "$daemun_identity_"
"""The prefix of variables with what a judge answered about a visitor."""
_SIGN_IN = "$daemun_sign_in"
_PATH = "$daemun_judge_path"
_STATUS = "$daemun_judge_status"

_FOR_THE_VISITOR = (
    *range(300, 304), 307, 308, *range(400, 419), *range(421, 427), 428, 429, 431, 451, 500, 501, 503, 505
)  # fmt: skip
_AWAY = (502, 504)
"""What nginx answers itself where the judge cannot be reached."""


_REFUSE_ODD = arguments.line("if", Expr(_ASKED), "=", "", block=(arguments.line("return", "403"),))

_IGNORED = arguments.line("proxy_ignore_headers", "X-Accel-Redirect")

_PASSED_ON = (
    "Accept",
    "Accept-Language",
    "Authorization",
    "Cookie",
    "Origin",
    "Referer",
    "User-Agent",
    "X-Requested-With",
)


# --- for all sites ---------------------------------------------------------------------------------------------


def variables() -> tuple[directive.Node, ...]:
    plain = r"~^[A-Za-z0-9/._~!$&'()*+,;=:@-]+\z"
    odd = r"~*^[^?]*(?://|/\.\.?(?:[/?]|\z)|\\|%(?:00|2e|2f|5c)|%25(?:2e|2f|5c|25))"
    return (
        directive.Comment("The path that judges are sent: the one that nginx decides by."),
        arguments.map_to("$uri", _MATCHED, (plain, "$uri$is_args$args"), default="$daemun_spelled_uri"),
        arguments.map_to("$request_uri", "$daemun_spelled_uri", (odd, ""), default="$request_uri"),
        directive.Comment("The cookies of a judge's answer, which nginx has in one line."),
        *(_cookie(number) for number in range(1, _MOST_COOKIES + 1)),
    )


def _cookie(number: int) -> directive.Directive:
    """A comma before a space and two digits is within a date (RFC 6265 section 4.1.1)."""
    one = r"(?:[^,]|,(?= \d\d[ -]))+"
    entry = rf"~^(?:{one}, (?!\d\d[ -])){{{number - 1}}}(?<daemun_judge_cookie{number}>{one})"
    return arguments.map_to(_COOKIES, f"$daemun_judge_cookie_{number}", (entry, f"$daemun_judge_cookie{number}"))


# --- for a site ------------------------------------------------------------------------------------------------


def _found(scope: site_scope.Scope) -> dict[str, forward_auth_forms.ForwardAuth]:
    """By the locations that decide."""
    judged = effective_access.find_judged(scope)
    return {place: one.forward_auth for place, one in judged.items() if one.forward_auth is not None}


def shared(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    """The judges, as servers. Raises: RenderError."""
    return tuple(upstream.block(scope, _upstream(scope, place), auth.proxy) for place, auth in _found(scope).items())


def _upstream(scope: site_scope.Scope, place: str) -> str:
    """Each site's file has its own, because it may stand in from an earlier generation."""
    return f"daemun_judge_{names.variable_suffix(scope.site.host)}_{_short(place)}"


def _short(place: str) -> str:
    return place.rpartition("/")[2]


def server_lines(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    """The locations of judges, and what they read. Raises: RenderError."""
    found = _found(scope)
    if not found:
        return ()
    # nginx keeps what a map gave first, so the path is the visitor's also after an internal redirect.
    lines: list[directive.Node] = [
        directive.Comment("Who decides who may come in."),
        arguments.line("set", Expr(_ASKED), Expr(_MATCHED)),
    ]
    for place, auth in found.items():
        lines += (_check(scope, place, auth), _denied(place), _answer(scope, place, auth))
    taken = {route.path for route in scope.site.routes}
    taken |= {site_scope.location_name(node) for node in site_scope.owned(scope.site.snippet, "location")}
    for place, auth in found.items():
        for path in auth.protocol.open_paths:
            if path not in taken:
                lines.append(network_refusals.repeat(_open(scope, place, auth, path), _refusals(scope, path)))
                taken.add(path)
    return tuple(lines)


def _refusals(scope: site_scope.Scope, path: str) -> tuple[directive.Directive, ...]:
    """What refuses by country or certificate who signs in at this path: of the access that a judge decides in, and none
    where several judges with different ones have the path."""
    every = {
        (*network_refusals.lines(scope, one, _short(place)), *client_certificates.refusals(one))
        for place, one in effective_access.find_judged(scope).items()
        if one.forward_auth is not None and path in one.forward_auth.protocol.open_paths
    }
    return every.pop() if len(every) == 1 else ()


def _address_rules(scope: site_scope.Scope, path: str) -> tuple[directive.Directive, ...]:
    """The same by address. Where one condition is enough, everybody may sign in."""
    every = {
        () if one.any else effective_access.address_rules(one, scope.environment)
        for one in effective_access.find_judged(scope).values()
        if one.forward_auth is not None and path in one.forward_auth.protocol.open_paths
    }
    return every.pop() if len(every) == 1 else ()


def _check(scope: site_scope.Scope, place: str, auth: forward_auth_forms.ForwardAuth) -> directive.Directive:
    block: list[directive.Node] = [
        arguments.line("internal"),
        _REFUSE_ODD,
        *_query(scope, auth),
    ]
    block += _memory(scope, place, auth)
    statuses = (*_FOR_THE_VISITOR, *_AWAY) if auth.protocol.shows_answer else _AWAY
    if auth.protocol.shows_answer:
        block.append(arguments.line("proxy_intercept_errors", "on"))
    block.append(arguments.line("error_page", *map(str, statuses), "=", _denied_place(place)))
    block.append(_pass(scope, place, auth, auth.path))
    return arguments.line("location", "=", place, block=tuple(block))


def _memory(
    scope: site_scope.Scope, place: str, auth: forward_auth_forms.ForwardAuth
) -> tuple[directive.Directive, ...]:
    """All that the judge reads is in the key. An answer with cookies is for one visitor at one time, so nginx does not
    remember it."""
    if auth.remember_s is None:
        return (_IGNORED,)
    server = auth.url or auth.protocol.server
    key = " ".join((place, f"{auth.kind.value} {server}", "$request_method", *_headers(scope, auth).values()))
    ignored = ("X-Accel-Redirect", "X-Accel-Expires", "Cache-Control", "Expires", "Vary")
    return (
        arguments.line("proxy_ignore_headers", *ignored),
        *judge_memory.lines(judge_memory.FOREIGN, key, auth.remember_s),
    )


def _denied_place(place: str) -> str:
    return f"@daemun_denied_{_short(place)}"


def answer_place(place: str) -> str:
    """Where a visitor gets what the judge has for one who may not come in."""
    return f"@daemun_answer_{_short(place)}"


def _denied(place: str) -> directive.Directive:
    return arguments.line("location", _denied_place(place), block=(arguments.line("return", "401"),))


def _answer(scope: site_scope.Scope, place: str, auth: forward_auth_forms.ForwardAuth) -> directive.Directive:
    """What a visitor gets who may not come in."""
    block: list[directive.Node] = [
        *effective_access.open_lines(scope.environment),
        arguments.line("recursive_error_pages", "on"),
        arguments.line(
            "error_page", "401", "403", "404", "429", "500", "502", "503", "504", Expr(visitor_page.LOCATION)
        ),
        *_mark(scope),
        _REFUSE_ODD,
        # Of several tries the last one counts.
        arguments.line("if", Expr(_STATUS), "~", r"50[24]\z", block=(arguments.line("return", "503"),)),
    ]
    protocol = auth.protocol
    if protocol.shows_answer or protocol.sign_in is not None:
        if protocol.sign_in is not None:
            # Programs and scripts cannot sign in, and would take the page for an answer.
            refused = (arguments.line("return", "401"),)
            block.append(arguments.line("if", Expr("$request_method"), "!~", r"^(?:GET|HEAD)\z", block=refused))
            block.append(arguments.line("if", Expr("$daemun_wanted"), "!=", "html", block=refused))
        # nginx takes a path in a named location from a variable only.
        block.append(arguments.line("set", Expr(_PATH), protocol.sign_in or auth.path))
        block += (*_query(scope, auth), _IGNORED, _pass(scope, place, auth, _PATH))
    else:
        there = (arguments.line("return", "302", Expr(_SIGN_IN)),)
        block.append(arguments.line("if", Expr(_SIGN_IN), block=there))
        block.append(arguments.line("return", "401"))
    return arguments.line("location", answer_place(place), block=tuple(block))


def _mark(scope: site_scope.Scope) -> tuple[directive.Directive, ...]:
    """Where an owner lets nginx look at the errors of servers, one of theirs may come here, too, of a visitor whom the
    judge let in."""
    mark = counted_refusals.marked(scope, "forward_auth")
    conditions = ((_ASKED, "=", ""), (_STATUS, "~", r"[013-9][0-9][0-9]\z"))
    return tuple(arguments.line("if", Expr(what), *how, block=mark) for what, *how in conditions) if mark else ()


def _open(scope: site_scope.Scope, place: str, auth: forward_auth_forms.ForwardAuth, path: str) -> directive.Directive:
    """The judge's own pages on the site, where visitors sign in."""
    rules = _address_rules(scope, path)
    block = (*effective_access.open_lines(scope.environment, rules), *_tls(scope, auth), _pass(scope, place, auth, ""))
    return arguments.line("location", "^~", path, block=block)


def _pass(scope: site_scope.Scope, place: str, auth: forward_auth_forms.ForwardAuth, path: str) -> directive.Directive:
    scheme = auth.proxy.targets[0].scheme.value
    return arguments.line("proxy_pass", Expr(f"{scheme}://{_upstream(scope, place)}{path}"))


def _tls(scope: site_scope.Scope, auth: forward_auth_forms.ForwardAuth) -> tuple[directive.Node, ...]:
    return server_tls.lines(scope, auth.proxy, "proxy") if auth.proxy.targets[0].scheme is model.Scheme.HTTPS else ()


def _headers(scope: site_scope.Scope, auth: forward_auth_forms.ForwardAuth) -> dict[str, str]:
    """All that the judge reads of a request."""
    forwarded, protocol = scope.forwarded, auth.protocol
    target = auth.proxy.targets[0]
    address = str(target).partition("://")[2] if target.socket is None else "localhost"
    headers = {
        "Host": "$host" if protocol.keeps_host else address,
        "Connection": "",
        "Content-Length": "",
        **{name: f"$http_{name.lower().replace('-', '_')}" for name in _PASSED_ON},
        **(login_locations.WITHOUT_OURS if login_locations.is_needed(scope) else {}),
        "X-Real-IP": "$remote_addr",
        "X-Forwarded-For": "$remote_addr",
        "X-Forwarded-Proto": forwarded.forwarded_proto,
        "X-Forwarded-Host": forwarded.forwarded_host,
    }
    url = f"{forwarded.forwarded_proto}://{forwarded.forwarded_host}{_ASKED}"
    if protocol.is_original:
        headers |= {"X-Original-URL": url, "X-Original-Method": "$request_method"}
    else:
        headers |= {"X-Forwarded-Uri": _ASKED, "X-Forwarded-Method": "$request_method"}
    if protocol.sign_in is not None:
        headers["X-Auth-Request-Redirect"] = url
    return headers


def _query(scope: site_scope.Scope, auth: forward_auth_forms.ForwardAuth) -> collections.abc.Iterator[directive.Node]:
    """A request to the judge, with what it reads and nothing else of the visitor's."""
    yield arguments.line("proxy_method", "GET")
    yield arguments.line("proxy_pass_request_body", "off")
    yield arguments.line("proxy_pass_request_headers", "off")
    for name, value in _headers(scope, auth).items():
        yield arguments.line("proxy_set_header", name, Expr(value))
    yield arguments.line("proxy_buffer_size", "32k")
    yield arguments.line("proxy_connect_timeout", "5s")
    yield arguments.line("proxy_read_timeout", "30s")
    yield from _tls(scope, auth)


# --- for what is guarded ---------------------------------------------------------------------------------------


def request_lines(place: str, found: access_option.Access) -> tuple[directive.Directive, ...]:
    """Beside `auth_request`: what of the judge's answer is kept."""
    auth = found.forward_auth
    if auth is None:
        return ()
    kept = [(_COOKIES, "$upstream_http_set_cookie"), (_STATUS, "$upstream_status")]
    if not auth.protocol.shows_answer:
        kept.append((_SIGN_IN, "$upstream_http_location"))
    kept += [(variable, f"$upstream_http_{_slug(name)}") for name, variable in _identity(place, auth)]
    return tuple(arguments.line("auth_request_set", Expr(variable), Expr(value)) for variable, value in kept)


def _slug(header: str) -> str:
    return header.lower().replace("-", "_")


def _identity(place: str, auth: forward_auth_forms.ForwardAuth) -> tuple[tuple[str, str], ...]:
    """Each header that servers are sent, and the variable with its value of the judge's answer, or nothing."""
    return tuple((name, identity_variable(place, name)) for name in auth.headers)


def identity_variable(place: str, header: str) -> str:
    """With what the judge of a place answered in this header."""
    return f"{IDENTITY}{_short(place)}_{_slug(header)}"


def identity(scope: site_scope.Scope, route: model.Route) -> tuple[tuple[str, str], ...]:
    """The headers by which servers of a route learn who the visitor is, and their values."""
    place, found = effective_access.find_judge(scope, route)
    return () if found.forward_auth is None else _identity(place, found.forward_auth)


def cookie_lines(scope: site_scope.Scope, route: model.Route) -> tuple[directive.Directive, ...]:
    """A session that the judge prolongs reaches the visitor with the server's answer."""
    _, found = effective_access.find_judge(scope, route)
    if found.forward_auth is None:
        return ()
    return tuple(
        arguments.line("add_header", "Set-Cookie", Expr(f"$daemun_judge_cookie_{number}"), "always")
        for number in range(1, _MOST_COOKIES + 1)
    )
