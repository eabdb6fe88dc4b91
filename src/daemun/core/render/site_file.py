"""The file of one site: its upstreams and maps, if it has any, then its servers.

Nothing in it sets which server is the default of a port, and where servers listen stands in a file of its own: so a
file that is kept from an earlier generation goes together with the nginx.conf of any later one.
"""

import dataclasses

from daemun.core import arguments, directive, model
from daemun.core.certificates import certificate_choice
from daemun.core.directive import Expr
from daemun.core.options import alias_options, hsts_option
from daemun.core.render import (
    access,
    ban_lines,
    cache_headers,
    client_certificates,
    client_link_location,
    cors_headers,
    custom_pages,
    error_pages,
    forward_auth,
    header_directives,
    https_redirects,
    maintenance_lines,
    misdirected_requests,
    on_demand_site,
    option_lines,
    response_cache,
    route_choice,
    route_locations,
    server_blocks,
    site_content,
    site_scope,
    tls,
    traffic_routes,
    trailing_slashes,
    upstream,
    variables,
)
from daemun.core.services import named_servers
from daemun.core.texts import words
from daemun.core.validation import validate
from daemun.errors import RenderError

_REASON = "It cannot be served as configured; `daemun status` says why."
_HIGHEST = "~."
"""As a server name: any. nginx tries regular expressions after all other names."""


