"""`bans`: whether addresses that guess passwords wait on every site."""

from daemun.core.options import forms
from daemun.core.options.option import Doc, Level, Option

OPTION = Option(
    name="bans",
    form=forms.Flag,
    default=True,
    doc=Doc(
        kind="true, false",
        default="`true`",
        meaning="whether an address that sent too many wrong passwords, to the gate or to servers that answer 401, has "
        "to wait on every site, longer each time, see [Bans](#bans)",
    ),
    levels=frozenset({Level.GATE}),
)
