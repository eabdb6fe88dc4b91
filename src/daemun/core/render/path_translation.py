r"""What is translated where a server's path stands in the place of a route's: the request there, the answer back.

The rest of a path reaches the server as the visitor sent it: `%2F`, `//` and the like are not what nginx makes of them.
nginx has that text only with the prefix (`$request_uri`), and takes a path from a variable as it is. So the rest is cut
out of it by a `map`; where that cannot be done, or where it has dots that would lead out of the prefix, the variable is
empty, and nginx sends what `rewrite` made of the path that it decoded and normalised, which is always within.

Each location sets what it replaces (`set`), and a few maps serve all of them: each map costs a reload a millisecond.
"""

import collections.abc

from daemun.core import arguments, directive, model
from daemun.core.directive import Expr
from daemun.core.options import translate_option
from daemun.core.render import rewrites, site_scope
from daemun.core.texts import route_paths

_DOTS = r"(?!(?:[^? ]*(?:[/\\]|%2f|%5c))?(?:\.|%2e){1,2}(?:[/\\;?# ]|%2f|%5c|%3b|\z))"
"""Not before a segment that servers take for "here" or "one up", in whatever form: "..", "%2e.", "..;", "..%2f"."""

_ENDS = r"(?:[;/\\]|\z)"
"""Where a segment ends, for some servers."""


def is_on(scope: site_scope.Scope, proxy: model.Proxy) -> bool:
    """Whether answers are translated. Not in nginx-proxy's place: it leaves them alone."""
    return translate_option.OPTION.of(proxy) and not scope.settings.like_nginx_proxy


def sent(scope: site_scope.Scope, route: model.Route, proxy: model.Proxy) -> str:
    """What stands behind a server's name in `proxy_pass`. Nothing where the path is the visitor's anyway, or where an
    owner rewrites it and so means what nginx has made of it."""
    if proxy.targets[0].path is None or rewrites.may_change(route, scope.site.snippet):
        return ""
    return "$daemun_sent"


def request_lines(route: model.Route, proxy: model.Proxy) -> tuple[directive.Directive, ...]:
    """First in a location: what is replaced by what, and the end of requests that would lead out.

    Raises: RenderError.
    """
    path = proxy.targets[0].path
    if path is None:
        return ()
    return (
        *dots_lines(route, proxy),
        arguments.line(
            "set", Expr("$daemun_prefix"), Expr(arguments.literal(arguments.encoded(replaced_prefix(route))))
        ),
        arguments.line("set", Expr("$daemun_place"), Expr(arguments.literal(arguments.sent_path(path)))),
        arguments.line("set", Expr("$daemun_asked"), Expr("$uri")),
    )


def dots_lines(route: model.Route, proxy: model.Proxy) -> tuple[directive.Directive, ...]:
    r"""The end of requests that would lead out of the server's path, for every scheme. Nothing where none is replaced.

    nginx takes "..;" and "..\" for ordinary names, and some servers for "one up". So it does "/app..": where a prefix
    without a slash at its end is replaced, "/app../x" would become "/inner/../x". A single dot there may meet a
    dot at the end of the server's path.
    """
    if proxy.targets[0].path is None:
        return ()
    pattern = rf"[/\\]\.\.{_ENDS}"
    if route_paths.is_prefix(route.path) and not route.path.endswith("/"):
        pattern = rf"{pattern}|^{arguments.in_regex(route.path)}\.{{1,2}}{_ENDS}"
    return (arguments.line("if", Expr("$uri"), "~", Expr(pattern), block=(arguments.line("return", "400"),)),)


def replaced_prefix(route: model.Route) -> str:
    """Of a route whose servers have a path: what that replaces."""
    return route_paths.find_literal(route.path) or "/"


