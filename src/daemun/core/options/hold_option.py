"""`hold`: how long a request waits for a server while none accepts a connection."""

import typing

import pydantic

from daemun.core import value_parsers
from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, Option, RouteAction, between
from daemun.core.texts import quantity_rules

_LONGEST_S = 3600.0


def _parse(value: object) -> object:
    return 0.0 if value is False or value == "off" else value_parsers.parse_duration(value)


OPTION = Option(
    name="hold",
    form=typing.Annotated[
        float,
        pydantic.BeforeValidator(_parse),
        pydantic.WithJsonSchema({"anyOf": [forms.DURATION, {"enum": [False, "off"]}]}),
    ],
    default=30.0,
    doc=Doc(
        kind="duration up to `1h`, `off`",
        default="`30s`",
        meaning="how long a request waits while no server accepts a connection",
    ),
    actions=frozenset({RouteAction.TO, RouteAction.PHP}),
    label=Label.VALUE,
    check=between(0, _LONGEST_S, rule=quantity_rules.check_duration),
)
"""Seconds; 0: it fails at once."""
