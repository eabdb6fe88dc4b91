"""YAML text becomes plain values that know where they were written.

Bounded in size, depth and number of values, so that no file (or alias bomb) takes the daemon down. Keys are always
text, as they were written: `404:` is "404". A problem here is a `YamlFault`, never an exception.
"""

import collections.abc
import dataclasses
import os
import re

from ruamel import yaml

from daemun.core.texts import words
from daemun.sources import yaml_syntax, yaml_variables, yaml_words

MAX_BYTES = 4 << 20
MAX_VALUES = 200_000
"""After aliases are followed."""
MAX_DEPTH = 30

Path = tuple[str | int, ...]
"""Keys and list positions from the top of the file."""

_TAG = "tag:yaml.org,2002:"
_LITERAL_KEYS = frozenset({"nginx"})
"""Where such a text is meant as it is: nginx has variables of its own."""
_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""YAML 1.2 section 5.1, c-printable: everything else cannot stand in a YAML file."""
_INDENTED_OTHERWISE = re.compile("^ *([\xa0\u1680\u2000-\u200b\u202f\u205f\u3000])", re.MULTILINE)
"""YAML 1.2 section 6.1: only plain spaces indent. Others become part of a key."""


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class TextPosition:
    """A place in the file. Both count from 1; columns are characters."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


START = TextPosition(1, 1)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class YamlFault:
    """Something wrong with the file, and where. path: of the value it is in; () when it concerns the whole file."""

    message: str
    mark: TextPosition = START
    path: Path = ()


@dataclasses.dataclass(slots=True, kw_only=True)
class Document:
    """What a file holds.

    value: None, bool, int, float, str, list and dict with str keys; None for a file that cannot be read.
    keys, values: where each key and each value starts. blocks: values written as `|` or `>`, and by how many columns
    their lines are indented. quoted: values in quotes. braces: maps written as `{}`. variables: of the environment,
    that were put in. unset: values that lack one.
    """

    value: object = None
    keys: dict[Path, TextPosition] = dataclasses.field(default_factory=dict)
    values: dict[Path, TextPosition] = dataclasses.field(default_factory=dict)
    blocks: dict[Path, int] = dataclasses.field(default_factory=dict)
    quoted: set[Path] = dataclasses.field(default_factory=set)
    braces: set[Path] = dataclasses.field(default_factory=set)
    faults: list[YamlFault] = dataclasses.field(default_factory=list)
    variables: dict[str, str] = dataclasses.field(default_factory=dict)
    unset: set[Path] = dataclasses.field(default_factory=set)

    def find(self, path: Path) -> Path:
        """The written path that comes nearest: steps that only exist in the long form of what was written are left out.

        ("sites", "a.test", "routes", "/", "to", 0) is ("sites", "a.test") where the file has `a.test: http://x`.
        """
        found: Path = ()
        for step in path:
            if (*found, step) in self.values:
                found = (*found, step)
        return found

    def locate(self, path: Path, *, key: bool = False) -> TextPosition:
        """Where a person should look: the value when it is a plain one, else (or on request) its key."""
        found = self.find(path)
        mark = self.values.get(found, START)
        spans = self.get(found)
        return self.keys.get(found, mark) if key or spans is None or isinstance(spans, dict | list) else mark

    def get(self, path: Path) -> object:
        """The value at a written path. Raises: KeyError or IndexError when there is none."""
        value = self.value
        for step in path:
            assert isinstance(value, dict | list)
            value = value[step]  # type: ignore[index]  # a str into a dict, an int into a list, by construction
        return value

    def text_mark(self, path: Path, line: int, column: int = 1) -> TextPosition:
        """Where a line and a column (from 1) of a text stand; of one in quotes over several lines about there."""
        start = self.values.get(path, START)
        if path in self.blocks:
            return TextPosition(start.line + line, self.blocks[path] + column)
        if line == 1:
            return TextPosition(start.line, start.column + (path in self.quoted) + column - 1)
        return TextPosition(start.line + line - 1, 1)


def load(content: bytes | str, *, is_edited: bool = False, is_literal: bool = False) -> Document:
    """Read a file. Never raises: what is wrong is in `faults`, all duplicate keys at once.

    is_edited: by a command, whose environment may be another than the daemon's: what it lacks is no fault. is_literal:
    for people: variables of the environment stay as they are written.
    """
    document = Document()
    text = decode(content, document.faults)
    if text is None:
        return document
    try:
        node = compose(text)
    except yaml.error.MarkedYAMLError as error:
        (line, column), message = yaml_syntax.explain(error, text)
        document.faults.append(YamlFault(message=message, mark=TextPosition(line, column)))
        return document
    except Exception as error:  # ruamel.yaml answers some malformed texts with errors of its own code
        document.faults.append(YamlFault(message=f"cannot be read as YAML: {words.quoted(str(error))}"))
        return document
    if node is not None:
        _Walk(document, text, is_edited=is_edited, is_literal=is_literal).run(node)
    return document


