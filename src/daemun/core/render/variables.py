"""The variables that sites use, as maps at the http level. Their names are a contract with the files of sites that are
kept from an earlier generation: rename none. A tree has those that its files use (`plan.variable_definitions`).

What a client sends about other proxies is believed only when the connection comes from a trusted one.
"""

import collections.abc
import contextlib
import re

from daemun.core import arguments, directive, layout, model, render_environment, serialise
from daemun.core.certificates import certificate_choice
from daemun.core.directive import Expr
from daemun.core.options import trusted_proxies_option
from daemun.core.plan.variable_definitions import Definitions
from daemun.core.render import (
    access,
    answer_headers,
    ban_lines,
    cache_headers,
    client_certificates,
    compression,
    cors_headers,
    counted_refusals,
    error_pages,
    forward_auth,
    forwarded_headers,
    guess_log,
    hold_locations,
    judge_locations,
    maintenance_lines,
    on_demand_site,
    path_translation,
    realip,
    request_body,
    response_cache,
    standard_headers,
    trace_lines,
    traffic_log,
)
from daemun.errors import RenderError

FOLDER = "$daemun_folder"
"""Of the name in a handshake (`certificates.certificate_choice.folder_of`)."""

_EVENTS = "~*-stream(?<=text/event-stream)"
"""text/event-stream anywhere in Accept. Written from its end: a browser's Accept is full of the letter t, and PCRE
would try each of them, which costs an ordinary request 2 % of nginx's instructions."""


def define(desired: model.Desired, env: render_environment.Environment) -> Definitions:
    """Every variable there is."""
    settings = desired.globals
    nodes = (
        *_constants(env.layout, settings),
        *_folders(desired, env),
        *on_demand_site.others(desired),
        *_trust(settings),
        *_forwarded(settings, env.nginx),
        *_proxied(settings),
        *(_like_nginx_proxy(settings) if settings.like_nginx_proxy else ()),
        *access.variables(),
        *ban_lines.variables(env.layout),
        *guess_log.variables(),
        *traffic_log.variables(),
        *counted_refusals.variables(settings, env),
        *trace_lines.variables(settings),
        *client_certificates.variables(),
        *forward_auth.variables(),
        *_streams(),
        *request_body.variables(env),
        *compression.variables(),
        *cors_headers.variables(settings),
        *cache_headers.variables(settings),
        *response_cache.variables(settings),
        *maintenance_lines.variables(),
        *_paths(),
        *path_translation.variables(),
        *answer_headers.variables(),
        *error_pages.variables(settings, env.nginx),
        *hold_locations.variables(env.layout),
    )
    further = {**judge_locations.definitions(env), **response_cache.definitions(desired, env)}
    return {**dict(_each(nodes)), **further, **counted_refusals.formats()}


def _each(nodes: collections.abc.Iterable[directive.Node]) -> collections.abc.Iterator[tuple[str, bytes]]:
    """Each `map` and `geo`, with the comments before it, under the name of its variable."""
    comments: tuple[directive.Node, ...] = ()
    for node in nodes:
        if isinstance(node, directive.Comment):
            comments = (*comments, node)
        else:
            yield node.args[-1].value.removeprefix("$"), serialise.serialise((*comments, node))
            comments = ()


def _constant(variable: str, value: str) -> directive.Directive:
    """geo reads no variables in its values, so anything can be one."""
    return arguments.line("geo", Expr(f"$daemun_{variable}"), block=(arguments.line("default", Expr(value)),))


