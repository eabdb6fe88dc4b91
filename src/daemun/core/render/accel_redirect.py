"""X-Accel-Redirect: a header of a server's answer by which nginx answers from another location of the same site, also
from an internal one (ngx_http_upstream_process_headers).

Servers are not to be trusted with that, and have a use for it only where an owner wrote an internal location. So it is
ignored, and hidden from the visitor, for sites without hand-written nginx. X-Accel-Buffering, -Charset, -Expires and
-Limit-Rate change nothing but the answer that they are in, and hold as in nginx.
"""

from daemun.core import arguments, directive, model
from daemun.core.render import site_scope

_MODULES = {
    model.Scheme.HTTP: "proxy",
    model.Scheme.HTTPS: "proxy",
    model.Scheme.H2: "proxy",
    model.Scheme.H2C: "proxy",
    model.Scheme.GRPC: "grpc",
    model.Scheme.GRPCS: "grpc",
    model.Scheme.FASTCGI: "fastcgi",
    model.Scheme.UWSGI: "uwsgi",
    model.Scheme.SCGI: "scgi",
}
"""memcached's answers have no headers."""


def lines(scope: site_scope.Scope) -> tuple[directive.Directive, ...]:
    """For a server with the locations of a site's routes."""
    site = scope.site
    if site.snippet or any(route.snippet for route in site.routes):
        return ()
    actions = (route.action for route in site.routes if isinstance(route.action, model.Proxy))
    modules = dict.fromkeys(_MODULES[one.targets[0].scheme] for one in actions if one.targets[0].scheme in _MODULES)
    return tuple(
        arguments.line(f"{module}_ignore_headers", "X-Accel-Redirect")
        for module in modules
        if not _is_written(scope.settings.snippet, module)
    )


def followed() -> directive.Directive:
    """For a location whose server is the daemon, which answers so: ours replaces what is set further out."""
    return arguments.line("proxy_ignore_headers", "Set-Cookie")


def _is_written(snippet: model.Snippet, module: str) -> bool:
    """Whether an owner sets at the http level which headers are ignored: a line of ours would replace that."""
    return any(site_scope.owned(snippet, name) for name in (f"{module}_ignore_headers", "include"))
