"""What every server behind the gate is sent about a visitor, and which headers of a visitor's no server gets."""

from daemun.core import arguments, directive, model, render_environment
from daemun.core.directive import Expr
from daemun.core.options import proxy_headers_option
from daemun.core.render import believed_headers, forwarded_headers, path_translation

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


def further(settings: model.Globals, *, is_grpc: bool = False) -> dict[str, str]:
    removed = dict.fromkeys(_REMOVED, "")
    is_trusting = forwarded_headers.is_anybody_believed(settings)
    for name in from_proxies(settings, is_grpc=is_grpc):
        removed[name] = f"$daemun_{proxied_variable(name)}" if is_trusting else ""
    return removed | dict(_LIKE_NGINX_PROXY) if settings.like_nginx_proxy else removed


def from_proxies(settings: model.Globals, *, is_grpc: bool = False) -> tuple[str, ...]:
    """The headers that only trusted proxies may send, each once. is_grpc: to servers that speak gRPC."""
    usual = tuple(name for name in believed_headers.USUAL if not is_grpc or name not in believed_headers.NOT_OF_GRPC)
    found: dict[str, str] = {}
    for name in proxy_headers_option.OPTION.of(settings):
        for one in usual if name == proxy_headers_option.DEFAULT else (name,):
            found.setdefault(one.lower(), one)
    return tuple(found.values())


def proxied_variable(name: str) -> str:
    """Without $daemun_: what a trusted proxy sends in a header, else nothing."""
    return f"{PROXIED}{name.lower().replace('-', '_')}"


def standard(
    set_header: str, settings: model.Globals, nginx: render_environment.Nginx
) -> tuple[directive.Directive, ...]:
    """What every server behind the gate is sent, for `proxy_set_header` or `grpc_set_header`."""
    ours = forwarded_headers.expressions(settings, nginx)
    is_grpc = set_header == "grpc_set_header"
    hop = () if is_grpc else _HOP
    given = {"Host": ours.host, **forwarded(ours), **dict(hop), **further(settings, is_grpc=is_grpc)}
    if not is_grpc and not settings.like_nginx_proxy:
        given["Destination"] = path_translation.DESTINATION
    return tuple(arguments.line(set_header, name, Expr(value)) for name, value in given.items())
