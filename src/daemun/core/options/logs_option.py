"""`logs`: the access log, and when logs are rotated."""

import dataclasses
import enum
import typing

import pydantic

from daemun.core.options import forms
from daemun.core.options.option import Doc, Level, Option, Place
from daemun.core.texts import log_lines, quantity_rules, rules, variable_rules, words

_ESCAPES = ("default", "json", "none")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """access: whether requests are logged. traffic: whether they are counted (`core.traffic`). stdout: whether the
    lines of the access log are also on daemun's standard output; None: as the environment has it. A log file larger
    than max_bytes is rotated; `keep` old ones stay.

    format: of a line, with nginx's variables; None: the usual one. escape: "default", "json" or "none".
    """

    access: bool = True
    traffic: bool = True
    stdout: bool | None = None
    format: str | None = None
    escape: str = "default"
    max_bytes: int = 100 << 20
    keep: int = 5


class Format(enum.Enum):
    TEXT = "text"
    JSON = "json"


def _parse_access(value: object) -> object:
    if isinstance(value, bool) or value == "stdout":
        return value
    raise ValueError(f"expected true, false or stdout, found {words.describe(value)}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WrittenLogs(forms.OptionMap):
    access: typing.Annotated[
        bool | str | None,
        pydantic.BeforeValidator(_parse_access),
        pydantic.WithJsonSchema({"enum": [True, False, "stdout"]}),
    ] = None
    traffic: forms.Flag = Logs().traffic
    format: typing.Annotated[Format, forms.choice(Format)] = Format.TEXT
    max_size: forms.Size = Logs().max_bytes
    keep: forms.Number = Logs().keep


def _make(written: WrittenLogs) -> Logs:
    stdout = None if written.access is None else written.access == "stdout"
    logs = Logs(
        access=written.access is not False,
        traffic=written.traffic,
        stdout=stdout,
        max_bytes=written.max_size,
        keep=written.keep,
    )
    return (
        dataclasses.replace(logs, format=log_lines.JSON_LINE, escape="json") if written.format is Format.JSON else logs
    )


def _check(value: Logs, place: Place) -> None:
    place.add(quantity_rules.check_size(value.max_bytes, least=1, most=rules.MAX_BYTES_OF_A_FILE), "max_size")
    place.add(rules.check_number(value.keep, least=0, most=10_000), "keep")
    if value.format is not None:
        place.add(variable_rules.check_log_format(value.format), "format")
    if value.escape not in _ESCAPES:
        place.add(f"expected {words.listed(_ESCAPES)}, found {words.quoted(value.escape)}", "escape")


OPTION = Option(
    name="logs",
    form=typing.Annotated[WrittenLogs, pydantic.AfterValidator(_make)],
    default=Logs(),
    doc={
        "access": Doc(
            kind="true, false, `stdout`",
            default="`true`; in the image `stdout`",
            meaning="whether requests are logged; a line is in the file within a second, as nginx writes many"
            " at once; `stdout`: on daemun's standard output, too",
        ),
        "traffic": Doc(
            kind="true, false",
            default="`true`",
            meaning="whether requests, bytes and times of each site and route are counted, for `daemun traffic`",
        ),
        "format": Doc(kind="`text`, `json`", default="`text`", meaning="the form of a line"),
        "max_size": Doc(kind="size", default="`100m`", meaning="a larger log file is rotated"),
        "keep": Doc(kind="number", default="`5`", meaning="rotated files that stay"),
    },
    levels=frozenset({Level.GATE}),
    check=_check,
)
