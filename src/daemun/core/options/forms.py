"""How values of options are written: types with pydantic's annotations, which read YAML and describe themselves.

Values are taken as written: "2" is not 2. Each parser raises ValueError with what was expected and found.
"""

import collections.abc
import dataclasses
import enum
import json
import posixpath
import re
import typing

import pydantic
import pydantic.json_schema
import pydantic_core

from daemun.core import model, value_parsers
from daemun.core.texts import other_tools, words

Json = dict[str, typing.Any]


class OptionMap:
    """A map with known keys. A dataclass that derives from it can stand in a form; `pydantic.Field(alias=...)` names a
    key that is called otherwise than the field."""

    __slots__ = ()
    __pydantic_config__: typing.ClassVar[pydantic.ConfigDict] = pydantic.ConfigDict(extra="forbid")
    shape: typing.ClassVar[str] = "a map (`key: value` lines)"
    """What can stand there, in words."""
    meanings: typing.ClassVar[collections.abc.Mapping[str, str]] = {}
    """What each key means, for editors."""
    file_only: typing.ClassVar[frozenset[str]] = frozenset()
    """Keys that no label may set."""
    texts: typing.ClassVar[frozenset[str]] = frozenset()
    """Keys whose labels are texts, also where they look like a number."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: pydantic_core.CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> pydantic.json_schema.JsonSchemaValue:
        return describe_keys(handler(schema), handler, cls.meanings)


def describe_keys(
    schema: pydantic.json_schema.JsonSchemaValue,
    handler: pydantic.GetJsonSchemaHandler,
    meanings: collections.abc.Mapping[str, str],
) -> pydantic.json_schema.JsonSchemaValue:
    """The JSON Schema of a map, with the meaning of each key beside its form."""
    properties = handler.resolve_ref_schema(schema)["properties"]
    for key in properties.keys() & meanings.keys():
        properties[key]["description"] = meanings[key]
    return schema


class Also:
    """Short forms of a value, for the JSON Schema: what a parser before it accepts besides."""

    def __init__(self, *short: Json) -> None:
        self._short = short

    def __get_pydantic_json_schema__(
        self, schema: pydantic_core.CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> pydantic.json_schema.JsonSchemaValue:
        return {"anyOf": [*self._short, handler(schema)]}


class OneOrMore:
    """One thing is a list of one."""

    def __get_pydantic_core_schema__(
        self, source: object, handler: pydantic.GetCoreSchemaHandler
    ) -> pydantic_core.CoreSchema:
        return pydantic_core.core_schema.no_info_before_validator_function(_listed, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: pydantic_core.CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> pydantic.json_schema.JsonSchemaValue:
        every = handler.resolve_ref_schema(handler(schema))
        return {"anyOf": [every["items"], every]}


class FurtherKeys:
    """A map that has one field for all the keys that it does not know; this one is no key of its own."""

    def __init__(self, field: str) -> None:
        self.field = field

    def __get_pydantic_core_schema__(
        self, source: type[OptionMap], handler: pydantic.GetCoreSchemaHandler
    ) -> pydantic_core.CoreSchema:
        fields = keys(source).keys() - {self.field}

        def gather(value: object) -> object:
            if not isinstance(value, dict):
                return value
            further = {key: one for key, one in value.items() if key not in fields}
            return {key: one for key, one in value.items() if key in fields} | {self.field: further}

        return pydantic_core.core_schema.no_info_before_validator_function(gather, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: pydantic_core.CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> pydantic.json_schema.JsonSchemaValue:
        whole = handler(schema)
        own = handler.resolve_ref_schema(whole)
        if self.field in own["properties"]:
            own["additionalProperties"] = own["properties"].pop(self.field)["additionalProperties"]
        return whole


class Hashes:
    """Marks a form whose values are hashes of passwords: no texts that may be kept elsewhere."""


HASHES = Hashes()

TEXT: Json = {"type": "string"}
NUMBER: Json = {"type": "number"}
FLAG: Json = {"type": "boolean"}


def is_(value: object) -> Json:
    return {"const": value}


# --- parsers ---------------------------------------------------------------------------------------------------


def parse_text(parse: collections.abc.Callable[[str], object]) -> collections.abc.Callable[[object], object]:
    """A parser of text, which reports it when it gets something else."""

    def checked(value: object) -> object:
        if isinstance(value, str):
            return parse(value)
        raise ValueError(f"expected text, found {words.describe(value)}")

    return checked


_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,2})?)\s*%\Z")


def share(of: str) -> tuple[pydantic.BeforeValidator, pydantic.WithJsonSchema]:
    """A part of something, "2.5%", as an int in hundredths of a percent. of: what of, with an example, for messages."""

    def parse(value: object) -> object:
        match = _PERCENT.match(value.strip()) if isinstance(value, str) else None
        if match is None:
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            meant = f"{value * 100 if value < 1 else value:g}%" if is_number else None  # type: ignore[operator]
            hint = f"; write {meant}" if meant is not None and _PERCENT.match(meant) else ""
            raise ValueError(f"expected a share of the {of}, found {words.describe(value)}{hint}")
        return round(float(match[1]) * 100)

    schema: Json = {"type": "string", "pattern": r"^\s*[0-9]{1,3}(\.[0-9]{1,2})?\s*%\s*$"}
    return pydantic.BeforeValidator(parse), pydantic.WithJsonSchema(schema)


def hint_flag(value: object) -> str:
    """What YAML 1.1 read as true or false, and YAML 1.2 does not."""
    meant = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
    found = meant.get(value.strip().lower()) if isinstance(value, str) else None
    return "" if found is None else f"; write {found}"


def written(value: object) -> str:
    """A text or a number as it can stand in braces of YAML."""
    text = str(value)
    return text if re.fullmatch(r"[A-Za-z0-9][\w./@-]*", text) else json.dumps(text, ensure_ascii=False)


def written_list(values: collections.abc.Iterable[object]) -> str:
    return f"[{', '.join(map(written, values))}]"


def hint(value: object, choices: collections.abc.Iterable[str]) -> str:
    """What was meant by a value that is none of the known words: in another tool's words, or by a slip."""
    word = str(value).lower() if isinstance(value, bool | str) else ""
    here = other_tools.find_word(word)
    every = list(choices)
    if here in every and words.nearest(word, every) is None:
        return f"; write {words.quoted(here)}"
    return words.guess(word, every) if word else ""


