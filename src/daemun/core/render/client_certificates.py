"""Visitors who show a certificate of their own (`core.options.client_certificates_form`).

nginx asks for it in the handshake (nginx.org/r/ssl_verify_client), where no path is known yet. So a whole server asks,
takes none for an answer, and each location decides by a variable. A certificate that is not taken, because another CA
signed it, because it has ended or was withdrawn, is refused by nginx for every path of the server.

A session that is resumed has the certificate of its first handshake, and neither its end nor a revocation list is
looked at again (OpenSSL checks them in X509_verify_cert only). nginx resumes sessions with the keys and the cache of a
port's default server, before it knows which site the handshake is for, so what a site sets for them counts for nothing
there. But whether a session can be resumed at all is decided at its end, by the site: without tickets it is in the
cache or nowhere. So these sites have no tickets (`ssl_session_tickets off`), and while there are such sites the gate
has no cache; the sessions of all others are resumed by tickets.
"""

import collections.abc
import dataclasses

from daemun.core import arguments, directive, model
from daemun.core.access import access_levels
from daemun.core.directive import Expr
from daemun.core.options import access_option, client_certificates_form
from daemun.core.render import effective_access, site_scope
from daemun.core.texts import names, words
from daemun.errors import RenderError

_UNCERTIFIED = "$daemun_refused_certificate"
"""Of the kind that `network_refusals` has: `early_answers` leaves what it refuses where it stands."""
PREFIX = "$daemun_client_"
"""Of the variables with what servers are sent, which may be empty."""
HEADERS = ("Remote-User", "X-SSL-Client-Verify", "X-SSL-Client-S-DN")
"""In which servers learn of it."""
PAGE = "@daemun_uncertified_"
_DEPTH = "5"
_NO_CERTIFICATE = "496"
"""nginx's own number, which no visitor gets (NGX_HTTPS_NO_CERT)."""
_OF_TLS = (
    "ssl_client_certificate", "ssl_conf_command", "ssl_crl", "ssl_early_data", "ssl_ocsp", "ssl_session_cache",
    "ssl_session_ticket_key", "ssl_session_tickets", "ssl_trusted_certificate", "ssl_verify_client", "ssl_verify_depth",
)  # fmt: skip


# --- for all sites ---------------------------------------------------------------------------------------------


def is_used(desired: model.Desired) -> bool:
    """Whether any site asks for certificates."""
    return any(site.tls.clients is not None for site in desired.enabled) or any(
        held.access.client_certificates is not None for held in access_levels.find_all(desired)
    )


def variables() -> tuple[directive.Node, ...]:
    # A handshake without a name was the default server's, which asks for no certificate.
    user = r"~^:(?:.*?[^\\],)?CN=(?<daemun_client_cn>[^,+\\]{1,128})(?:,|\z)"
    return (
        directive.Comment("1 for who showed no certificate that is taken, and what servers are sent of the others'."),
        arguments.map_to("$ssl_client_verify:$ssl_server_name", _UNCERTIFIED, ("~^SUCCESS:.", ""), default="1"),
        arguments.map_to(_UNCERTIFIED, f"{PREFIX}verify", ("", "SUCCESS"), default="NONE"),
        arguments.map_to(_UNCERTIFIED, f"{PREFIX}dn", ("", "$ssl_client_s_dn")),
        arguments.map_to(f"{_UNCERTIFIED}:$ssl_client_s_dn", f"{PREFIX}user", (user, "$daemun_client_cn")),
    )


# --- for a server ----------------------------------------------------------------------------------------------


def _find(scope: site_scope.Scope) -> tuple[client_certificates_form.ClientCertificates, ...]:
    every = effective_access.find_all(scope)
    return tuple(one for access in every if (one := access.client_certificates) is not None)


def is_asking(scope: site_scope.Scope) -> bool:
    return bool(_find(scope))


def is_asking_own(scope: site_scope.Scope) -> bool:
    """The same of daemun's own CA for clients."""
    return access_levels.wants_own_certificates(scope.site, scope.settings)


