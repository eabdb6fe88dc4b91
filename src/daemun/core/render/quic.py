"""HTTP/3, over QUIC (`http3`): where nginx listens, and how browsers learn of it (RFC 7838)."""

from daemun.core import arguments, directive, model, render_environment
from daemun.core.options import http3_option

_SHARED = "reuseport"
"""A socket for each worker, set once for an address: the kernel sends all of a connection to the same one."""


def is_on(settings: model.Globals, nginx: render_environment.Nginx) -> bool:
    """Not behind a balancer, whose PROXY lines QUIC has no place for."""
    has_it = render_environment.Feature.HTTP_V3 in nginx.features
    return has_it and http3_option.OPTION.of(settings) and not settings.has_proxy_lines


def options(*, is_default: bool) -> tuple[str, ...]:
    """Of the `listen` lines. is_default: of the server for unknown names, which every address has once."""
    return ("quic", _SHARED, "default_server") if is_default else ("quic",)


def without_default(line: directive.Directive) -> directive.Directive:
    """The same line for a server that is not the default one of its address."""
    kept = tuple(arg for arg in line.args if arg.value not in {"default_server", _SHARED})
    return directive.Directive(line.name, kept)


def header(
    settings: model.Globals, site: model.Site, nginx: render_environment.Nginx
) -> tuple[directive.Directive, ...]:
    """For answers over HTTPS. A site with a port of its own is not there."""
    if not is_on(settings, nginx) or site.https_port is not None:
        return ()
    value = f'h3=":{settings.listen.https_port}"; ma=86400'
    return (arguments.line("add_header", "Alt-Svc", value, "always"),)
