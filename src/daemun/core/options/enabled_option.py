"""`enabled`: whether a site is served."""

from daemun.core.options import forms
from daemun.core.options.option import Doc, Level, Option

OPTION = Option(
    name="enabled",
    form=forms.Flag,
    default=True,
    doc=Doc(kind="true, false", default="`true`", meaning="`false`: the site is known, but not served"),
    levels=frozenset({Level.SITE}),
    model_field="enabled",
)
