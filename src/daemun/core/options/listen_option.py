"""`listen`: where visitors come in (nginx.org/r/listen)."""

import contextlib
import dataclasses
import ipaddress
import typing

import pydantic

from daemun.core import model, value_parsers
from daemun.core.options import forms
from daemun.core.options.option import Doc, Level, Option, Place
from daemun.core.texts import names, rules, words

_Addresses = typing.Annotated[
    tuple[
        typing.Annotated[
            pydantic.InstanceOf[model.Address],
            pydantic.BeforeValidator(value_parsers.parse_address),
            pydantic.WithJsonSchema({"type": ["integer", "string"]}),
        ],
        ...,
    ],
    forms.ONE_OR_MORE,
]


def _balancers(value: object) -> object:
    """Who may name the visitor has to be said: anybody else could be everybody."""
    if value is False or value == [False]:
        return ()
    if value is True or value == [True]:
        raise ValueError(
            "expected the networks of the balancer that sends it, found true; "
            "write `proxy_protocol: [10.0.0.0/8]` with its own"
        )
    return value


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WrittenListen(forms.OptionMap):
    meanings: typing.ClassVar[dict[str, str]] = {
        "proxy_protocol": "networks of a balancer in front that sends a PROXY line ahead of each connection"
    }
    http: _Addresses = model.Listen().http
    https: _Addresses = model.Listen().https
    proxy_protocol: typing.Annotated[
        tuple[forms.Text, ...],
        pydantic.Strict(strict=False),
        pydantic.BeforeValidator(_balancers),
        forms.ONE_OR_MORE,
    ] = ()


def _parse(value: object) -> object:
    """People write a port or an address alone."""
    if isinstance(value, dict):
        return value
    cure = ""
    with contextlib.suppress(ValueError):
        (address,) = [value_parsers.parse_address(one) for one in (value if isinstance(value, list) else [value])]
        http = address.port if address.host is None else f'"{address}"'
        cure = f"; write `listen: {{http: {http}}}`, with `https:` beside it for the port of HTTPS"
    raise ValueError(f"expected a map such as {{http: 80, https: 443}}, found {words.describe(value)}{cure}")


def _make(written: WrittenListen) -> model.Listen:
    return model.Listen(http=written.http, https=written.https, balancers=written.proxy_protocol)


def _check(value: model.Listen, place: Place) -> None:
    seen: list[tuple[str, model.Address]] = []
    for kind, addresses in (("http", value.http), ("https", value.https)):
        if not addresses:
            place.add("is empty; expected at least one address", kind)
        for index, address in enumerate(addresses):
            place.add(check_address(address), kind, index)
            for other_kind, other in seen:
                if _collide(address, other, same_kind=kind == other_kind):
                    place.add(f"{address} is already listened on by {other_kind} ({other})", kind, index)
                    break
            seen.append((kind, address))
    for index, network in enumerate(value.balancers):
        place.add_value(network, _find_network_cause(network), "proxy_protocol", index)


def _find_network_cause(network: str) -> str | None:
    cause = rules.check_network(network)
    if cause is None and ipaddress.ip_network(network, strict=False).prefixlen == 0:
        return "is everybody, and everybody could name any address; write the balancer's own network"
    return cause


def check_address(address: model.Address) -> str | None:
    if not 1 <= address.port <= 65535:
        return f"port {address.port} is not between 1 and 65535"
    if address.host is None:
        return None
    found = names.address_of(address.host)
    if found is None or "%" in address.host or address.host.startswith("["):
        meant = f"; write {address.port}" if address.host.isdigit() else ""  # as in compose files, HOST:CONTAINER
        return f"{words.quoted(address.host)} is not an IP address{meant}"
    return None


def _collide(one: model.Address, other: model.Address, *, same_kind: bool) -> bool:
    """Every address (None) takes 0.0.0.0 and [::] of its port; for the other protocol it takes each one."""
    if one.port != other.port:
        return False
    hosts = {one.host, other.host}
    if len(hosts) == 1:
        return True
    return None in hosts and (not same_kind or bool(hosts & {"0.0.0.0", "::"}))  # noqa: S104 compared, not bound


FORM = typing.Annotated[WrittenListen, pydantic.BeforeValidator(_parse), pydantic.AfterValidator(_make)]
"""Reads a `model.Listen`."""
_KIND = "port, `IP:port`, `[IPv6]:port`, or a list"
OPTION = Option(
    name="listen",
    form=FORM,
    default=model.Listen(),
    doc={
        "http": Doc(kind=_KIND, default="`80`", meaning="where visitors come in; a port alone: every address"),
        "https": Doc(kind=_KIND, default="`443`", meaning="the same, over HTTPS"),
        "proxy_protocol": Doc(
            kind="list of networks",
            default="`[]`",
            meaning="of a balancer in front that sends a PROXY line ahead of each connection, which names the visitor, "
            "see [nginx.md](nginx.md#a-balancer-in-front)",
        ),
    },
    levels=frozenset({Level.GATE}),
    model_field="listen",
    check=_check,
)