def decode(content: bytes | str, faults: list[YamlFault]) -> str | None:
    """The text of a file without its byte order mark; None after a fault was added."""
    fault: YamlFault | None = None
    text = content if isinstance(content, str) else ""
    if len(content) > MAX_BYTES:  # of a file, no more than one byte beyond it is read
        fault = YamlFault(message=f"is too large: more than {MAX_BYTES} bytes")
    elif isinstance(content, bytes):
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            fault = YamlFault(message="is UTF-16 text; save it as UTF-8")
        else:
            try:
                text = content.decode("utf-8-sig")
            except UnicodeDecodeError as error:
                mark = _mark_at(content[: error.start].decode("utf-8-sig", errors="replace"))
                byte = content[error.start]
                fault = YamlFault(message=f"is not text: byte 0x{byte:02x} is not UTF-8; expected YAML", mark=mark)
    bad = _UNREADABLE.search(text)
    if fault is None and bad is not None:
        message = f"holds the character U+{ord(bad.group()):04X}, which cannot stand in YAML; is this a binary file?"
        fault = YamlFault(message=message, mark=_mark_at(text[: bad.start()]))
    blank = _INDENTED_OTHERWISE.search(text)
    if fault is None and blank is not None:
        message = (
            f"begins with the character U+{ord(blank.group(1)):04X}, which only looks like a space; "
            "write plain spaces, as text that was copied from a page may have others"
        )
        fault = YamlFault(message=message, mark=_mark_at(text[: blank.start(1)]))
    if fault is not None:
        faults.append(fault)
        return None
    return text.removeprefix("\ufeff")


class _Yaml(yaml.YAML):
    """Without the search for plug-ins in ruamel.yaml's folder, where are none: for a short text it takes longer than
    to read it, and a change of many sites reads as many texts."""

    def official_plug_ins(self) -> list[str]:
        return []


def compose(text: str) -> yaml.nodes.Node | None:
    """The node graph of one document. Raises: yaml.error.MarkedYAMLError, and whatever ruamel.yaml stumbles over."""
    reader = _Yaml(typ="safe", pure=True)
    reader.max_depth = MAX_DEPTH
    reader.composer.warn_double_anchors = False  # a later anchor of the same name wins, as YAML 1.2 requires
    node: yaml.nodes.Node | None = reader.compose(text)
    return node


def _mark(place: yaml.error.StreamMark | None) -> TextPosition:
    return START if place is None else TextPosition(place.line + 1, place.column + 1)


def _mark_at(before: str) -> TextPosition:
    """The place after this text."""
    lines = re.split("\r\n|\r|\n", before)
    return TextPosition(len(lines), len(lines[-1]) + 1)


_Entry = tuple[yaml.nodes.ScalarNode, yaml.nodes.Node]


class _TooMuchError(Exception):
    """Ends a walk through what is too deep or too large."""


