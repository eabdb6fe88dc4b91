"""`workers`: nginx's worker processes (nginx.org/r/worker_processes)."""

import typing

import pydantic

from daemun.core.options import forms
from daemun.core.options.option import Doc, Level, Option, between


def _parse(value: object) -> object:
    return None if value == "auto" else value


OPTION = Option[int | None](
    name="workers",
    form=typing.Annotated[forms.Number | None, pydantic.BeforeValidator(_parse), forms.Also(forms.is_("auto"))],
    default=None,
    doc=Doc(kind="number, `auto`", default="`auto`", meaning="nginx worker processes; `auto`: one per core"),
    levels=frozenset({Level.GATE}),
    check=between(1, 1024),
)
"""None: one per core."""
