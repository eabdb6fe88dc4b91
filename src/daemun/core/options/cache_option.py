"""`cache`: answers of servers that are kept by the gate, for everybody (RFC 9111; nginx.org/r/proxy_cache)."""

import collections.abc
import dataclasses
import re
import typing

import pydantic

from daemun.core import model, value_parsers
from daemun.core.options import access_option, buffering_option, forms
from daemun.core.options.option import Doc, HasOptions, Label, Level, Option, Place
from daemun.core.texts import header_rules, quantity_rules, rules, words

SCHEMES = frozenset({model.Scheme.HTTP, model.Scheme.HTTPS, model.Scheme.H2, model.Scheme.H2C})
_LEAST_BYTES = 1 << 20
_MOST_NAMES = 20
_COOKIE = re.compile(r"[A-Za-z0-9!#$%&'+.^_`|~-]{0,128}\*?\Z")
"""A name (RFC 6265 section 4.1.1), or how it begins."""
_NOT_FOR_CGI = (
    "its scripts get who comes by parameters that nginx does not compare; leave it out, and use the "
    "application's own cache of pages"
)
_OF_EVERY_VISITOR = frozenset({"authorization", "cookie"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """for_s: of good answers whose server does not say how long they may be kept; None: those are not kept. stale_s:
    how long one stays in use beyond its time. key: headers of requests by which answers differ. ignore_cookies: names,
    or beginnings with a star. max_bytes: on the disk, of all sites together; at the gate alone."""

    is_on: bool = True
    for_s: float | None = None
    stale_s: float = 3600.0
    key: tuple[str, ...] = ()
    ignore_cookies: tuple[str, ...] = ()
    max_bytes: int | None = None


OFF = Cache(is_on=False)
MAX_BYTES = 1 << 30


def _names(value: object) -> object:
    """A label has them in one text."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


_Names = typing.Annotated[
    tuple[forms.Text, ...], pydantic.Strict(strict=False), pydantic.BeforeValidator(_names), forms.Also(forms.TEXT)
]


def _stale(value: object) -> object:
    return 0.0 if value is False or value == "off" else value_parsers.parse_duration(value)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CacheMap(forms.OptionMap):
    shape: typing.ClassVar[str] = "true, false, a duration such as 10m, or a map"
    meanings: typing.ClassVar[dict[str, str]] = {
        "on": "whether answers are kept; true",
        "for": "how long answers are kept whose server does not say how long they may be: 10m; without it those are "
        "not kept",
        "stale": "how long an answer whose time is over is used while a new one is fetched, or the server fails: 1d; "
        "off; 1h",
        "key": "headers of requests by which answers differ, beside those that the server names in Vary: "
        "[Accept-Language]",
        "ignore_cookies": "cookies that make no answer private, and that the server does not get then: [_ga, _pk_*]",
        "max_size": "how much of the disk all sites may take together; at the top alone: 5g; 1g",
    }
    file_only: typing.ClassVar[frozenset[str]] = frozenset({"max_size"})
    on: forms.Flag = True
    for_: typing.Annotated[forms.Duration | None, pydantic.Field(alias="for")] = None
    stale: typing.Annotated[
        float,
        pydantic.BeforeValidator(_stale),
        pydantic.WithJsonSchema({"anyOf": [forms.DURATION, forms.is_(False), forms.is_("off")]}),
    ] = 3600.0
    key: _Names = ()
    ignore_cookies: _Names = ()
    max_size: forms.Size | None = None


def _parse(value: object) -> object:
    if isinstance(value, dict):
        return value
    if isinstance(value, bool):
        return {"on": value}
    if isinstance(value, str) and (hint := forms.hint_flag(value)):
        raise ValueError(f"expected {CacheMap.shape}, found {words.describe(value)}{hint}")
    return {"for": value}


def _make(value: CacheMap) -> Cache:
    return Cache(
        is_on=value.on,
        for_s=value.for_,
        stale_s=value.stale,
        key=value.key,
        ignore_cookies=value.ignore_cookies,
        max_bytes=value.max_size,
    )


def _check(value: Cache, place: Place) -> None:
    if value.for_s is not None:
        place.add(quantity_rules.check_duration(value.for_s, least=1, most=rules.YEAR_S), "for")
    if value.stale_s:
        place.add(quantity_rules.check_duration(value.stale_s, least=1, most=rules.YEAR_S), "stale")
    _check_names(value, place)
    if value.max_bytes is not None:
        if place.site is not None:
            place.add("is for all sites together; write `cache: {max_size: 5g, on: false}` at the top", "max_size")
        place.add(
            quantity_rules.check_size(value.max_bytes, least=_LEAST_BYTES, most=rules.MAX_BYTES_OF_A_FILE), "max_size"
        )
    if value.is_on and place.route is not None:
        place.add(_find_cause(place.route))


def _check_names(value: Cache, place: Place) -> None:
    for name, listed in (("key", value.key), ("ignore_cookies", value.ignore_cookies)):
        if len(listed) > _MOST_NAMES:
            place.add(f"has {len(listed)} entries, at most {_MOST_NAMES}", name)
    for index, header in enumerate(value.key):
        if header.lower() in _OF_EVERY_VISITOR:
            place.add_value(
                header, "is of one visitor: requests with it get an answer of their own anyway", "key", index
            )
        else:
            place.add_value(header, _check_header(header), "key", index)
    for index, cookie in enumerate(value.ignore_cookies):
        cause = (
            None if _COOKIE.match(cookie) and cookie else "is no name of a cookie; expected one such as _ga or _pk_*"
        )
        place.add_value(cookie, cause, "ignore_cookies", index)


def _check_header(name: str) -> str | None:
    """Its value is a variable of nginx."""
    if not re.fullmatch(r"[A-Za-z0-9-]*", name):
        return "is not a header name of letters, digits and -"
    return header_rules.check_header_name(name, request=True)


def _find_cause(route: model.Route) -> str | None:
    """Why nothing of the route can be kept, as far as the route itself decides. None: nothing is in the way."""
    action = route.action
    if not is_set(route):
        return None
    if not isinstance(action, model.Proxy):
        return "is for routes to HTTP servers; leave it out"
    if action.php is not None:
        return f"is for http, https, h2 and h2c servers, not for php: {_NOT_FOR_CGI}"
    if action.targets and action.targets[0].scheme not in SCHEMES:
        scheme = action.targets[0].scheme
        cure = _NOT_FOR_CGI if scheme.is_cgi else "leave it out"
        return f"is for http, https, h2 and h2c servers, not for {scheme.value}: {cure}"
    if buffering_option.OPTION.of(action) is False:
        return "keeps what nginx reads ahead, which `buffering: false` rules out; leave one of them out"
    return None


def is_set(holder: HasOptions) -> bool:
    """Whether anything is kept because of what stands there itself."""
    return any(name == OPTION.name for name, _ in holder.options) and OPTION.of(holder).is_on


def find_private(access: access_option.Access) -> str | None:
    """Why an answer behind this may be for one visitor alone. None: it is the same for all who come in."""
    keys = [name for name in access_option.JUDGES if getattr(access, name) is not None]
    if access.client_certificates is not None:
        keys.append("client_certificates")
    if not keys:
        return None
    return (
        f"keeps nothing behind `access: {{{keys[0]}: ...}}`, where each visitor may get another answer; leave it out, "
        "or give what is for everybody a route with `access: public`"
    )


def is_kept(*holders: HasOptions) -> Cache | None:
    """What holds, where anything is kept."""
    found = OPTION.of(*holders)
    return found if found.is_on else None


def find_longest(values: collections.abc.Iterable[Cache]) -> float:
    """How long the file of an answer has to stay without a use, in seconds."""
    return max((one.stale_s for one in values if one.is_on), default=0.0)


OPTION = Option(
    name="cache",
    form=typing.Annotated[
        CacheMap,
        pydantic.BeforeValidator(_parse),
        pydantic.AfterValidator(_make),
        forms.Also(forms.FLAG, {"type": "string"}, {"type": "number"}),
    ],
    default=OFF,
    doc=Doc(
        kind="true, false, duration, `{on, for, stale, key, ignore_cookies}`; at the top `{max_size}`, too",
        default="`false`",
        meaning="whether the gate keeps answers that are the same for everybody, as long as the server allows; a "
        "duration: also those of which it says nothing, see [nginx.md](nginx.md#the-response-cache)",
    ),
    levels=frozenset({Level.GATE, Level.SITE, Level.ROUTE}),
    label=Label.VALUE,
    check=_check,
)
