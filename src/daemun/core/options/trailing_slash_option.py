"""`trailing_slash`: one spelling of each path, with or without a slash at its end, by a redirect."""

import enum
import typing

from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, Level, Option


class Slash(enum.Enum):
    """KEEP: both are served."""

    ADD = "add"
    REMOVE = "remove"
    KEEP = "keep"


OPTION = Option(
    name="trailing_slash",
    form=typing.Annotated[Slash, forms.choice(Slash)],
    default=Slash.KEEP,
    doc=Doc(
        kind="`add`, `remove`, `keep`",
        default="`keep`",
        meaning="a redirect to the path with a slash at its end, or without one, in one step with those to HTTPS and "
        "to the main name, see [nginx.md](nginx.md#redirects-of-a-site)",
    ),
    levels=frozenset({Level.SITE}),
    label=Label.VALUE,
)
