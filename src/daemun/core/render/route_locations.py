"""One route: what it needs beside its server (upstreams, maps), and its locations."""

from daemun.core import directive, model
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
    slash_redirects,
    static_files,
)
from daemun.core.texts import words
from daemun.errors import RenderError


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
        named = route_choice.as_entry(scope, route, error_pages.with_own(scope, route, guarded, https=https))
        return (title, *named)
    to_slash = access.guarded(scope, route, _to_slash(scope, route), pages)
    return (title, *error_pages.with_own(scope, route, guarded, https=https), *to_slash)


def _to_slash(scope: site_scope.Scope, route: model.Route) -> tuple[directive.Directive, ...]:
    """Of a proxied prefix. Not where something else may be of that path, or 301 is for all: nginx does that itself."""
    bare, snippet = route.path.removesuffix("/"), scope.site.snippet
    status = redirect_status_option.OPTION.of(scope.site)
    is_proxy = isinstance(route.action, model.Proxy) and route.action.php is None
    is_prefix = is_proxy and route.path.startswith("/") and bare not in {"", route.path}
    if not is_prefix or route.replaced or status == slash_redirects.MOVED or scope.settings.like_nginx_proxy:
        return ()
    if site_scope.owned(snippet, "include") or any(
        one.args and one.args[-1].value in {bare, route.path} for one in site_scope.owned(snippet, "location")
    ):
        return ()
    return slash_redirects.locations(scope, route.path)


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
