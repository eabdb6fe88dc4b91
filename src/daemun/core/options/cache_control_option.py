"""`cache_control`: how long browsers and caches may keep answers (RFC 9111 section 5.2.2)."""

import collections.abc
import dataclasses
import re
import typing

import pydantic

from daemun.core import value_parsers
from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, Level, Option, Place
from daemun.core.texts import quantity_rules, rules, words

_STYLES = ("css", "js", "mjs", "map", "wasm")
_IMAGES = ("avif", "bmp", "gif", "ico", "jpeg", "jpg", "jxl", "png", "svg", "webp")
_FONTS = ("eot", "otf", "ttf", "woff", "woff2")
_MEDIA = ("aac", "flac", "m4a", "m4v", "mkv", "mov", "mp3", "mp4", "oga", "ogg", "ogv", "opus", "wav", "webm")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NamedSet:
    """types: expressions for media types. suffixes: of paths whose answer has no type, such as a 304."""

    types: tuple[str, ...]
    suffixes: tuple[str, ...]


_CODE_TYPES = (r"text/css", r"(?:text|application)/javascript", r"application/wasm")
_FONT_TYPES = (r"font/[^;|]*", r"application/(?:x-)?font-[^;|]*", r"application/vnd\.ms-fontobject")
SETS = {
    "assets": NamedSet(types=(*_CODE_TYPES, *_FONT_TYPES, r"image/[^;|]*"), suffixes=(*_STYLES, *_FONTS, *_IMAGES)),
    "fonts": NamedSet(types=_FONT_TYPES, suffixes=_FONTS),
    "images": NamedSet(types=(r"image/[^;|]*",), suffixes=_IMAGES),
    "media": NamedSet(types=(r"(?:audio|video)/[^;|]*",), suffixes=_MEDIA),
    "pages": NamedSet(types=(r"text/html", r"application/xhtml\+xml"), suffixes=("html", "htm", "xhtml")),
}
ALL = "*"
_OVERRIDE = "override"
_SUFFIX = re.compile(r"\*\.(?:[A-Za-z0-9_.-]{1,32}|\{[A-Za-z0-9_.,-]{1,200}\})\Z")
_MOST = 50

_FLAGS = frozenset(
    {
        "immutable",
        "must-revalidate",
        "must-understand",
        "no-cache",
        "no-store",
        "no-transform",
        "private",
        "proxy-revalidate",
        "public",
    }
)
_TIMES = frozenset({"max-age", "s-maxage", "stale-if-error", "stale-while-revalidate"})
_TIME = re.compile(r"([a-z-]+)=([0-9]{1,10})\Z")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """what: "*", a name in `SETS`, "*.html" or "*.{css,js}". value: of the header; empty: none."""

    what: str
    value: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CacheControl:
    """The first rule that fits an answer counts. override: what the server sends gives way."""

    rules: tuple[Rule, ...]
    override: bool = False


OFF = CacheControl(rules=(Rule(what=ALL, value=""),))
"""Nearer than what holds further out, which None is not: a key without a value."""


def suffixes_of(what: str) -> tuple[str, ...]:
    """ "css", "js" of "*.{css,js}"; none of other forms."""
    if not _SUFFIX.match(what):
        return ()
    text = what.removeprefix("*.")
    return tuple(part for part in text.strip("{}").split(",") if part) if text.startswith("{") else (text,)


def _header(value: object) -> str:
    """A duration is `max-age`; a text is the header as it is sent; false, or nothing, is none."""
    if value is False or value is None or value == "off":
        return ""
    if isinstance(value, str) and not re.match(r"\s*[0-9]", value):
        return ", ".join(part.strip() for part in value.split(","))
    return f"max-age={round(value_parsers.parse_duration(value))}"


def _parse(value: object) -> object:
    if value is False or value == "off":
        return OFF
    if not isinstance(value, dict):
        return CacheControl(rules=(Rule(what=ALL, value=_header(value)),))
    override = value.get(_OVERRIDE, False)
    if not isinstance(override, bool):
        raise ValueError(f"override: expected true or false, found {words.describe(override)}")  # noqa: TRY004 pydantic's
    named = [_rule(what, one) for what, one in value.items() if what != _OVERRIDE]
    named.sort(key=lambda rule: rule.what == ALL)  # what fits everything would hide what stands behind it
    return CacheControl(rules=tuple(named), override=override)


