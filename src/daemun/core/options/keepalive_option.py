"""`keepalive`: idle connections that each worker keeps to the servers
(nginx.org/en/docs/http/ngx_http_upstream_module.html#keepalive)."""

from daemun.core import rules
from daemun.core.options import forms
from daemun.core.options.option import Beside, Label, Option, Place

_MOST = 65535


def _check(value: int | None, place: Place) -> None:
    if value is not None:
        place.add(rules.check_number(value, least=0, most=_MOST))


OPTION = Option[int | None](
    name="keepalive",
    form=forms.Number,
    default=None,
    meaning="idle connections to the servers that each worker keeps; 0: none; default: 64",
    beside=frozenset({Beside.TO}),
    label=Label.VALUE,
    check=_check,
)
"""None: `render.upstream.KEPT_CONNECTIONS`."""
