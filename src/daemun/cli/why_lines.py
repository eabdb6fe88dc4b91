"""The story of `daemun why`, as people read it: the cause, what to do, and the chain. Pure, apart from printing."""

import os
import shutil
import sys
import typing

from daemun import errors
from daemun.cli import finding_lines, output
from daemun.core.texts import words

if typing.TYPE_CHECKING:
    from daemun.core.why import url_facts

_GOOD = "nothing is wrong"


def print_story(story: "url_facts.Story") -> None:
    is_terminal = sys.stdout.isatty()
    is_coloured = is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    signs = finding_lines.choose_signs(sys.stdout.encoding)
    for weight, text in lines_of(story, width=shutil.get_terminal_size().columns if is_terminal else None):
        if weight is None:
            output.print_line(text)
            continue
        sign = signs[weight]
        shown = f"\x1b[{finding_lines.COLOURS[weight]}m{sign}\x1b[0m" if is_coloured else sign
        print(f"  {shown} {output.clean(text)}")


def lines_of(story: "url_facts.Story", *, width: int | None = None) -> list[tuple[str | None, str]]:
    """The lines, those that begin with a sign with its weight. width: of the terminal; None: nothing is broken."""
    lines: list[tuple[str | None, str]] = [(None, line) for line in finding_lines.wrapped(story.subject, "", width)]
    if not story.causes:
        lines += [(None, ""), (None, _GOOD)]
    for place, one in enumerate(story.causes):
        begin = "cause: " if place == 0 else "also:  "
        lines.append((None, ""))
        lines += _labelled(begin, one.cause, width)
        if one.cure:
            lines += _labelled("do:    ", one.cure, width)
    if story.steps:
        lines.append((None, ""))
    for step in story.steps:
        first, *others = finding_lines.wrapped(f"{step.topic}: {step.message}", " " * 4, width)
        lines.append((step.weight.value, first.strip()))
        lines += [(None, line) for line in others]
    for text in story.missing:
        lines += _labelled("not looked at: ", text, width)
    return lines


def _labelled(label: str, text: str, width: int | None) -> list[tuple[str | None, str]]:
    indent = " " * len(label)
    first, *others = finding_lines.wrapped(text, indent, width)
    return [(None, label + first[len(label) :]), *((None, line) for line in others)]


def json_of(story: "url_facts.Story") -> dict[str, object]:
    """As `story_json.to_json`."""
    from daemun.core.why import story_json

    return story_json.to_json(story, clean)


def clean(text: str) -> str:
    """On one line, without control characters: it holds what strangers sent."""
    return " ".join(output.clean(text).split())


def read_header(text: str) -> tuple[str, str]:
    """Raises: ConfigError."""
    try:
        return split_header(text)
    except ValueError as error:
        raise errors.ConfigError(f"cannot look with the header {words.quoted(text)}: {error}") from error


def split_header(text: str) -> tuple[str, str]:
    """Raises: ValueError with what is wrong."""
    name, colon, value = text.partition(":")
    is_name = name != "" and all(char.isascii() and (char.isalnum() or char in "!#$%&'*+-.^_`|~") for char in name)
    if not colon or not is_name or not value.isprintable():
        raise ValueError('expected "Name: value" without control characters')
    return name, value.strip()
