"""`python -m scripts.option_tables`: writes the tables of docs/CONFIGURATION.md.

Each option declares its rows (`core.options`), and so do the keys that are none (`sources.yaml_route` and others).
"""

import collections.abc
import pathlib
import typing

from daemun.core.options import catalogue, option
from daemun.sources import yaml_entry, yaml_route, yaml_site, yaml_top

FILE = pathlib.Path(__file__).parents[1] / "docs" / "CONFIGURATION.md"
TABLES: dict[str, tuple[type[yaml_entry.YamlEntry], option.Level | None]] = {
    "Top": (yaml_top.FILE, option.Level.GATE),
    "A site": (yaml_site.SITE, option.Level.SITE),
    "A route": (yaml_route.ROUTE, option.Level.ROUTE),
    "A target as a map": (yaml_route.TargetEntry, None),
}
"""By their headings."""
_FURTHER = {
    option.Level.GATE: (),
    option.Level.SITE: ((option.Level.GATE, "the gate's"),),
    option.Level.ROUTE: ((option.Level.SITE, "the site's"), (option.Level.GATE, "the gate's")),
}
"""Where a value comes from that is not set at a level: the nearest one where the option stands, too."""


def rows(entry: type[yaml_entry.YamlEntry], level: option.Level | None) -> collections.abc.Iterator[str]:
    for name, field in entry.model_fields.items():
        one = catalogue.BY_NAME.get(name)
        if one is not None and level not in one.levels:
            one = None  # another key of the same name
        for key, doc in _docs(name, field.metadata, one):
            further = () if level is None or one is None else _FURTHER[level]
            default = next((words for wider, words in further if one and wider in one.levels), doc.default)
            beside = [_beside(name, one)] if level is option.Level.ROUTE else []
            cells = [f"`{key}`", *beside, doc.kind, default, doc.meaning]
            yield "|" + "".join(f" {cell} |" if cell else " |" for cell in cells)


def _docs(
    name: str, metadata: list[typing.Any], one: option.Option[typing.Any] | None
) -> collections.abc.Iterator[tuple[str, option.Doc]]:
    docs = [part for part in metadata if isinstance(part, option.Doc)] if one is None else one.doc
    if isinstance(docs, collections.abc.Mapping):
        yield from ((f"{name}.{key}", doc) for key, doc in docs.items())
    else:
        yield from ((name, doc) for doc in (docs if isinstance(docs, list) else [docs]))


def _beside(name: str, one: option.Option[typing.Any] | None) -> str:
    if one is None:
        return "" if name in {kind.value for kind in option.RouteAction} else "all"
    if one.actions == option.EVERY_ACTION:
        return "all"
    return ", ".join(f"`{kind.value}`" for kind in option.RouteAction if kind in one.actions)


def written(text: str) -> str:
    """The document with the rows of today's keys."""
    for heading, (entry, level) in TABLES.items():
        head, start, rest = text.partition(f"\n### {heading}\n")
        section, end, tail = rest.partition("\n### ")
        lines = section.split("\n")
        first = next(index for index, line in enumerate(lines) if line.startswith("|---"))
        last = max(index for index, line in enumerate(lines) if line.startswith("|"))
        section = "\n".join([*lines[: first + 1], *rows(entry, level), *lines[last + 1 :]])
        text = f"{head}{start}{section}{end}{tail}"
    return text


if __name__ == "__main__":
    FILE.write_text(written(FILE.read_text()))
