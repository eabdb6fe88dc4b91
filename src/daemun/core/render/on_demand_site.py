r"""A site that takes names while the gate runs: whatever has a certificate under live/ is one of its names.

A name that is added needs no reload, because nginx finds its certificate by the name in the handshake and looks for
the same folder at each request. Tried with nginx 1.31.3: a handshake for a name without a certificate ends with an
alert, and is logged to the `error_log` of the server that the name led to, also over syslog to a unix socket, as
`cannot load certificate "/state/live/NAME/fullchain.pem": ...`. The daemon listens there and decides whether to add it.

Case is no difference in names (RFC 4343), and one in folders. nginx gives a request's `$host` in lower case, and
`$ssl_server_name` as it came. So a name with capitals is taken apart into its characters, and each is looked up in a
`map`, which does not mind the case of what it looks for.
"""

import collections.abc
import contextlib
import string

from daemun.core import arguments, directive, model
from daemun.core.certificates import certificate_choice, on_demand_names
from daemun.core.directive import Expr
from daemun.core.options import on_demand_option
from daemun.core.render import accel_redirect, site_scope
from daemun.core.texts import names
from daemun.errors import RenderError

ASK_STATUS = "419"
"""Never leaves nginx: `return` needs some status to be caught by `error_page`."""

OTHER_SHOWN, OTHER_REQUESTED = "$daemun_other_shown", "$daemun_other_asked"

_UPSTREAM = "daemun_domains"
_ASK, _ADDED = "@daemun_domain_ask", "@daemun_domain_added"
_ASK_TIMEOUT = "15s"
_NAMED, _CHARACTER, _SMALL = "$daemun_named", "daemun_c", "daemun_s"
_CAPITALS = r"~^(?=.*[A-Z])" + "".join(rf"(?<{_CHARACTER}{n}>.?)" for n in range(on_demand_names.LONGEST)) + r"\z"
_NAME = r"~^(?<daemun_name_{suffix}>(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)\z"
"""Nothing in it can leave the folder."""


def is_on(site: model.Site) -> bool:
    return on_demand_option.OPTION.of(site) is not None and site_scope.has_tls(site)


def certificate(scope: site_scope.Scope) -> str:
    """The variable with the folder of the handshake's certificate."""
    return f"$daemun_shown_{_suffix(scope)}"


