"""What can be set where in daemun.yaml, for forms: every key of the gate, a site and a route with what it means, made
of the declarations with which the file is read; and what somebody wrote into such a form, as a value. Pure.
"""

import collections.abc
import enum
import functools
import re
import typing

from daemun.core.options import catalogue, option, secret_fields
from daemun.core.texts import words
from daemun.errors import ConfigError
from daemun.sources import yaml_entry, yaml_include, yaml_positions, yaml_route, yaml_set, yaml_site, yaml_top

Json = dict[str, typing.Any]

_KINDS: dict[option.Level, type[yaml_entry.YamlEntry]] = {
    option.Level.GATE: yaml_top.FILE,
    option.Level.SITE: yaml_site.SITE,
    option.Level.ROUTE: yaml_route.ROUTE,
}
_WITHOUT_FORM = frozenset({"sites", yaml_include.KEY, "routes"})
_MOST_DEPTH = 3
_LONGEST_YAML = 100_000
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,9})?")
UNSET = yaml_set.UNSET


class Control(enum.Enum):
    """FLAG: true or false. CHOICE: one of some words. TEXT: a text or a number, of one line. LINES: texts, one a line.
    SNIPPET: a text of several lines. YAML: what has a form of its own, written as in the file."""

    FLAG = "flag"
    CHOICE = "choice"
    TEXT = "text"
    LINES = "lines"
    SNIPPET = "snippet"
    YAML = "yaml"


@functools.cache
def list_fields(level: option.Level) -> tuple[Json, ...]:
    """In the order of the documentation. key, help, kind (what may be written), default, in words; levels: where else
    it may stand; beside: what a route must lead to for it; control (`Control`), choices, number (whether one is good
    for it), keys of a map (key, help), holds_secret."""
    schema = _KINDS[level].model_json_schema()
    definitions = schema.get("$defs", {})
    return tuple(
        _describe(key, schema["properties"][key], definitions, level)
        for key in _KINDS[level].model_fields
        if key not in _WITHOUT_FORM
    )


def _describe(key: str, schema: Json, definitions: Json, level: option.Level) -> Json:
    info = _KINDS[level].model_fields[key]
    one = catalogue.BY_NAME.get(key)
    is_option = one is not None and level in one.levels
    doc = next((mark for mark in info.metadata if isinstance(mark, option.Doc)), None)
    rows = dict(one.doc) if one is not None and is_option and not isinstance(one.doc, option.Doc) else {}
    found = _Alternatives(definitions)
    found.add(schema)
    secret = secret_fields.find_all().get(key) if is_option else None
    return {
        "key": key,
        "help": doc.plain if doc is not None else "; ".join(f"{name}: {row.plain}" for name, row in rows.items()),
        "kind": doc.kind if doc is not None else "map",
        "default": doc.default
        if doc is not None
        else "; ".join(f"{name}: {row.default}" for name, row in rows.items()),
        "levels": [at.value for at in option.Level if at in one.levels]
        if one is not None and is_option
        else [level.value],
        "beside": [kind.value for kind in option.RouteAction if one is not None and is_option and kind in one.actions]
        if level is option.Level.ROUTE and is_option
        else [],
        "control": (Control.SNIPPET if key == "nginx" else found.control).value,
        "choices": found.words,
        "number": found.takes_number,
        "keys": [
            {"key": name, "help": rows[name].plain if name in rows else help_} for name, help_ in found.keys.items()
        ],
        "holds_secret": secret is not None and secret.holds_any,
    }


class _Alternatives:
    """What a JSON Schema lets stand there."""

    def __init__(self, definitions: Json) -> None:
        self._definitions = definitions
        self.choices: list[str | bool | int] = []
        self.keys: dict[str, str] = {}
        self._types: set[str] = set()
        self._is_nested = False

    @property
    def takes_number(self) -> bool:
        return bool(self._types & {"integer", "number"})

    @property
    def words(self) -> list[str | bool | int]:
        """`false` beside words stands for "off", as YAML 1.1 reads it."""
        is_flag = any(one is True for one in self.choices)
        return [one for one in self.choices if is_flag or one is not False]

    @property
    def control(self) -> Control:
        if self._is_nested or "object" in self._types:
            return Control.YAML
        if "array" in self._types:
            return Control.LINES if not self.choices and self._types <= {"array", "string"} else Control.YAML
        if self._types:
            return Control.TEXT
        return Control.FLAG if set(self.choices) == {True, False} else Control.CHOICE

    def add(self, schema: Json, depth: int = 0) -> None:
        if depth > _MOST_DEPTH * 2:
            self._is_nested = True
            return
        if "$ref" in schema:
            self.add(self._definitions[schema["$ref"].rpartition("/")[2]], depth + 1)
            return
        for kind in ("anyOf", "oneOf"):
            for one in schema.get(kind, ()):
                self.add(one, depth + 1)
        words = [schema["const"]] if "const" in schema else schema.get("enum", [])
        if words:
            self._add_choices(words)
            return
        types = schema.get("type", [])
        for name in [types] if isinstance(types, str) else types:
            self._add_type(name, schema)

    def _add_choices(self, words: collections.abc.Iterable[str | bool | int]) -> None:
        self.choices += [
            word
            for word in words
            if not any(word is one or (word == one and type(word) is type(one)) for one in self.choices)
        ]

    def _add_type(self, name: str, schema: Json) -> None:
        if name == "boolean":
            self._add_choices([True, False])
        elif name == "object":
            self._types.add(name)
            self.keys |= {
                key: self._help_of(one) for key, one in schema.get("properties", {}).items() if key not in self.keys
            }
        elif name == "array":
            items = schema.get("items", {})
            self._is_nested = self._is_nested or items.get("type") != "string"
            self._types.add(name)
        elif name != "null":
            self._types.add(name)

    def _help_of(self, schema: Json) -> str:
        return str(schema.get("description", ""))


def read_input(level: option.Level, key: str, text: str) -> object:
    """The value that somebody wrote into the form of a key; UNSET for an empty one. Raises: ConfigError."""
    field = next((one for one in list_fields(level) if one["key"] == key), None)
    text = text.replace("\r\n", "\n")
    if not text.strip() or field is None:
        return UNSET if field is not None else text
    match Control(field["control"]):
        case Control.SNIPPET:
            return text
        case Control.LINES:
            return [line.strip() for line in text.split("\n") if line.strip()]
        case Control.YAML:
            return _read_yaml(key, text)
        case _:
            return _read_word(field, text.strip())


def _read_word(field: Json, word: str) -> object:
    known = {_word(one): one for one in field["choices"]}
    if word in known:
        return known[word]
    if field["number"] and _NUMBER.fullmatch(word):
        return float(word) if "." in word else int(word)
    return word


def _word(choice: str | bool | int) -> str:
    return str(choice).lower() if isinstance(choice, bool) else str(choice)


def _read_yaml(key: str, text: str) -> object:
    """Variables of the environment stay as they are written."""
    if len(text) > _LONGEST_YAML:
        raise ConfigError(
            f"cannot read {words.quoted(key)}: it has more than {_LONGEST_YAML} characters; edit the text"
        )
    document = yaml_positions.load(text, is_literal=True)
    if document.faults:
        fault = document.faults[0]
        raise ConfigError(f"cannot read {words.quoted(key)}: line {fault.mark.line}: {fault.message}")
    return UNSET if document.value is None else document.value
