"""Request and response headers, so that nothing is lost where nginx forgets the outer level.

nginx inherits `proxy_set_header`, `add_header` and `error_page` from the level above only where the inner level has
none of its own (nginx.org/en/docs/http/ngx_http_headers_module.html). So the list for every server behind the gate
stands once, in nginx.conf, and a location that needs one line more repeats it whole.
"""

import collections.abc
import dataclasses
import itertools
import types

from daemun.core import arguments, directive, model, render_environment
from daemun.core.access import access_levels
from daemun.core.directive import Expr
from daemun.core.options import (
    header_options,
    host_header_option,
    hsts_option,
    keepalive_option,
    option,
    translate_option,
    underscores_option,
)
from daemun.core.render import (
    answer_headers,
    cache_headers,
    client_certificates,
    cors_headers,
    effective_access,
    forward_auth,
    forwarded_headers,
    judge_locations,
    path_translation,
    quic,
    response_cache,
    site_scope,
    standard_headers,
    trace_lines,
    trusted_proxy_headers,
)

_VERIFIED = frozenset({"authorization", "cookie"})


def shared(
    settings: model.Globals, nginx: render_environment.Nginx, set_header: str
) -> tuple[directive.Directive, ...]:
    """The same without what the owner sets at the http level, for there."""
    standard = standard_headers.standard(set_header, settings, nginx)
    return _last_wins(outermost=standard, hidden=site_scope.owned(settings.snippet, set_header))


def request_lines(scope: site_scope.Scope, route: model.Route, set_header: str) -> tuple[directive.Directive, ...]:
    """The location's own list, or nothing when the one in nginx.conf has all. Raises: RenderError."""
    assert isinstance(route.action, model.Proxy)
    written = site_scope.owned(route.snippet, set_header)
    site_wide = site_scope.owned(scope.site.snippet, set_header)
    given = [
        arguments.line(set_header, name, _owners_value(scope.settings, value))
        for name, value in header_options.merged(header_options.REQUEST, route.action, scope.site, scope.settings)
    ]
    host = host_header_option.OPTION.of(route.action)
    if host is not None:
        given.append(arguments.line(set_header, "Host", host))
    connection: tuple[directive.Directive, ...] = ()
    if scope.variables is not None:
        connection = (arguments.line(set_header, "Connection", Expr(scope.variables.connection)),)
        if not scope.settings.like_nginx_proxy:
            there = Expr(path_translation.DESTINATION_SHARED)
            connection = (*connection, arguments.line(set_header, "Destination", there))
    elif keepalive_option.OPTION.of(route.action) == 0 and route.action.targets[0].scheme in {
        model.Scheme.HTTP,
        model.Scheme.HTTPS,
    }:
        # Connections are used once, so the server may close them at once (RFC 9112 section 9.6).
        connection = (arguments.line(set_header, "Connection", Expr("$daemun_connection_once")),)
    if route.action.targets[0].scheme.is_http2:
        # gRPC's servers refuse clients that would lose its status, which is a trailer.
        connection = (*connection, arguments.line(set_header, "TE", "trailers"))
    path = route.action.targets[0].path
    if path is not None and set_header == "proxy_set_header" and path_translation.is_on(scope, route.action):
        connection = (*connection, *path_translation.header_lines(route, route.action))
    elif set_header == "proxy_set_header" and not translate_option.OPTION.of(route.action):
        connection = (*connection, arguments.line(set_header, "Destination", Expr("$http_destination")))
    identity = tuple(arguments.line(set_header, name, Expr(value)) for name, value in _identity(scope, route))
    standard = standard_headers.standard(set_header, scope.settings, scope.environment.nginx)
    removed = tuple(arguments.line(set_header, name, "") for name in _of_all_judges(scope, standard))
    aliases = _aliases(scope, set_header, (*removed, *identity))
    if not (written or site_wide or given or connection or aliases or identity or removed):
        return ()
    gate_wide = site_scope.owned(scope.settings.snippet, set_header)
    lines = _last_wins(connection, removed, gate_wide, site_wide, identity, given, outermost=standard, hidden=written)
    named = {line.args[0].value.lower() for line in (*lines, *written) if line.args}
    return (*lines, *(alias for alias in aliases if alias.args[0].value.lower() not in named))


