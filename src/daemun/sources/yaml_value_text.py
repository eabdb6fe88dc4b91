"""A value, as JSON has it, written as YAML: so that it reads the same, whatever text it holds. Pure."""

import re

from daemun.core.texts import words
from daemun.errors import ConfigError
from daemun.sources import yaml_positions, yaml_splice

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9/_.@%+~-]*(?::[A-Za-z0-9/_.@%+~-]+)*\Z")
_QUANTITY = re.compile(r"[0-9]+(?:ms|[smhdw]|[kKmMgG][bB]?)\Z")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
"""Which YAML 1.2 or 1.1 reads as something else than text."""
_ESCAPED = re.compile('["\\\\\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]')
_NAMED = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
MOST_DEPTH = 12
"""Of a value. The file itself may have some levels more (`yaml_positions.MAX_DEPTH`)."""


def make(value: object) -> yaml_splice.Lines | yaml_splice.Verbatim:
    """A map has a line for each key, where the file is written so. Raises: ConfigError for what YAML cannot hold."""
    if isinstance(value, dict) and value:
        _write(value, 0)  # whether it can be
        return tuple(yaml_splice.NewEntry(_key(key), make(one)) for key, one in value.items())
    if isinstance(value, str) and "\n" in value and (lines := _find_lines(value)):
        mark = "|" if value.endswith("\n") else "|-"
        return yaml_splice.Verbatim(flow=_quote(value), mark=mark, lines=lines)
    return yaml_splice.Verbatim(flow=_write(value, 0))


def write(value: object) -> str:
    """As it may stand in a file of its own: a map has a line for each key."""
    made = make(value)
    if isinstance(made, yaml_splice.Verbatim):
        return made.flow if not made.lines else "\n".join(made.lines)
    return "\n".join(line for entry in made for line in entry.block(0, 2))


def make_flow(value: object) -> str:
    """In one line. Raises: ConfigError for what YAML cannot hold."""
    return _write(value, 0)


def read(value: object) -> object:
    """The value as it is read again: with what variables of the environment hold."""
    return yaml_positions.load(f"value: {_write(value, 0)}", is_edited=True).get(("value",))


def _write(value: object, depth: int) -> str:
    if depth > MOST_DEPTH:
        raise ConfigError(f"a value is nested deeper than {MOST_DEPTH} levels")
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quote_key(key)}: {_write(one, depth + 1)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_write(one, depth + 1) for one in value) + "]"
    if isinstance(value, str):
        return value if _is_plain(value) else _quote(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return _number(repr(value))
    raise ConfigError(f"{words.describe(value)} cannot stand in YAML")


def _number(text: str) -> str:
    if len(text) > 40 or not re.fullmatch(r"-?[0-9]+(?:\.[0-9]+)?", text):
        raise ConfigError(f"{words.quoted(text[:40])} is no number that can be written; expected one such as 30 or 2.5")
    return text


def _key(key: object) -> str:
    if not isinstance(key, str) or not key or not key.isprintable():
        raise ConfigError(f"{words.describe(key)} cannot be a key; expected text that can be printed")
    return key


def _quote_key(key: object) -> str:
    return yaml_splice.scalar(_key(key))


def _is_plain(text: str) -> bool:
    is_word = _PLAIN.match(text) is not None or _QUANTITY.match(text) is not None
    return is_word and text.lower() not in _WORDS


def _quote(text: str) -> str:
    """In double quotes (YAML 1.2 section 7.3.1)."""
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise ConfigError("a text holds half a character (a surrogate); write it anew")
    return '"' + _ESCAPED.sub(lambda found: _NAMED.get(found[0]) or f"\\u{ord(found[0]):04x}", text) + '"'


def _find_lines(text: str) -> tuple[str, ...]:
    """Those of a text that can stand as they are below `|`; empty: it cannot."""
    body = text.removesuffix("\n")
    lines = tuple(body.split("\n"))
    is_clean = bool(body) and not body.endswith("\n") and not lines[0].startswith((" ", "\t")) and bool(lines[0])
    return lines if is_clean and all(map(_can_be_literal, lines)) else ()


def _can_be_literal(line: str) -> bool:
    without = line.replace("\t", "")
    return all(sign.isprintable() for sign in without) and line == line.rstrip()
