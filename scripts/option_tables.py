"""`python -m scripts.option_tables`: writes the rows of options into the tables of docs/CONFIGURATION.md.

Each option declares its rows (`core.options`); rows of keys that are no options are written by hand and stay.
"""

import collections.abc
import pathlib
import re
import typing

from daemun.core.options import catalogue, option

FILE = pathlib.Path(__file__).parents[1] / "docs" / "CONFIGURATION.md"
HEADINGS = {option.Level.GATE: "Top", option.Level.SITE: "A site", option.Level.ROUTE: "A route"}
_FURTHER = {option.Level.SITE: "the gate's", option.Level.ROUTE: "the site's"}
_KEY = re.compile(r"^\| `([\w.]+)`")


def rows(level: option.Level) -> collections.abc.Iterator[str]:
    for one in catalogue.at(level):
        for key, doc in _docs(one):
            usual = _FURTHER[level] if len(one.levels) > 1 and level is not option.Level.GATE else doc.usual
            cells = [f"`{key}`", *([_beside(one)] if level is option.Level.ROUTE else []), doc.kind, usual, doc.meaning]
            yield f"| {' | '.join(cells)} |"


def _docs(one: option.Option[typing.Any]) -> collections.abc.Iterator[tuple[str, option.Doc]]:
    if isinstance(one.doc, option.Doc):
        yield one.name, one.doc
    else:
        yield from ((f"{one.name}.{key}", doc) for key, doc in one.doc.items())


def _beside(one: option.Option[typing.Any]) -> str:
    if one.beside == option.EVERY_ACTION:
        return "all"
    return ", ".join(f"`{kind.value}`" for kind in option.Beside if kind in one.beside)


def written(text: str) -> str:
    """The document with the rows of today's options."""
    for level, heading in HEADINGS.items():
        head, start, rest = text.partition(f"\n### {heading}\n")
        section, end, tail = rest.partition("\n### ")
        text = f"{head}{start}{_section(section, level)}{end}{tail}"
    return text


def _section(section: str, level: option.Level) -> str:
    lines = section.split("\n")
    first = next(index for index, line in enumerate(lines) if line.startswith("|---"))
    last = max(index for index, line in enumerate(lines) if line.startswith("|"))
    by_hand = [line for line in lines[first + 1 : last + 1] if _option_of(line) not in catalogue.BY_NAME]
    return "\n".join([*lines[: first + 1], *by_hand, *rows(level), *lines[last + 1 :]])


def _option_of(line: str) -> str:
    match = _KEY.match(line)
    return match.group(1).partition(".")[0] if match else ""


if __name__ == "__main__":
    FILE.write_text(written(FILE.read_text()))
