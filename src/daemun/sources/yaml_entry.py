"""What every map of daemun.yaml is made of: known keys, and the words and short forms of their values."""

import collections.abc
import enum
import typing

import pydantic

from daemun.core import model, other_tools, short_texts, words


class OptionMap(pydantic.BaseModel):
    """A map with known keys. Values are taken as written: "2" is not 2."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)
    shape: typing.ClassVar[str] = "a map (`key: value` lines)"
    """What can stand there, in words."""


def _listed(value: object) -> object:
    """One thing is a list of one."""
    return value if isinstance(value, list) else [value]


ONE_OR_MORE = pydantic.BeforeValidator(_listed)


def text(parse: collections.abc.Callable[[str], object]) -> collections.abc.Callable[[object], object]:
    """A parser of text that says so when it is given something else."""

    def checked(value: object) -> object:
        if isinstance(value, str):
            return parse(value)
        raise ValueError(f"expected text, found {words.describe(value)}")

    return checked


def hint(value: object, known: collections.abc.Iterable[str]) -> str:
    """What was meant by a value that is none of the known words: in another tool's words, or by a slip."""
    word = str(value).lower() if isinstance(value, bool | str) else ""
    here = other_tools.find_word(word)
    every = list(known)
    if here in every and words.nearest(word, every) is None:
        return f"; write {words.quoted(here)}"
    return words.guess(word, every) if word else ""


def choice(kind: type[enum.Enum], *also: str) -> pydantic.BeforeValidator:
    """A word of an enumeration; `false` is "off", as YAML 1.1 reads it. also: what else could stand here."""

    def parse(value: object) -> object:
        word = "off" if value is False else value
        known = [member.value for member in kind]
        if isinstance(word, str) and word in known:
            return kind(word)
        raise ValueError(f"expected {words.listed([*known, *also])}, found {words.describe(value)}{hint(value, known)}")

    return pydantic.BeforeValidator(parse)


def _secret(value: object) -> object:
    """A text, or where it is: {env: NAME} or {file: PATH}. What was found is not told: it may be half a secret."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str) and value:
        return model.Secret(text=value)
    if isinstance(value, dict) and len(value) == 1:
        (where, what), *_ = value.items()
        if where in {"env", "file"} and isinstance(what, str) and what:
            return model.Secret(variable=what) if where == "env" else model.Secret(file=what)
    raise ValueError("expected text, or where it is: {env: NAME} or {file: PATH}")


Secret = typing.Annotated[pydantic.InstanceOf[model.Secret], pydantic.BeforeValidator(_secret)]
"""A file's path is as written: `yaml_context` makes it absolute."""


def _size(value: object) -> object:
    return 0 if value is False or value == "off" else short_texts.parse_size(value)


def _compress(value: object) -> object:
    """A label has its types in one text."""
    if isinstance(value, bool):
        return model.Compress(is_on=value)
    types = value.replace(",", " ").split() if isinstance(value, str) else value
    if isinstance(types, list) and types and all(isinstance(one, str) for one in types):
        return model.Compress(types=tuple(types))
    raise ValueError(f"expected true, false or a list of types such as [text/css], found {words.describe(value)}")


Compress = typing.Annotated[pydantic.InstanceOf[model.Compress], pydantic.BeforeValidator(_compress)]
Duration = typing.Annotated[float, pydantic.BeforeValidator(short_texts.parse_duration)]
Size = typing.Annotated[int, pydantic.BeforeValidator(_size)]
Host = typing.Annotated[str, pydantic.BeforeValidator(text(short_texts.parse_host))]
