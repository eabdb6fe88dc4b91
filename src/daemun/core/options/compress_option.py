"""`compress`: which answers are compressed (nginx.org/en/docs/http/ngx_http_gzip_module.html)."""

import collections.abc
import dataclasses
import typing

import pydantic

from daemun.core import arguments, directive, mime, render_environment
from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, Level, NginxContext, Option, Place, WantedFeature
from daemun.core.texts import header_rules, words


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Compress:
    """Whether answers are compressed. types: which, besides HTML; empty: `core.mime.COMPRESSED`. brotli, zstd: for
    clients that take it, before gzip, where nginx has it. precompressed: whether files with .gz, .br and .zst beside
    them are sent as those."""

    is_on: bool = True
    types: tuple[str, ...] = ()
    brotli: bool = False
    zstd: bool = False
    precompressed: bool = False


_EXPECTED = "true, false, a list of types such as [text/css], or a map"
_ON = {
    "gzip": "; write true",
    "none": "; write false",
    "brotli": "; write {brotli: true}",
    "zstd": "; write {zstd: true}",
}


def _types(value: object) -> object:
    """A label has its types in one text."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


_Types = typing.Annotated[
    tuple[forms.Text, ...], pydantic.Strict(strict=False), pydantic.BeforeValidator(_types), forms.Also(forms.TEXT)
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CompressMap(forms.OptionMap):
    shape: typing.ClassVar[str] = _EXPECTED
    meanings: typing.ClassVar[dict[str, str]] = {
        "types": "which media types are compressed, besides HTML",
        "brotli": "whether clients that take Brotli get that, where nginx has it; false",
        "zstd": "whether clients that take Zstandard get that, where nginx has it; false",
        "precompressed": "whether files are sent as those of .gz, .br and .zst beside them; false",
    }
    types: typing.Annotated[
        tuple[forms.Text, ...], pydantic.Strict(strict=False), pydantic.BeforeValidator(_types)
    ] = ()
    brotli: forms.Flag = False
    zstd: forms.Flag = False
    precompressed: forms.Flag = False


def _parse(value: object) -> object:
    if isinstance(value, dict):
        return value
    if isinstance(value, bool):
        return Compress(is_on=value)
    if isinstance(value, str) and (hint := _ON.get(value.strip().lower(), forms.hint_flag(value))):
        raise ValueError(f"expected {_EXPECTED}, found {words.describe(value)}{hint}")
    types = _types(value)
    if isinstance(types, list) and types and all(isinstance(one, str) for one in types):
        return {"types": types}
    raise ValueError(f"expected {_EXPECTED}, found {words.describe(value)}")


def _read(value: object, written: collections.abc.Callable[[object], CompressMap]) -> Compress:
    found = _parse(value)
    if isinstance(found, Compress):
        return found
    made = written(found)
    return Compress(types=made.types, brotli=made.brotli, zstd=made.zstd, precompressed=made.precompressed)


_FORM = typing.Annotated[
    CompressMap,
    pydantic.WrapValidator(_read),
    forms.Also(forms.FLAG, forms.TEXT, {"type": "array", "items": forms.TEXT, "minItems": 1}),
]


def _check(value: Compress, place: Place) -> None:
    for index, kind in enumerate(value.types):
        place.add_value(kind, header_rules.check_media_type(kind), index)


_ENCODERS = {
    "brotli": (render_environment.Feature.BROTLI, "5"),
    "zstd": (render_environment.Feature.ZSTD, "3"),
}
"""The prefix of the module's directives, and how hard it tries: what takes about the time of gzip's 5."""
_OF_FILES = {
    "gzip_static": render_environment.Feature.GZIP_STATIC,
    "zstd_static": render_environment.Feature.ZSTD_STATIC,
}
"""Not `brotli_static`: with `disable_symlinks`, which keeps private keys out of folders of files, the module of that
name (ngx_brotli 1.0.0rc) hands nginx a path that is some bytes too long: what lies behind decides what it finds."""


def off_lines(
    value: Compress, features: collections.abc.Container[render_environment.Feature]
) -> tuple[directive.Directive, ...]:
    """For an answer that stays as it is, where others are compressed."""
    further = [name for name, (feature, _) in _ENCODERS.items() if getattr(value, name) and feature in features]
    return tuple(arguments.line(name, "off") for name in ("gzip", *further))


def _lines(value: Compress, context: NginxContext) -> collections.abc.Iterator[directive.Directive]:
    if context.is_named and value.is_on:
        return
    yield arguments.line("gzip", "on" if value.is_on else "off")
    types = value.types or mime.COMPRESSED
    if value.is_on:
        yield arguments.line("gzip_types", *types)
    if context.is_gate and value == OPTION.default:
        return  # off, as nothing further out has it
    for name, (feature, level) in _ENCODERS.items():
        is_on = value.is_on and getattr(value, name)
        if feature in context.features:
            yield arguments.line(name, "on" if is_on else "off")
        if is_on and feature in context.features:
            yield arguments.line(f"{name}_comp_level", level)
            yield arguments.line(f"{name}_min_length", "1024")
            yield arguments.line(f"{name}_types", *types)
    for name, feature in _OF_FILES.items():
        if feature in context.features:
            yield arguments.line(name, "on" if value.is_on and value.precompressed else "off")


_INSTALL = "`daemun nginx install` brings one that has it"


def _wants(value: Compress) -> collections.abc.Iterator[WantedFeature]:
    if value.is_on and value.brotli:
        without = f"answers are compressed with gzip alone; {_INSTALL}, or leave `brotli` out"
        yield WantedFeature(feature=render_environment.Feature.BROTLI, without=without)
    if value.is_on and value.zstd:
        without = "answers are compressed otherwise; leave `zstd` out, or use an nginx with its module"
        yield WantedFeature(feature=render_environment.Feature.ZSTD, without=without)
    if value.is_on and value.precompressed:
        without = f"files are compressed anew for each request; {_INSTALL}, or leave `precompressed` out"
        yield WantedFeature(feature=render_environment.Feature.GZIP_STATIC, without=without)


OPTION = Option(
    name="compress",
    form=_FORM,
    default=Compress(),
    doc=Doc(
        kind="true, false, list of media types, `{types, brotli, zstd, precompressed}`",
        default="`true`",
        meaning="which answers are compressed with gzip, besides HTML, and whether with Brotli and Zstandard, too, see "
        "[nginx.md](nginx.md#compression)",
    ),
    levels=frozenset({Level.GATE, Level.SITE, Level.ROUTE}),
    label=Label.VALUE,
    check=_check,
    wants=_wants,
    lines=_lines,
)
