"""Changes the text of a YAML map where it stands, so that every other byte of the file stays as it was. Pure.

ruamel.yaml has where each key and value begins and ends; its own round trip would keep comments but write other
people's spacing, line breaks and flow maps anew. Unusual YAML (aliases, tags, explicit keys) may come out wrong here:
`yaml_edit` reads the result again and refuses what is not exactly what was requested.
"""

import dataclasses
import json
import re

from ruamel import yaml

_PLAIN = re.compile(r"[A-Za-z0-9/_][A-Za-z0-9/_.@%+~-]*(?::[A-Za-z0-9/_.@%+~-]+)*\Z")
_AFTER_KEY = re.compile(r"\s*:(?:[ \t]+\*[^\s,\]}]+)?")

Lines = tuple["NewEntry", ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Verbatim:
    """A value that is YAML already. flow: in one line. lines: of a text that is written below `|`, with its mark."""

    flow: str
    mark: str = "|"
    lines: tuple[str, ...] = ()

    def block(self, indent: int) -> list[str]:
        """What stands behind the key's colon, and the lines below it."""
        if not self.lines:
            return [self.flow]
        return [self.mark, *(f"{' ' * indent}{line}" if line else "" for line in self.lines)]


@dataclasses.dataclass(frozen=True, slots=True)
class NewEntry:
    """A new entry. value: its text, or the entries below it."""

    key: str
    value: str | Lines | Verbatim

    def flow(self) -> str:
        """As in `{key: value}`."""
        if isinstance(self.value, str):
            return f"{scalar(self.key)}: {scalar(self.value)}"
        if isinstance(self.value, Verbatim):
            return f"{scalar(self.key)}: {self.value.flow}"
        return f"{scalar(self.key)}: {flow_map(self.value)}"

    def block(self, indent: int, step: int) -> list[str]:
        """As lines of their own."""
        if isinstance(self.value, Verbatim):
            first, *below = self.value.block(indent + step)
            return [f"{' ' * indent}{scalar(self.key)}: {first}", *below]
        if isinstance(self.value, str) or not self.value:
            return [" " * indent + self.flow()]
        below = [text for line in self.value for text in line.block(indent + step, step)]
        return [f"{' ' * indent}{scalar(self.key)}:", *below]


def flow_map(lines: Lines) -> str:
    return "{" + ", ".join(line.flow() for line in lines) + "}"


def scalar(text: str) -> str:
    """Plain when it reads the same, else in double quotes (JSON's are YAML's)."""
    return text if _PLAIN.match(text) else json.dumps(text, ensure_ascii=False)


@dataclasses.dataclass(frozen=True, slots=True)
class MapEntry:
    """A key and its value, as nodes. owner: the map they stand in."""

    key: yaml.nodes.ScalarNode
    value: yaml.nodes.Node
    owner: yaml.nodes.MappingNode

    @property
    def name(self) -> str:
        return str(self.key.value)


def entries(node: yaml.nodes.Node) -> list[MapEntry]:
    """The entries of a map, as written; none of anything else."""
    if not isinstance(node, yaml.nodes.MappingNode):
        return []
    return [MapEntry(key, value, node) for key, value in node.value if isinstance(key, yaml.nodes.ScalarNode)]


def is_flow(node: yaml.nodes.Node) -> bool:
    """Whether a map or list is written in brackets."""
    return isinstance(node, yaml.nodes.CollectionNode) and bool(node.flow_style)


@dataclasses.dataclass(frozen=True, slots=True)
class SplicedText:
    """A YAML text and where things stand in it. step: by how many columns it indents."""

    text: str
    step: int = 2

    @property
    def newline(self) -> str:
        return "\r\n" if "\r\n" in self.text else "\n"

    def insert(self, holder: MapEntry, line: NewEntry, *, first: bool = False) -> str:
        """A new entry in the map that is holder's value, at its end or before all others."""
        found = entries(holder.value)
        if not found:
            return self.replace(holder, (line,))
        if is_flow(holder.value):
            if first:
                return self._put(found[0].key.start_mark.index, f"{line.flow()}, ")
            return self._put(self._end(found[-1]), f", {line.flow()}")
        indent = found[0].key.start_mark.column
        if first:
            start = self._line_start(found[0].key.start_mark.index)
            return self._put(start, "".join(text + self.newline for text in line.block(indent, self.step)))
        return self._put_lines(self._end(found[-1]), line.block(indent, self.step))

    def append(self, line: NewEntry) -> str:
        """A new entry at the end of a block map that is the whole text (or of a text without any values)."""
        lines = "".join(text + self.newline for text in line.block(0, self.step))
        return self.text + (self.newline if self.text and not self.text.endswith("\n") else "") + lines

    def remove(self, entry: MapEntry, *, holder: MapEntry) -> str:
        """Without an entry of holder's value; a map that loses its last one becomes `{}`."""
        found = entries(holder.value)
        position = next(index for index, other in enumerate(found) if other.key is entry.key)
        start, end = entry.key.start_mark.index, self._end(entry)
        if is_flow(entry.owner):
            if position + 1 < len(found):
                return self._cut(start, found[position + 1].key.start_mark.index)
            return self._cut(self._end(found[position - 1]) if position else start, end)
        cut = self._cut_lines(start, end)
        if len(found) > 1:
            return cut
        colon = self._colon(holder)
        return f"{cut[:colon]} {{}}{cut[colon:]}"

    def replace(self, entry: MapEntry, value: str | Lines | Verbatim) -> str:
        """Another value for an entry. A comment behind the old one stays behind the key."""
        colon, end = self._colon(entry), self._end(entry)
        if isinstance(value, Verbatim):
            if is_flow(entry.owner) or not value.lines:
                return f"{self.text[:colon]} {value.flow}{self.text[end:]}"
            mark, *below = value.block(entry.key.start_mark.column + self.step)
            cut = f"{self.text[:colon]} {mark}{self.text[end:]}"
            return SplicedText(cut, self.step)._put_lines(colon, below)
        if isinstance(value, str):
            return f"{self.text[:colon]} {scalar(value)}{self.text[end:]}"
        if is_flow(entry.owner):
            return f"{self.text[:colon]} {flow_map(value)}{self.text[end:]}"
        indent = entry.key.start_mark.column + self.step
        lines = [text for line in value for text in line.block(indent, self.step)]
        return SplicedText(self._cut(colon, end), self.step)._put_lines(colon, lines)

    def wrap(self, entry: MapEntry, before: NewEntry, key: str) -> str:
        """The entry's value, which is a map, becomes a map of `before` and, under `key`, the old value."""
        found = entries(entry.value)
        if is_flow(entry.value):
            start, end = entry.value.start_mark.index, entry.value.end_mark.index
            return f"{self.text[:start]}{{{before.flow()}, {key}: {self.text[start:end]}}}{self.text[end:]}"
        indent = found[0].key.start_mark.column
        start, end = self._line_start(found[0].key.start_mark.index), self._line_end(self._end(found[-1]))
        deeper = re.sub(r"(?m)^(?=[^\r\n])", " " * self.step, self.text[start:end])
        head = "".join(text + self.newline for text in [*before.block(indent, self.step), f"{' ' * indent}{key}:"])
        return f"{self.text[:start]}{head}{deeper}{self.text[end:]}"

    # --- places ---

    def _colon(self, entry: MapEntry) -> int:
        """Just behind the key's colon."""
        return self.text.index(":", entry.key.end_mark.index) + 1

    def _end(self, entry: MapEntry) -> int:
        """Just behind the last character of the value, comments not counted."""
        value, key_end = entry.value, entry.key.end_mark.index
        is_elsewhere = value.start_mark.index < key_end
        is_nothing = value.start_mark.index == value.end_mark.index
        if is_elsewhere or is_nothing:
            match = _AFTER_KEY.match(self.text, key_end)
            return match.end() if match else key_end
        if isinstance(value, yaml.nodes.ScalarNode):
            end = value.end_mark.index
            return len(self.text[:end].rstrip()) if value.style in {"|", ">"} else end
        if is_flow(value):
            return int(value.end_mark.index)
        if isinstance(value, yaml.nodes.MappingNode):
            return self._end(entries(value)[-1])
        last = value.value[-1]
        return self._end(MapEntry(entry.key, last, entry.owner)) if last.start_mark.index > key_end else key_end

    def _line_start(self, index: int) -> int:
        return self.text.rfind("\n", 0, index) + 1

    def _line_end(self, index: int) -> int:
        """Before the line break."""
        end = self.text.find("\n", index)
        end = len(self.text) if end < 0 else end
        return end - 1 if self.text[index:end].endswith("\r") else end

    # --- changes ---

    def _put(self, index: int, text: str) -> str:
        return self.text[:index] + text + self.text[index:]

    def _put_lines(self, index: int, lines: list[str]) -> str:
        """Below the line that index is in."""
        return self._put(self._line_end(index), "".join(self.newline + line for line in lines))

    def _cut(self, start: int, end: int) -> str:
        return self.text[:start] + self.text[end:]

    def _cut_lines(self, start: int, end: int) -> str:
        """Whole lines, with the line break before them when they are the last ones of a text that ends without one."""
        first, last = self._line_start(start), self._line_end(end)
        if last < len(self.text):
            return self._cut(first, self.text.index("\n", last) + 1)
        return self._cut(len(self.text[:first].removesuffix("\n").removesuffix("\r")), last)
