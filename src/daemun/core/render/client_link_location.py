"""Where a device gets the certificate that `daemun clients add --link` made (`certs.served.client_link_app`): on sites
that ask for certificates of daemun's own CA, over HTTPS, whatever they require else.

The address has a secret, which no log of nginx has (`invitation_locations`).
"""

from daemun.core import arguments, directive, layout
from daemun.core.directive import Expr
from daemun.core.render import (
    client_certificates,
    effective_access,
    error_pages,
    internal_requests,
    invitation_locations,
    site_scope,
)

PATH = "/.daemun/client"
_UPSTREAM = "daemun_client_links"
_PAGES = "@daemun_client_link_"


def shared(paths: layout.Layout) -> tuple[directive.Node, ...]:
    """The daemon as a server. Always there: a site may be kept from an earlier generation."""
    return (
        directive.Comment("Hands over certificates of visitors, behind a link that is good once."),
        arguments.line("upstream", _UPSTREAM, block=(arguments.line("server", f"unix:{paths.client_links_socket}"),)),
    )


def server_lines(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    """For the HTTPS server of a site."""
    if not client_certificates.is_asking_own(scope):
        return ()
    unlogged = invitation_locations.unlogged(scope)
    sent = {
        "Host": "daemun",
        "Connection": "close",
        "Content-Length": "",
        "Accept-Language": "$http_accept_language",
    }
    block = (
        *effective_access.open_lines(scope.environment),
        *unlogged,
        _pages_line(),
        arguments.line("client_max_body_size", "1k"),
        *internal_requests.lines(sent, read_timeout="30s"),
        arguments.line("proxy_cache", "off"),
        arguments.line("proxy_pass", f"http://{_UPSTREAM}/client"),
    )
    return (arguments.line("location", "=", PATH, block=block), *error_pages.unlogged(_PAGES, unlogged))


def http_lines(scope: site_scope.Scope, answer: tuple[directive.Node, ...]) -> tuple[directive.Node, ...]:
    """For the plain server of a site with HTTPS: who typed the address without it. answer: what leads there, or
    refuses."""
    if not client_certificates.is_asking_own(scope):
        return ()
    unlogged = invitation_locations.unlogged(scope)
    block = (*unlogged, _pages_line(), *answer)
    return (arguments.line("location", "=", PATH, block=block), *error_pages.unlogged(_PAGES, unlogged))


def _pages_line() -> directive.Directive:
    return arguments.line("error_page", *error_pages.STATUSES, Expr(f"{_PAGES}$daemun_wanted"))
