"""`trusted_proxies`: networks whose X-Forwarded-* headers are believed
(nginx.org/en/docs/http/ngx_http_realip_module.html)."""

from daemun.core import render_environment
from daemun.core.options import forms
from daemun.core.options.option import Doc, Level, Option, Place
from daemun.core.texts import rules


def _check(value: tuple[str, ...], place: Place) -> None:
    for index, network in enumerate(value):
        place.add_value(network, rules.check_network(network), index)


OPTION = Option[tuple[str, ...]](
    name="trusted_proxies",
    form=forms.Texts,
    default=(),
    doc=Doc(
        kind="list of networks",
        default="`[]`",
        meaning="whose `X-Forwarded-*` headers are believed: `10.0.0.0/8`, `fd00::/8`, `192.0.2.1`",
    ),
    levels=frozenset({Level.GATE}),
    check=_check,
    needs=lambda value: (render_environment.Feature.REALIP,) if value else (),
)
