"""`robots`: whether search engines may show what is here (RFC 9309; X-Robots-Tag)."""

import enum
import typing

from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, Level, Option


class Robots(enum.Enum):
    ALL = "all"
    NONE = "none"


OPTION = Option(
    name="robots",
    form=typing.Annotated[Robots, forms.choice(Robots)],
    default=Robots.ALL,
    doc=Doc(
        kind="`all`, `none`",
        usual="`all`",
        meaning="`none`: search engines are to leave this alone: `X-Robots-Tag: none`, and for a site a `/robots.txt` "
        "that disallows everything, unless a route has that path",
    ),
    levels=frozenset({Level.GATE, Level.SITE, Level.ROUTE}),
    label=Label.VALUE,
)
