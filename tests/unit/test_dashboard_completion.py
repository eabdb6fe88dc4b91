"""What the editor completes, out of the real schema."""

import gzip
import json
import pathlib
import typing

from daemun.dashboard import completion

SCHEMA = json.loads((pathlib.Path(__file__).parents[2] / "docs/daemun.schema.json").read_text())


def _follow(found: dict[str, typing.Any], *path: str) -> dict[str, typing.Any]:
    node: dict[str, typing.Any] = found["nodes"][found["root"]]
    for key in path:
        behind = node.get("keys", {}).get(key)
        node = found["nodes"][behind[1] if behind else node["any"]]
    return node


def test_every_place_has_its_keys_and_words() -> None:
    found = completion.reduce_schema(SCHEMA)
    assert {"sites", "listen", "login", "dashboard"} <= _follow(found)["keys"].keys()
    site = _follow(found, "sites", "a.test")
    assert {"routes", "aliases", "hsts", "access"} <= site["keys"].keys()
    assert site["keys"]["hsts"][0] != ""
    assert {"redirect", "serve", "off"} <= set(_follow(found, "sites", "a.test", "http")["values"])
    assert {"true", "false"} <= set(_follow(found, "sites", "a.test", "hsts", "preload")["values"])
    assert {"url", "weight"} <= _follow(found, "sites", "a.test", "routes", "/", "to")["keys"].keys()


def test_it_is_a_small_part_of_the_schema() -> None:
    text = json.dumps(completion.reduce_schema(SCHEMA), separators=(",", ":")).encode()
    assert len(gzip.compress(text)) < 20_000


def test_definitions_that_lead_back_to_themselves_end() -> None:
    itself = {"$ref": "#/$defs/A"}
    values = {"items": {"anyOf": [itself, {"type": "boolean"}]}}
    schema = {**itself, "$defs": {"A": {"properties": {"a": itself, "b": values}}}}
    found = completion.reduce_schema(schema)
    assert _follow(found, "a", "a", "b")["values"] == ["true", "false"]
    assert len(found["nodes"]) < 30


def test_long_meanings_are_cut() -> None:
    found = completion.reduce_schema({"properties": {"a": {"description": "x" * 5000}}})
    assert len(_follow(found)["keys"]["a"][0]) == 400