def nodes(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    """Raises: RenderError naming the site, and the route if it is one."""
    site = scope.site
    errors = validate.find_errors(site)
    if errors:
        shown = (f"{problem.message}{site_scope.place(problem.origin)}" for problem in errors)
        raise RenderError(f"cannot render {'; '.join(shown)}")
    try:
        found = named_servers.find_in_site(site, scope.settings)
        scope = dataclasses.replace(scope, site=found.site)
        named = upstream.named(scope.settings, scope.environment, found.upstreams)
        return (
            *_title(site),
            *access.shared(scope),
            *forward_auth.shared(scope),
            *cors_headers.shared(scope),
            *cache_headers.shared(scope),
            *trailing_slashes.shared(scope),
            *maintenance_lines.shared(scope, tuple(map(custom_pages.place, custom_pages.every(scope)))),
            *route_choice.shared(scope),
            *(node for one in site.routes for node in response_cache.shared(scope, one)),
            *(node for one in site.routes for node in route_locations.shared(scope, one)),
            *named,
            *(on_demand_site.shared(scope) if on_demand_site.is_on(site) else ()),
            *misdirected_requests.handshakes(scope),
            *_servers(scope),
            *access.networks(scope),
        )
    except RenderError as error:
        raise _named(site, error) from error


def unavailable_nodes(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    """The same names with a 503 page: what strangers may know. Raises: RenderError."""
    site = scope.site
    answer = (
        arguments.line("add_header", "Retry-After", "60", "always"),
        arguments.line("add_header", "Cache-Control", "no-store", "always"),
        server_blocks.anything(arguments.line("return", "503")),
    )
    # Files of the owner's may be what is wrong; who sees this page needs to show no certificate.
    scope = dataclasses.replace(
        scope, site=dataclasses.replace(site, tls=dataclasses.replace(site.tls, clients=None), snippet=())
    )
    try:
        given = _names(site.names, is_default=scope.is_default)
        servers = [_http(scope, given, (server_blocks.challenge(), *answer))]
        if site_scope.has_tls(site):
            servers.insert(0, _https(scope, given, (*_challenge(scope), *answer)))
    except RenderError as error:
        raise _named(site, error) from error
    return (*_title(site), directive.Comment(_REASON), *servers)


def is_unavailable(content: bytes) -> bool:
    """Whether a file was rendered of `unavailable_nodes`."""
    return f"# {_REASON}\n".encode() in content


def _named(site: model.Site, error: RenderError) -> RenderError:
    if str(error).startswith("cannot render route"):
        return error
    return RenderError(f"cannot render site {words.quoted(site.host)}{site_scope.place(site.origin)}: {error}")


def _title(site: model.Site) -> tuple[directive.Node, ...]:
    return (
        directive.Comment(f"{site.host}{'' if site.origin == model.NOWHERE else f' ({site.place})'}"),
        directive.Comment("Written by daemun; changes here are lost. The variables $daemun_* are in variables.conf."),
    )


# --- servers ---------------------------------------------------------------------------------------------------


def _servers(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    """HTTPS first, then plain HTTP, then the aliases that only lead to the main name."""
    site = scope.site
    given = _names((site.host,) if alias_options.REDIRECT.of(site) else site.names, is_default=scope.is_default)
    servers: list[directive.Node] = []
    if site_scope.has_tls(site):
        added = on_demand_site.https_lines(scope) if on_demand_site.is_on(site) else ()
        inside = (
            *traffic_routes.of_site(scope),
            *added,
            *client_certificates.server_lines(scope),
            *client_link_location.server_lines(scope),
            *misdirected_requests.refuse(scope),
            *_challenge(scope),
            *site_content.nodes(scope, https=True),
        )
        servers.append(_https(scope, given, inside, snippet=site.snippet))
    elif site.refuses_tls:
        servers.append(_refusing(scope))
    servers.append(_http(scope, given, (*traffic_routes.of_site(scope), *_plain(scope))))
    if alias_options.REDIRECT.of(site) and site.aliases:
        servers += _alias_servers(scope)
    return tuple(servers)


def _https(
    scope: site_scope.Scope,
    given: tuple[directive.Arg, ...],
    inside: tuple[directive.Node, ...],
    *,
    snippet: model.Snippet = (),
) -> directive.Directive:
    lines = [
        *server_blocks.listen_https(scope),
        arguments.line("server_name", *given),
        *_certificate(scope),
        *tls.site_lines(scope),
        *_own_words(scope),
        *header_directives.without_written(header_directives.server_lines(scope, https=True), snippet),
    ]
    return arguments.line(
        "server",
        block=(
            *site_scope.yielding(lines, snippet),
            ban_lines.included(),
            *inside,
            *error_pages.lines(scope, https=True),
        ),
    )


def _refusing(scope: site_scope.Scope) -> directive.Directive:
    names_ = arguments.line("server_name", *_names(scope.site.names))
    return arguments.line(
        "server", block=(*server_blocks.listen_https(scope), names_, arguments.line("ssl_reject_handshake", "on"))
    )


def _certificate(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    has_two_types = certificate_choice.has_two_types(scope.site, scope.settings.acme)
    if on_demand_site.is_on(scope.site):
        # What is missing is requested, so nginx must look for it and answer that it is not there.
        return server_blocks.certificate(
            on_demand_site.certificate(scope), is_followed=False, has_two_types=has_two_types
        )
    folder = variables.FOLDER if scope.is_by_name else scope.certificate
    is_followed = not server_blocks.has_root(scope.settings, scope.site)
    return server_blocks.certificate(folder, is_followed=is_followed, has_two_types=has_two_types)


def _http(
    scope: site_scope.Scope, given: tuple[directive.Arg, ...], inside: tuple[directive.Node, ...]
) -> directive.Directive:
    written = {node.name for node in inside if isinstance(node, directive.Directive)}
    own = tuple(line for line in _own_words(scope) if line.name not in written)
    added = header_directives.without_written(header_directives.server_lines(scope, https=False), inside)
    lines = (*server_blocks.listen_http(scope), arguments.line("server_name", *given), *own, *added)
    return arguments.line(
        "server", block=(*lines, ban_lines.included(), *inside, *error_pages.lines(scope, https=False))
    )


def _own_words(scope: site_scope.Scope) -> tuple[directive.Directive, ...]:
    """What nginx shows of itself, and what it takes and gives."""
    shown = scope.site.server_tokens
    tokens = () if shown is None else (arguments.line("server_tokens", shown),)
    return (*tokens, *option_lines.of_site(scope))


def _plain(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    """What plain HTTP answers; the challenge always."""
    site = scope.site
    challenge = _challenge(scope)
    if on_demand_site.is_on(site):
        challenge = (
            *on_demand_site.http_lines(scope, https_redirects.to_https(site, trailing_slashes.request_uri(scope))),
            *challenge,
        )
    if not site_scope.has_tls(site):
        return (*challenge, *site_content.nodes(scope, https=False))
    off = arguments.line("return", str(scope.settings.default.status))
    link: tuple[directive.Node, ...] = (off,) if site.http is model.HttpMode.OFF else https_redirects.to_https(site)
    if https_redirects.believes_https(scope.settings) and site.http is not model.HttpMode.OFF:
        link = (*https_redirects.to_https_unless_there(link), arguments.line("return", "404"))
    challenge = (*challenge, *client_link_location.http_lines(scope, link))
    if site.http is model.HttpMode.SERVE:
        return (*challenge, *site_content.nodes(scope, https=False))
    if site.http is model.HttpMode.OFF:
        return (*challenge, server_blocks.anything(off))
    uri = trailing_slashes.request_uri(scope)
    if https_redirects.believes_https(scope.settings):
        return (
            *challenge,
            *https_redirects.to_https_unless_there(https_redirects.to_https(site, uri)),
            *site_content.nodes(scope, https=False),
        )
    return (*challenge, arguments.line("location", "/", block=https_redirects.to_https(site, uri)))


def _alias_servers(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    """To the main name, from plain HTTP to HTTPS in the same step. Scheme, port and path stay as they are otherwise."""
    site, uri = scope.site, trailing_slashes.request_uri(scope)
    given, host = _names(site.aliases), arguments.host(site.host).value
    moved = https_redirects.moved(
        site, Expr(f"{scope.forwarded.forwarded_proto}://{host}{scope.forwarded.named_port}{uri}")
    )
    answer = plain = server_blocks.anything(*moved)
    if site_scope.has_tls(site) and site.http is model.HttpMode.OFF:
        plain = server_blocks.anything(arguments.line("return", str(scope.settings.default.status)))
    elif site_scope.has_tls(site) and site.http is model.HttpMode.REDIRECT:
        hsts = hsts_option.OPTION.of(site)
        # The list that browsers bring along wants a redirect to HTTPS of the same name first (hstspreload.org).
        redirects = https_redirects.to_https(site, uri, host if hsts is None or not hsts.preload else "$host")
        there = (
            (*https_redirects.to_https_unless_there(redirects), *moved)
            if https_redirects.believes_https(scope.settings)
            else redirects
        )
        plain = server_blocks.anything(*there)
    counted = traffic_routes.of_site(scope)
    servers: list[directive.Node] = [directive.Comment(f"Aliases lead to {site.host}.")]
    if site_scope.has_tls(site):
        servers.append(_https(scope, given, (*counted, *_challenge(scope), answer)))
    servers.append(_http(scope, given, (*counted, server_blocks.challenge(), plain)))
    return tuple(servers)


def _challenge(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    """On HTTPS as well: what stands in front may send CAs there, and they follow without a look at the certificate
    (letsencrypt.org/docs/challenge-types). Of a site without TLS nothing is ordered, so an application's own client has
    the path."""
    site = scope.site
    is_ours = site_scope.has_tls(site) or scope.settings.like_nginx_proxy
    return (server_blocks.challenge(),) if site.challenge and is_ours and not _writes_challenge(site) else ()


def _names(hosts: tuple[str, ...], *, is_default: bool = False) -> tuple[directive.Arg, ...]:
    return (*(arguments.host(host) for host in hosts), *((Expr(_HIGHEST),) if is_default else ()))


def _writes_challenge(site: model.Site) -> bool:
    """Whether an owner answers the challenge, which nginx lets one location do."""
    written = {site_scope.location_name(node) for node in site_scope.owned(site.snippet, "location")}
    return server_blocks.CHALLENGE_PATH in written | {one.path for one in site.routes}
