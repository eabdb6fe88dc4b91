"""The content of sites that daemun serves itself, which no source has."""

from daemun.core import directive
from daemun.core.access import dashboard_site, login_site, status_site
from daemun.core.render import (
    access,
    dashboard_locations,
    error_pages,
    invitation_locations,
    login_locations,
    site_scope,
    status_page_locations,
)


def is_one(scope: site_scope.Scope) -> bool:
    is_known = dashboard_site.is_it(scope.site) or status_site.is_it(scope.site)
    return is_known or login_site.is_it(scope.site, scope.settings)


def content(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    """For its server. Raises: RenderError."""
    if dashboard_site.is_it(scope.site):
        has_pages = error_pages.is_on(scope.settings, scope.site.snippet)
        return dashboard_locations.content(scope, has_pages=has_pages)
    (page,) = scope.site.routes
    if status_site.is_it(scope.site):
        locations = status_page_locations.files(scope)
        return (*access.server_lines(scope), *access.guarded(scope, page, locations, ()))
    locations = (invitation_locations.page(scope), *login_locations.pages(scope))
    guarded = access.guarded(scope, page, locations, ())
    return (*access.server_lines(scope), *guarded, *invitation_locations.beside(scope))
