"""`--json` of every command: exactly one JSON document on standard output, whatever the command prints for people.

A command with a structure of its own prints it (`print_json`). For all others the document is made of the facts
that they `note` and of the lines that they would have printed, as `messages`. What fails is `{"error": ...}`; the exit
code is the same as without `--json`. Remarks beside that stay on standard error.
"""

import collections.abc
import dataclasses
import json
import re
import typing

_OBEYED = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""Control characters that JSON does not escape, and those that turn the direction of a text."""


@dataclasses.dataclass(slots=True, kw_only=True)
class _Answer:
    """is_printed: a document is on standard output already."""

    is_wanted: bool = False
    is_printed: bool = False
    facts: dict[str, typing.Any] = dataclasses.field(default_factory=dict)
    messages: list[str] = dataclasses.field(default_factory=list)
    error: str | None = None


_answer = _Answer()


def begin(*, is_wanted: bool = False) -> None:
    """For a command line that starts anew. is_wanted: whether JSON is to be printed."""
    global _answer  # noqa: PLW0603 - one answer a process, as there is one standard output
    _answer = _Answer(is_wanted=is_wanted)


def want(is_given: bool) -> bool:
    """The callback of each `--json`: it may stand before and after the names of commands. Returns: the value of all."""
    _answer.is_wanted = _answer.is_wanted or is_given
    return _answer.is_wanted


def is_wanted() -> bool:
    return _answer.is_wanted


def note(**facts: typing.Any) -> None:
    """For programs, the content of the lines for people; without `--json` nothing."""
    _answer.facts |= facts


def add_message(text: str) -> None:
    _answer.messages.append(text)


def set_error(text: str) -> bool:
    """Returns: False when it cannot become part of the document any more."""
    _answer.error = text
    return not _answer.is_printed


def print_json(value: typing.Any, *, is_line: bool = False) -> None:
    """A document of the command's own. is_line: one of many, on one line and at once."""
    _answer.is_printed = True
    print(_text_of(value, indent=None if is_line else 2), flush=is_line)


def print_list(name: str, values: collections.abc.Iterable[typing.Any], **facts: typing.Any) -> None:
    """A document of facts and one list, which may be longer than the memory; a line for each of its values."""
    _answer.is_printed = True
    print(_text_of(facts, indent=None)[:-1] + (", " if facts else "") + f"{json.dumps(name)}: [", end="")
    for index, value in enumerate(values):
        print("," if index else "", _text_of(value, indent=None), sep="\n", end="")
    print("\n]}")


def _text_of(value: typing.Any, *, indent: int | None) -> str:
    """What a terminal obeys, or cannot show, is escaped: texts come from clients, too."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return text if text.isascii() else _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def finish(code: object) -> None:
    """Print the document at the end of a command, unless it printed one itself. code: the exit code.

    Raises: OSError."""
    if not _answer.is_wanted or _answer.is_printed:
        return
    if _answer.error is not None:
        first: dict[str, typing.Any] = {"error": _answer.error}
    else:
        first = {"ok": code in {0, None}}
    lines = {"messages": _answer.messages} if _answer.messages or _answer.error is None else {}
    print_json({**first, **_answer.facts, **lines})