def _constants(layout_: layout.Layout, settings: model.Globals) -> tuple[directive.Node, ...]:
    port = settings.listen.https_port
    return (
        directive.Comment("Constants. nginx has no other way to write a dollar sign."),
        _constant("dollar", "$"),
        _constant("live", layout_.pairs),
        directive.Comment("Of a server whose root is a certificate: the folder that it is in now. Asked once in a"),
        directive.Comment("handshake, so that chain and key are of one folder."),
        arguments.map_to(
            "$realpath_root",
            "$daemun_pair",
            (rf"~^(?<daemun_pair_folder>.+)/{re.escape(layout.CHAIN)}\z", "$daemun_pair_folder"),
        ),
        directive.Comment("The port of HTTPS in redirects to it."),
        _constant("https_port", "" if port == 443 else f":{port}"),
    )


def _folders(desired: model.Desired, env: render_environment.Environment) -> tuple[directive.Node, ...]:
    """One map for all sites: each costs nginx a millisecond of every reload (`plan.variable_definitions`). The last
    line is for
    files that are kept from an earlier generation, and for sites beyond those that surely have blocks of their own: of
    thousands of names, each of which costs a little, only those in capitals find another folder there."""
    chosen = desired.globals.default
    unknown = chosen.host if chosen.kind is model.DefaultKind.SITE else None
    entries, others = [], Expr("$server_name")
    for number, site in enumerate(desired.enabled):
        if site.host == unknown:
            others = Expr(certificate_choice.name_of(site))
        for name, folder in certificate_choice.folders(site).items():
            if number < env.own_blocks or name != folder or unknown is not None:
                with contextlib.suppress(RenderError):  # the site is refused for it
                    entries.append(arguments.line(arguments.map_host(name), folder))
    own = arguments.line(r"~^(?<daemun_sni>[a-z0-9_][a-z0-9_.-]*)\z", Expr("$daemun_sni"))
    return (
        directive.Comment("The folder under live/ for the name in a handshake, where a site has several names."),
        arguments.line(
            "map",
            Expr("$ssl_server_name"),
            Expr(FOLDER),
            block=(
                arguments.line("hostnames"),
                arguments.line("default", others),
                *entries,
                *(() if unknown is not None else (own,)),  # else unknown names are for that site
            ),
        ),
    )


# --- the client, and how it came here --------------------------------------------------------------------------


def _trust(settings: model.Globals) -> tuple[directive.Node, ...]:
    # Without trusted proxies the realip module, and with it $realip_remote_addr, may not be there.
    peer = (
        "$realip_remote_addr"
        if trusted_proxies_option.OPTION.of(settings) or settings.has_proxy_lines
        else "$remote_addr"
    )
    networks = [arguments.line(network, "1") for network in realip.networks(settings)]
    # Behind a PROXY line the peer is the balancer that wrote it; the visitor is $remote_addr.
    chain = f"$http_x_forwarded_for, {'$remote_addr' if settings.has_proxy_lines else peer}"
    otherwise = "1" if settings.believes_clients else "0"
    return (
        directive.Comment("1 when the connection comes from a trusted proxy."),
        arguments.line(
            "geo", Expr(peer), Expr("$daemun_trusted"), block=(arguments.line("default", otherwise), *networks)
        ),
        *_balancer(settings),
        directive.Comment("What servers are sent about the visitor: strangers' own claims are dropped."),
        _believed(settings, "x_forwarded_for", "forwarded_for", "$remote_addr", ("~^1:.", chain)),
    )


def _balancer(settings: model.Globals) -> tuple[directive.Node, ...]:
    lines = tuple(arguments.line(network, "1") for network in realip.balancers(settings))
    if not lines:
        return ()
    geo = arguments.line(
        "geo",
        Expr("$realip_remote_addr"),
        Expr("$daemun_balancer"),
        block=(arguments.line("default", "0"), *lines),
    )
    return (directive.Comment("1 when the PROXY line comes from a balancer in front."), geo)


def _believed(
    settings: model.Globals, header: str, variable: str, otherwise: str, *entries: tuple[str, str]
) -> directive.Directive:
    """The value of a header when a trusted proxy sent it. entries: of "1:" and its value."""
    if forwarded_headers.is_anybody_believed(settings):
        return arguments.map_to(f"$daemun_trusted:$http_{header}", f"$daemun_{variable}", *entries, default=otherwise)
    return arguments.map_to("", f"$daemun_{variable}", default=otherwise)


