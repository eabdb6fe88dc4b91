"""What servers are sent about a visitor, as expressions for nginx.

A `map` costs a request about 300 instructions even where it has one value only, and each reload a millisecond (see
`definitions`). So what only nginx decides is written as nginx's own variables, and the maps of `variables` are for
what a trusted proxy may send otherwise, and for an nginx without a variable for the port in `Host`.
"""

import dataclasses
import re

from daemun.core import model, render_environment
from daemun.core.options import trusted_proxies_option

_ID = re.compile(r"\$(?:request_id\b|\{request_id\})")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ForwardedHeaders:
    """named_port: of the host that the client requested, with its colon, or nothing.

    host: that was routed by, with the port the client named. request_id: on the gate's own pages; drawn where it is
    used first, which takes a twentieth of a request. sent_request_id: what a trusted proxy named it, else nothing.
    Others: as the header of that name.
    """

    named_port: str
    host: str
    forwarded_for: str
    forwarded_proto: str
    forwarded_host: str
    forwarded_port: str
    request_id: str
    sent_request_id: str


def expressions(settings: model.Globals, nginx: render_environment.Nginx) -> ForwardedHeaders:
    """What stands in headers, redirects and the access log."""
    # nginx.org/en/docs/http/ngx_http_core_module.html#var_request_port, from 1.29.3 on.
    has_port = render_environment.Feature.REQUEST_PORT in nginx.features
    named_port = "$is_request_port$request_port" if has_port else "$daemun_named_port"
    host = f"$host{named_port}" if has_port else "$daemun_host"
    if is_anybody_believed(settings):
        return ForwardedHeaders(
            named_port=named_port,
            host=host,
            forwarded_for="$daemun_forwarded_for",
            forwarded_proto="$daemun_forwarded_proto",
            forwarded_host="$daemun_forwarded_host",
            forwarded_port="$daemun_forwarded_port",
            request_id="$daemun_request_id",
            sent_request_id="$daemun_sent_request_id",
        )
    return ForwardedHeaders(
        named_port=named_port,
        host=host,
        forwarded_for="$remote_addr",
        forwarded_proto="$scheme",
        forwarded_host=host,
        forwarded_port="$daemun_forwarded_port" if settings.has_proxy_lines else "$daemun_port",
        request_id="$request_id",
        sent_request_id="",
    )


def with_one_id(text: str, settings: model.Globals) -> str:
    """What an owner writes of a request's id is the one on the gate's pages: a trusted proxy may have named it. Not
    what is written for nginx-proxy, which knows nginx's own."""
    if settings.like_nginx_proxy or not is_anybody_believed(settings):
        return text
    return _ID.sub("$daemun_request_id", text)


def is_anybody_believed(settings: model.Globals) -> bool:
    """Whether any client's claims about the visitor count."""
    return bool(trusted_proxies_option.OPTION.of(settings)) or settings.believes_clients
