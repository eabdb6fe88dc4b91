"""`security_headers`: what Mozilla's Observatory wants answers to carry
(developer.mozilla.org/en-US/observatory/docs/tests_and_scoring)."""

import enum
import typing

import pydantic

from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, Level, Option
from daemun.core.texts import words


class SecurityHeaders(enum.Enum):
    """ON: what breaks no application. STRICT: what can break one, too."""

    OFF = "false"
    ON = "true"
    STRICT = "strict"


def _parse(value: object) -> object:
    if isinstance(value, bool):
        return SecurityHeaders.ON if value else SecurityHeaders.OFF
    if value == SecurityHeaders.STRICT.value:
        return SecurityHeaders.STRICT
    known = [one.value for one in SecurityHeaders]
    meant = forms.hint_flag(value) or forms.hint(value, known)
    raise ValueError(f"expected true, false or strict, found {words.describe(value)}{meant}")


OPTION = Option(
    name="security_headers",
    form=typing.Annotated[
        pydantic.InstanceOf[SecurityHeaders],
        pydantic.BeforeValidator(_parse),
        pydantic.WithJsonSchema({"anyOf": [forms.FLAG, forms.is_("strict")]}),
    ],
    default=SecurityHeaders.OFF,
    doc=Doc(
        kind="true, false, `strict`",
        default="`false`",
        meaning="add what protects browsers, where the server sends no such header itself; `strict`: also what can "
        "break an application, see [nginx.md](nginx.md#security-headers)",
    ),
    levels=frozenset({Level.GATE, Level.SITE, Level.ROUTE}),
    label=Label.VALUE,
)
