"""`hsts`: Strict-Transport-Security (RFC 6797)."""

import dataclasses
import typing

import pydantic

from daemun.core import model, value_parsers
from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, Level, Option, Place
from daemun.core.texts import quantity_rules, rules, words


def _seconds(value: object) -> object:
    return round(value_parsers.parse_duration(value))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Hsts(forms.OptionMap):
    shape: typing.ClassVar[str] = "true, false or a map"
    meanings: typing.ClassVar[dict[str, str]] = {
        "max_age": "how long browsers remember that the site has HTTPS; 365d",
        "include_subdomains": "whether the names below this one have it, too",
        "preload": "whether browsers may bring that with them (hstspreload.org)",
    }
    max_age_s: typing.Annotated[
        int,
        pydantic.BeforeValidator(_seconds),
        pydantic.WithJsonSchema(forms.DURATION),
        pydantic.Field(alias="max_age"),
    ] = 31536000
    include_subdomains: forms.Flag = False
    preload: forms.Flag = False


def _is_duration(text: str) -> bool:
    try:
        value_parsers.parse_duration(text)
    except ValueError:
        return False
    return True


def header_value(hsts: Hsts) -> str:
    """RFC 6797 section 6.1."""
    parts = [f"max-age={hsts.max_age_s}"]
    parts += ["includeSubDomains"] * hsts.include_subdomains + ["preload"] * hsts.preload
    return "; ".join(parts)


def _parse(value: object) -> object:
    if isinstance(value, str) and _is_duration(value):
        cure = f"write `{{max_age: {forms.written(value)}}}`"
        raise ValueError(f"expected {Hsts.shape}, found {words.describe(value)}; {cure}")
    return {} if value is True else None if value is False else value


def _check(value: Hsts | None, place: Place) -> None:
    if value is None:
        return
    place.add(quantity_rules.check_duration(value.max_age_s, least=0, most=10 * rules.YEAR_S), "max_age")
    if place.site is not None and place.site.tls.mode is model.TlsMode.OFF:
        place.add("promises HTTPS, but tls is off")


OPTION = Option[Hsts | None](
    name="hsts",
    form=typing.Annotated[Hsts | None, pydantic.BeforeValidator(_parse), forms.Also(forms.FLAG)],
    default=None,
    doc=Doc(
        kind="true, false, or `{max_age, include_subdomains, preload}`",
        default="`false`",
        meaning="Strict-Transport-Security; `max_age` is a duration of one year by default",
    ),
    levels=frozenset({Level.SITE}),
    label=Label.VALUE,
    check=_check,
)
