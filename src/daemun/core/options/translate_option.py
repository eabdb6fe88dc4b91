"""`translate`: whether servers' own addresses in redirects and cookies become those that visitors see."""

from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, Option, RouteAction

OPTION = Option(
    name="translate",
    form=forms.Flag,
    default=True,
    doc=Doc(
        kind="true, false",
        default="`true`",
        meaning="whether what a server says of itself (redirects, paths and domains of cookies) becomes what visitors "
        "see, see [nginx.md](nginx.md#paths)",
    ),
    actions=frozenset({RouteAction.TO}),
    label=Label.VALUE,
)
