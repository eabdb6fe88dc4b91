"""One route: what it needs beside its server (upstreams, maps), and its locations."""

from daemun.core import arguments, directive, model
from daemun.core.directive import Expr
from daemun.core.options import redirect_status_option
from daemun.core.render import (
    access,
    cors_preflights,
    error_pages,
    fixed_answers,
    gateway,
    internal_clients,
    path_rewrites,
    proxy,
    route_choice,
    server_error_pages,
    site_scope,
    static_files,
)
from daemun.core.texts import route_paths, words
from daemun.errors import RenderError

_MOVED = 301


def shared(scope: site_scope.Scope, route: model.Route) -> tuple[directive.Node, ...]:
    """Upstream blocks and maps, with a comment with their owner. Raises: RenderError naming the route."""
    title = directive.Comment(_title(route))
    route = path_rewrites.with_rewrite(route)
    try:
        match route.action:
            case model.Proxy() as action if action.targets[0].scheme.is_http:
                nodes = proxy.upstreams(scope, route, action)
            case model.Proxy() as action:
                nodes = gateway.shared(scope, route, action)
            case model.Files() as action:
                nodes = static_files.shared(scope, route, action)
            case _:
                return ()
    except RenderError as error:
        raise _named(scope, route, error) from error
    return (title, *nodes) if nodes else ()


def locations(scope: site_scope.Scope, route: model.Route, *, https: bool) -> tuple[directive.Node, ...]:
    """Raises: RenderError naming the route."""
    pages = error_pages.repeated(scope, route)
    if route.replaced:
        return (directive.Comment(_title(route)), *access.guarded(scope, route, route.snippet, pages))
    title = directive.Comment(_title(route))
    route = path_rewrites.with_rewrite(route)
    try:
        match route.action:
            case model.Proxy() as action if action.targets[0].scheme.is_http:
                nodes = proxy.locations(scope, route, action, https=https)
            case model.Proxy() as action:
                nodes = gateway.locations(scope, route, action, https=https)
            case model.Redirect() as action:
                nodes = fixed_answers.redirect(scope, route, action, https=https)
            case model.Respond() as action:
                nodes = fixed_answers.respond(scope, route, action, https=https)
            case model.Files() as action:
                nodes = static_files.locations(scope, route, action, https=https)
    except RenderError as error:
        raise _named(scope, route, error) from error
    yielding = internal_clients.yielding(scope, route, nodes)
    guarded = server_error_pages.replace(scope, route, access.guarded(scope, route, yielding, pages))
    guarded = cors_preflights.answered(scope, route, guarded, https=https)
    if route.entry is not None:
        named = route_choice.as_entry(scope, route, error_pages.in_logs_of(scope, route, guarded))
        return (title, *named)
    to_slash = access.guarded(scope, route, _to_slash(scope, route), pages)
    return (title, *error_pages.in_logs_of(scope, route, guarded), *to_slash)


def _to_slash(scope: site_scope.Scope, route: model.Route) -> tuple[directive.Directive, ...]:
    """A proxied prefix without the slash at its end leads to it. nginx does that, too, but by 301, after which a POST
    comes as a GET. Not where something else may be of that path: nginx takes a location once."""
    bare, snippet = route.path.removesuffix("/"), scope.site.snippet
    status = redirect_status_option.OPTION.of(scope.site)
    is_proxy = isinstance(route.action, model.Proxy) and route.action.php is None
    is_prefix = is_proxy and route.path.startswith("/") and bare not in {"", route.path}
    if not is_prefix or route.replaced or status == _MOVED or scope.settings.like_nginx_proxy:
        return ()
    if any(route_paths.takes(one.path, bare) for one in scope.site.routes) or site_scope.owned(snippet, "include"):
        return ()
    if any(one.args and one.args[-1].value in {bare, route.path} for one in site_scope.owned(snippet, "location")):
        return ()
    there = Expr(f"{arguments.literal(arguments.encoded(route.path))}$is_args$args")
    others = (arguments.line("return", str(status), there),)
    block = (
        arguments.line("if", Expr("$request_method"), "!~", Expr(r"^(?:GET|HEAD)\z"), block=others),
        arguments.line("return", str(_MOVED), there),
    )
    return (arguments.line("location", "=", bare, block=block),)


def _named(scope: site_scope.Scope, route: model.Route, error: RenderError) -> RenderError:
    return RenderError(
        f"cannot render route {words.quoted(route.name)} of site {words.quoted(scope.site.host)}"
        f"{site_scope.place(route.origin)}: {error}"
    )


def _title(route: model.Route) -> str:
    match route.action:
        case model.Proxy(targets=targets, php=model.Php(folder=folder)):
            goal = f"PHP in {folder}, run by {targets[0]}"
        case model.Proxy(targets=targets):
            goal = ", ".join(str(target) for target in targets)
        case model.Redirect(to=to):
            goal = to
        case model.Files(folder=folder):
            goal = f"files in {folder}"
        case model.Respond(status=status):
            goal = str(status)
    return f"{route.name} -> {goal}{site_scope.place(route.origin)}"
