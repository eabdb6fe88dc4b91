"""`proxy_headers`: what only trusted proxies may send to servers, because applications believe it."""

import typing

from daemun.core import rules
from daemun.core.options import forms
from daemun.core.options.option import Level, Option, Place

DEFAULT = "default"
"""Stands for the usual ones (`render.header_directives`)."""


def _check(value: tuple[str, ...], place: Place) -> None:
    for index, name in enumerate(value):
        place.add_value(name, None if name == DEFAULT else rules.check_proxy_header(name), index)


OPTION = Option(
    name="proxy_headers",
    form=typing.Annotated[forms.Texts, forms.ONE_OR_MORE, forms.Also(forms.TEXT)],
    default=(DEFAULT,),
    meaning="headers that only trusted proxies may send; the word default stands for the usual ones",
    levels=frozenset({Level.GATE}),
    check=_check,
)
