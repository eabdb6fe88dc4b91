"""`app`: which application a site or a route leads to; what its documentation asks of a proxy is set beneath their own
keys (`sources.app_preset`)."""

import re
import typing

import pydantic

from daemun.core import model
from daemun.core.options import forms
from daemun.core.options.option import Doc, HasOptions, Label, Level, Option, Place, RouteAction
from daemun.core.texts import words

NONE = "none"
"""No application: what the site has does not hold for a route, and none is offered."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}\Z")


def is_name(text: str) -> bool:
    return _NAME.match(text) is not None


def _parse(text: str) -> str:
    name = text.strip().lower()
    if not is_name(name):
        raise ValueError(f"expected the name of an application, such as nextcloud, found {words.describe(text)}")
    return name


def _check(value: str | None, place: Place) -> None:
    if value in {None, NONE} or place.route is not None or place.site is None:
        return
    if not any(isinstance(route.action, model.Proxy) for route in place.site.routes):
        place.add("has no effect: no route leads to a server", severity=model.Severity.WARNING)


OPTION = Option[str | None](
    name="app",
    form=typing.Annotated[str, pydantic.BeforeValidator(forms.parse_text(_parse)), pydantic.WithJsonSchema(forms.TEXT)],
    default=None,
    doc=Doc(
        kind="name, `none`",
        default="none",
        meaning="the application behind it, one of those that `daemun apps` lists: what its documentation asks of a "
        "proxy is set where the site and its routes set nothing themselves, see [applications.md](applications.md)",
    ),
    levels=frozenset({Level.SITE, Level.ROUTE}),
    actions=frozenset({RouteAction.TO}),
    label=Label.WORD,
    check=_check,
)


def find(*holders: HasOptions) -> str | None:
    """The application that is named nearest; None: none."""
    name = OPTION.of(*holders)
    return None if name == NONE else name
