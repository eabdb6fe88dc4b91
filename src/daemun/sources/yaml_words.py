"""What is wrong with a file, in words for people: ruamel.yaml's syntax errors and pydantic's validation errors."""

import collections.abc
import typing

from ruamel import yaml

from daemun.core import words

MINIMAL_FILE = 'a whole file can be as short as "sites: {chat.example.com: http://127.0.0.1:8000}"'

Loc = tuple[str | int, ...]

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a map (`key: value` lines)",
}


# --- YAML syntax -----------------------------------------------------------------------------------------------


def explain(error: yaml.error.MarkedYAMLError) -> tuple[yaml.error.StreamMark | None, str]:
    """The place of a syntax error, and its cause with what to do."""
    problem, context = error.problem or "", error.context or ""
    place = error.problem_mark or error.context_mark
    if "unexpected end of stream" in problem and "quoted scalar" in context:
        return error.context_mark, "this quote is never closed"
    if "<stream end>" in problem and "flow" in context and error.context_mark is not None:
        return error.context_mark, "this bracket is never closed"
    for sign, meaning in _MEANINGS:
        if sign in problem:
            return place, meaning.format(found=words.quoted(_between_quotes(problem)))
    return place, f"is not YAML: {', '.join(part for part in (context, problem) if part)}"


_MEANINGS = (
    ("mapping values are not allowed", 'unexpected ":": text with ": " in it needs quotes; or check the indentation'),
    ("found character '\\t'", "a tab cannot indent; use spaces"),
    ("that cannot start any token", "text cannot start with {found}; put it in quotes"),
    ("could not find expected ':'", 'expected ":" after the key'),
    ("expected <block end>", "this line does not fit those above it; check the indentation and the quotes"),
    ("found undefined alias", 'text that starts with "*" needs quotes, as in "*.example.com"'),
    ("expected alphabetic or numeric character", 'text that starts with "*" or "&" needs quotes'),
    ("found another document", 'a second document starts here ("---"); put everything into the first'),
    ("found unknown escape character", "{found} after a backslash has no meaning in double quotes; use single quotes"),
    ("maximum depth", "is nested too deeply"),
    ("<stream end>", "the file ends here, but a bracket or a value is still open"),
    ("expected the node content", "{found} is unexpected here; expected a value"),
    ("expected ',' or", '{found} is unexpected here; expected "," or the closing bracket'),
)


def _between_quotes(problem: str) -> str:
    """The last thing the parser quotes: what it found."""
    parts = problem.split("'")
    return parts[-2].replace("\\\\", "\\") if len(parts) > 2 else problem


# --- values ----------------------------------------------------------------------------------------------------


def unknown_key(key: str, known: collections.abc.Collection[str], *, elsewhere: str = "") -> str:
    """elsewhere: where the key would be known."""
    hint = elsewhere or words.guess(key, known)
    return f"unknown key {words.quoted(key)}: expected one of {', '.join(sorted(known))}{hint}"


def translate(detail: collections.abc.Mapping[str, typing.Any], label: str, *, shape: str) -> str:
    """A pydantic error as words. label: the key it is about, as it was written. shape: what a map there looks like."""
    kind, found = detail["type"], detail["input"]
    if kind == "missing":
        return f"{label}: {words.quoted(str(detail['loc'][-1]))} is missing"
    if kind == "value_error":
        return f"{label}: {detail['ctx']['error']}"
    if kind == "model_type" and found is None and label == "the file":
        return f"the file is empty; expected {shape}"
    expected = shape if kind in {"model_type", "model_attributes_type"} else _EXPECTED.get(kind, detail["msg"])
    return f"{label}: expected {expected}, found {words.describe(found)}"
