"""`keepalive`: idle connections that each worker keeps to the servers
(nginx.org/en/docs/http/ngx_http_upstream_module.html#keepalive)."""

from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, Option, RouteAction, between

_MOST = 65535


OPTION = Option[int | None](
    name="keepalive",
    form=forms.Number,
    default=None,
    doc=Doc(
        kind="0 to 65535",
        default="`64`",
        meaning="idle connections to the servers that each worker of nginx keeps; `0`: each request has one "
        "of its own, as always with FastCGI, uwsgi and SCGI. Beyond 200 sites it makes a difference "
        "to write it, see [nginx.md](nginx.md#many-sites)",
    ),
    actions=frozenset({RouteAction.TO}),
    label=Label.VALUE,
    check=between(0, _MOST),
)
"""None: `render.upstream.KEPT_CONNECTIONS`."""