def answer_lines(scope: site_scope.Scope, proxy: model.Proxy) -> tuple[directive.Directive, ...]:
    """In the same location: redirects and, where a path is replaced, cookies come back as paths of the visitor's."""
    servers = ",".join(dict.fromkeys(_authorities(scope, proxy)))
    whole = Expr(r"~^(?<daemun_location>.+)\z")
    named = arguments.line("set", Expr(_SERVERS), Expr(f",{servers},"))
    if proxy.targets[0].path is None:
        return (named, arguments.line("proxy_redirect", whole, Expr("$daemun_location_path")))
    return (
        named,
        arguments.line("proxy_redirect", whole, Expr("$daemun_location_here")),
        arguments.line("proxy_cookie_path", whole, Expr("$daemun_cookie_path_here")),
    )


def cookie_domains(settings: model.Globals) -> tuple[directive.Directive, ...]:
    """For the http level: an expression in each location would cost ten kilobytes there."""
    if settings.like_nginx_proxy:
        return ()
    line = arguments.line("proxy_cookie_domain", Expr(r"~^(?<daemun_cookie>.+)\z"), Expr("$daemun_cookie_domain_here"))
    return () if site_scope.owned(settings.snippet, line.name) else (line,)


def untranslated(scope: site_scope.Scope) -> tuple[directive.Directive, ...]:
    """For the location of a route whose answers are left alone."""
    line = arguments.line("proxy_cookie_domain", "off")
    is_owned = any(site_scope.owned(snippet, line.name) for snippet in (scope.site.snippet, scope.settings.snippet))
    return () if is_owned or scope.settings.like_nginx_proxy else (line,)


def _authorities(scope: site_scope.Scope, proxy: model.Proxy) -> collections.abc.Iterator[str]:
    """The servers' own names, each with its port."""
    if scope.variables is not None:
        yield scope.variables.server
        return
    for target in proxy.targets:
        if target.host is None or target.port is None:
            continue
        yield f"[{target.host}]:{target.port}" if ":" in target.host else f"{target.host}:{target.port}"


def prefix(route: model.Route) -> Expr:
    """What stands before the paths that a server knows, for visitors."""
    return Expr(arguments.literal(arguments.encoded(replaced_prefix(route).rstrip("/"))))


def header_lines(route: model.Route, proxy: model.Proxy) -> tuple[directive.Directive, ...]:
    """What the server is sent about the prefix, and where WebDAV's COPY and MOVE lead (RFC 4918 section 10.3)."""
    scheme = "https" if proxy.targets[0].scheme.is_encrypted else "http"
    return (
        arguments.line("proxy_set_header", "X-Forwarded-Prefix", prefix(route)),
        arguments.line("proxy_set_header", "Destination", Expr(f"$daemun_destination_{scheme}")),
    )


_PREFIX = rf"(?s)^(?<daemun_s_prefix>\S+) (?-i:(?P=daemun_s_prefix)){_DOTS}"
_PLAIN = rf"~*{_PREFIX}(?<daemun_s_rest>(?<daemun_s_path>(?:[^ ?%/]|/(?!/))*)(?:\?\S*)?) .*(?-i:(?P=daemun_s_path))\z"
"""nginx writes nothing in it otherwise, so it is what the location is for, or was led here (`error_page`)."""
_ENCODED = rf"~*{_PREFIX}(?=[^?]*(?:%|//)|/)(?<daemun_s_rest>\S*) "
_SENT = "$daemun_place$daemun_s_rest"

_THERE = r"(?<daemun_f_host>\S+) https?://(?P=daemun_f_host)(?<daemun_f_rest>(?:/.*)?)\z"
"""The visitor's own host, in a WebDAV client's `Destination`."""

_LOOPBACK = r"(?:127\.0\.0\.1|localhost|\[::1\])"
_OWN_NAMES = {
    "own": r"(?<daemun_l_server>[^, ]+),\S* \S+ https?://(?P=daemun_l_server)",
    "default_port": r"(?<daemun_l_name>[^, ]+):(?:80|443),\S* \S+ https?://(?P=daemun_l_name)",
    "visitors": r"[^, ]+(?<daemun_l_port>:[0-9]+),\S* (?<daemun_l_host>\S+) https?://(?P=daemun_l_host)(?P=daemun_l_port)",
    "bare": r"[^, ]+:(?:80|443),\S* (?<daemun_l_alone>\S+) https?://(?P=daemun_l_alone)",
    "loopback": rf"{_LOOPBACK}(?<daemun_l_local>:[0-9]+),\S* \S+ https?://{_LOOPBACK}(?P=daemun_l_local)",
    "any": r"[^, ]+(?<daemun_l_bound>:[0-9]+),\S* \S+ https?://(?:0\.0\.0\.0|\[::\])(?P=daemun_l_bound)",
}
"""The end of a server's name in a list, the visitor's host, and the beginning of a URL that means the server: the same;
without its default port; the visitor's host with the server's port, or without a default one; another name of
loopback; the address that it listens on, which means every one of the machine."""

