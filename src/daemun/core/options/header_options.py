"""`request_headers`, `response_headers`: headers that are set or removed.

They add up: a route has those of its site and of the gate, too, and of one name the nearest counts (`merged`).
"""

import collections.abc
import typing

import pydantic

from daemun.core import model
from daemun.core.options.option import Doc, HasOptions, Label, Level, Option, Place, RouteAction
from daemun.core.texts import header_rules, rules, variable_rules

_CGI_NAME_CHARACTERS = 40
_TOGETHER = "those of the file, the site and the route add up, and of one name the nearest counts"


def _text(value: object) -> object:
    """Nothing removes a header; a number is its digits."""
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


def _pairs(value: dict[str, str]) -> tuple[model.Header, ...]:
    return tuple(value.items())


_FORM = typing.Annotated[
    dict[
        str,
        typing.Annotated[
            str,
            pydantic.Strict(),
            pydantic.BeforeValidator(_text),
            pydantic.WithJsonSchema({"type": ["string", "number", "null"]}),
        ],
    ],
    pydantic.AfterValidator(_pairs),
]


def _check(headers: tuple[model.Header, ...], place: Place, *, is_request: bool) -> None:
    seen: set[str] = set()
    for name, value in headers:
        place.add_value(name, header_rules.check_header_name(name, request=is_request), name)
        if name.lower() in seen:
            place.add("is given twice (header names ignore case)", name)
        seen.add(name.lower())
        place.add(rules.check_text(value) or variable_rules.check_header_value(value), name)


def _find_schemes(place: Place) -> frozenset[model.Scheme]:
    """Of the servers that the headers of a place are for; at the gate of any that may come."""
    if place.route is not None:
        return _schemes_of(place.route)
    if place.site is not None:
        return frozenset().union(*(_schemes_of(route) for route in place.site.routes))
    return frozenset(model.Scheme)


def _schemes_of(route: model.Route) -> frozenset[model.Scheme]:
    targets = route.action.targets if isinstance(route.action, model.Proxy) else ()
    return frozenset(target.scheme for target in targets)


def _check_request(headers: tuple[model.Header, ...], place: Place) -> None:
    if not headers:
        return
    _check(headers, place, is_request=True)
    schemes = _find_schemes(place)
    if place.route is not None and model.Scheme.MEMCACHED in schemes:
        place.add("cannot be sent to memcached", headers[0][0])
    _check_lengths(headers, schemes, place)
    for name, _ in headers if any(scheme.is_cgi for scheme in schemes) else ():
        if len(name) > _CGI_NAME_CHARACTERS:
            cause = f"is too long for a CGI parameter: {len(name)} characters, at most {_CGI_NAME_CHARACTERS}"
            place.add_value(name, cause, name)


def _check_response(headers: tuple[model.Header, ...], place: Place) -> None:
    if not headers:
        return
    _check(headers, place, is_request=False)
    _check_lengths(headers, _find_schemes(place), place)
    for name, _ in headers if place.route is None or not isinstance(place.route.action, model.Proxy) else ():
        if name.lower() == "content-type" and place.route is not None:
            place.add("cannot be set where no server answers: files have the type of their ending", name)
        elif name.lower() == "content-type":
            place.add("cannot be one for all answers; set it in the routes that need it", name)


def _check_lengths(headers: tuple[model.Header, ...], schemes: collections.abc.Set[model.Scheme], place: Place) -> None:
    """The hash tables of nginx's proxy module grow with the names (`render.main_file`), those of others do not."""
    for name, _ in () if all(scheme.is_http for scheme in schemes) else headers:
        place.add_value(name, header_rules.check_fixed_bucket(name), name)


def merged(one: Option[tuple[model.Header, ...]], *holders: HasOptions) -> tuple[model.Header, ...]:
    """The headers of one of the two options that hold where these holders are around, the nearest first."""
    found: dict[str, model.Header] = {}
    for holder in reversed(holders):
        for name, value in one.of(holder):
            found.pop(name.lower(), None)
            found[name.lower()] = (name, value)
    return tuple(found.values())


REQUEST = Option[tuple[model.Header, ...]](
    name="request_headers",
    form=_FORM,
    default=(),
    doc=Doc(kind="map", default="`{}`", meaning=f"headers for the server; nothing as value removes one; {_TOGETHER}"),
    levels=frozenset({Level.GATE, Level.SITE, Level.ROUTE}),
    actions=frozenset({RouteAction.TO, RouteAction.PHP}),
    label=Label.BY_NAME,
    check=_check_request,
)
RESPONSE = Option[tuple[model.Header, ...]](
    name="response_headers",
    form=_FORM,
    default=(),
    doc=Doc(kind="map", default="`{}`", meaning=f"headers for the visitor; nothing as value removes one; {_TOGETHER}"),
    levels=frozenset({Level.GATE, Level.SITE, Level.ROUTE}),
    label=Label.BY_NAME,
    check=_check_response,
)
