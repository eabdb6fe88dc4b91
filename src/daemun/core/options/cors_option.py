"""`cors`: which other sites' scripts may read answers (fetch.spec.whatwg.org, "HTTP extensions")."""

import dataclasses
import re
import typing

import pydantic

from daemun.core import value_parsers
from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, Level, Option, Place
from daemun.core.texts import quantity_rules, rules, words

ANY = "*"
_MOST_S = 86400.0
_MOST_IN_CURE = 5
_MOST = 100
"""Of origins, methods or headers: nginx looks through the origins one by one."""

_DEFAULT_PORTS = {"http": "80", "https": "443"}
_ORIGIN = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,31})://(?P<host>[^/?#@\s:]+|\[[^\]]*\])(?::(?P<port>[0-9]{1,5}))?/?\Z"
)
_HEADER = re.compile(r"[A-Za-z0-9_-]{1,200}\Z")
_METHOD = re.compile(r"[A-Z]{1,32}\Z")


def _split(value: object) -> object:
    """A label holds a list in one text."""
    parts = re.split(r"[,\s]+", value.strip()) if isinstance(value, str) else value
    return parts if isinstance(parts, list | tuple) else [parts]


def _origin(text: str) -> str:
    """As browsers write it: in lower case, IDNA, without a usual port. What is none stays, for the rule to refuse."""
    match = _ORIGIN.match(text)
    if match is None:
        return text
    scheme, port = match["scheme"].lower(), match["port"]
    shown = "" if port is None or _DEFAULT_PORTS.get(scheme) == port else f":{port}"
    try:
        return f"{scheme}://{value_parsers.parse_host(match['host'])}{shown}"
    except ValueError:
        return text


_LISTED = (pydantic.Strict(strict=False), pydantic.BeforeValidator(_split), forms.Also(forms.TEXT))
_Words = typing.Annotated[tuple[forms.Text, ...], *_LISTED]
_Origins = typing.Annotated[
    tuple[typing.Annotated[forms.Text, pydantic.AfterValidator(_origin)], ...],
    *_LISTED,
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cors(forms.OptionMap):
    """headers: what a request may carry; empty: any. expose: what scripts may read beside what they always may."""

    shape: typing.ClassVar[str] = "true, false or a map"
    meanings: typing.ClassVar[dict[str, str]] = {
        "origins": "the sites whose scripts may, such as https://app.example.com or https://*.example.com; *",
        "methods": "the methods that they may use; GET, HEAD, POST, PUT, PATCH, DELETE",
        "headers": "the headers that they may send; any",
        "expose": "the headers of answers that they may read, beside the simplest; none",
        "credentials": "whether they may use the visitor's cookies and passwords, which needs `origins`; false",
        "max_age": "how long browsers remember that; 10m",
    }
    origins: _Origins = (ANY,)
    methods: _Words = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
    headers: _Words = ()
    expose: _Words = ()
    credentials: forms.Flag = False
    max_age_s: typing.Annotated[forms.Duration, pydantic.Field(alias="max_age")] = 600.0

    @property
    def is_for_all(self) -> bool:
        return self.origins == (ANY,)


def _find_cure(value: object) -> str | None:
    """Of origins without the key before them."""
    parts = _split(value)
    if parts in ([ANY], (ANY,)):
        return "true"
    if not isinstance(parts, list) or not parts or not all(isinstance(one, str) for one in parts):
        return None
    is_good = len(parts) <= _MOST_IN_CURE and all(check_origin(_origin(one)) is None for one in parts)
    return f"`{{origins: {forms.written_list(parts)}}}`" if is_good else None


OFF = Cors(origins=(), methods=())
"""Nearer than what holds further out, which None is not: a key without a value."""


def _parse(value: object) -> object:
    if isinstance(value, str | list) and (cure := _find_cure(value)) is not None:
        raise ValueError(f"expected {Cors.shape}, found {words.describe(value)}; write {cure}")
    return {} if value is True else OFF if value is False else value


def _check(value: Cors | None, place: Place) -> None:
    if value is None or value == OFF:
        return
    _check_origins(value, place)
    for index, method in enumerate(value.methods):
        if not _METHOD.match(method):
            better = method.upper()
            hint = f"; write {better}" if better != method and _METHOD.match(better) else ""
            place.add_value(method, f"is not a method, such as GET{hint}", "methods", index)
    for key, headers in (("headers", value.headers), ("expose", value.expose)):
        for index, name in enumerate(headers):
            place.add_value(name, _check_header(name), key, index)
    for key in ("origins", "methods", "headers", "expose"):
        if (count := len(getattr(value, key))) > _MOST:
            place.add(f"has {count} entries, at most {_MOST}", key)
    place.add(quantity_rules.check_duration(value.max_age_s, least=0, most=_MOST_S), "max_age")


def _check_header(name: str) -> str | None:
    return None if _HEADER.match(name) else "is not a header name, such as X-Total-Count"


def _check_origins(value: Cors, place: Place) -> None:
    if not value.origins:
        place.add("is empty; write the sites whose scripts may read answers, or `cors: false`", "origins")
    if not value.methods:
        place.add("is empty; leave it out for the usual ones", "methods")
    if ANY in value.origins and value.credentials:
        cause = "cannot be `*` with credentials, by which any site could act as the visitor; name the sites"
        place.add(cause, "origins")
    elif ANY in value.origins and not value.is_for_all:
        place.add("has `*` beside sites, which are all of them already", "origins")
    for index, origin in enumerate(value.origins):
        if origin != ANY:
            place.add_value(origin, check_origin(origin), "origins", index)


def check_origin(text: str) -> str | None:
    """Scheme, host and port (RFC 6454 section 6.2); `*.` before a host stands for the names below it."""
    match = _ORIGIN.match(text)
    if text.lower() == "null":
        return "is what every page without a site of its own sends, a stranger's among them"
    if match is None:
        bare = f"https://{text}"
        is_host = _ORIGIN.match(bare) is not None and rules.check_host(text.partition(":")[0]) is None
        hint = f"; write {words.quoted(bare)}" if is_host else ""
        return f"is not a scheme and a host, such as https://app.example.com{hint}"
    if match["port"] is not None and not 1 <= int(match["port"]) <= 65535:
        return f"has port {match['port']}, which is not between 1 and 65535"
    if match["host"] == ANY:
        return f"is every site, which is `*` alone here; write {words.quoted(ANY)}"
    cause = rules.check_host(match["host"])
    if cause is None:
        return None
    return f"is not a scheme and a host, such as https://app.example.com: its host {cause.partition('; ')[0]}"


OPTION = Option[Cors | None](
    name="cors",
    form=typing.Annotated[Cors | None, pydantic.BeforeValidator(_parse), forms.Also(forms.FLAG)],
    default=None,
    doc=Doc(
        kind="true, false, or `{origins, methods, headers, expose, credentials, max_age}`",
        default="`false`",
        meaning="which other sites' scripts may read answers; `true`: all of them, without the visitor's cookies, "
        "see [nginx.md](nginx.md#cors)",
    ),
    levels=frozenset({Level.GATE, Level.SITE, Level.ROUTE}),
    label=Label.VALUE,
    check=_check,
)
