"""`health`: how the servers of a route are checked."""

import dataclasses
import re
import typing

import pydantic

from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, Option, Place, RouteAction
from daemun.core.texts import quantity_rules, rules, words

_SENT = re.compile(r"/[\x21-\x7e]*\Z")
_RANGE = re.compile(r"([0-9]{3})(?:-([0-9]{3}))?\Z")
_LONGEST_INTERVAL_S = 3600.0
_LONGEST_TIMEOUT_S = 60.0
_MOST_IN_A_ROW = 100


def _parse_statuses(value: object) -> object:
    """200, "200-399", or a list of them."""
    return tuple(_status_range(one) for one in (value if isinstance(value, list) else [value]))


def _status_range(value: object) -> tuple[int, int]:
    if isinstance(value, int) and not isinstance(value, bool):
        return value, value
    match = _RANGE.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f'expected a status such as 200, or a range such as "200-399", found {words.describe(value)}')
    return int(match[1]), int(match[2] or match[1])


_STATUS: forms.Json = {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^[0-9]{3}(-[0-9]{3})?$"}]}
_Statuses = typing.Annotated[
    tuple[tuple[int, int], ...],
    pydantic.BeforeValidator(_parse_statuses),
    pydantic.WithJsonSchema({"anyOf": [*_STATUS["anyOf"], {"type": "array", "items": _STATUS}]}),
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Health(forms.OptionMap):
    """path: requested by GET; None: a server that accepts a connection is well. host: what it sees as Host.

    interval_s: between two checks of one server. timeout_s: for each check.
    threshold: failures in a row that take a server out. recover: successes in a row that bring it back.
    statuses: good answers, as ranges that hold both ends.
    """

    shape: typing.ClassVar[str] = 'a path such as "/healthz", tcp, off, or a map'
    meanings: typing.ClassVar[dict[str, str]] = {
        "path": "what is requested; without it a server that accepts a connection is well",
        "host": "the Host that the server sees",
        "interval": "the time between two checks of a server; 5s",
        "timeout": "how long a check may take; 2s",
        "threshold": "how many failures in a row take a server out; 2",
        "recover": "how many successes in a row bring it back; 1",
        "status": "good answers: a status, a range such as 200-399, or a list of them",
    }
    path: forms.Text | None = None
    host: forms.Text | None = None
    interval_s: typing.Annotated[forms.Duration, pydantic.Field(alias="interval")] = 5.0
    timeout_s: typing.Annotated[forms.Duration, pydantic.Field(alias="timeout")] = 2.0
    threshold: forms.Number = 2
    recover: forms.Number = 1
    statuses: typing.Annotated[_Statuses, pydantic.Field(alias="status")] = ((200, 399),)


def _parse(value: object) -> object:
    """ "/healthz" is a path, "tcp" a map of defaults."""
    if value is False or value == "off":
        return None
    if value == "tcp":
        return {}
    return {"path": value} if isinstance(value, str) and value.startswith("/") else value


def _check(health: Health | None, place: Place) -> None:
    if health is None:
        return
    _check_path(health, place)
    if health.host is not None:
        place.add_value(health.host, rules.check_host_header(health.host), "host")
    place.add(quantity_rules.check_duration(health.interval_s, least=0.1, most=_LONGEST_INTERVAL_S), "interval")
    place.add(quantity_rules.check_duration(health.timeout_s, least=0.01, most=_LONGEST_TIMEOUT_S), "timeout")
    place.add(rules.check_number(health.threshold, least=1, most=_MOST_IN_A_ROW), "threshold")
    place.add(rules.check_number(health.recover, least=1, most=_MOST_IN_A_ROW), "recover")
    if not health.statuses:
        place.add("is empty, so that no answer would be good", "status")
    for index, (low, high) in enumerate(health.statuses):
        if not 100 <= low <= high <= 599:
            place.add(f"{low}-{high} is no range of statuses between 100 and 599", "status", index)
    for index, target in enumerate(place.proxy.targets):
        if target.socket is not None and not target.down:
            cause = "cannot be checked: nginx gets servers by address, and a unix socket has none"
            place.add_beside(f"{words.quoted(str(target))} {cause}; remove `health`", "to", index)


def _check_path(health: Health, place: Place) -> None:
    if health.path is None:
        return
    cause = rules.check_text(health.path)
    if cause is None and not _SENT.match(health.path):
        cause = 'is not a path such as "/healthz", percent-encoded as it is to be sent'
    place.add_value(health.path, cause, "path")
    other = next((target.scheme for target in place.proxy.targets if not target.scheme.is_http), None)
    if other is not None:
        place.add(f"{other.value} servers are not asked over HTTP; write `health: tcp`", "path")


OPTION = Option[Health | None](
    name="health",
    form=typing.Annotated[
        Health | None,
        pydantic.BeforeValidator(_parse),
        forms.Also({"type": "string", "pattern": "^/"}, {"enum": ["tcp", "off", False]}),
    ],
    default=None,
    doc=Doc(
        kind="path, `tcp`, `off`, or `{path, interval, timeout, threshold, recover, status, host}`",
        default="`off`",
        meaning="how servers are asked whether they are well; `5s`, `2s`, `2`, `1`, `200-399`",
    ),
    actions=frozenset({RouteAction.TO, RouteAction.PHP}),
    label=Label.VALUE,
    check=_check,
)
"""None: servers are only known by how requests fare with them."""