def _listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


def choice(kind: type[enum.Enum], *also: str) -> pydantic.BeforeValidator:
    """A word of an enumeration; `false` is "off", as YAML 1.1 reads it. also: what else could stand here."""

    def parse(value: object) -> object:
        word = "off" if value is False else value
        choices = [member.value for member in kind]
        if isinstance(word, str) and word in choices:
            return kind(word)
        raise ValueError(
            f"expected {words.listed([*choices, *also])}, found {words.describe(value)}{hint(value, choices)}"
        )

    return pydantic.BeforeValidator(parse)


def absolute(path: str, info: pydantic.ValidationInfo) -> str:
    """A path as written, from the folder of the file that is read (`read_part`)."""
    folder = (info.context or {}).get("folder")
    return posixpath.normpath(posixpath.join(folder, path)) if folder and path else path


_PLACE_OF_SECRET = re.compile(r"file:(?!:)\s*(?P<path>[^\n]*?)\s*|env:\s*(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*")
"""Not `file::`, which DNS providers' own words begin with."""


_VARIABLE_AS_SECRET = re.compile(
    r"\$([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)|\{(?:\$|env\.)([A-Za-z_]\w*)\}|%([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)%"
    r"|\{\{\s*(?:env\s+)?[\"']?\.?(?:Env\.)?([A-Za-z_]\w*)[\"']?\s*\}\}"
)
"""$CF_API_TOKEN of a shell, {env.X} and {$X} of Caddy, {{ env "X" }} of Traefik, %CF_API_TOKEN% of Windows."""


