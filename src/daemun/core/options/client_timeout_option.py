"""`client_timeout`: how long nginx waits for visitors (nginx.org/r/client_header_timeout, send_timeout and
keepalive_timeout).

For bodies of requests that is `timeout: {body: ...}` of a route.
"""

import collections.abc
import dataclasses
import typing

from daemun.core import arguments, directive
from daemun.core.options import forms
from daemun.core.options.option import Doc, Level, NginxContext, Option, Place
from daemun.core.texts import quantity_rules

_DAY_S = 86400.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClientTimeout(forms.OptionMap):
    """In seconds; None: as further out."""

    meanings: typing.ClassVar[dict[str, str]] = {
        "header": "how long a visitor may take for the header of a request; for the whole gate; 30s",
        "send": "how long a visitor may take nothing of an answer; 60s",
        "keepalive": "how long an idle connection of a visitor is kept; 65s",
    }
    header: forms.Duration | None = None
    send: forms.Duration | None = None
    keepalive: forms.Duration | None = None


def _check(value: ClientTimeout, place: Place) -> None:
    if value.header is not None and place.site is not None:
        place.add(
            "is for the whole gate, as nginx does not know the site yet; write `client_timeout` at the top", "header"
        )
    for key, least in (("header", 0.001), ("send", 0.001), ("keepalive", 0.0)):
        found = getattr(value, key)
        if found is not None:
            place.add(quantity_rules.check_duration(found, least=least, most=_DAY_S), key)


def _lines(value: ClientTimeout, context: NginxContext) -> collections.abc.Iterator[directive.Directive]:
    for name, found in (
        ("client_header_timeout", value.header),
        ("send_timeout", value.send),
        ("keepalive_timeout", value.keepalive),
    ):
        if found is not None:
            yield arguments.line(name, arguments.duration(found) if found else "0")


OPTION = Option(
    name="client_timeout",
    form=ClientTimeout,
    default=ClientTimeout(),
    doc=Doc(
        kind="`{header, send, keepalive}`",
        default="`30s`, `60s`, `65s`",
        meaning="how long nginx waits for visitors: for the header of a request (at the top alone), for one who takes "
        "nothing of an answer, for the next request of a connection; bodies are `timeout: {body}` of a route",
    ),
    levels=frozenset({Level.GATE, Level.SITE}),
    check=_check,
    lines=_lines,
)
