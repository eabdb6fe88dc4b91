"""What the editor of daemun.yaml completes: the JSON Schema (`daemun schema`) made small. Pure.

    {"root": 0, "nodes": [{"keys": {"sites": ["what is served", 1]}, "any": 2, "values": ["true", "false"]}]}

A node is what may stand at a place: its keys, each with its meaning and the node of its value; `any` is the node behind
a key of any name; `values` are words. What may be several things is one node with all of them, and a list is what is in
it.
"""

import collections.abc
import dataclasses
import json
import typing

Schema = collections.abc.Mapping[str, typing.Any]

Translate = collections.abc.Callable[[str], str]
_DEEPEST = 12
_LONGEST = 400


@dataclasses.dataclass(slots=True)
class _Nodes:
    definitions: Schema
    translate: Translate
    nodes: list[dict[str, typing.Any]] = dataclasses.field(default_factory=list)
    by_name: dict[str, int] = dataclasses.field(default_factory=dict)
    by_text: dict[str, int] = dataclasses.field(default_factory=dict)

    def add(self, schemas: collections.abc.Sequence[Schema], depth: int = 0) -> int:
        """The number of the node for a value that may be any of these."""
        names = sorted(one["$ref"] for one in schemas if "$ref" in one)
        name = names[0] if len(schemas) == 1 and names else ""
        if name in self.by_name:
            return self.by_name[name]
        number = -1
        if name:
            # Definitions may lead back to themselves: the number is known before the node is.
            number = self.by_name[name] = len(self.nodes)
            self.nodes.append({})
        node = self._node(tuple(self._flat(schemas)), depth)
        if name:
            self.nodes[number] = node
            return number
        text = json.dumps(node, sort_keys=True)
        if text not in self.by_text:
            self.by_text[text] = len(self.nodes)
            self.nodes.append(node)
        return self.by_text[text]

    def _node(self, schemas: collections.abc.Sequence[Schema], depth: int) -> dict[str, typing.Any]:
        keys: dict[str, list[Schema]] = {}
        others: list[Schema] = []
        values: dict[str, None] = {}
        for schema in schemas:
            for key, value in schema.get("properties", {}).items():
                keys.setdefault(key, []).append(value)
            more = [schema.get("additionalProperties"), *schema.get("patternProperties", {}).values()]
            others += [one for one in more if isinstance(one, dict) and one]
            values |= dict.fromkeys(_words(schema))
        node: dict[str, typing.Any] = {}
        if keys and depth < _DEEPEST:
            node["keys"] = {
                key: [_meaning(found, self.translate), self.add(found, depth + 1)] for key, found in keys.items()
            }
        if others and depth < _DEEPEST:
            node["any"] = self.add(others, depth + 1)
        if values:
            node["values"] = list(values)
        return node

    def _flat(self, schemas: collections.abc.Iterable[Schema], depth: int = 0) -> collections.abc.Iterator[Schema]:
        """With what they refer to, their alternatives, and what is in lists."""
        if depth > _DEEPEST:
            return
        for schema in schemas:
            yield schema
            further = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]
            if "$ref" in schema:
                further.append(self.definitions[schema["$ref"].rpartition("/")[2]])
            if isinstance(schema.get("items"), dict):
                further.append(schema["items"])
            yield from self._flat(further, depth + 1)


def reduce_schema(schema: Schema, translate: Translate = str) -> dict[str, typing.Any]:
    """translate: of descriptions. Raises: KeyError when it refers to a definition that it lacks."""
    nodes = _Nodes(definitions=schema.get("$defs", {}), translate=translate)
    root = nodes.add([schema])
    return {"root": root, "nodes": nodes.nodes}


def _words(schema: Schema) -> collections.abc.Iterator[str]:
    for value in (*schema.get("enum", ()), *([schema["const"]] if "const" in schema else ())):
        if isinstance(value, str | int | bool):
            yield value if isinstance(value, str) else json.dumps(value)
    kind = schema.get("type")
    if kind == "boolean" or (isinstance(kind, list) and "boolean" in kind):
        yield from ("true", "false")


def _meaning(schemas: collections.abc.Sequence[Schema], translate: Translate) -> str:
    found = translate(next((str(one["description"]) for one in schemas if one.get("description")), ""))
    return found if len(found) <= _LONGEST else f"{found[: _LONGEST - 1]}…"
