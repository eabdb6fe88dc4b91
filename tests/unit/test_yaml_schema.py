"""The JSON Schema takes what daemun takes, and refuses what a schema can refuse."""

import collections.abc
import json
import pathlib
import re

import jsonschema
import pytest
from ruamel import yaml

from daemun.sources import yaml_positions, yaml_schema, yaml_top
from tests.unit import test_yaml_file

ROOT = pathlib.Path(__file__).parents[2]
SCHEMA = yaml_schema.make_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
DOCUMENTS = [ROOT / "README.md", ROOT / "README.ko.md", *sorted((ROOT / "docs").glob("*.md"))]
SNIPPETS = [
    pytest.param(text, id=f"{document.name}:{number}")
    for document in DOCUMENTS
    for number, text in enumerate(re.findall(r"```yaml\n(.*?)```", document.read_text(), re.DOTALL))
]
EXAMPLES = sorted(path for path in (ROOT / "examples").rglob("*.yaml") if "\nsites:" in path.read_text())

NOT_FOR_A_SCHEMA = (
    "listen.http: is empty",
    "expected either `site` or `redirect`",
    '"a.test" is not a site',
    "has no scheme",
    "write `http: serve`",
    "write `tls: local`",
    "it would close the block",
    "is not a host name",
)
"""Problems of several keys together, of hand-written nginx, and of what texts mean."""


def errors(content: str | bytes) -> list[str]:
    document = yaml_positions.load(content)
    assert not document.faults
    return [error.message for error in VALIDATOR.iter_errors(document.value)]


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_file_that_is_shipped_is_that_of_today() -> None:
    """`daemun schema > docs/daemun.schema.json`."""
    assert json.loads((ROOT / "docs" / "daemun.schema.json").read_text()) == SCHEMA


@pytest.mark.parametrize("text", SNIPPETS)
def test_it_takes_what_is_documented(text: str) -> None:
    value = yaml_positions.load(text).value
    if not isinstance(value, dict) or not value.keys() & yaml_top.FILE.model_fields.keys():
        return  # not a daemun.yaml: a compose file, or a part of a site
    assert [error.message for error in VALIDATOR.iter_errors({"sites": {}, **value})] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_it_takes_every_example_which_names_it(path: pathlib.Path) -> None:
    text = path.read_text()
    assert errors(text) == []
    named = text.splitlines()[0].partition("$schema=")[2]
    assert (path.parent / named).resolve() == ROOT / "docs" / "daemun.schema.json"


@pytest.mark.parametrize(("content", "words"), test_yaml_file.BAD_FILES)
def test_it_refuses_bad_files(content: bytes, words: str) -> None:
    if yaml_positions.load(content).faults:
        return  # not even YAML
    assert bool(errors(content)) is not any(part in words for part in NOT_FOR_A_SCHEMA)


@pytest.mark.parametrize("name", ["x-usual", "x-"])
def test_keys_of_the_owner_are_left_alone(name: str) -> None:
    assert errors(f"{name}: {{anything: 1}}\nsites: {{}}\n") == []


def _keys(value: object, path: str = "") -> collections.abc.Iterator[tuple[str, object]]:
    if isinstance(value, list):
        for one in value:
            yield from _keys(one, path)
    elif isinstance(value, dict):
        for name, one in value.get("properties", {}).items():
            yield f"{path}/{name}", one
            yield from _keys(one, f"{path}/{name}")
        for name, one in value.items():
            if name == "$defs":
                for kind, definition in one.items():
                    yield from _keys(definition, kind)
            elif name != "properties":
                yield from _keys(one, path)


def test_each_key_has_a_description() -> None:
    """Editors show it beside the key."""
    every = list(_keys(SCHEMA))
    assert len(every) > 100
    assert [path for path, one in every if not (isinstance(one, dict) and one.get("description"))] == []


@pytest.mark.parametrize(
    ("text", "is_free"),
    [
        ("workers: %s", False),
        ("listen: {http: %s, https: [8443, '127.0.0.1:%s']}", True),
        ("bans: %s", False),
        ("compress: %s", True),
        ("alerts: {smtp: {server: a, from: b@c.test, to: d@e.test, port: %s, security: %s}}", False),
        ("sites: {a.test: {enabled: %s, tls: %s, listen: {https: %s}, routes: {/: http://a}}}", False),
        ("sites: {a.test: {/: {to: http://a, timeout: %s, max_body: %s, retries: %s, hold: %s}}}", False),
        (
            "sites: {a.test: {/: {redirect: https://b.test, status: %s}, /x: {to: [{url: http://a, weight: %s}]}}}",
            False,
        ),
        ("access: {rate_limit: %s, connections: %s}", False),
    ],
)
def test_variables_stand_for_numbers_and_words(text: str, *, is_free: bool) -> None:
    """As an editor reads the text, which knows of no environment. is_free: any text can stand there."""
    text = text if text.startswith("sites") else f"{text}\nsites: {{}}"
    text = text.replace("'127.0.0.1:%s'", "'127.0.0.1:${N}'")
    reader = yaml.YAML(typ="safe", pure=True)
    for value in ("${N}", "${MY_NAME:-12}"):
        written = reader.load(text.replace("%s", f'"{value}"'))
        assert [error.message for error in VALIDATOR.iter_errors(written)] == []
    for wrong in ("${n}", "$N", "x ${N") if not is_free else ():
        assert list(VALIDATOR.iter_errors(reader.load(text.replace("%s", f'"{wrong}"')))) != []
