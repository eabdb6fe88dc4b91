"""Times in what commands print with `--json` have one form: RFC 3339, in UTC, with `Z` and whole seconds."""

import re
import typing

_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?\s?(?:Z|UTC|[+-]\d\d:?\d\d)?", re.ASCII)
_FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


def find_others(value: typing.Any) -> list[str]:
    """Those of another form, wherever they are in the value."""
    if isinstance(value, str):
        return [value] if _TIME.fullmatch(value) and not _FORM.fullmatch(value) else []
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return []
    return [found for one in value for found in find_others(one)]


def check_what_is_printed() -> None:
    """From now on, a command of this process that prints another form fails."""
    from daemun.cli import json_answer

    text_of = json_answer._text_of

    def checked(value: typing.Any, *, indent: int | None) -> str:
        others = find_others(value)
        assert not others, f"times of another form than 2026-11-30T09:10:11Z: {others}"
        return text_of(value, indent=indent)

    json_answer._text_of = checked
