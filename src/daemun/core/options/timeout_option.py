"""`timeout`: how long nginx waits, for each route."""

import dataclasses
import typing

import pydantic

from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, Option, Place, RouteAction
from daemun.core.texts import quantity_rules, rules


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts(forms.OptionMap):
    """Times in seconds.

    read_s: how long a server may be silent, before its answer and within it: slow reports, long polls and streams of
        events take their time, and a visitor who does not want to wait closes the connection. send_s: how long it may
        take nothing of a request. body_s: how long a visitor may send nothing of a body.
    idle_s: how long a WebSocket, or a stream of gRPC, may be silent in both directions.
    keepalive_s: how long an idle connection to a server is kept, less than servers do themselves: gunicorn 2 s,
        Node.js, uvicorn and Apache 5 s. A request that cannot be repeated is lost with a connection that its server
        closes.
    """

    shape: typing.ClassVar[str] = "a duration or a map of them"
    meanings: typing.ClassVar[dict[str, str]] = {
        "connect": "how long a connection to a server may take; 5s",
        "read": "how long a server may be silent; 1h",
        "send": "how long a server may take nothing of a request; 60s",
        "body": "how long a visitor may send nothing of a body; 60s",
        "idle": "how long a WebSocket, or a stream of gRPC, may be silent; 1d",
        "keepalive": "how long an idle connection to a server is kept; 1s",
    }
    connect_s: typing.Annotated[forms.Duration, pydantic.Field(alias="connect")] = 5.0
    read_s: typing.Annotated[forms.Duration, pydantic.Field(alias="read")] = 3600.0
    send_s: typing.Annotated[forms.Duration, pydantic.Field(alias="send")] = 60.0
    body_s: typing.Annotated[forms.Duration, pydantic.Field(alias="body")] = 60.0
    idle_s: typing.Annotated[forms.Duration, pydantic.Field(alias="idle")] = 86400.0
    keepalive_s: typing.Annotated[forms.Duration, pydantic.Field(alias="keepalive")] = 1.0


def _parse(value: object) -> object:
    return value if isinstance(value, dict) else {"read": value}


def _check(value: Timeouts, place: Place) -> None:
    for field in dataclasses.fields(value):
        number = getattr(value, field.name)
        cause = quantity_rules.check_duration(number, least=0.001, most=rules.YEAR_S)
        place.add(cause, field.name.removesuffix("_s"))


OPTION = Option(
    name="timeout",
    form=typing.Annotated[Timeouts, pydantic.BeforeValidator(_parse), forms.Also(forms.DURATION)],
    default=Timeouts(),
    doc=Doc(
        kind="duration (`read`), or `{connect, read, send, body, idle, keepalive}`",
        default="`5s`, `1h`, `60s`, `60s`, `1d`, `1s`",
        meaning="`read`: silence of the server; `send`: the server takes nothing of a request; `body`: the "
        "visitor sends nothing of one; `idle`: silence on a WebSocket or in gRPC; `keepalive`: how "
        "long an idle connection to a server is kept, which must be less than the server does "
        "(gunicorn 2 s, Node.js, uvicorn and Apache 5 s)",
    ),
    actions=frozenset({RouteAction.TO, RouteAction.PHP}),
    label=Label.VALUE,
    check=_check,
)
