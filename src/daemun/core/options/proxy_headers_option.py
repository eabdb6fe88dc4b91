"""`proxy_headers`: what only trusted proxies may send to servers, because applications believe it."""

import typing

from daemun.core import rules
from daemun.core.options import forms
from daemun.core.options.option import Doc, Level, Option, Place

DEFAULT = "default"
"""Stands for the usual ones (`render.header_directives`)."""


def _check(value: tuple[str, ...], place: Place) -> None:
    for index, name in enumerate(value):
        place.add_value(name, None if name == DEFAULT else rules.check_proxy_header(name), index)


OPTION = Option[tuple[str, ...]](
    name="proxy_headers",
    form=typing.Annotated[forms.Texts, forms.ONE_OR_MORE],
    default=(DEFAULT,),
    doc=Doc(
        kind="header or list",
        usual="`default`",
        meaning="request headers that only trusted proxies may send, removed from all other requests; "
        "`default` stands for the usual ones, see [nginx.md](nginx.md#headers)",
    ),
    levels=frozenset({Level.GATE}),
    check=_check,
)