def request_lines_between(
    scope: site_scope.Scope,
    route: model.Route,
    first: collections.abc.Mapping[str, str],
    last: collections.abc.Mapping[str, str],
) -> tuple[directive.Directive, ...]:
    """What an HTTP server is sent, written out, in the place of `first`, and with `last` in its place; both by the name
    of a header. Raises: RenderError."""
    name = "proxy_set_header"
    before, after = ([arguments.line(name, one, Expr(value)) for one, value in of.items()] for of in (first, last))
    if found := request_lines(scope, route, name):
        return _last_wins(before, found, after, hidden=())
    standard = standard_headers.standard(name, scope.settings, scope.environment.nginx)
    ours = [line for lines in standard.values() for line in lines]
    return _last_wins(before, ours, site_scope.owned(scope.settings.snippet, name), after, hidden=())


def _identity(scope: site_scope.Scope, route: model.Route) -> tuple[tuple[str, str], ...]:
    """The headers that tell who the visitor is, and their values."""
    judged = (*forward_auth.identity(scope, route), *judge_locations.identity(scope, route))
    return (*client_certificates.identity(scope, route), *judged)


def _by_gate(scope: site_scope.Scope, route: model.Route) -> tuple[tuple[str, str], ...]:
    """What the gate itself decides on."""
    return (*client_certificates.identity(scope, route), *judge_locations.identity(scope, route))


def _of_all_judges(scope: site_scope.Scope, known: collections.abc.Container[str]) -> tuple[str, ...]:
    """The headers in which any judge of the site or the gate names visitors, but those that are set anyway: a server
    believes them on routes without that judge, too, where a visitor could invent them. known: by subject.

    The visitor's own passwords and cookies are no such headers: servers verify them."""
    found: dict[str, str] = {}
    for access in (access_levels.of_gate(scope.settings).access, *effective_access.find_all(scope)):
        copied = () if access.forward_auth is None else access.forward_auth.headers
        certified = () if access.client_certificates is None else client_certificates.HEADERS
        named = judge_locations.find_headers(access)
        for name in (*copied, *named, *certified):
            subject = standard_headers.subject(name)
            if subject not in known and subject not in _VERIFIED:
                found.setdefault(subject, name)
    return tuple(found.values())


def _aliases(
    scope: site_scope.Scope, set_header: str, more: tuple[directive.Directive, ...]
) -> tuple[directive.Directive, ...]:
    """Each header that is set or removed here, spelled with underscores, is removed: many servers take X_Real_IP and
    X-Real-IP for one, as CGI does."""
    if not underscores_option.OPTION.of(scope.site):
        return ()
    found: list[directive.Directive] = []
    standard = standard_headers.standard(set_header, scope.settings, scope.environment.nginx)
    named = [line.args[0].value for line in (*itertools.chain.from_iterable(standard.values()), *more)]
    for original in (*named, "Content-Length", "Transfer-Encoding"):
        parts = original.split("-")
        for joints in itertools.product("-_", repeat=len(parts) - 1):
            if "_" in joints:
                name = parts[0] + "".join(joint + part for joint, part in zip(joints, parts[1:], strict=True))
                found.append(arguments.line(set_header, name, ""))
    return tuple(found)


def parameters(scope: site_scope.Scope, route: model.Route, param: str) -> tuple[directive.Directive, ...]:
    """The same for FastCGI, uwsgi and SCGI, where a header is a parameter named as in CGI (RFC 3875 section 4.1.18).

    Raises: RenderError.
    """
    assert isinstance(route.action, model.Proxy)
    host = host_header_option.OPTION.of(route.action)
    given: dict[str, directive.Arg] = {"Host": Expr(scope.forwarded.host) if host is None else directive.Text(host)}
    but = frozenset[str]() if param == "fastcgi_param" else trusted_proxy_headers.NOT_OF_UWSGI
    standard = {**standard_headers.forwarded(scope.forwarded), **standard_headers.further(scope.settings, but=but)}
    given |= {name: Expr(value) for name, value in standard.items()}
    given |= dict.fromkeys(_of_all_judges(scope, {standard_headers.subject(name) for name in given}), Expr(""))
    for name, value in _identity(scope, route):
        given = {other: old for other, old in given.items() if other.lower() != name.lower()}
        given[name] = Expr(value)
    if route.action.targets[0].path is not None and path_translation.is_on(scope, route.action):
        given["X-Forwarded-Prefix"] = path_translation.prefix(route)
    for name, value in header_options.merged(header_options.REQUEST, route.action, scope.site, scope.settings):
        given = {other: old for other, old in given.items() if other.lower() != name.lower()}
        given[name] = _owners_value(scope.settings, value)
    lines = [_parameter(param, name, value) for name, value in given.items()]
    if (user := dict(_by_gate(scope, route)).get(judge_locations.USER_HEADER)) is not None:
        lines.append(arguments.line(param, "REMOTE_USER", Expr(user), "if_not_empty"))  # RFC 3875 section 4.1.11
    return _last_wins(lines, site_scope.owned(scope.site.snippet, param), hidden=site_scope.owned(route.snippet, param))


