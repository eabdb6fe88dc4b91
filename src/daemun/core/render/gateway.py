"""Locations of routes whose servers speak something else than HTTP/1: gRPC, FastCGI, uwsgi, SCGI, memcached."""

import dataclasses

from daemun.core import arguments, directive, model, render_environment
from daemun.core.directive import Expr
from daemun.core.options import buffering_option, index_option, retries_option, root_option, timeout_option
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
    php_locations,
    request_body,
    server_tls,
    site_scope,
    upstream,
)
from daemun.core.texts import names

FEATURES = {
    model.Scheme.GRPC: render_environment.Feature.GRPC,
    model.Scheme.GRPCS: render_environment.Feature.GRPC,
    model.Scheme.FASTCGI: render_environment.Feature.FASTCGI,
    model.Scheme.UWSGI: render_environment.Feature.UWSGI,
    model.Scheme.SCGI: render_environment.Feature.SCGI,
    model.Scheme.MEMCACHED: render_environment.Feature.MEMCACHED,
}

_MODULES = {model.Scheme.GRPC: "grpc", model.Scheme.GRPCS: "grpc"}

_CGI = (
    ("QUERY_STRING", "$query_string"),
    ("REQUEST_METHOD", "$request_method"),
    ("CONTENT_TYPE", "$content_type"),
    ("CONTENT_LENGTH", "$content_length"),
    ("DOCUMENT_URI", "$document_uri"),
    ("SERVER_PROTOCOL", "$server_protocol"),
    ("HTTPS", "$daemun_https"),
    ("REMOTE_ADDR", "$remote_addr"),
    ("REMOTE_PORT", "$remote_port"),
    ("SERVER_ADDR", "$server_addr"),
    ("SERVER_NAME", "$host"),
)


def shared(scope: site_scope.Scope, route: model.Route, action: model.Proxy) -> tuple[directive.Node, ...]:
    """The upstream block and the maps of a route. Raises: RenderError."""
    scheme = action.targets[0].scheme
    scope.require(FEATURES[scheme])
    nodes: list[directive.Node] = [upstream.block(scope, _upstream_name(scope, route), action)]
    path = action.targets[0].path
    if action.php is not None:
        nodes += php_locations.maps(scope, route, action.php)
    elif scheme is model.Scheme.FASTCGI:
        nodes.append(_script_map(scope, route, action))
    if scheme is model.Scheme.MEMCACHED:
        nodes.append(_key_map(scope, route, path))
    return tuple(nodes)


def locations(
    scope: site_scope.Scope, route: model.Route, action: model.Proxy, *, https: bool
) -> tuple[directive.Directive, ...]:
    """Raises: RenderError."""
    match action.targets[0].scheme:
        case model.Scheme.GRPC | model.Scheme.GRPCS:
            lines = _grpc(scope, route, action)
            return (_location(scope, route, route.path, lines, hide="grpc_hide_header", https=https),)
        case model.Scheme.MEMCACHED:
            lines = _memcached(scope, route, action)
            return (_location(scope, route, route.path, lines, hide=None, https=https),)
        case scheme:
            return _cgi_locations(scope, route, action, hide=f"{scheme.value}_hide_header", https=https)


def _cgi_locations(
    scope: site_scope.Scope, route: model.Route, action: model.Proxy, *, hide: str, https: bool
) -> tuple[directive.Directive, ...]:
    module = action.targets[0].scheme.value
    name = _upstream_name(scope, route)
    passing = arguments.line(f"{module}_pass", name)
    lines = (*_cgi(scope, route, action), *path_rewrites.lines(route, action), passing)
    as_is = compression.as_is(scope, route)
    plain = compression.as_is(scope, route, always=True)
    is_held = hold_locations.is_held(scope, route, action)
    pages: tuple[directive.Node, ...] = (error_pages.RECURSIVE, *error_pages.repeated(scope, route))
    pages = hold_locations.error_lines(scope, route) if is_held else pages
    first = route.path if action.php is None else php_locations.place(scope, route)
    written: dict[str, tuple[directive.Node, ...]] = {}
    if buffering_option.OPTION.of(action) is False:
        written[first] = (*as_is, *pages, *lines)
    else:
        as_it_comes = (arguments.line(f"{module}_request_buffering", "off"), *lines)
        held = request_body.held_lines(scope, route, f"@{name}_upload")
        written[first] = (
            *request_body.apart_lines(scope, route, name, cgi=True),
            *as_is,
            *pages,
            *as_it_comes,
        )
        written[f"@{name}_body"] = (*held, *plain, *pages, *lines)
        written[f"@{name}_chunked"] = (*request_body.chunked_lines(scope, route), *plain, *pages, *lines)
        if held:
            written[f"@{name}_upload"] = (*plain, *pages, *as_it_comes)
    if is_held:
        # The path of one that waited is replaced already.
        goal = arguments.line(f"{module}_pass", Expr("$daemun_to"))
        written[f"@{name}_retry"] = (*pages, *plain, hold_locations.retry_line(), *_cgi(scope, route, action), goal)
    found = [_location(scope, route, place, own, hide=hide, https=https) for place, own in written.items()]
    files = () if action.php is None else php_locations.locations(scope, route, action.php, https=https)
    return (*files, *found, *((hold_locations.location(scope, route, action, https=https),) if is_held else ()))


