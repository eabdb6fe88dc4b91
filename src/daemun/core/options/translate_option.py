"""`translate`: whether what servers say of themselves in redirects and cookies becomes what visitors see."""

from daemun.core.options import forms
from daemun.core.options.option import Beside, Label, Option

OPTION = Option(
    name="translate",
    form=forms.Flag,
    default=True,
    meaning="whether redirects and cookies of servers get the visitor's host and path; default: true",
    beside=frozenset({Beside.TO}),
    label=Label.VALUE,
)
