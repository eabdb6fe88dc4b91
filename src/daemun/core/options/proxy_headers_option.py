"""`proxy_headers`: what only trusted proxies may send to servers, because applications believe it."""

import re
import typing

from daemun.core.options import forms
from daemun.core.options.option import Doc, Level, Option, Place
from daemun.core.texts import header_rules

DEFAULT = "default"
"""Stands for the usual ones (`render.trusted_proxy_headers`)."""

_NO_HEADERS = frozenset({"*", "all", "any", "defaults", "false", "none", "off", "on", "standard", "true", "usual"})
"""Words for many headers, or for none, in other places."""


def check_header(name: str) -> str | None:
    """One that only trusted proxies may send: with letters, digits and dashes, as nginx's variable of it is called."""
    cause = header_rules.check_header_name(name, request=True)
    if name.lower() == "host":
        return "is set by the gate itself"
    if name.lower() in _NO_HEADERS:
        return "is no header; write `default` for the usual ones, or the names of headers"
    if cause is None and not re.fullmatch(r"[A-Za-z0-9-]+", name):
        return "is not letters, digits and dashes"
    return cause or header_rules.check_fixed_bucket(name)


def _check(value: tuple[str, ...], place: Place) -> None:
    for index, name in enumerate(value):
        place.add_value(name, None if name == DEFAULT else check_header(name), index)


OPTION = Option[tuple[str, ...]](
    name="proxy_headers",
    form=typing.Annotated[forms.Texts, forms.ONE_OR_MORE],
    default=(DEFAULT,),
    doc=Doc(
        kind="header or list",
        default="`default`",
        meaning="request headers that only trusted proxies may send, removed from all other requests; "
        "`default` stands for the usual ones, see [nginx.md](nginx.md#headers)",
    ),
    levels=frozenset({Level.GATE}),
    check=_check,
)