class _Walk:
    """Turns nodes into plain values and notes where each came from."""

    def __init__(self, document: Document, text: str, *, is_edited: bool, is_literal: bool = False) -> None:
        self._is_literal = is_literal
        self._document = document
        self._is_edited = is_edited
        self._text = text
        self._constructor = _Yaml(typ="safe", pure=True).constructor
        self._count = 0
        self._put_in = 0

    def run(self, node: yaml.nodes.Node) -> None:
        try:
            self._document.value = self._value(node, ())
        except _TooMuchError as error:
            self._fault(str(error), node, ())
            self._document.value = None

    def _value(self, node: yaml.nodes.Node, path: Path) -> object:
        self._spend()
        if len(path) > MAX_DEPTH:
            raise _TooMuchError(f"is nested deeper than {MAX_DEPTH} levels (or an anchor holds its own alias)")
        self._document.values[path] = _mark(node.start_mark)
        if isinstance(node, yaml.nodes.MappingNode) and _tag(node) == "map":
            return self._mapping(node, path)
        if isinstance(node, yaml.nodes.SequenceNode) and _tag(node) == "seq":
            return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.nodes.ScalarNode):
            return self._scalar(node, path)
        self._unknown_tag(node, path)
        return None

    def _spend(self) -> None:
        self._count += 1
        if self._count > MAX_VALUES:
            raise _TooMuchError(f"holds more than {MAX_VALUES} values after its aliases are followed")

    def _scalar(self, node: yaml.nodes.ScalarNode, path: Path) -> object:
        if node.style in {"|", ">"}:
            self._document.blocks[path] = self._indentation(node)
        elif node.style:
            self._document.quoted.add(path)
        match _tag(node):
            case "str" | "timestamp" | "merge" | "value":
                return self._text_of(node, path)
            case "null" | "bool" | "int" | "float":
                return self._constructed(node, path)
        self._unknown_tag(node, path)
        return None

    def _text_of(self, node: yaml.nodes.ScalarNode, path: Path) -> object:
        """With what variables of the environment hold."""
        text = str(node.value)
        if "${" not in text or self._is_literal or _is_literal(path) or _is_for_anchors(path):
            return text
        expansion = yaml_variables.expand(text, os.environ)
        self._put_in += len(expansion.text)
        if self._put_in > MAX_BYTES:
            raise _TooMuchError(f"is too large with the variables of the environment: more than {MAX_BYTES} characters")
        self._document.variables.update(expansion.used)
        if expansion.causes:
            self._document.unset.add(path)
        for cause in expansion.causes if not self._is_edited else ():
            self._fault(f"{cause}{yaml_variables.hint_group(text, self._text)}", node, path)
        is_typed = expansion.is_complete and not node.style
        return yaml_variables.parse_plain(expansion.text) if is_typed else expansion.text

    def _check_key(self, node: yaml.nodes.ScalarNode, path: Path) -> None:
        """What compose files replace by a variable of the environment would stay as it is here, without a word."""
        found = yaml_variables.find(str(node.value))
        if found is not None and not _is_literal(path) and not _is_for_anchors(path):
            cause = f"{words.quoted(found)}: variables of the environment are not read in keys"
            self._fault(f"{cause}; write the key itself", node, path)

    def _indentation(self, node: yaml.nodes.ScalarNode) -> int:
        """Of the lines of a block: that of its first line with anything in it, but for blanks that are its own."""
        first = next((line for line in str(node.value).split("\n") if line.strip()), "")
        begin = self._text.find("\n", node.start_mark.index) + 1
        written = next((line for line in self._text[begin : node.end_mark.index].split("\n") if line.strip()), "")
        return max(0, len(written) - len(written.lstrip(" ")) - (len(first) - len(first.lstrip(" "))))

    def _constructed(self, node: yaml.nodes.ScalarNode, path: Path) -> object:
        try:
            value: object = self._constructor.construct_object(node)
        except (ValueError, KeyError, OverflowError):
            kind = _tag(node)
            self._fault(
                f"{words.quoted(str(node.value))} is not a value of type {kind}; put text in quotes", node, path
            )
            return None
        return value

    def _unknown_tag(self, node: yaml.nodes.Node, path: Path) -> None:
        self._fault(f"tag {words.quoted(str(node.tag).replace(_TAG, '!!'))} has no meaning here; remove it", node, path)

    def _mapping(self, node: yaml.nodes.MappingNode, path: Path) -> dict[str, object]:
        """Own keys win over merged ones (`<<`), whatever their order."""
        found: dict[str, object] = {}
        if node.flow_style:
            self._document.braces.add(path)
        for key, value in self._own_entries(node, path):
            name = str(key.value)
            here = (*path, name)
            if name in found:
                first = self._document.keys[here]
                where = f"{yaml_words.label(path)}: " if path else ""
                cause = f"duplicate key {words.quoted(name)}: it is already given on line {first.line}"
                self._fault(f"{where}{cause}", key, here)
                continue
            self._document.keys[here] = _mark(key.start_mark)
            self._check_key(key, here)
            found[name] = self._value(value, here)
        for key, value in self._merged_entries(node, path, depth=0):
            name = str(key.value)
            if name not in found:
                self._document.keys[(*path, name)] = _mark(key.start_mark)
                self._check_key(key, (*path, name))
                found[name] = self._value(value, (*path, name))
        return found

    def _own_entries(self, node: yaml.nodes.MappingNode, path: Path) -> collections.abc.Iterator[_Entry]:
        for key, value in node.value:
            if not isinstance(key, yaml.nodes.ScalarNode):
                self._fault("a key must be text, not a list or a map", key, path)
            elif _tag(key) != "merge":
                yield key, value

    def _merged_entries(
        self, node: yaml.nodes.MappingNode, path: Path, *, depth: int
    ) -> collections.abc.Iterator[_Entry]:
        """The entries that `<<` brings, nearest first."""
        if depth > MAX_DEPTH:
            raise _TooMuchError("merges (<<) a map into itself")
        for key, value in node.value:
            if not isinstance(key, yaml.nodes.ScalarNode) or _tag(key) != "merge":
                continue
            for source in value.value if isinstance(value, yaml.nodes.SequenceNode) else [value]:
                self._spend()
                if not isinstance(source, yaml.nodes.MappingNode):
                    self._fault('"<<" merges maps only; expected an alias of a map', value, path)
                    continue
                for merged_key, merged_value in source.value:
                    self._spend()
                    if _is_plain_key(merged_key):
                        yield merged_key, merged_value
                yield from self._merged_entries(source, path, depth=depth + 1)

    def _fault(self, message: str, node: yaml.nodes.Node, path: Path) -> None:
        self._document.faults.append(YamlFault(message=message, mark=_mark(node.start_mark), path=path))


def _tag(node: yaml.nodes.Node) -> str:
    return str(node.tag).removeprefix(_TAG)


def _is_literal(path: Path) -> bool:
    """Whether a text may be meant as it is. A site may have the name of a key."""
    below = path[2:] if path[:1] == ("sites",) else path
    return not _LITERAL_KEYS.isdisjoint(below)


def _is_for_anchors(path: Path) -> bool:
    """Whether it is below a key for anchors (`x-...`), which is read only where an alias names it."""
    return bool(path) and str(path[0]).startswith("x-")


def _is_plain_key(key: yaml.nodes.Node) -> bool:
    return isinstance(key, yaml.nodes.ScalarNode) and _tag(key) != "merge"
