"""`bandwidth`: how fast an answer is sent (nginx.org/r/limit_rate).

Answers of servers are read ahead for it (`render.proxy`): nginx limits no others (ngx_http_upstream_send_response).
"""

import collections.abc
import dataclasses
import typing

import pydantic

from daemun.core import arguments, directive, model
from daemun.core.options import buffering_option, forms
from daemun.core.options.option import Doc, Label, Level, NginxContext, Option, Place
from daemun.core.texts import quantity_rules, rules


def _per_second(value: object) -> object:
    return value.strip().removesuffix("/s") if isinstance(value, str) else value


_Rate = typing.Annotated[forms.Size, pydantic.BeforeValidator(_per_second)]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bandwidth(forms.OptionMap):
    """rate: bytes a second of one answer; 0: no limit. after: bytes that are sent as fast as it goes."""

    shape: typing.ClassVar[str] = "a size for each second, such as 1m, or a map"
    meanings: typing.ClassVar[dict[str, str]] = {
        "rate": "how much of an answer is sent in a second: 1m; off: no limit",
        "after": "how much is sent as fast as it goes before: 10m; 0",
    }
    rate: _Rate
    after: forms.Size = 0


def _parse(value: object) -> object:
    return value if isinstance(value, dict) else {"rate": value}


def _check(value: Bandwidth, place: Place) -> None:
    if value.rate:
        place.add(quantity_rules.check_size(value.rate, least=1024, most=rules.MAX_BYTES_OF_A_FILE), "rate")
    elif value.after:
        place.add("has no meaning without a limit", "after")
    place.add(quantity_rules.check_size(value.after, least=0, most=rules.MAX_BYTES_OF_A_FILE), "after")
    if value.rate and place.route is not None and isinstance(place.route.action, model.Proxy):
        place.add(_find_unlimited(place.route.action))


def _find_unlimited(action: model.Proxy) -> str | None:
    """Why a limit would not hold: nginx limits what it reads ahead (ngx_http_upstream_send_response)."""
    scheme = action.targets[0].scheme
    if scheme in {model.Scheme.GRPC, model.Scheme.GRPCS, model.Scheme.MEMCACHED}:
        return f"does not hold for {scheme.value} servers, whose answers nginx does not read ahead; leave it out"
    if buffering_option.OPTION.of(action) is False:
        return "does not hold beside `buffering: false`, as nginx limits what it reads ahead; leave one of them out"
    return None


def _lines(value: Bandwidth, context: NginxContext) -> collections.abc.Iterator[directive.Directive]:
    # In bytes: nginx takes no "g" here (ngx_parse_size).
    yield arguments.line("limit_rate", str(value.rate))
    yield arguments.line("limit_rate_after", str(value.after))


OPTION = Option(
    name="bandwidth",
    form=typing.Annotated[
        Bandwidth, pydantic.BeforeValidator(_parse), forms.Also({"type": "string"}, {"type": "integer"})
    ],
    default=Bandwidth(rate=0),
    doc=Doc(
        kind="size for each second, `{rate, after}`, `off`",
        default="`off`",
        meaning="how fast an answer is sent, each by itself, behind the first `after` bytes of it, see "
        "[nginx.md](nginx.md#limits-of-connections)",
    ),
    levels=frozenset({Level.SITE, Level.ROUTE}),
    label=Label.VALUE,
    check=_check,
    lines=_lines,
)
