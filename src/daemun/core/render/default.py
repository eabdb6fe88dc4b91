"""What answers requests for names that no site has, and handshakes without a name."""

from daemun.core import directive, model, names
from daemun.core.directive import Expr
from daemun.core.render import environment, route, server, values
from daemun.core.render import scope as scope_
from daemun.errors import RenderError

_REFUSED = (values.line("ssl_reject_handshake", "on"),)


def default_site(desired: model.Desired) -> model.Site | None:
    """The enabled site that serves unknown names; None when they are refused or redirected."""
    chosen = desired.globals.default
    if chosen.kind is not model.DefaultKind.SITE:
        return None
    return next((site for site in desired.enabled if site.host == chosen.host), None)


def servers(desired: model.Desired, env: environment.Environment) -> tuple[directive.Node, ...]:
    """The default server of each kind of port, and for HTTPS one that refuses unknown names. Raises: RenderError."""
    try:
        answer = server.anything(_answer(desired.globals.default))
    except RenderError as error:
        raise RenderError(f"cannot render default{scope_.place(desired.globals.default.origin)}: {error}") from error
    listen = server.listen_lines(desired.globals.listen_http, "default_server", ipv6=env.ipv6)
    return (
        directive.Comment("Plain HTTP for unknown names."),
        _server(listen, "_", (server.challenge(), answer)),
        *_https(desired, env, answer),
    )


def _answer(default: model.Default) -> directive.Directive:
    if default.kind is model.DefaultKind.REDIRECT and default.redirect is not None:
        return route.redirect_line(default.redirect)
    return values.line("return", "404")


def _https(
    desired: model.Desired, env: environment.Environment, answer: directive.Directive
) -> tuple[directive.Node, ...]:
    addresses = _addresses(desired)
    site = default_site(desired)
    is_served = site is not None and scope_.has_tls(site)
    nodes: list[directive.Node] = []
    if addresses:
        nodes.append(directive.Comment("Clients that name an address send no name in the handshake."))
        nodes.append(_address_map(addresses))
        certificate = server.certificate("$daemun_address_certificate")
    elif site is not None and is_served:
        certificate = server.certificate(names.slug(site.host))
    else:
        certificate = _REFUSED
    listen = server.listen_lines(desired.globals.listen_https, "ssl", "default_server", ipv6=env.ipv6)
    nodes.append(directive.Comment("HTTPS without a name in the handshake, or with none that is known in the request."))
    nodes.append(_server(listen, "_", (*certificate, answer)))
    if not is_served:
        nodes.append(directive.Comment("Handshakes for unknown names are refused. Regular expressions are tried last."))
        nodes.append(_server((server.listen_https(),), "~.", (*_REFUSED, answer)))
    return tuple(nodes)


def _server(
    listen: tuple[directive.Directive, ...], name: str, inside: tuple[directive.Node, ...]
) -> directive.Directive:
    return values.line("server", block=(*listen, values.line("server_name", name), *inside))


def _addresses(desired: model.Desired) -> dict[str, str]:
    """Each address that a site with TLS has -> the name of that site's certificate."""
    found: dict[str, str] = {}
    for site in desired.enabled:
        for name in site.names:
            address = names.address_of(name)
            if address is not None and scope_.has_tls(site):
                found.setdefault(address.compressed, names.slug(site.host))
    return found


def _address_map(addresses: dict[str, str]) -> directive.Directive:
    """By the address that was connected to; behind a NAT none matches and the first site's is used."""
    first = next(iter(addresses.values()))
    entries = [values.line("default", first), *(values.line(address, name) for address, name in addresses.items())]
    return values.line("map", Expr("$server_addr"), Expr("$daemun_address_certificate"), block=tuple(entries))
