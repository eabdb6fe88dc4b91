"""`nginx_upgrade`: whether another nginx takes over from the one that serves by itself."""

import typing

import pydantic

from daemun.core.options.option import Doc, Level, Option
from daemun.core.texts import words

_MANUAL, _AUTOMATIC = "manual", "automatic"


def _parse(value: object) -> object:
    if value in (_MANUAL, _AUTOMATIC):
        return value == _AUTOMATIC
    known = [_MANUAL, _AUTOMATIC]
    guess = words.guess(value, known) if isinstance(value, str) else ""
    raise ValueError(f"expected {words.listed(known)}, found {words.describe(value)}{guess}")


OPTION = Option(
    name="nginx_upgrade",
    form=typing.Annotated[
        bool, pydantic.BeforeValidator(_parse), pydantic.WithJsonSchema({"enum": [_MANUAL, _AUTOMATIC]})
    ],
    default=False,
    doc=Doc(
        kind="`manual`, `automatic`",
        default="`manual`",
        meaning="`automatic`: another nginx that was chosen, or that an update of the system put in the place of the "
        "one that serves, takes over by itself, unless it is an older one; else `daemun nginx upgrade` lets it, see "
        "[nginx.md](nginx.md)",
    ),
    levels=frozenset({Level.GATE}),
)
"""Whether it is automatic."""