def _parameter(param: str, name: str, value: directive.Arg) -> directive.Directive:
    """An empty value is not sent, and neither is the client's header of that name."""
    may_be_empty = (
        f"$daemun_{standard_headers.PROXIED}",
        forward_auth.IDENTITY,
        client_certificates.PREFIX,
        *judge_locations.OWN,
        trace_lines.STATE,
    )
    empty = ("if_not_empty",) if not value.value or value.value.startswith(may_be_empty) else ()
    return arguments.line(param, f"HTTP_{name.upper().replace('-', '_')}", value, *empty)


def _owners_value(settings: model.Globals, value: str) -> directive.Arg:
    return Expr(forwarded_headers.with_one_id(arguments.expression(value).value, settings))


def _last_wins(
    *lists: collections.abc.Iterable[directive.Directive],
    outermost: collections.abc.Mapping[str, tuple[directive.Directive, ...]] = types.MappingProxyType({}),
    hidden: collections.abc.Iterable[directive.Directive],
) -> tuple[directive.Directive, ...]:
    """outermost: of the first list, by subject."""
    merged: dict[str, collections.abc.Sequence[directive.Directive]] = dict(outermost)
    for group in lists:
        fresh: dict[str, list[directive.Directive]] = {}
        for line in group:
            fresh.setdefault(_subject(line), []).append(line)
        merged |= fresh
    for line in hidden:
        merged.pop(_subject(line), None)
    return tuple(line for group in merged.values() for line in group)


def _subject(line: directive.Directive) -> str:
    return standard_headers.subject(line.args[0].value) if line.args else ""


# --- responses -------------------------------------------------------------------------------------------------


def server_lines(scope: site_scope.Scope, *, https: bool) -> tuple[directive.Directive, ...]:
    """What every answer of a server carries. An owner's lines at the http level come along: these hide them there."""
    return _carried(scope, None, https=https)


def _carried(scope: site_scope.Scope, route: model.Route | None, *, https: bool) -> tuple[directive.Directive, ...]:
    """The same, of a route, without what it sets itself: None: of what no route answers."""
    ours = answer_headers.lines(scope, route, https=https)
    if https:
        ours = (*quic.header(scope.settings, scope.site, scope.environment.nginx), *ours)
    promise = hsts_option.OPTION.of(scope.site)
    hsts: tuple[directive.Directive, ...] = ()
    if promise is not None and https:
        value = hsts_option.header_value(promise)
        hsts = (arguments.line("add_header", "Strict-Transport-Security", value, "always"),)
    cors = cors_headers.lines(scope, route)
    kept = () if route is None else cache_headers.lines(scope, route)
    if route is not None:
        ours = (*response_cache.state_lines(scope, route), *ours)
    of_gate = _added_by(scope.settings, scope.settings)
    of_site = _added_by(scope.site, scope.settings)
    if not (ours or hsts or of_gate or of_site or cors or kept):
        return ()
    varying = (cors_headers.VARY,) if cors_headers.varies(scope, route) else ()
    written = site_scope.owned(scope.settings.snippet, "add_header")
    first, last = ((), kept) if route is not None and cache_headers.is_own(route) else (kept, ())
    return (*_of_all(ours, first, written, of_gate, hsts, of_site, cors, last), *varying)


def default_lines(settings: model.Globals) -> tuple[directive.Directive, ...]:
    """The same for what answers names that no site has."""
    ours, of_gate = answer_headers.default_lines(settings), _added_by(settings, settings)
    if not (ours or of_gate):
        return ()
    return _of_all(ours, site_scope.owned(settings.snippet, "add_header"), of_gate)


def _added_by(holder: option.HasOptions, settings: model.Globals) -> tuple[directive.Directive, ...]:
    """What the gate, a site or a route adds to answers; a line without a value removes one further out."""
    given = header_options.RESPONSE.of(holder)
    return tuple(arguments.line("add_header", name, _owners_value(settings, value), "always") for name, value in given)


def _of_all(*lists: collections.abc.Iterable[directive.Directive]) -> tuple[directive.Directive, ...]:
    merged = _last_wins(*lists, hidden=())
    return tuple(line for line in merged if len(line.args) < 2 or line.args[1].value)


