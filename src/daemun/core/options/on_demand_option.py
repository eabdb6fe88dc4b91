"""`on_demand`: names that are added to a site while the gate runs."""

import dataclasses
import typing

import pydantic

from daemun.core import model
from daemun.core.options import forms
from daemun.core.options.option import Doc, Level, Option, Place
from daemun.core.texts import rules, url_rules

_MOST_NAMES = 100_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OnDemand(forms.OptionMap):
    """Names that are added while the gate runs, each with a certificate of its own, and without a reload.

    ask: a URL that must answer 200 for a name that a visitor brings; None: names are only added by the API.
    per_minute: how many new names a minute may bring. most: how many there may be.
    """

    shape: typing.ClassVar[str] = "true, false, the URL to ask, or a map"
    meanings: typing.ClassVar[dict[str, str]] = {
        "ask": "the URL that must answer 200 for a name that a visitor brings",
        "per_minute": "how many new names a minute may bring; 10",
        "most": "how many names there may be; 10000",
    }
    ask: forms.Text | None = None
    per_minute: forms.Number = 10
    most: forms.Number = 10_000


def _parse(value: object) -> object:
    if value is True:
        return {}
    if isinstance(value, str):
        return {"ask": value}
    return None if value is False else value


def _check(value: OnDemand | None, place: Place) -> None:
    if value is None:
        return
    if place.site is not None and place.site.tls.mode not in {model.TlsMode.AUTO, model.TlsMode.ACME}:
        place.add(f"gets certificates by itself, but tls is {place.site.tls.mode.value}")
    place.add(rules.check_number(value.per_minute, least=1, most=6000), "per_minute")
    place.add(rules.check_number(value.most, least=1, most=_MOST_NAMES), "most")
    if value.ask is not None:
        place.add_value(value.ask, url_rules.check_web_url(value.ask), "ask")


OPTION = Option[OnDemand | None](
    name="on_demand",
    form=typing.Annotated[OnDemand | None, pydantic.BeforeValidator(_parse), forms.Also(forms.FLAG, forms.TEXT)],
    default=None,
    doc=Doc(
        kind="true, false, URL, `{ask, per_minute, most}`",
        default="`false`",
        meaning="names that are added while daemun runs, see [certificates.md](certificates.md)",
    ),
    levels=frozenset({Level.SITE}),
    check=_check,
)
"""None: a site has the names that are written."""
