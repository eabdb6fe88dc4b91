"""`metrics`: where Prometheus reads numbers, and who may (prometheus.io/docs/instrumenting/exposition_formats)."""

import dataclasses
import ipaddress
import typing

import pydantic

from daemun.core import model, value_parsers
from daemun.core.options import forms, listen_option
from daemun.core.options.option import Doc, Level, Option, Place
from daemun.core.texts import names


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Metrics(forms.OptionMap):
    """token: what a reader sends as `Authorization: Bearer`; None: whoever can connect may read."""

    shape: typing.ClassVar[str] = 'a map such as {listen: "127.0.0.1:9180"}'
    meanings: typing.ClassVar[dict[str, str]] = {
        "listen": "where Prometheus reads, such as 127.0.0.1:9180; what others can reach needs a token",
        "token": "what Prometheus sends as `Authorization: Bearer` (`authorization: {credentials_file}` of its scrape)",
    }
    listen: typing.Annotated[
        pydantic.InstanceOf[model.Address],
        pydantic.BeforeValidator(value_parsers.parse_address),
        pydantic.WithJsonSchema({"type": ["integer", "string"]}),
    ]
    token: forms.Secret | None = None


def is_loopback(address: model.Address) -> bool:
    found = None if address.host is None else names.address_of(address.host)
    return found is not None and ipaddress.ip_address(found).is_loopback


def _check(value: Metrics | None, place: Place) -> None:
    if value is None:
        return
    cause = listen_option.check_address(value.listen)
    if cause is None and value.token is None and not is_loopback(value.listen):
        cause = (
            f"{value.listen} is open to others, who could read the names of all sites; write `token: file:/PATH` "
            f'beside it, or `listen: "127.0.0.1:{value.listen.port}"`'
        )
    place.add(cause, "listen")
    if value.token is not None:
        place.add(forms.hint_path(value.token), "token", severity=model.Severity.WARNING)


OPTION = Option[Metrics | None](
    name="metrics",
    form=Metrics | None,
    default=None,
    doc=Doc(
        kind="`{listen, token}`; `listen`: `IP:port`, `[IPv6]:port`; the token a secret",
        default="none",
        meaning="where Prometheus reads the numbers of the gate, see [Metrics](#metrics); an address that others can"
        " reach needs the `token`",
    ),
    levels=frozenset({Level.GATE}),
    check=_check,
)
"""None: no listener."""