def without_written(
    lines: tuple[directive.Directive, ...], written: collections.abc.Iterable[directive.Node]
) -> tuple[directive.Directive, ...]:
    """Lines of ours without those for headers that an owner sets in the same block."""
    return _last_wins(lines, hidden=site_scope.owned(tuple(written), "add_header"))


def keep_inherited(
    nodes: tuple[directive.Node, ...], ours: collections.abc.Sequence[directive.Directive]
) -> tuple[directive.Node, ...]:
    """Hand-written nginx whose blocks with an `add_header` of their own do not lose these lines, as nginx has it.

    What a block sets for the same header stays, and so does `add_header_inherit` (nginx 1.29.3).
    """
    return tuple(_keep_inherited(node, ours) for node in nodes) if ours else nodes


def keep_in_site(scope: site_scope.Scope, *, https: bool) -> site_scope.Scope:
    """The same site, whose hand-written blocks do not lose what every answer of the site or route carries.

    Raises: RenderError.
    """
    ours = server_lines(scope, https=https)
    routes = tuple(
        dataclasses.replace(route, snippet=keep_inherited(route.snippet, _added(scope, route, https=https) or ours))
        for route in scope.site.routes
    )
    snippet = keep_inherited(scope.site.snippet, ours)
    return dataclasses.replace(scope, site=dataclasses.replace(scope.site, snippet=snippet, routes=routes))


def _added(scope: site_scope.Scope, route: model.Route, *, https: bool) -> tuple[directive.Directive, ...]:
    """What a location adds to its answers."""
    if not route.snippet or route.replaced:
        return ()
    hide = "proxy_hide_header" if isinstance(route.action, model.Proxy) else None
    lines = response_lines(scope, route, https=https, hide_header=hide)
    return tuple(line for line in lines if line.name == "add_header")


def _keep_inherited(node: directive.Node, ours: collections.abc.Sequence[directive.Directive]) -> directive.Node:
    if isinstance(node, directive.Comment) or node.block is None:
        return node
    block = keep_inherited(node.block, ours)
    written = site_scope.owned(block, "add_header")
    if written and not site_scope.owned(block, "add_header_inherit"):
        block = (*_last_wins(ours, hidden=written), *block)
    return dataclasses.replace(node, block=block)


def response_lines(
    scope: site_scope.Scope,
    route: model.Route,
    *,
    https: bool,
    hide_header: str | None,
    extra: tuple[model.Header, ...] = (),
) -> tuple[directive.Directive, ...]:
    """A location's response headers. Raises: RenderError.

    hide_header: the directive that drops a header of the server behind, None when there is no such server.
    extra: headers for good answers only, when the owner does not set them.
    """
    given = header_options.merged(header_options.RESPONSE, route, scope.site, scope.settings)
    hidden: list[str] = [name for name, _ in given]
    if hsts_option.OPTION.of(scope.site) is not None and https:
        hidden.append("Strict-Transport-Security")
    judges = (answer_headers, cors_headers, cache_headers, response_cache)
    others = [name for one in judges for name in one.hidden(scope, route)]
    hidden += (name for name in others if name not in hidden)
    set_by_route = _added_by(route, scope.settings)
    owners, set_here = {name.lower() for name, _ in given}, {_subject(line) for line in set_by_route}
    added = [line for line in set_by_route if line.args[1].value]
    added += [arguments.line("add_header", name, value) for name, value in extra if name.lower() not in owners]
    lines = [arguments.line(hide_header, name) for name in hidden] if hide_header else []
    if lines and hide_header:
        lines += (
            *site_scope.owned(scope.settings.snippet, hide_header),
            *site_scope.owned(scope.site.snippet, hide_header),
        )
    added += forward_auth.cookie_lines(scope, route)
    written = site_scope.owned(route.snippet, "add_header")
    of_server, of_route = server_lines(scope, https=https), _carried(scope, route, https=https)
    kept = tuple(line for line in of_route if _subject(line) not in set_here)
    if added or written or kept != of_server:
        added = [*_last_wins(kept, site_scope.owned(scope.site.snippet, "add_header"), added, hidden=written)]
        if cors_headers.varies(scope, route) and cors_headers.VARY not in added:
            added.append(cors_headers.VARY)
        if of_server and not (added or written):
            added = [arguments.line("add_header", _ANY_NAME, "")]
    return (*lines, *added)


_ANY_NAME = "X-Content-Type-Options"
"""nginx adds no header whose value is empty, and a line of a location's own ends what it inherits."""
