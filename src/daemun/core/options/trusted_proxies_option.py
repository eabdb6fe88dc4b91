"""`trusted_proxies`: networks whose X-Forwarded-* headers are believed
(nginx.org/en/docs/http/ngx_http_realip_module.html)."""

import ipaddress
import typing

from daemun.core import model, render_environment
from daemun.core.options import forms
from daemun.core.options.option import Doc, Level, Option, Place
from daemun.core.texts import rules

_PRIVATE = frozenset({"private", "private_ranges", "lan", "local", "docker"})
"""Words for networks in `access`, and in other tools."""


def _check(value: tuple[str, ...], place: Place) -> None:
    for index, network in enumerate(value):
        cause = _find_cause(network)
        place.add_value(network, cause, index)
        if cause is None and ipaddress.ip_network(network).prefixlen == 0:
            everybody = "is everybody: each visitor can name any address, and so get past `allow`, bans and limits; "
            place.add(f"{everybody}write the proxy's own network", index, severity=model.Severity.WARNING)


def _find_cause(network: str) -> str | None:
    if network.lower() in _PRIVATE:
        return "is no network; write those of the proxy, such as 172.16.0.0/12 for Docker's"
    return rules.check_network(network)


OPTION = Option[tuple[str, ...]](
    name="trusted_proxies",
    form=typing.Annotated[forms.Texts, forms.ONE_OR_MORE],
    default=(),
    doc=Doc(
        kind="network or list",
        default="`[]`",
        meaning="whose `X-Forwarded-*` headers are believed: `10.0.0.0/8`, `fd00::/8`, `192.0.2.1`",
    ),
    levels=frozenset({Level.GATE}),
    check=_check,
    needs=lambda value: (render_environment.Feature.REALIP,) if value else (),
)