def _location(
    scope: site_scope.Scope,
    route: model.Route,
    place: str,
    lines: tuple[directive.Node, ...],
    *,
    hide: str | None,
    https: bool,
) -> directive.Directive:
    assert isinstance(route.action, model.Proxy)
    module = _MODULES.get(route.action.targets[0].scheme, route.action.targets[0].scheme.value)
    common: tuple[directive.Node, ...] = (
        *internal_clients.lines(route),
        *option_lines.of_route(scope, route, module, is_named=place.startswith("@")),
        arguments.line("client_body_timeout", arguments.duration(timeout_option.OPTION.of(route.action).body_s)),
        *header_directives.response_lines(scope, route, https=https, hide_header=hide),
    )
    # What a location sets of its own replaces what all of them have.
    own = {line.name for line in lines if isinstance(line, directive.Directive)}
    lines = (*(line for line in common if isinstance(line, directive.Comment) or line.name not in own), *lines)
    ours = http_defaults.leave(lines, scope, route.action, module=module, lasting=module == "grpc")
    owners = tuple(node for node in route.snippet if not place.startswith("@") or _stands_in_named(node))
    return arguments.location(place, (*site_scope.yielding(ours, owners), *owners))


def _stands_in_named(node: directive.Node) -> bool:
    return isinstance(node, directive.Comment) or node.name != "location"


def _upstream_name(scope: site_scope.Scope, route: model.Route) -> str:
    return names.upstream_name(scope.site.host, route.name)


def _variable(scope: site_scope.Scope, route: model.Route, what: str) -> str:
    return f"$daemun_{what}_{names.variable_suffix(scope.site.host, route.name)}"


def _times(times: timeout_option.Timeouts, tries: int, module: str) -> tuple[directive.Directive, ...]:
    return (
        arguments.line(f"{module}_connect_timeout", arguments.duration(times.connect_s)),
        arguments.line(f"{module}_read_timeout", arguments.duration(times.read_s)),
        arguments.line(f"{module}_send_timeout", arguments.duration(times.send_s)),
        *http_defaults.next_upstream(tries, times, module),
    )


def _lasting(action: model.Proxy) -> tuple[directive.Directive, ...]:
    """A stream may be silent for `timeout.idle`, in either direction. A `read` that is written where no `idle` is means
    servers that do not answer."""
    times, defaults = timeout_option.OPTION.of(action), timeout_option.Timeouts()
    written = times.read_s != defaults.read_s and times.idle_s == defaults.idle_s
    lasting = dataclasses.replace(times, read_s=times.read_s if written else times.idle_s, send_s=times.idle_s)
    return (
        arguments.line("client_body_timeout", arguments.duration(times.idle_s)),
        *_times(lasting, retries_option.OPTION.of(action), "grpc"),
    )


def _grpc(scope: site_scope.Scope, route: model.Route, action: model.Proxy) -> tuple[directive.Node, ...]:
    scheme = action.targets[0].scheme
    tls = server_tls.lines(scope, action, "grpc") if scheme is model.Scheme.GRPCS else ()
    return (
        *path_translation.dots_lines(route, action),
        *path_rewrites.guards(action),
        *header_directives.request_lines(scope, route, "grpc_set_header"),
        *tls,
        *_lasting(action),
        *path_rewrites.lines(route, action),
        arguments.line("grpc_pass", f"{scheme.value}://{_upstream_name(scope, route)}"),
    )


def _memcached(scope: site_scope.Scope, route: model.Route, action: model.Proxy) -> tuple[directive.Node, ...]:
    return (
        *path_translation.dots_lines(route, action),
        arguments.line("set", Expr("$memcached_key"), Expr(_variable(scope, route, "key"))),
        *_times(timeout_option.OPTION.of(action), retries_option.OPTION.of(action), "memcached"),
        arguments.line("memcached_pass", _upstream_name(scope, route)),
    )