_SERVERS = "$daemun_servers"
"""The names of a location's servers, which it sets, between commas."""

_PORT = r"(?::[0-9]+)?"
_COOKIE_DOMAINS = (
    (r"~*^\S* (?:\S*\.)?(?<daemun_c_own>[^ .]\S*) \.?(?P=daemun_c_own)\z", "$daemun_cookie"),
    (r"~*^\S* (?<daemun_c_host>\S+) \.?(?P=daemun_c_host):[0-9]+\z", ""),
    (
        r"~*^\S*,\[?(?:[^,:\[\] ]*\.(?=[^,: ]*\.))?(?<daemun_c_server>[^,\[\] ]+?)\]?:[0-9]+,\S* \S+ "
        rf"\.?\[?(?P=daemun_c_server)\]?{_PORT}\z",
        "",
    ),
    (rf"~* \.?(?:[^. :]+|127\.[0-9.]+|0\.0\.0\.0|\[?::1?\]?){_PORT}\z", ""),
)
"""The `Domain` of a cookie that browsers take from this host (RFC 6265 section 5.3, step 6) stays, and so does one that
says nothing of the server. The rest becomes empty, which is the visitor's host alone, as without one: the visitor's
host with a port, which a `Domain` has not; a server's name, or a domain above it; a name without a dot, or an address
of loopback, which can be of the server's inside only."""

DESTINATION = "$daemun_destination"
"""What every server is sent as `Destination`, where no path is replaced: with the scheme that it is reached by."""
DESTINATION_SHARED = "$daemun_destination_shared"
"""The same where many sites share a location, whose servers speak HTTP."""

# --- for all sites ---------------------------------------------------------------------------------------------


