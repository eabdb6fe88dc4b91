"""What every server behind the gate is sent about a visitor, and which headers of a visitor's no server gets."""

import collections.abc
import functools

from daemun.core import arguments, directive, model, render_environment
from daemun.core.directive import Expr
from daemun.core.options import proxy_headers_option
from daemun.core.render import forwarded_headers, path_translation, trace_lines, trusted_proxy_headers

_REMOVED = (
    "Forwarded",
    "X-Forwarded-Protocol",
    "X-Forwarded-Scheme",
    "X-Forwarded-Server",
    "X-Forwarded-Ssl",
    "Proxy",
)
"""Headers with the same meaning as those that are set here, which could contradict them. `Proxy` becomes $HTTP_PROXY in
CGI (httpoxy.org)."""

PROXIED = "proxied_"

_REMEMBERED = 8
"""Combinations: of each gate there are two, for HTTP and gRPC, which thousands of locations share."""

_HOP = ("Upgrade", "$daemun_upgrade"), ("Connection", "$daemun_connection")

_LIKE_NGINX_PROXY = (
    ("X-Forwarded-Proto", "$daemun_their_proto"),
    ("X-Forwarded-Ssl", "$daemun_forwarded_ssl"),
    ("X-Original-URI", "$request_uri"),
)
"""What nginx-proxy sends its servers besides, and of the protocol any word that a believed client has for it."""


def forwarded(ours: forwarded_headers.ForwardedHeaders) -> dict[str, str]:
    return {
        "X-Real-IP": "$remote_addr",
        "X-Forwarded-For": ours.forwarded_for,
        "X-Forwarded-Proto": ours.forwarded_proto,
        "X-Forwarded-Host": ours.forwarded_host,
        "X-Forwarded-Port": ours.forwarded_port,
        "X-Request-ID": ours.sent_request_id,
    }


def further(settings: model.Globals, *, but: frozenset[str] = frozenset()) -> dict[str, str]:
    """but: as of `from_proxies`."""
    removed = dict.fromkeys(_REMOVED, "")
    is_trusting = forwarded_headers.is_anybody_believed(settings)
    for name in from_proxies(settings, but=but):
        removed[name] = f"$daemun_{proxied_variable(name)}" if is_trusting else ""
    removed |= trace_lines.headers(settings)
    return removed | dict(_LIKE_NGINX_PROXY) if settings.like_nginx_proxy else removed


def from_proxies(settings: model.Globals, *, but: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """The headers that only trusted proxies may send, each once. but: of the usual ones, those for whose servers nginx
    has no room (`trusted_proxy_headers`)."""
    return _each_once(tuple(proxy_headers_option.OPTION.of(settings)), but=but)


@functools.lru_cache(maxsize=_REMEMBERED)
def _each_once(names: tuple[str, ...], *, but: frozenset[str]) -> tuple[str, ...]:
    standard_names = tuple(name for name in trusted_proxy_headers.STANDARD if name not in but)
    found: dict[str, str] = {}
    for name in names:
        for one in standard_names if name == proxy_headers_option.DEFAULT else (name,):
            found.setdefault(one.lower(), one)
    return tuple(found.values())


def proxied_variable(name: str) -> str:
    """Without $daemun_: what a trusted proxy sends in a header, else nothing."""
    return f"{PROXIED}{name.lower().replace('-', '_')}"


def standard(
    set_header: str, settings: model.Globals, nginx: render_environment.Nginx
) -> collections.abc.Mapping[str, tuple[directive.Directive, ...]]:
    """What every server behind the gate is sent, for `proxy_set_header` or `grpc_set_header`.

    Returns: by subject (`subject`). Not to be changed: the same for all.
    """
    ours = forwarded_headers.expressions(settings, nginx)
    but = trusted_proxy_headers.NOT_OF_GRPC if set_header == "grpc_set_header" else frozenset[str]()
    further_ = tuple(further(settings, but=but).items())
    return _standard(set_header, ours, further_, settings.like_nginx_proxy)


@functools.lru_cache(maxsize=_REMEMBERED)
def _standard(
    set_header: str,
    ours: forwarded_headers.ForwardedHeaders,
    further_: tuple[tuple[str, str], ...],
    is_like_nginx_proxy: bool,
) -> collections.abc.Mapping[str, tuple[directive.Directive, ...]]:
    is_grpc = set_header == "grpc_set_header"
    hop = () if is_grpc else _HOP
    given = {"Host": ours.host, **forwarded(ours), **dict(hop), **dict(further_)}
    if not is_grpc and not is_like_nginx_proxy:
        given["Destination"] = path_translation.DESTINATION
    lines: dict[str, tuple[directive.Directive, ...]] = {}
    for name, value in given.items():
        line = arguments.line(set_header, name, Expr(value))
        lines[subject(name)] = (*lines.get(subject(name), ()), line)
    return lines


def subject(name: str) -> str:
    """What a header is known by: many servers take X_Real_IP and X-Real-IP for one, as CGI does."""
    return name.lower().replace("-", "_")
