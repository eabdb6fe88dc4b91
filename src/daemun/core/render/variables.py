"""The variables that all sites use, as maps at the http level. Their names are a contract with the files of sites
that are kept from an earlier generation: rename none.

What a client says about other proxies is believed only when the connection comes from a trusted one.
"""

import ipaddress

from daemun.core import directive, layout, model, words
from daemun.core.directive import Expr
from daemun.core.render import environment, values
from daemun.errors import RenderError

_EVENTS = "~*-stream(?<=text/event-stream)"
"""text/event-stream anywhere in Accept. Written from its end: a browser's Accept is full of the letter t, and PCRE
would try each of them, which costs an ordinary request 2 % of nginx's instructions."""


def maps(settings: model.Globals, env: environment.Environment) -> tuple[directive.Node, ...]:
    """Raises: RenderError when a trusted proxy is no network."""
    return (
        *_constants(env.layout, settings),
        *_trust(settings),
        *_forwarded(settings),
        *(_like_nginx_proxy() if settings.like_nginx_proxy else ()),
        *_streams(),
        *_paths(),
    )


def _map(source: str, variable: str, *entries: tuple[str, str]) -> directive.Directive:
    """An entry's key and value are constants of this module; values are evaluated."""
    block = tuple(values.line(key, Expr(value)) if key else _empty(value) for key, value in entries)
    return values.line("map", Expr(source), Expr(f"$daemun_{variable}"), block=block)


def _empty(value: str) -> directive.Directive:
    return directive.Directive("", (Expr(value),))


def _constant(variable: str, value: str) -> directive.Directive:
    """geo reads no variables in its values, so anything can be one."""
    return values.line("geo", Expr(f"$daemun_{variable}"), block=(values.line("default", Expr(value)),))


def _constants(layout_: layout.Layout, settings: model.Globals) -> tuple[directive.Node, ...]:
    port = settings.listen_https[0].port if settings.listen_https else 443
    return (
        directive.Comment("Constants. nginx has no other way to write a dollar sign."),
        _constant("dollar", "$"),
        _constant("live", layout_.live),
        directive.Comment("The port of HTTPS in redirects to it."),
        _constant("https_port", "" if port == 443 else f":{port}"),
    )


# --- who asks, and how they came here --------------------------------------------------------------------------


def realip(settings: model.Globals) -> tuple[directive.Node, ...]:
    """$remote_addr becomes the visitor's address when a trusted proxy names it. Raises: RenderError."""
    if settings.proxy_protocol:
        trusted = _networks(settings) or ("0.0.0.0/0", "::/0")
        return (
            directive.Comment("The line before each connection says who the visitor is."),
            *(values.line("set_real_ip_from", network) for network in trusted),
            values.line("real_ip_header", "proxy_protocol"),
        )
    if not settings.trusted_proxies:
        return ()
    return (
        directive.Comment("Trusted proxies say who the visitor is."),
        *(values.line("set_real_ip_from", network) for network in _networks(settings)),
        values.line("real_ip_header", "X-Forwarded-For"),
        values.line("real_ip_recursive", "on"),
    )


def _networks(settings: model.Globals) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_network(network, strict=False)) for network in settings.trusted_proxies)
    except ValueError as error:
        shown = words.listed((words.quoted(network) for network in settings.trusted_proxies), last="and")
        raise RenderError(f"cannot render trusted_proxies {shown}: {error}") from error


def _trust(settings: model.Globals) -> tuple[directive.Node, ...]:
    # Without trusted proxies the realip module, and with it $realip_remote_addr, may not be there.
    peer = "$realip_remote_addr" if settings.trusted_proxies or settings.proxy_protocol else "$remote_addr"
    networks = [values.line(network, "1") for network in _networks(settings)]
    # Behind a PROXY line the peer is the balancer that wrote it; the visitor is $remote_addr.
    chain = f"$http_x_forwarded_for, {'$remote_addr' if settings.proxy_protocol else peer}"
    otherwise = "1" if settings.believes_clients else "0"
    return (
        directive.Comment("1 when the connection comes from a trusted proxy."),
        values.line("geo", Expr(peer), Expr("$daemun_trusted"), block=(values.line("default", otherwise), *networks)),
        directive.Comment("What servers are told of the visitor: strangers' own claims are dropped."),
        _believed(settings, "x_forwarded_for", "forwarded_for", "$remote_addr", ("~^1:.", chain)),
    )