def _key_map(scope: site_scope.Scope, route: model.Route, path: str | None) -> directive.Directive:
    """The key is the URI that a server would be sent, with its arguments."""
    entries = []
    if path is not None:
        pattern = arguments.prefix_pattern(route.path, "daemun_key_rest")
        key = f"{arguments.literal(arguments.decoded_path(path))}$daemun_key_rest$is_args$args"
        entries.append((f"~{pattern}", key))
    return arguments.map_to("$uri", _variable(scope, route, "key"), *entries, default="$uri$is_args$args")


# --- FastCGI, uwsgi, SCGI --------------------------------------------------------------------------------------


def _cgi(scope: site_scope.Scope, route: model.Route, action: model.Proxy) -> tuple[directive.Node, ...]:
    scheme = action.targets[0].scheme
    module = scheme.value
    path = action.targets[0].path
    request_uri = "$request_uri" if not path_rewrites.is_by_expression(action) else "$uri$is_args$args"
    if path is not None:
        request_uri = "$daemun_request_uri" if path_translation.sent(scope, route, action) else "$uri$is_args$args"
    given: dict[str, directive.Arg] = {name: Expr(value) for name, value in _CGI}
    given |= {
        "REQUEST_SCHEME": Expr(scope.forwarded.forwarded_proto),
        "SERVER_PORT": Expr(scope.forwarded.forwarded_port),
    }
    given["REQUEST_URI"] = Expr(request_uri)
    given |= _script(scope, route, action) if action.php is None else php_locations.parameters(route, action.php)
    # nginx takes the parameters of the innermost level only, and those of an outer one are repeated (`headers`).
    written = (
        *site_scope.owned(route.snippet, f"{module}_param"),
        *site_scope.owned(scope.site.snippet, f"{module}_param"),
    )
    own = {line.args[0].value for line in written if line.args}
    parameters = [arguments.line(f"{module}_param", name, value) for name, value in given.items() if name not in own]
    off = (
        ()
        if buffering_option.OPTION.of(action) is not False
        else (
            arguments.line(f"{module}_buffering", "off"),
            arguments.line(f"{module}_request_buffering", "off"),
        )
    )
    return (
        *path_translation.request_lines(route, action),
        *path_rewrites.guards(action),
        *_times(timeout_option.OPTION.of(action), retries_option.OPTION.of(action), module),
        *off,
        *parameters,
        *header_directives.parameters(scope, route, f"{module}_param"),
    )


def _script(scope: site_scope.Scope, route: model.Route, action: model.Proxy) -> dict[str, directive.Arg]:
    """Which program gets the request: a file for FastCGI, the server itself for uwsgi and SCGI."""
    root = arguments.literal(root_option.OPTION.of(action).rstrip("/"))
    match action.targets[0].scheme:
        case model.Scheme.FASTCGI:
            script = _variable(scope, route, "script")
            return {
                "DOCUMENT_ROOT": Expr(root),
                "SCRIPT_FILENAME": Expr(f"{root}{script}"),
                "SCRIPT_NAME": Expr(script),
                "PATH_INFO": Expr("$daemun_path_info"),
                "GATEWAY_INTERFACE": Expr("CGI/1.1"),
                "REDIRECT_STATUS": Expr("200"),  # PHP built with --enable-force-cgi-redirect requires it
            }
        case model.Scheme.UWSGI:
            mounted = {} if action.targets[0].path != "/" else {"SCRIPT_NAME": _mount(scope, route, action)}
            return {"DOCUMENT_ROOT": Expr(root), **mounted, "PATH_INFO": Expr("$document_uri")}
        case _:
            return {
                "SCGI": Expr("1"),
                "DOCUMENT_ROOT": Expr(root),
                "SCRIPT_NAME": _mount(scope, route, action),
                "PATH_INFO": Expr("$document_uri"),
            }


def _mount(scope: site_scope.Scope, route: model.Route, action: model.Proxy) -> Expr:
    """What stands before PATH_INFO in the visitor's URL, so that programs write links with it (PEP 3333)."""
    is_mounted = action.targets[0].path == "/" and path_translation.is_on(scope, action)
    return Expr(arguments.literal(route.path.rstrip("/")) if is_mounted else "")


def _script_map(scope: site_scope.Scope, route: model.Route, action: model.Proxy) -> directive.Directive:
    """The script in the path, else the front controller (what `try_files $uri /index.php` does for files at hand)."""
    return arguments.map_to(
        "$uri",
        _variable(scope, route, "script"),
        (r"~(?s)^(?<daemun_script>/.*?\.php)(?:/|\z)", "$daemun_script"),
        default=arguments.literal(f"/{index_option.find_script(action)}"),
    )