def _rule(what: object, value: object) -> Rule:
    if not isinstance(what, str):
        raise ValueError(f"expected {_EXPECTED}, found {words.describe(what)}")  # noqa: TRY004 pydantic's
    try:
        return Rule(what=what, value=_header(value))
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error


_EXPECTED = f"{words.listed(SETS)}, a suffix such as `*.html` or `*.{{css,js}}`, or `*`"


def _check(value: CacheControl | None, place: Place) -> None:
    if value is None:
        return
    if not value.rules:
        place.add(f"names nothing; write {_EXPECTED}, or `cache_control: false`")
    if len(value.rules) > _MOST:
        place.add(f"has {len(value.rules)} entries, at most {_MOST}")
    for rule in value.rules:
        below = () if rule.what == ALL else (rule.what,)
        place.add(_check_what(rule.what), *below)
        place.add(_check_value(rule.value), *below)


def _check_what(what: str) -> str | None:
    if what == ALL or what in SETS or suffixes_of(what):
        return None
    bare = f"*.{what.removeprefix('*').removeprefix('.')}"
    meant = words.guess(what, [*SETS, _OVERRIDE])
    hint = meant or (f"; write {words.quoted(bare)}" if suffixes_of(bare) else "")
    return f"{words.quoted(what)} is none of {_EXPECTED}{hint}"


def _check_value(value: str) -> str | None:
    better = ", ".join(re.split(r"[\s,;]+", value.strip(" ,;")))
    cause = _find_cause(value)
    return (
        cause
        if cause is None or better == value or _find_cause(better) is not None
        else (f"holds {words.quoted(value)}, whose words are separated by commas; write {words.quoted(better)}")
    )


def _find_cause(value: str) -> str | None:
    for part in value.split(", ") if value else ():
        match = _TIME.match(part)
        if part in _FLAGS:
            continue
        if match is None or match[1] not in _TIMES:
            name = part.partition("=")[0]
            hint = words.guess(name, [*_FLAGS, *_TIMES])
            expected = "a duration such as 30d, no-cache, no-store, or other words of Cache-Control (RFC 9111)"
            return f"expected {expected}, found {words.quoted(part)}{hint}"
        cause = quantity_rules.check_duration(float(match[2]), least=0, most=10 * rules.YEAR_S)
        if cause is not None:
            return cause
    return None


def find_rules(value: CacheControl) -> collections.abc.Iterator[tuple[tuple[str, ...], tuple[str, ...], str]]:
    """Expressions for media types, suffixes, and the header, for each rule; without both: of everything."""
    for rule in value.rules:
        named = SETS.get(rule.what)
        if named is not None:
            yield named.types, named.suffixes, rule.value
        else:
            yield (), suffixes_of(rule.what), rule.value


_VALUE: forms.Json = {"type": ["string", "number", "boolean", "null"]}
_MEANINGS = {
    "assets": "styles, scripts, fonts, images and WebAssembly",
    "fonts": "fonts",
    "images": "images",
    "media": "sound and video",
    "pages": "HTML",
    "*": "everything else",
}
_KEYS = {
    _OVERRIDE: {**forms.FLAG, "description": "whether this counts before what the server sends; false"},
    **{name: {**_VALUE, "description": f"how long browsers may keep {what}"} for name, what in _MEANINGS.items()},
}
OPTION = Option[CacheControl | None](
    name="cache_control",
    form=typing.Annotated[
        pydantic.InstanceOf[CacheControl] | None,
        pydantic.BeforeValidator(_parse),
        pydantic.WithJsonSchema(
            {
                "anyOf": [
                    _VALUE,
                    {"type": "object", "properties": _KEYS, "additionalProperties": _VALUE},
                ]
            }
        ),
    ],
    default=None,
    doc=Doc(
        kind="duration, words of Cache-Control, or `{assets, pages, fonts, images, media, '*.SUFFIX', '*', override}`",
        default="none",
        meaning="how long browsers may keep answers, where the server says nothing of it; `override: true`: whatever "
        "it says, see [nginx.md](nginx.md#how-long-browsers-keep-answers)",
    ),
    levels=frozenset({Level.GATE, Level.SITE, Level.ROUTE}),
    label=Label.VALUE_OR_BY_NAME,
    check=_check,
)