def variables() -> tuple[directive.Node, ...]:
    sent_uri = rf"~*^(?<daemun_u_path>/(?![/\\]){_DOTS}[^?#]*)"
    back = "$daemun_prefix $daemun_place $daemun_location_path"
    there = "$http_host $daemun_prefix $daemun_place $http_destination"
    # The visitor's host, or none; then the prefix without the slash at its end, and what is behind it.
    destination = (
        r"(?<daemun_d_host>\S+) (?<daemun_d_prefix>\S*?)/? (?<daemun_d_place>\S*?)/? "
        rf"(?:https?://(?P=daemun_d_host))?(?P=daemun_d_prefix)(?:(?<daemun_d_rest>/){_DOTS}(?<daemun_d_end>.*))\z"
    )
    return (
        directive.Comment(
            "The path for the server, as the visitor sent it. Empty where nginx's own is the better one:"
        ),
        directive.Comment(
            "it has not the prefix in the same letters, has dots to resolve, or leads here from another."
        ),
        arguments.map_to(
            "$daemun_prefix $request_uri $daemun_asked",
            "$daemun_sent",
            (_PLAIN, _SENT),
            (_ENCODED, _SENT),
            volatile=True,
        ),
        directive.Comment(
            "The path in redirects, as the visitor sent it; nginx's own where it has dots to resolve, or begins"
        ),
        directive.Comment("with what browsers take for another host."),
        arguments.map_to(
            "$request_uri", "$daemun_sent_uri", (sent_uri, "$daemun_u_path"), default="$daemun_uri", volatile=True
        ),
        arguments.map_to(
            "$daemun_sent", "$daemun_request_uri", ("", "$uri$is_args$args"), default="$daemun_sent", volatile=True
        ),
        directive.Comment("A redirect's target, or a cookie's path, without the server's own name ..."),
        arguments.map_to(
            "$daemun_servers $host $daemun_location",
            "$daemun_location_path",
            *(
                (rf"~*^\S*,{found}(?:/|(?=[?#])|\z)(?<daemun_r_{name}>.*)\z", f"/$daemun_r_{name}")
                for name, found in _OWN_NAMES.items()
            ),
            default="$daemun_location",
            volatile=True,
        ),
        directive.Comment("... and with the prefix, unless it has it."),
        arguments.map_to(
            back,
            "$daemun_location_here",
            (
                r"~^(?<daemun_h_prefix>\S+) (?<daemun_h_place>\S*[^/ ]/?) (?P=daemun_h_place)(?<daemun_h_rest>.*)\z",
                "$daemun_h_prefix$daemun_h_rest",
            ),
            (
                r"~^(?<daemun_k_prefix>\S+) (?<daemun_k_place>\S*[^/ ])/ (?P=daemun_k_place)(?<daemun_k_end>[?#].*)?\z",
                "$daemun_k_prefix$daemun_k_end",
            ),
            (r"~^(?<daemun_i_prefix>\S*[^/ ])/? \S+ (?P=daemun_i_prefix)(?:[/?#].*)?\z", "$daemun_location_path"),
            (
                r"~^(?<daemun_j_prefix>\S*?)/? / /(?![/\\])(?<daemun_j_rest>.*)\z",
                "$daemun_j_prefix/$daemun_j_rest",
            ),
            default="$daemun_location_path",
            volatile=True,
        ),
        directive.Comment(
            "The same for cookies; browsers refuse __Host- with another path than /. nginx does not tell which"
        ),
        directive.Comment("cookie a path is of, so every / of an answer with such a cookie stays."),
        arguments.map_to(
            "$daemun_location $upstream_http_set_cookie",
            "$daemun_cookie_path_here",
            (r"~*^/ (?:(?s:.*),\s*)?__Host-[^\s=;]*=", "/"),
            default="$daemun_location_here",
            volatile=True,
        ),
        directive.Comment("Of locations that set it; in others, servers have no name."),
        arguments.line("geo", Expr(_SERVERS), block=(arguments.line("default", Expr("")),)),
        directive.Comment("The host that a cookie is for; browsers refuse it where it is the server's own name."),
        arguments.map_to(
            "$daemun_servers $host $daemun_cookie",
            "$daemun_cookie_domain_here",
            *_COOKIE_DOMAINS,
            default="$daemun_cookie",
            volatile=True,
        ),
        directive.Comment(
            "Where a file is to be copied or moved to, as the server knows it; empty where that is elsewhere."
        ),
        arguments.map_to(
            "$http_destination", "$daemun_destination", ("", ""), default="$daemun_destination_by_port", volatile=True
        ),
        directive.Comment(
            "A server that nginx calls by its upstream's name has its scheme's port; one that a request waited for is"
        ),
        directive.Comment("called by its address. Of others, which owners write, nothing is known."),
        arguments.map_to(
            "$daemun_to $proxy_port $http_host $http_destination",
            "$daemun_destination_by_port",
            (rf"~*^(?: 80|http://.*) {_THERE}", "http://$http_host$daemun_f_rest"),
            (rf"~*^(?: 443|https://.*) {_THERE}", "https://$http_host$daemun_f_rest"),
            default="$http_destination",
            volatile=True,
        ),
        arguments.map_to(
            "$http_host $http_destination",
            "$daemun_destination_shared",
            (rf"~*^{_THERE}", "http://$http_host$daemun_f_rest"),
            default="$http_destination",
            volatile=True,
        ),
        *(
            arguments.map_to(
                there,
                f"$daemun_destination_{scheme}",
                (r"~ \z", ""),
                (rf"~*^{destination}", f"{scheme}://$http_host$daemun_d_place$daemun_d_rest$daemun_d_end"),
                (r"~*^(?<daemun_e_host>\S+) \S+ \S+ (?:https?://(?P=daemun_e_host))?(?:/|\z)", ""),
                default="$http_destination",
                volatile=True,
            )
            for scheme in ("http", "https")
        ),
    )