def server_lines(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    """The directives that request one in the handshake. Raises: RenderError where what is set cannot hold."""
    found = _find(scope)
    if not found:
        return ()
    _check(scope, found)
    no_tickets = arguments.line("ssl_session_tickets", "off")
    authority = found[0].ca.found
    if authority is None:  # and nobody comes in
        return (no_tickets,)
    trusted = arguments.line("ssl_client_certificate", authority.ca_file)
    lines = [
        dataclasses.replace(trusted, beside=directive.content(authority.digest)),
        arguments.line("ssl_verify_client", "optional"),
        arguments.line("ssl_verify_depth", _DEPTH),
        no_tickets,
    ]
    if authority.crl_file is not None:
        lines.append(arguments.line("ssl_crl", authority.crl_file))
    return (
        directive.Comment("Each location decides by the certificate. No session outlives what it was let in by."),
        *lines,
    )


def _check(scope: site_scope.Scope, found: tuple[client_certificates_form.ClientCertificates, ...]) -> None:
    """Raises: RenderError."""
    site = scope.site
    what = "`access: {client_certificates: ...}` cannot hold"
    if len({one.authority for one in found}) > 1:
        raise RenderError(
            f"{what}: a site asks for certificates of one CA, because the path is not known in the handshake, and the "
            "routes of this one name several; put their certificates into one file"
        )
    if not site_scope.has_tls(site):
        raise RenderError(f"{what}: the site has no HTTPS; set `tls`, or `access` for this site without it")
    if site.tls.clients is not None:
        raise RenderError(f"{what}: the site has a CA file as nginx-proxy names it; keep one of them")
    for name in site.names:
        if names.address_of(name) is not None:
            raise RenderError(
                f"{what} for {words.quoted(name)}: visitors of an address send no name in the handshake, and cannot be "
                "asked for one; give the site a name, or an `access` of its own without it"
            )
    written = {line.name for line in _find_written((*scope.settings.snippet, *site.snippet))} & set(_OF_TLS)
    if written:
        raise RenderError(
            f"{what} beside hand-written nginx with {', '.join(sorted(written))}: a session could be resumed after its "
            "certificate was withdrawn; remove these lines"
        )


def _find_written(nodes: model.Snippet) -> collections.abc.Iterator[directive.Directive]:
    return (node for node in nodes if isinstance(node, directive.Directive))


# --- for what is guarded ---------------------------------------------------------------------------------------


def is_judging(access: access_option.Access) -> bool:
    """Whether a certificate is one of several conditions, so that it must be looked at where judges are."""
    return access.any and access.needs_certificate


def refusals(access: access_option.Access) -> tuple[directive.Directive, ...]:
    """First in a location."""
    if not access.needs_certificate or access.any:
        return ()
    refuse = (arguments.line("return", _NO_CERTIFICATE),)
    return (arguments.line("if", Expr(_UNCERTIFIED), block=refuse),)


def page_lines(access: access_option.Access) -> tuple[directive.Directive, ...]:
    """What those get who are refused."""
    if access.client_certificates is None:
        return ()
    return (page_line("401") if is_judging(access) and access.judge is None else page_line(),)


def page_line(*more: str) -> directive.Directive:
    return arguments.line("error_page", "495", _NO_CERTIFICATE, *more, "=403", Expr(f"{PAGE}$daemun_wanted"))


def judge_locations(scope: site_scope.Scope) -> tuple[directive.Directive, ...]:
    """Where a certificate is one of several conditions, and no judge decides besides."""
    # The 401 is for nginx, which makes a page of it in the visitor's own request: a list of its own hides the server's.
    block = (arguments.line("internal"), page_line(), _let_in(), arguments.line("return", "401"))
    return tuple(
        arguments.line("location", "=", place, block=block)
        for place, access in effective_access.find_judged(scope).items()
        if is_judging(access) and access.judge is None
    )


def _let_in() -> directive.Directive:
    return arguments.line("if", Expr(_UNCERTIFIED), "=", "", block=(arguments.line("return", "204"),))


def before_judges(
    scope: site_scope.Scope, nodes: collections.abc.Iterable[directive.Node]
) -> tuple[directive.Node, ...]:
    """The locations of judges, which let in who shows a certificate where one condition is enough."""
    places = {place for place, access in effective_access.find_judged(scope).items() if is_judging(access)}

    def with_certificate(node: directive.Node) -> directive.Node:
        if not isinstance(node, directive.Directive) or node.name != "location" or node.block is None:
            return node
        if node.args[0].value != "=" or node.args[-1].value not in places:
            return node
        return dataclasses.replace(node, block=(_let_in(), *node.block))

    return tuple(map(with_certificate, nodes))


def identity(scope: site_scope.Scope, route: model.Route) -> tuple[tuple[str, str], ...]:
    """The headers by which servers of a route learn whose certificate it was, and their values. A judge has its own
    word for the visitor's name."""
    access = effective_access.of_route(scope, route).access
    if access.client_certificates is None:
        return ()
    sent = zip(HEADERS, ("user", "verify", "dn"), strict=True)
    return tuple((name, PREFIX + part) for name, part in sent if access.judge is None or part != "user")