def _believed(
    settings: model.Globals, header: str, variable: str, otherwise: str, *entries: tuple[str, str]
) -> directive.Directive:
    """What a header says when a trusted proxy sent it. entries: of "1:" and its value.

    Where nobody is trusted no header is looked at: each of these regular expressions costs every request as much as
    the rest of the variable does.
    """
    if settings.trusted_proxies or settings.believes_clients:
        return _map(f"$daemun_trusted:$http_{header}", variable, ("default", otherwise), *entries)
    return _map("", variable, ("default", otherwise))


def _forwarded(settings: model.Globals) -> tuple[directive.Node, ...]:
    return (
        _believed(
            settings, "x_forwarded_proto", "forwarded_proto", "$scheme", ("1:http", "http"), ("1:https", "https")
        ),
        _map("$daemun_forwarded_proto", "https", ("default", ""), ("https", "on")),
        directive.Comment("The host that was routed by, with the port the client named."),
        _map(
            "$http_host", "named_port", ("default", ""), (r"~(?<daemun_colon_port>:[0-9]{1,5})\z", "$daemun_colon_port")
        ),
        _map("$daemun_named_port", "host", ("default", "$host$daemun_named_port")),
        _believed(
            settings,
            "x_forwarded_host",
            "forwarded_host",
            "$daemun_host",
            (r"~^1:(?<daemun_their_host>[A-Za-z0-9._:\[\]-]{1,260})\z", "$daemun_their_host"),
        ),
        _map(
            "$daemun_forwarded_proto$daemun_named_port",
            "port",
            ("default", "80"),
            ("http", "80"),
            ("https", "443"),
            (r"~:(?<daemun_only_port>[0-9]+)\z", "$daemun_only_port"),
        ),
        _believed(
            settings,
            "x_forwarded_port",
            "forwarded_port",
            "$daemun_port",
            (r"~^1:(?<daemun_their_port>[0-9]{1,5})\z", "$daemun_their_port"),
        ),
        _believed(
            settings,
            "x_request_id",
            "request_id",
            "$request_id",
            (r"~^1:(?<daemun_their_id>[A-Za-z0-9._-]{1,128})\z", "$daemun_their_id"),
        ),
    )


def _like_nginx_proxy() -> tuple[directive.Node, ...]:
    """Names that owners use in files written for nginx-proxy."""
    return (
        directive.Comment("As nginx-proxy calls them, for hand-written nginx."),
        _map("$daemun_forwarded_proto", "forwarded_ssl", ("default", "off"), ("https", "on")),
        *(
            values.line("map", "", Expr(f"${theirs}"), block=(values.line("default", Expr(f"$daemun_{ours}")),))
            for theirs, ours in (
                ("proxy_connection", "connection"),
                ("proxy_x_forwarded_for", "forwarded_for"),
                ("proxy_x_forwarded_host", "forwarded_host"),
                ("proxy_x_forwarded_port", "forwarded_port"),
                ("proxy_x_forwarded_proto", "forwarded_proto"),
                ("proxy_x_forwarded_ssl", "forwarded_ssl"),
                ("host_port", "named_port"),
            )
        ),
    )


def _streams() -> tuple[directive.Node, ...]:
    return (
        directive.Comment("What stays open: WebSockets and event streams. Upgrades to h2c are refused: the tunnel"),
        directive.Comment("that follows one would carry requests past every rule of this gate."),
        _map("$http_upgrade", "upgrade", ("default", "$http_upgrade"), ("~*h2c", "")),
        _map("$daemun_upgrade", "connection", ("default", "upgrade"), ("", "")),
        _map("$http_accept", "events", ("default", ""), (_EVENTS, "1")),
        _map("$daemun_upgrade$daemun_events", "stream", ("default", "1"), ("", "")),
    )


def _paths() -> tuple[directive.Node, ...]:
    """A decoded path, and the name in a handshake, can hold a line break, which would end a header."""
    clean = ("~[\\x00-\\x1f\\x7f]", "")
    return (
        directive.Comment("For headers and redirects: without control characters."),
        _map("$uri", "uri", ("default", "$uri"), clean),
        _map("$ssl_server_name", "server_name", ("default", "$ssl_server_name"), clean),
        directive.Comment("The rest of a path after a PHP script."),
        _map(
            "$uri",
            "path_info",
            ("default", ""),
            (r"~(?s)^/.*?\.php(?<daemun_after_script>/.*)\z", "$daemun_after_script"),
        ),
    )
