"""Pages of the owner's in place of those of the gate (`errors`).

nginx sends such a file itself, by an internal request of its own, which is a GET whatever the visitor's was. While it
cannot, the gate's own page is shown. What refuses visitors looks at the location again, so it is open to everybody; no
visitor can request it.
"""

import posixpath

from daemun.core import arguments, directive, model, render_environment, visitor_page
from daemun.core.directive import Expr
from daemun.core.options import errors_option, option, page_file
from daemun.core.render import effective_access, maintenance_lines, site_scope
from daemun.core.texts import names

_PREFIX = "/.daemun-page-"
_INTERCEPTED = frozenset(model.Scheme) - {model.Scheme.GRPC, model.Scheme.GRPCS, model.Scheme.MEMCACHED}
"""Servers whose answers a page can stand for. gRPC has its errors in trailers, and memcached sends none."""


def find(*holders: option.HasOptions) -> dict[str, page_file.PageFile]:
    """The page of each status of the gate's own, where these holders are around, the nearest first."""
    return {status: page for status, page in _find(holders).items() if status in errors_option.STATUSES}


def _find(holders: tuple[option.HasOptions, ...]) -> dict[str, page_file.PageFile]:
    found: dict[str, page_file.PageFile] = {}
    for holder in reversed(holders):
        found |= errors_option.OPTION.of(holder).by_status()
    return dict(sorted(found.items()))


def of_site(scope: site_scope.Scope) -> dict[str, page_file.PageFile]:
    held = maintenance_lines.find(scope)
    found = find(scope.site, scope.settings)
    return found if held is None or held.page is None else {**found, "503": held.page}


def of_route(scope: site_scope.Scope, route: model.Route) -> dict[str, page_file.PageFile]:
    return find(route, scope.site, scope.settings)


def of_servers(scope: site_scope.Scope, route: model.Route) -> dict[str, page_file.PageFile]:
    """Those in place of what the servers of a route answer; none where an owner wrote nginx for it."""
    around = (route, scope.site, scope.settings)
    is_proxy = isinstance(route.action, model.Proxy) and route.action.targets[0].scheme in _INTERCEPTED
    if not is_proxy or route.snippet or route.replaced or not errors_option.find_servers(*around):
        return {}
    return _find(around)


def is_own(route: model.Route) -> bool:
    return bool(errors_option.OPTION.of(route).pages)


def every(scope: site_scope.Scope) -> tuple[page_file.PageFile, ...]:
    """Those that a server of the site can show."""
    each = (of_site(scope), *(of(scope, route) for route in scope.site.routes for of in (of_route, of_servers)))
    return tuple(dict.fromkeys(page for pages in each for page in pages.values()))


def lines(pages: dict[str, page_file.PageFile], *but: str) -> tuple[directive.Directive, ...]:
    """but: statuses that lead elsewhere."""
    statuses: dict[str, list[str]] = {}
    for status, page in pages.items():
        if status not in but:
            statuses.setdefault(place(page), []).append(status)
    return tuple(arguments.line("error_page", *found, there) for there, found in statuses.items())


def location(
    page: page_file.PageFile,
    env: render_environment.Environment,
    more: tuple[directive.Directive, ...],
    *,
    has_others: bool,
) -> directive.Directive:
    """more: where it is logged, and what it carries. has_others: whether the server has pages of the gate."""
    folder, name = posixpath.split(page.path)
    trusted = folder if page.trusted is None else page.trusted
    block = (
        arguments.line("internal"),
        *effective_access.open_lines(env),
        *more,
        arguments.line("root", folder),
        arguments.line("disable_symlinks", "if_not_owner", Expr(f"from={arguments.literal(trusted)}")),
        arguments.line(
            "try_files",
            Expr(f"/{arguments.literal(name)}"),
            Expr(visitor_page.LOCATION if has_others else "=404"),
        ),
    )
    return arguments.line("location", "=", place(page), block=block)


def place(page: page_file.PageFile) -> str:
    """The path of the internal request."""
    return f"{_PREFIX}{names.variable_suffix(page.path)}"
