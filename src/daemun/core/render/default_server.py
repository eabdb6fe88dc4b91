"""What answers requests for names that no site has, and handshakes without a name."""

from daemun.core import arguments, directive, model, render_environment
from daemun.core.certificates import certificate_choice, on_demand_names
from daemun.core.directive import Expr
from daemun.core.plan import generation_files, listeners
from daemun.core.render import error_pages, fixed_answers, header_directives, quic, server_blocks, site_scope
from daemun.core.texts import names
from daemun.errors import RenderError

_REFUSED = (arguments.line("ssl_reject_handshake", "on"),)


def default_site(desired: model.Desired) -> model.Site | None:
    """The enabled site that serves unknown names, or those that are added to it; None when they are refused or
    redirected."""
    on_demand = on_demand_names.find_site(desired)
    if on_demand is not None:
        return on_demand
    chosen = desired.globals.default
    if chosen.kind is not model.DefaultKind.SITE:
        return None
    return next((site for site in desired.enabled if site.host == chosen.host), None)


def find_owned(settings: model.Globals) -> frozenset[str]:
    """The addresses for which hand-written nginx has a default server of its own. nginx accepts only one."""
    return frozenset(
        address
        for server_ in site_scope.owned(settings.snippet, "server")
        for line in site_scope.owned(server_.block or (), "listen")
        if {"default", "default_server"} & {arg.value for arg in line.args[1:]}
        for address in listeners.addresses_of(line.args[0].value)
    )


def servers(
    desired: model.Desired,
    env: render_environment.Environment,
    earlier: server_blocks.ListenerLines = (),
    *,
    only: frozenset[str] | None = None,
) -> tuple[directive.Node, ...]:
    """The default server of each kind of port, and for HTTPS one that refuses unknown names; none where an owner's is.

    earlier: where sites of an earlier generation still listen. only: at these addresses alone. Raises: RenderError.
    """
    try:
        answer = server_blocks.anything(_answer(desired.globals.default))
    except RenderError as error:
        raise RenderError(
            f"cannot render default{site_scope.place(desired.globals.default.origin)}: {error}"
        ) from error
    listen = _ours(server_blocks.default_lines(desired, env, earlier, https=False), desired.globals, only)
    page = (
        *header_directives.default_lines(desired.globals),
        *_page(desired.globals.default),
        *error_pages.of_gate(desired.globals),
    )
    inside = (*server_blocks.challenge_of_unknown(env, desired.globals), *page, answer)
    plain = (directive.Comment("Plain HTTP for unknown names."), _server(listen, "_", inside)) if listen else ()
    return (*plain, *_https(desired, env, inside, earlier, only))


def _ours(
    lines: tuple[directive.Directive, ...], settings: model.Globals, only: frozenset[str] | None
) -> tuple[directive.Directive, ...]:
    """Those for addresses that no owner's default server has."""
    owned = find_owned(settings)
    found = ((line, listeners.addresses_of(line.args[0].value)) for line in lines)
    return tuple(line for line, at in found if at.isdisjoint(owned) and (only is None or not at.isdisjoint(only)))


def _answer(default: model.Default) -> directive.Directive:
    if default.kind is model.DefaultKind.REDIRECT and default.redirect is not None:
        return fixed_answers.redirect_line(default.redirect)
    return arguments.line("return", str(default.status))


def _page(default: model.Default) -> tuple[directive.Node, ...]:
    """The owner's page for what this server answers."""
    if default.page is None:
        return ()
    folder, _, name = default.page.rpartition("/")
    inside = (arguments.line("internal"), arguments.line("root", folder or "/"))
    return (
        arguments.line("error_page", "500", "502", "503", "504", Expr(arguments.literal(f"/{name}"))),
        arguments.line("location", "=", f"/{name}", block=inside),
    )


