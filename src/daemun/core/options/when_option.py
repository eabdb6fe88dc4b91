"""`when`: which requests a route of a list is for.

A path may lead to a list of routes. The first whose conditions all hold is taken; one without conditions takes
everything that is left. Where none holds, the gate answers 404.
"""

import collections.abc
import dataclasses
import re
import typing

import pydantic

from daemun.core.options import access_option, country_forms, forms
from daemun.core.options.option import Doc, NamedFile, Option, Place
from daemun.core.texts import cures, rules, value_patterns, words

MOST_ENTRIES = 50
_MOST_NAMES = 20
_MOST_PATTERNS = 50
_METHOD = re.compile(r"[A-Z][A-Z_-]{0,31}\Z")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
_COOKIE = re.compile(r"[!#$%&'*+.^_`|~A-Za-z0-9-]{1,64}\Z")
_QUERY = re.compile(r"[\x21\x24\x25\x27-\x3c\x3e-\x7e]{1,64}\Z")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NamedValue:
    """What is demanded of a header, a cookie or a parameter of the query.

    patterns: one of which its value has, in the forms of `texts.value_patterns`; empty: any. is_absent: it is not
        there.
    """

    name: str
    patterns: tuple[str, ...] = ()
    is_absent: bool = False


def _named_values(value: object) -> object:
    if not isinstance(value, dict):
        raise ValueError(f"expected a map of names such as {{Accept: '*json*'}}, found {words.describe(value)}")  # noqa: TRY004 pydantic's
    return tuple(_named_value(name, one) for name, one in value.items())


def _named_value(name: object, value: object) -> NamedValue:
    if isinstance(value, bool):
        return NamedValue(name=str(name), is_absent=not value)
    listed = value if isinstance(value, list | tuple) else [value]
    for one in listed:
        if not isinstance(one, str | int) or isinstance(one, bool):
            hint = f"; write {words.quoted(str(one))}" if isinstance(one, float) else ""
            expected = "expected a text, a list of texts, true (any value) or false (none)"
            raise ValueError(f"{name}: {expected}, found {words.describe(one)}{hint}")  # noqa: TRY004 pydantic's
    if not listed:
        raise ValueError(f"{name}: is an empty list; `true` is any value, and `false` none")
    return NamedValue(name=str(name), patterns=tuple(map(str, listed)))


_PATTERN: forms.Json = {"type": ["string", "integer"]}
_NamedValues = typing.Annotated[
    tuple[pydantic.InstanceOf[NamedValue], ...],
    pydantic.Strict(strict=False),
    pydantic.BeforeValidator(_named_values),
    pydantic.WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": {
                "anyOf": [_PATTERN, forms.FLAG, {"type": "array", "items": _PATTERN, "minItems": 1}]
            },
            "minProperties": 1,
        }
    ),
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InCountries(forms.OptionMap):
    """database: None: that of the nearest `access.countries`."""

    shape: typing.ClassVar[str] = "a country such as KR, a list of them, or a map"
    meanings: typing.ClassVar[dict[str, str]] = {
        "database": "a .mmdb file, as in access.countries; that of the site's or the gate's access.countries",
        "any_of": "countries (KR) and autonomous systems (AS15169)",
    }
    any_of: country_forms.Codes
    database: country_forms.Database | None = None


def _in_countries(value: object) -> object:
    return value if isinstance(value, dict | InCountries) else {"any_of": value}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class When(forms.OptionMap):
    """probability: in hundredths of a percent."""

    meanings: typing.ClassVar[dict[str, str]] = {
        "method": "the method of the request, or one of several: GET, [POST, PUT]",
        "header": "headers with their values: a text, a list of texts, stars, ~ expression, true (any), false (none)",
        "query": "parameters of the query, in the same way",
        "cookie": "cookies, in the same way",
        "address": "addresses and networks of visitors, and private",
        "country": "countries and autonomous systems of visitors' addresses",
        "probability": "a share of the visitors, such as 5%, who stay the same ones",
    }
    method: typing.Annotated[forms.Texts, forms.ONE_OR_MORE] = ()
    header: _NamedValues = ()
    query: _NamedValues = ()
    cookie: _NamedValues = ()
    address: access_option.Networks = ()
    country: typing.Annotated[
        InCountries | None,
        pydantic.BeforeValidator(_in_countries),
        forms.Also(forms.TEXT, {"type": "array", "items": forms.TEXT}),
    ] = None
    probability: typing.Annotated[int | None, *forms.share("visitors such as 5%")] = None

    @property
    def is_empty(self) -> bool:
        return self == When()


