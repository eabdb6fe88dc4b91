"""The content of sites that daemun serves itself, which no source has."""

from daemun.core import directive
from daemun.core.access import dashboard_site, login_site
from daemun.core.render import (
    access,
    dashboard_locations,
    error_pages,
    invitation_locations,
    login_locations,
    site_scope,
)


def is_one(scope: site_scope.Scope) -> bool:
    return login_site.is_it(scope.site, scope.settings) or dashboard_site.is_it(scope.site)


def content(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    """For its server. Raises: RenderError."""
    if dashboard_site.is_it(scope.site):
        has_pages = error_pages.is_on(scope.settings, scope.site.snippet)
        return dashboard_locations.content(scope, has_pages=has_pages)
    (page,) = scope.site.routes
    locations = (invitation_locations.page(scope), *login_locations.pages(scope))
    guarded = access.guarded(scope, page, locations, ())
    return (*access.server_lines(scope), *guarded, *invitation_locations.beside(scope))
