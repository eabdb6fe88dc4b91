"""Variables of the environment in values of daemun.yaml: `${NAME}`, `${NAME:-default}`; `$${NAME}` is the text itself.

They are put in after YAML was read, into single values, so that no variable adds a key or changes what the file is made
of. Names are of capitals, as compose files have them: `${host}` is nginx's.
"""

import collections.abc
import dataclasses
import re

from daemun.core.texts import words

MAX_CHARACTERS = 65_536
"""Of one variable."""
_WRITTEN = re.compile(r"\$(?P<is_text>\$)?\{(?P<name>[A-Z_][A-Z0-9_]*)(?P<rest>(?:[:?+=-][^}]*)?)\}")
_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\Z")
_LEAST_HIDDEN = 4
"""Characters. Shorter values are ports and the like, which would be found in every message."""
_TELLING = 12
"""Characters by which the beginning of a value is known, of which a message shows a part (`words.quoted`)."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """text: with what the variables hold. used: their values, by their names. causes: why some have none. is_complete:
    whether the text was a single variable."""

    text: str
    used: collections.abc.Mapping[str, str]
    causes: tuple[str, ...]
    is_complete: bool


def find(text: str) -> str | None:
    """The first variable in a text, as it is written."""
    found = next((one for one in _WRITTEN.finditer(text) if not one["is_text"]), None) if "${" in text else None
    return None if found is None else found.group()


def find_names(text: str) -> frozenset[str]:
    """Of all variables in a text, comments among it."""
    return frozenset(one["name"] for one in _WRITTEN.finditer(text) if not one["is_text"])


def expand(text: str, environ: collections.abc.Mapping[str, str]) -> Expansion:
    """What cannot be put in stays as it is written."""
    used: dict[str, str] = {}
    causes: list[str] = []

    def put_in(match: re.Match[str]) -> str:
        if match["is_text"]:
            return match.group().removeprefix("$")
        value, cause = _find_value(match, environ)
        if cause is not None:
            causes.append(f"{words.quoted(match.group())} {cause}")
        elif match["name"] in environ:
            used[match["name"]] = value
        return match.group() if cause is not None else value

    whole = _WRITTEN.fullmatch(text)
    put = _WRITTEN.sub(put_in, text)
    return Expansion(
        text=put, used=used, causes=tuple(causes), is_complete=whole is not None and not whole["is_text"] and not causes
    )


def _find_value(match: re.Match[str], environ: collections.abc.Mapping[str, str]) -> tuple[str, str | None]:
    """The value, and why there is none."""
    name, rest = match["name"], match["rest"]
    if rest and not rest.startswith(":-"):
        return "", f"is not read here: write `${{{name}}}`, or `${{{name}:-text}}` with a default"
    value = environ.get(name, "")
    if not value and rest:
        return rest.removeprefix(":-"), None
    if name not in environ:
        return "", (
            f"has no value: the environment of this daemun has no {name}; set it there, or write a default as in "
            f"`${{{name}:-text}}`, or `$${{{name}}}` for the text itself"
        )
    if len(value) > MAX_CHARACTERS:
        return "", f"is too long: {len(value)} characters, at most {MAX_CHARACTERS}"
    if _UNREADABLE.search(value) is not None:
        return "", "holds a character that cannot stand in YAML"
    return value, None


def hint_group(text: str, file: str) -> str:
    """What a text without a value was meant to be whose variable has the name of a group in an expression of the file,
    in capitals."""
    better = _WRITTEN.sub(lambda match: f"${{{match['name'].lower()}}}" if _is_group(match, file) else match[0], text)
    return "" if better == text else f"; for what the group matched, write {words.quoted(better)}"


def _is_group(match: re.Match[str], file: str) -> bool:
    name = match["name"].lower()
    return not match["is_text"] and not match["rest"] and (f"(?<{name}>" in file or f"(?P<{name}>" in file)


def parse_plain(text: str) -> object:
    """A variable alone, without quotes, as YAML has it: a number or a truth, where no sign of it is lost."""
    if _NUMBER.match(text) and text != "-0":
        return int(text)
    return text == "true" if text in {"true", "false"} else text


def hide(message: str, used: collections.abc.Mapping[str, str]) -> str:
    """A message without the values of variables, which may be secrets. used: by their names."""
    for name, value in sorted(used.items(), key=lambda one: -len(one[1])):
        if len(value) >= _LEAST_HIDDEN:
            for part in dict.fromkeys((value, words.quoted(value, at_most=None)[1:-1])):
                message = _hide(message, part, f"${{{name}}}")
    return message


def _hide(message: str, value: str, name: str) -> str:
    """The value, and each beginning of it."""
    least = value[:_TELLING]
    start = message.find(least)
    while start >= 0:
        end = start + len(least)
        while end < len(message) and message[start : end + 1] == value[: end + 1 - start]:
            end += 1
        message = f"{message[:start]}{name}{message[end:]}"
        start = message.find(least, start + len(name))
    return message