_THEIR_ID = (r"~^1:(?<daemun_their_id>[A-Za-z0-9._-]{1,128})\z", "$daemun_their_id")
_PROTOCOLS = (("1:http", "http"), ("1:https", "https"), ("1:ws", "http"), ("1:wss", "https"))
"""Traefik names WebSockets so."""


def _forwarded(settings: model.Globals, nginx: render_environment.Nginx) -> tuple[directive.Node, ...]:
    ours = forwarded_headers.expressions(settings, nginx)
    return (
        _believed(settings, "x_forwarded_proto", "forwarded_proto", "$scheme", *_PROTOCOLS),
        arguments.map_to(ours.forwarded_proto, "$daemun_https", ("https", "on")),
        directive.Comment("1 for what is to be sent to HTTPS, where a trusted proxy may say that it comes from there."),
        arguments.map_to(
            "$daemun_forwarded_proto|$uri",
            "$daemun_insecure",
            (r"~^https\|", ""),
            (r"~\|/\.well-known/acme-challenge/", ""),
            default="1",
        ),
        directive.Comment("The same for what is no GET."),
        arguments.map_to(
            "$request_method|$daemun_insecure",
            "$daemun_other_insecure",
            (r"~^(?:GET|HEAD)", ""),
            default="$daemun_insecure",
        ),
        directive.Comment("The port that the client named."),
        _named_port(nginx),
        directive.Comment("The host that was routed by, with the port the client named."),
        arguments.map_to("$daemun_named_port", "$daemun_host", default="$host$daemun_named_port"),
        _believed(
            settings,
            "x_forwarded_host",
            "forwarded_host",
            ours.host,
            (r"~^1:(?<daemun_their_host>[A-Za-z0-9._:\[\]-]{1,260})\z", "$daemun_their_host"),
        ),
        directive.Comment("The port that the client named, or the usual one."),
        _port(ours, nginx),
        _forwarded_port(settings),
        _believed(settings, "x_request_id", "request_id", "$request_id", _THEIR_ID),
        _believed(settings, "x_request_id", "sent_request_id", "", _THEIR_ID),
    )


def _forwarded_port(settings: model.Globals) -> directive.Directive:
    """Behind a PROXY line: the port that the balancer was reached at, which no client can choose."""
    if settings.listen.balancers:
        found = (r"~^1:(?<daemun_balancer_port>[1-9][0-9]{0,4})\z", "$daemun_balancer_port")
        source = "$daemun_balancer:$proxy_protocol_server_port"
        return arguments.map_to(source, "$daemun_forwarded_port", found, default="$daemun_port")
    if settings.has_proxy_lines:
        port = "$proxy_protocol_server_port"
        return arguments.map_to(
            port, "$daemun_forwarded_port", ("", "$daemun_port"), ("0", "$daemun_port"), default=port
        )
    entry = (r"~^1:(?<daemun_their_port>[0-9]{1,5})\z", "$daemun_their_port")
    return _believed(settings, "x_forwarded_port", "forwarded_port", "$daemun_port", entry)


def _named_port(nginx: render_environment.Nginx) -> directive.Directive:
    if render_environment.Feature.REQUEST_PORT in nginx.features:
        return arguments.map_to("", "$daemun_named_port", default="$is_request_port$request_port")
    port = (r"~(?<daemun_colon_port>:[0-9]{1,5})\z", "$daemun_colon_port")
    return arguments.map_to("$http_host", "$daemun_named_port", port)


