"""`workers`: nginx's worker processes (nginx.org/r/worker_processes)."""

import typing

import pydantic

from daemun.core import rules
from daemun.core.options import forms
from daemun.core.options.option import Doc, Level, Option, Place


def _parse(value: object) -> object:
    return None if value == "auto" else value


def _check(value: int | None, place: Place) -> None:
    if value is not None:
        place.add(rules.check_number(value, least=1, most=1024))


OPTION = Option[int | None](
    name="workers",
    form=typing.Annotated[forms.Number | None, pydantic.BeforeValidator(_parse), forms.Also(forms.is_("auto"))],
    default=None,
    doc=Doc(kind="number, `auto`", usual="`auto`", meaning="nginx worker processes; `auto`: one per core"),
    levels=frozenset({Level.GATE}),
    check=_check,
)
"""None: one per core."""
