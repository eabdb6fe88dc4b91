"""`compress`: which answers are compressed (nginx.org/en/docs/http/ngx_http_gzip_module.html)."""

import collections.abc
import dataclasses
import typing

import pydantic

from daemun.core import arguments, directive, mime
from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, Level, Option, Place, Spot
from daemun.core.texts import header_rules, words


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Compress:
    """Whether answers are compressed. types: which, besides HTML; empty: `core.mime.COMPRESSED`."""

    is_on: bool = True
    types: tuple[str, ...] = ()


_EXPECTED = "true, false or a list of types such as [text/css]"
_ON = {"gzip": "; write true", "none": "; write false"}


def _parse(value: object) -> object:
    """A label has its types in one text."""
    if isinstance(value, bool):
        return Compress(is_on=value)
    if isinstance(value, str) and (hint := _ON.get(value.strip().lower(), forms.hint_flag(value))):
        raise ValueError(f"expected {_EXPECTED}, found {words.describe(value)}{hint}")
    types = value.replace(",", " ").split() if isinstance(value, str) else value
    if isinstance(types, list) and types and all(isinstance(one, str) for one in types):
        return Compress(types=tuple(types))
    raise ValueError(f"expected {_EXPECTED}, found {words.describe(value)}")


_FORM = typing.Annotated[
    pydantic.InstanceOf[Compress],
    pydantic.BeforeValidator(_parse),
    pydantic.WithJsonSchema({"anyOf": [forms.FLAG, forms.TEXT, {"type": "array", "items": forms.TEXT, "minItems": 1}]}),
]


def _check(value: Compress, place: Place) -> None:
    for index, kind in enumerate(value.types):
        place.add_value(kind, header_rules.check_media_type(kind), index)


def _lines(value: Compress, spot: Spot) -> collections.abc.Iterator[directive.Directive]:
    if not value.is_on:
        yield arguments.line("gzip", "off")
        return
    if spot.is_named:
        return
    yield arguments.line("gzip", "on")
    yield arguments.line("gzip_types", *(value.types or mime.COMPRESSED))


OPTION = Option(
    name="compress",
    form=_FORM,
    default=Compress(),
    doc=Doc(
        kind="true, false, list of media types",
        usual="`true`",
        meaning="which answers are compressed with gzip, besides HTML, see [nginx.md](nginx.md#compression)",
    ),
    levels=frozenset({Level.GATE, Level.SITE, Level.ROUTE}),
    label=Label.VALUE,
    check=_check,
    lines=_lines,
)
