"""`trusted_proxies`: networks whose X-Forwarded-* headers are believed
(nginx.org/en/docs/http/ngx_http_realip_module.html)."""

from daemun.core import rules
from daemun.core.options import forms
from daemun.core.options.option import Level, Option, Place


def _check(value: tuple[str, ...], place: Place) -> None:
    for index, network in enumerate(value):
        place.add_value(network, rules.check_network(network), index)


_NONE: tuple[str, ...] = ()

OPTION = Option(
    name="trusted_proxies",
    form=forms.Texts,
    default=_NONE,
    meaning="networks whose X-Forwarded-* headers are believed, such as 10.0.0.0/8; default: nobody's",
    levels=frozenset({Level.GATE}),
    check=_check,
)