def _conditions(value: object) -> object:
    if value is None or value == {}:
        found = "nothing" if value is None else "an empty map"
        raise ValueError(
            f"expected a map such as {{method: POST}}, found {found}; a route for all requests has no `when`"
        )
    return value


NAMED = ("header", "query", "cookie")
CERTAIN = 10_000
"""A probability of 100 %."""


def _check(value: When | None, place: Place) -> None:
    if value is None:
        return
    for index, method in enumerate(value.method):
        if not _METHOD.match(method):
            hint = cures.write(_check_method, method.upper())
            place.add_value(method, f"is no method of HTTP such as GET or POST{hint}", "method", index)
    for key in NAMED:
        _check_named(getattr(value, key), key, place)
    for index, network in enumerate(value.address):
        cause = None if network == access_option.PRIVATE else rules.check_network(network)
        place.add_value(network, cause, "address", index)
    if value.country is not None:
        if not value.country.any_of:
            place.add("names no country", "country")
        country_forms.check_codes(value.country.any_of, place, "country", "any_of")
    if value.probability is not None and not 1 <= value.probability <= CERTAIN:
        place.add("is not between 0.01% and 100%", "probability")


def _check_method(text: str) -> str | None:
    return None if _METHOD.match(text) else "is no method"


_NAMES = {
    "header": (_HEADER, "letters, digits and hyphens"),
    "query": (_QUERY, 'printable characters of ASCII without "&", "=", "#" and the quotation mark'),
    "cookie": (_COOKIE, "letters, digits and !#$%&'*+-.^_`|~"),
}


def _check_named(values: tuple[NamedValue, ...], key: str, place: Place) -> None:
    form, expected = _NAMES[key]
    if len(values) > _MOST_NAMES:
        place.add(f"names {len(values)} of them, at most {_MOST_NAMES}", key)
    seen: set[str] = set()
    for one in values:
        same = one.name.lower() if key == "header" else one.name
        if same in seen:
            place.add_value(one.name, "is named twice", key, one.name)
        seen.add(same)
        if not form.match(one.name):
            place.add_value(one.name, f"is no name: expected 1 to 64 {expected}", key, one.name)
        if len(one.patterns) > _MOST_PATTERNS:
            place.add(f"has {len(one.patterns)} values, at most {_MOST_PATTERNS}", key, one.name)
        for pattern in one.patterns:
            place.add_value(pattern, value_patterns.check(pattern), key, one.name)


def _files(value: When | None) -> collections.abc.Iterator[NamedFile]:
    if value is not None and value.country is not None and value.country.database is not None:
        yield NamedFile(
            path=value.country.database.path,
            below=("country", "database"),
            is_watched=True,
            until="what was read of it last goes on, and where nothing was, nobody is in that country",
        )


OPTION = Option[When | None](
    name="when",
    form=typing.Annotated[When, pydantic.BeforeValidator(_conditions)],
    default=None,
    doc=Doc(
        kind="`{method, header, query, cookie, address, country, probability}`; `country: {any_of, database}`",
        default="none",
        meaning="which requests the route is for, [of several of one path](#several-routes-of-one-path)",
    ),
    is_never_empty=True,
    check=_check,
    files=_files,
)


def describe(value: When | None) -> str | None:
    """On one line, for people; None: every request."""
    if value is None:
        return None
    parts = [f"method {' or '.join(value.method)}"] if value.method else []
    for key in NAMED:
        parts += [_describe_named(key, one) for one in getattr(value, key)]
    if value.address:
        parts.append(f"address {' or '.join(value.address)}")
    if value.country is not None:
        parts.append(f"country {' or '.join(value.country.any_of)}")
    if value.probability is not None:
        parts.append(f"probability {value.probability / 100:g}%")
    return ", ".join(parts)


def _describe_named(key: str, value: NamedValue) -> str:
    if value.is_absent:
        return f"no {key} {value.name}"
    return f"{key} {value.name}" + (f": {' or '.join(map(words.quoted, value.patterns))}" if value.patterns else "")
