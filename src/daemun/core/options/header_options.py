"""`request_headers`, `response_headers`: headers that are set or removed."""

import typing

import pydantic

from daemun.core import model
from daemun.core.options.option import Beside, Doc, Label, Option, Place
from daemun.core.texts import rules

_CGI_NAME_CHARACTERS = 40


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
        place.add_value(name, rules.check_header_name(name, request=is_request), name)
        if name.lower() in seen:
            place.add("is given twice (header names ignore case)", name)
        seen.add(name.lower())
        place.add(rules.check_text(value) or rules.check_variables(value), name)


def _check_request(headers: tuple[model.Header, ...], place: Place) -> None:
    _check(headers, place, is_request=True)
    schemes = {target.scheme for target in place.proxy.targets}
    if headers and model.Scheme.MEMCACHED in schemes:
        place.add("cannot be sent to memcached", headers[0][0])
    _check_lengths(headers, schemes, place)
    for name, _ in headers if any(scheme.is_cgi for scheme in schemes) else ():
        if len(name) > _CGI_NAME_CHARACTERS:
            cause = f"is too long for a CGI parameter: {len(name)} characters, at most {_CGI_NAME_CHARACTERS}"
            place.add_value(name, cause, name)


def _check_response(headers: tuple[model.Header, ...], place: Place) -> None:
    _check(headers, place, is_request=False)
    if place.route is None:
        return
    if isinstance(place.route.action, model.Proxy):
        _check_lengths(headers, {target.scheme for target in place.route.action.targets}, place)
        return
    for name, _ in headers:
        if name.lower() == "content-type":
            place.add("cannot be set where no server answers: files have the type of their ending", name)


def _check_lengths(headers: tuple[model.Header, ...], schemes: set[model.Scheme], place: Place) -> None:
    """The hash tables of nginx's proxy module grow with the names (`render.main_file`), those of others do not."""
    for name, _ in () if all(scheme.is_http for scheme in schemes) else headers:
        place.add_value(name, rules.check_fixed_bucket(name), name)


REQUEST = Option[tuple[model.Header, ...]](
    name="request_headers",
    form=_FORM,
    default=(),
    doc=Doc(kind="map", usual="`{}`", meaning="headers for the server; nothing as value removes one"),
    beside=frozenset({Beside.TO}),
    label=Label.BY_NAME,
    check=_check_request,
)
RESPONSE = Option[tuple[model.Header, ...]](
    name="response_headers",
    form=_FORM,
    default=(),
    doc=Doc(kind="map", usual="`{}`", meaning="headers for the visitor; nothing as value removes one"),
    label=Label.BY_NAME,
    check=_check_response,
)