def _https(
    desired: model.Desired,
    env: render_environment.Environment,
    answer: tuple[directive.Node, ...],
    earlier: server_blocks.ListenerLines,
    only: frozenset[str] | None,
) -> tuple[directive.Node, ...]:
    everywhere = server_blocks.default_lines(desired, env, earlier, https=True)
    listen = _ours(everywhere, desired.globals, only)
    if not listen:
        return ()
    addresses = _addresses(desired)
    site = default_site(desired)
    is_served = site is not None and site_scope.has_tls(site)
    nodes: list[directive.Node] = []
    if addresses:
        nodes.append(directive.Comment("Clients that name an address send no name in the handshake."))
        nodes.append(_address_map(addresses))
        sites = [one for one in desired.enabled if site_scope.has_tls(one) and any(map(names.address_of, one.names))]
        certificate = _certificate(desired, "$daemun_address_certificate", *sites)
    elif site is not None and is_served:
        certificate = _certificate(desired, certificate_choice.name_of(site), site)
    else:
        certificate = _unknown(desired)
    nodes.append(directive.Comment("HTTPS without a name in the handshake, or with none that is known in the request."))
    nodes.append(_server(listen, "_", (*certificate, *answer)))
    if not is_served:
        own = desired.globals.default.certificate is not None
        what = "are answered with a certificate of your own" if own else "are refused"
        nodes.append(directive.Comment(f"Handshakes for unknown names {what}. Regular expressions are tried last."))
        nodes.append(
            _server(
                _again(desired, listen, is_common=listen == everywhere and not earlier),
                "~.",
                (*_unknown(desired), *answer),
            )
        )
    datagrams = tuple(quic.without_default(line) for line in listen if quic.is_of_quic(line))
    refusing = quic.refusing_server(desired, env.nginx, datagrams)
    if refusing:
        nodes += (directive.Comment("Sites without HTTP/3, over QUIC."), *refusing)
    return tuple(nodes)


def _again(
    desired: model.Desired, listen: tuple[directive.Directive, ...], *, is_common: bool
) -> tuple[directive.Directive, ...]:
    """The same places, for a server that is not the default. is_common: they are where every site listens."""
    if is_common and all(site.https_port is None for site in desired.enabled):
        files = [generation_files.LISTEN_HTTPS]
        if any(map(quic.is_of_quic, listen)):
            files.append(generation_files.LISTEN_QUIC)
        return tuple(arguments.line("include", file) for file in files)
    return tuple(map(quic.without_default, listen))


def _unknown(desired: model.Desired) -> tuple[directive.Node, ...]:
    """What handshakes for unknown names get: an alert, or the owner's certificate for them."""
    if desired.globals.default.certificate is None:
        return _REFUSED
    return _certificate(desired, certificate_choice.DEFAULT)


def _certificate(desired: model.Desired, name: str, *sites: model.Site) -> tuple[directive.Node, ...]:
    """sites: those whose certificate it can be."""
    return server_blocks.certificate(
        name,
        is_followed=not server_blocks.has_root(desired.globals),
        has_two_types=bool(sites) and all(certificate_choice.has_two_types(one, desired.globals.acme) for one in sites),
    )


def _server(
    listen: tuple[directive.Directive, ...], name: str, inside: tuple[directive.Node, ...]
) -> directive.Directive:
    return arguments.line("server", block=(*listen, arguments.line("server_name", name), *inside))


def _addresses(desired: model.Desired) -> dict[str, str]:
    """Each address that a site with TLS has -> the name of that site's certificate."""
    found: dict[str, str] = {}
    for site in desired.enabled:
        for name in site.names:
            address = names.address_of(name)
            if address is not None and site_scope.has_tls(site):
                found.setdefault(address.compressed, certificate_choice.folder_of(site, name))
    return found


def _address_map(addresses: dict[str, str]) -> directive.Directive:
    """By the address that was connected to; behind a NAT none matches and the first site's is used."""
    first = next(iter(addresses.values()))
    entries = [
        arguments.line("default", first),
        *(arguments.line(address, name) for address, name in addresses.items()),
    ]
    return arguments.line("map", Expr("$server_addr"), Expr("$daemun_address_certificate"), block=tuple(entries))