def shared(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    """The variables, and the daemon as a server."""
    nodes: list[directive.Node] = [
        directive.Comment(
            "The certificates of the name in the handshake and of the one in the request, if they were added."
        ),
        *_named(),
        _map(scope, _NAMED, certificate(scope)),
        _map(scope, "$host", _requested_name(scope)),
    ]
    if _adds_names(scope):
        place = f"unix:{scope.environment.layout.domains_socket}"
        nodes.append(arguments.line("upstream", _UPSTREAM, block=(arguments.line("server", place),)))
    return tuple(nodes)


def _named() -> collections.abc.Iterator[directive.Node]:
    """The name in the handshake, in lower case."""
    small = tuple(arguments.line(letter, letter) for letter in string.ascii_lowercase)
    for n in range(on_demand_names.LONGEST):
        found = Expr(f"${_CHARACTER}{n}")
        yield arguments.line("map", found, Expr(f"${_SMALL}{n}"), block=(arguments.line("default", found), *small))
    together = Expr("".join(f"${_SMALL}{n}" for n in range(on_demand_names.LONGEST)))
    lines = (arguments.line("default", Expr("$ssl_server_name")), arguments.line(_CAPITALS, together))
    yield arguments.line("map", Expr("$ssl_server_name"), Expr(_NAMED), block=lines)


def _map(scope: site_scope.Scope, source: str, variable: str) -> directive.Directive:
    own, site = scope.certificate, scope.site
    suffix = variable.removeprefix("$daemun_")
    entries = [arguments.line("hostnames"), arguments.line("default", "")]
    folders = certificate_choice.folders(site)
    entries += [arguments.line(arguments.map_host(name), folders.get(name, own)) for name in site.names]
    if source == _NAMED:
        entries.append(directive.Directive("", (directive.Text(own),)))
    entries.append(arguments.line(_NAME.format(suffix=suffix), Expr(f"$daemun_name_{suffix}")))
    return arguments.line("map", Expr(source), Expr(variable), block=tuple(entries))


def https_lines(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    """For the HTTPS server: a known name in the handshake may be followed by another one in the request."""
    layout = scope.environment.layout
    lines: list[directive.Node] = [
        directive.Comment("Every certificate under live/ counts as a name's, so those of other sites are left out."),
        _if_other(OTHER_SHOWN, "421"),
        _if_other(OTHER_REQUESTED, "421"),
        _unless_added(scope, arguments.line("return", "421")),
    ]
    if _adds_names(scope):
        missed = f"syslog:server=unix:{layout.missed_socket},tag=daemun,nohostname"
        lines = [
            arguments.line("error_log", f"{layout.logs}/error.log", "warn"),
            arguments.line("error_log", missed, "error"),
            *lines,
        ]
    return tuple(lines)


def http_lines(scope: site_scope.Scope, to_https: tuple[directive.Node, ...]) -> tuple[directive.Node, ...]:
    """For the plain HTTP server. to_https: how a visitor is sent there once the name was added."""
    status = str(scope.settings.default.status)
    others = _if_other(OTHER_REQUESTED, status)
    if not _adds_names(scope):
        return (others, _unless_added(scope, arguments.line("return", status)))
    ask = (
        arguments.line("internal"),
        arguments.line("proxy_method", "GET"),
        arguments.line("proxy_pass_request_body", "off"),
        arguments.line("proxy_pass_request_headers", "off"),
        arguments.line("proxy_set_header", "Host", "daemun"),
        arguments.line("proxy_set_header", "Content-Length", ""),
        arguments.line("proxy_set_header", "X-Real-IP", Expr("$remote_addr")),
        accel_redirect.followed(),
        arguments.line("proxy_http_version", "1.1"),
        arguments.line("proxy_connect_timeout", "1s"),
        arguments.line("proxy_read_timeout", _ASK_TIMEOUT),
        arguments.line(
            "proxy_pass", Expr(f"http://{_UPSTREAM}/ask/{_requested_name(scope)}/{_ADDED.removeprefix('@')}")
        ),
    )
    return (
        arguments.line("error_page", ASK_STATUS, "=", _ASK),
        others,
        _unless_added(scope, arguments.line("return", ASK_STATUS)),
        arguments.line("location", _ASK, block=ask),
        arguments.line("location", _ADDED, block=to_https),
    )


def _if_other(variable: str, status: str) -> directive.Directive:
    return arguments.line("if", Expr(variable), block=(arguments.line("return", status),))


def others(desired: model.Desired) -> tuple[directive.Node, ...]:
    """The names of all sites but the one that takes names. In variables.conf, because they are of other sites."""
    taking = on_demand_names.find_site(desired)
    if taking is None:
        return ()
    lines = []
    own_names = frozenset(taking.names)
    for name in {name: None for site in desired.sites if site is not taking for name in site.names}:
        if name not in own_names:
            with contextlib.suppress(RenderError):  # the site is refused for it
                lines.append(arguments.line(arguments.map_host(name), "1"))
    head = (arguments.line("hostnames"), arguments.line("default", ""))
    return (
        directive.Comment("Whether the name in a handshake, or in a request, is another site's than of the one that"),
        directive.Comment("takes names, also of a site that is disabled."),
        *(
            arguments.line("map", Expr(source), Expr(variable), block=(*head, *lines))
            for source, variable in (("$ssl_server_name", OTHER_SHOWN), ("$host", OTHER_REQUESTED))
        ),
    )


def _unless_added(scope: site_scope.Scope, action: directive.Directive) -> directive.Directive:
    return arguments.line(
        "if", Expr("!-f"), Expr(f"$daemun_live/{_requested_name(scope)}/fullchain.pem"), block=(action,)
    )


def _adds_names(scope: site_scope.Scope) -> bool:
    wanted = on_demand_option.OPTION.of(scope.site)
    return wanted is not None and wanted.ask is not None


def _requested_name(scope: site_scope.Scope) -> str:
    return f"$daemun_added_{_suffix(scope)}"


def _suffix(scope: site_scope.Scope) -> str:
    return names.variable_suffix(scope.site.host)