def _secret(value: object, info: pydantic.ValidationInfo) -> object:
    """A text, or where it is: {env: NAME} or {file: PATH}, also as one text. What was found is left out of the message:
    it may be half a secret."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str) and (place := _PLACE_OF_SECRET.fullmatch(value)) is not None:
        value = {"env": place["name"]} if place["name"] is not None else {"file": place["path"]}
    if isinstance(value, str) and value:
        if (variable := _VARIABLE_AS_SECRET.fullmatch(value.strip())) is not None:
            name = next(filter(None, variable.groups()))
            raise ValueError(
                f"is a variable in another tool's words, and would be taken for the secret; write env:{name}"
            )
        return model.Secret(text=value)
    if isinstance(value, dict) and len(value) == 1:
        (where, what), *_ = value.items()
        if where in {"env", "file"} and isinstance(what, str) and what:
            return model.Secret(variable=what) if where == "env" else model.Secret(file=absolute(what, info))
    raise ValueError("expected text, or where it is: {env: NAME} or {file: PATH}")


_PATH_AS_SECRET = re.compile(r"(?:\.{1,2}|~)/[\w./-]+|(?:/[a-z0-9_.-]+){2,}|[\w-]+\.(?:key|txt|secret|token|pem)")


def hint_path(secret: model.Secret) -> str | None:
    """What is most likely wrong with a secret that is written as it is: it is the path of a file. None: it is none."""
    if secret.text is None or not _PATH_AS_SECRET.fullmatch(secret.text):
        return None
    return f"looks like a path, and is taken for the secret itself; write {{file: {secret.text}}}"


def _size(value: object) -> object:
    return 0 if value is False or value == "off" else value_parsers.parse_size(value)


# --- types -----------------------------------------------------------------------------------------------------

ONE_OR_MORE = OneOrMore()

Flag = typing.Annotated[bool, pydantic.Strict()]
Number = typing.Annotated[int, pydantic.Strict()]
Text = typing.Annotated[str, pydantic.Strict()]
DURATION: Json = {"anyOf": [NUMBER, {"type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*(ms|s|m|h|d|w)\s*$"}]}
Duration = typing.Annotated[
    float, pydantic.BeforeValidator(value_parsers.parse_duration), pydantic.WithJsonSchema(DURATION)
]
Size = typing.Annotated[
    int,
    pydantic.BeforeValidator(_size),
    pydantic.WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer"},
                is_(False),
                {"type": "string", "pattern": r"^\s*([0-9]{1,18}\s*([kKmMgGtT]?[bB]?)|off)\s*$"},
            ]
        }
    ),
]
Texts = typing.Annotated[tuple[Text, ...], pydantic.Strict(strict=False)]
Host = typing.Annotated[str, pydantic.BeforeValidator(parse_text(value_parsers.parse_host))]
Hosts = typing.Annotated[tuple[Host, ...], pydantic.Strict(strict=False), ONE_OR_MORE]
File = typing.Annotated[str, pydantic.Strict(), pydantic.AfterValidator(absolute)]
"""A path of this machine."""
_WHERE: Json = {
    "type": "object",
    "properties": {
        "env": {**TEXT, "description": "the variable of the environment that holds it"},
        "file": {**TEXT, "description": "the file that holds it"},
    },
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
}
SECRET: Json = {"anyOf": [{"type": ["string", "integer"]}, _WHERE]}
Secret = typing.Annotated[
    pydantic.InstanceOf[model.Secret], pydantic.BeforeValidator(_secret), pydantic.WithJsonSchema(SECRET)
]


# --- what a form is made of ------------------------------------------------------------------------------------


def find_map(form: object) -> type[OptionMap] | None:
    """The map with known keys that can stand where the form is."""
    if isinstance(form, type) and issubclass(form, OptionMap):
        return form
    return next((found for part in typing.get_args(form) if (found := find_map(part)) is not None), None)


def keys(kind: type[OptionMap]) -> dict[str, object]:
    """The keys of a map, and the forms of their values."""
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = dataclasses.fields(typing.cast(typing.Any, kind))
    return {_key(field.name, hints[field.name]): hints[field.name] for field in fields}


def _key(name: str, form: object) -> str:
    found = (one.alias for one in getattr(form, "__metadata__", ()) if isinstance(one, pydantic.fields.FieldInfo))
    return next((alias for alias in found if alias is not None), name)
