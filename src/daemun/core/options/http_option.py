"""`http`: what plain HTTP answers."""

import typing

from daemun.core import model
from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, Level, Option, Place


def choose(written: model.HttpMode | None, tls: model.Tls) -> model.HttpMode:
    """Without HTTPS there is nowhere to redirect to."""
    return written or (model.HttpMode.SERVE if tls.mode is model.TlsMode.OFF else model.HttpMode.REDIRECT)


def find_cause(written: model.HttpMode | None, tls: model.Tls) -> str | None:
    """Of what is written: a default never redirects to nowhere."""
    if written is model.HttpMode.REDIRECT and tls.mode is model.TlsMode.OFF:
        return "cannot redirect to HTTPS, because tls is off; write `http: serve`"
    return None


def _check(value: model.HttpMode, place: Place) -> None:
    if value is model.HttpMode.OFF and place.site is not None and place.site.tls.mode is model.TlsMode.OFF:
        place.add("is off and so is tls: the site would answer nothing")


OPTION = Option(
    name="http",
    form=typing.Annotated[model.HttpMode, forms.choice(model.HttpMode), forms.Also(forms.is_(False))] | None,
    default=model.HttpMode.REDIRECT,
    doc=Doc(
        kind="`redirect`, `serve`, `off`",
        default="`redirect`; with `tls: off`: `serve`",
        meaning="what plain HTTP answers: a 301, the site, or 404",
    ),
    levels=frozenset({Level.SITE}),
    label=Label.VALUE,
    model_field="http",
    check=_check,
)
