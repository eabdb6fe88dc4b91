"""Options by their name, or by what they mean. Pure."""

import dataclasses

from daemun.core.options import catalogue, option


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FoundOption:
    """meaning: without Markdown's links. levels: where it may stand, from the outermost on."""

    name: str
    meaning: str
    levels: tuple[option.Level, ...]


def find(text: str, most: int) -> list[FoundOption]:
    """With all words of a text, in capitals or not: the option of that very name first, then those with it in their
    names, then those that mean it."""
    words = text.lower().replace("-", "_").split()
    found = []
    for one in catalogue.EVERY if words else ():
        meaning, name = _meaning_of(one), one.name.lower()
        if all(word in name or word.replace("_", " ") in meaning.lower() for word in words):
            rank = 0 if [name] == words else 1 if all(word in name for word in words) else 2
            levels = tuple(level for level in option.Level if level in one.levels)
            found.append((rank, one.name, FoundOption(name=one.name, meaning=meaning, levels=levels)))
    return [one for _, _, one in sorted(found, key=lambda item: item[:2])[:most]]


def _meaning_of(one: option.Option[object]) -> str:
    if isinstance(one.doc, option.Doc):
        return one.doc.plain
    return "; ".join(f"{name}: {row.plain}" for name, row in one.doc.items())
