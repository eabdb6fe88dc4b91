"""HTTP/3, over QUIC (`http3`): where nginx listens, and how browsers learn of it (RFC 7838)."""

from daemun.core import arguments, directive, model, render_environment
from daemun.core.options import http3_option
from daemun.core.render import site_scope

_SHARED = "reuseport"
"""A socket for each worker, set once for an address: the kernel sends all of a connection to the same one."""


def is_on(site: model.Site, settings: model.Globals, nginx: render_environment.Nginx) -> bool:
    """Whether a site is reached over QUIC: not with a port of its own."""
    is_wanted = site.https_port is None and site_scope.has_tls(site) and http3_option.OPTION.of(site, settings)
    return is_wanted and _can_be(settings, nginx)


def has_listeners(desired: model.Desired, nginx: render_environment.Nginx) -> bool:
    """Whether the gate or any of its sites has HTTP/3."""
    settings = desired.globals
    is_wanted = http3_option.OPTION.of(settings) or any(is_on(site, settings, nginx) for site in desired.enabled)
    return is_wanted and _can_be(settings, nginx)


def _can_be(settings: model.Globals, nginx: render_environment.Nginx) -> bool:
    """Not behind a balancer, whose PROXY lines QUIC has no place for."""
    return render_environment.Feature.HTTP_V3 in nginx.features and not settings.has_proxy_lines


def refusing_server(
    desired: model.Desired, nginx: render_environment.Nginx, listen: tuple[directive.Directive, ...]
) -> tuple[directive.Directive, ...]:
    """For sites without HTTP/3, where others have it: a browser that remembers `Alt-Svc` comes over TCP at once, and is
    not served by the site of a wildcard. listen: the lines for QUIC. A request by a connection for another name is
    misdirected (RFC 9110 section 15.5.20)."""
    sites = [site for site in desired.enabled if site_scope.has_tls(site) and not is_on(site, desired.globals, nginx)]
    given = dict.fromkeys(name for site in sites if site.https_port is None for name in site.names)
    if not given or not listen:
        return ()
    refused = (arguments.line("ssl_reject_handshake", "on"), arguments.line("return", "421"))
    return (
        arguments.line("server", block=(*listen, arguments.line("server_name", *map(arguments.host, given)), *refused)),
    )


def options(*, is_default: bool) -> tuple[str, ...]:
    """Of the `listen` lines. is_default: of the server for unknown names, which every address has once."""
    return ("quic", _SHARED, "default_server") if is_default else ("quic",)


def is_of_quic(line: directive.Directive) -> bool:
    return any(arg.value == "quic" for arg in line.args)


def without_default(line: directive.Directive) -> directive.Directive:
    """The same line for a server that is not the default one of its address."""
    kept = tuple(arg for arg in line.args if arg.value not in {"default_server", _SHARED})
    return directive.Directive(line.name, kept)


def header(
    settings: model.Globals, site: model.Site, nginx: render_environment.Nginx
) -> tuple[directive.Directive, ...]:
    """For answers over HTTPS."""
    if not is_on(site, settings, nginx):
        return ()
    value = f'h3=":{settings.listen.https_port}"; ma=86400'
    return (arguments.line("add_header", "Alt-Svc", value, "always"),)
