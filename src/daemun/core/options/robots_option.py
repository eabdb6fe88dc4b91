"""`robots`: whether search engines may show what is here (RFC 9309; X-Robots-Tag)."""

import enum
import re
import typing

import pydantic

from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, Level, Option
from daemun.core.texts import words


class Robots(enum.Enum):
    ALL = "all"
    NONE = "none"


_OUT = {"off", "false", "no", "noindex", "nofollow", "disallow"}
_IN = {"on", "true", "yes", "index", "follow", "allow"}


def _hint(value: object) -> object:
    """The words of the header, and of a switch, which could be one of either."""
    given = (
        {part for part in re.split(r"[\s,]+", str(value).lower()) if part} if isinstance(value, bool | str) else set()
    )
    meant = "none" if given and given <= _OUT else "all" if given and given <= _IN else None
    if meant is None:
        return value
    means = "keeps search engines out" if meant == "none" else "lets them in"
    raise ValueError(f"expected all or none, found {words.describe(value)}; write {meant}, which {means}")


OPTION = Option(
    name="robots",
    form=typing.Annotated[Robots, forms.choice(Robots), pydantic.BeforeValidator(_hint)],
    default=Robots.ALL,
    doc=Doc(
        kind="`all`, `none`",
        default="`all`",
        meaning="`none`: search engines are to leave this alone: `X-Robots-Tag: none`, and for a site a `/robots.txt` "
        "that disallows everything, unless a route has that path",
    ),
    levels=frozenset({Level.GATE, Level.SITE, Level.ROUTE}),
    label=Label.VALUE,
)