def _port(ours: forwarded_headers.ForwardedHeaders, nginx: render_environment.Nginx) -> directive.Directive:
    ports = (("http", "80"), ("https", "443"))
    if render_environment.Feature.REQUEST_PORT in nginx.features:  # found without a regular expression
        return arguments.map_to(f"{ours.forwarded_proto}$request_port", "$daemun_port", *ports, default="$request_port")
    named = (r"~:(?<daemun_only_port>[0-9]+)\z", "$daemun_only_port")
    return arguments.map_to(f"{ours.forwarded_proto}{ours.named_port}", "$daemun_port", *ports, named, default="80")


def _proxied(settings: model.Globals) -> tuple[directive.Node, ...]:
    """What a trusted proxy sends in headers that are removed from all others' requests."""
    if not forwarded_headers.is_anybody_believed(settings):
        return ()
    return tuple(
        arguments.map_to(
            "$daemun_trusted",
            f"$daemun_{standard_headers.proxied_variable(name)}",
            ("1", f"$http_{name.lower().replace('-', '_')}"),
        )
        for name in standard_headers.from_proxies(settings)
    )


def _like_nginx_proxy(settings: model.Globals) -> tuple[directive.Node, ...]:
    """Names that owners use in files written for nginx-proxy."""
    return (
        directive.Comment("As nginx-proxy calls them, for hand-written nginx."),
        arguments.map_to("$daemun_forwarded_proto", "$daemun_forwarded_ssl", ("https", "on"), default="off"),
        _believed(
            settings,
            "x_forwarded_proto",
            "their_proto",
            "$daemun_forwarded_proto",
            (r"~^1:(?<daemun_only_proto>[A-Za-z][A-Za-z0-9+.-]{0,31})\z", "$daemun_only_proto"),  # RFC 3986 section 3.1
        ),
        *(
            arguments.map_to("", f"${theirs}", default=f"$daemun_{ours}")
            for theirs, ours in (
                ("proxy_connection", "connection"),
                ("proxy_x_forwarded_for", "forwarded_for"),
                ("proxy_x_forwarded_host", "forwarded_host"),
                ("proxy_x_forwarded_port", "forwarded_port"),
                ("proxy_x_forwarded_proto", "their_proto"),
                ("proxy_x_forwarded_ssl", "forwarded_ssl"),
                ("host_port", "named_port"),
            )
        ),
    )


def _streams() -> tuple[directive.Node, ...]:
    return (
        directive.Comment("Upgrades to h2c are refused: the tunnel that follows one would carry requests past every"),
        directive.Comment("rule of this gate."),
        arguments.map_to("$http_upgrade", "$daemun_upgrade", ("", ""), ("~*h2c", ""), default="$http_upgrade"),
        arguments.map_to("$daemun_upgrade", "$daemun_connection", ("", ""), default="upgrade"),
        arguments.map_to("$daemun_upgrade", "$daemun_connection_once", ("", "close"), default="upgrade"),
        directive.Comment("In files of earlier versions: what stays open, WebSockets and event streams."),
        arguments.map_to("$http_accept", "$daemun_events", ("", ""), (_EVENTS, "1")),
        arguments.map_to(
            "$daemun_upgrade|$http_accept",
            "$daemun_stream",
            ("|", ""),
            (_EVENTS, "stream_"),
            (r"~^\|", ""),
            default="stream_",
        ),
    )


def _paths() -> tuple[directive.Node, ...]:
    """A decoded path, and the name in a handshake, can hold a line break, which would end a header."""
    clean = ("~[\\x00-\\x1f\\x7f]", "")
    return (
        directive.Comment("For headers and redirects: without control characters."),
        arguments.map_to("$uri", "$daemun_uri", clean, default="$uri"),
        arguments.map_to("$ssl_server_name", "$daemun_server_name", clean, default="$ssl_server_name"),
        directive.Comment("The rest of a path after a PHP script."),
        arguments.map_to(
            "$uri", "$daemun_path_info", (r"~(?s)^/.*?\.php(?<daemun_after_script>/.*)\z", "$daemun_after_script")
        ),
    )
