"""What is wrong with a file, in words for people: ruamel.yaml's syntax errors and pydantic's validation errors."""

import collections.abc
import re
import typing

from ruamel import yaml

from daemun.core import other_tools, problem_report, words

MINIMAL_FILE = 'a whole file can be as short as "sites: {chat.example.com: http://127.0.0.1:8000}"'

Loc = tuple[str | int, ...]

_MAP_EXPECTED = frozenset({"model_type", "model_attributes_type", "dataclass_type"})
_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a map (`key: value` lines)",
}


# --- YAML syntax -----------------------------------------------------------------------------------------------


def explain(error: yaml.error.MarkedYAMLError, text: str) -> tuple[tuple[int, int], str]:
    """The line and column (from 1) of a syntax error in a text, and its cause with what to do."""
    mark, message = _explain(error)
    place = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    if error.problem and any(sign in error.problem for sign in _AFTER_A_MISSING_COLON):
        found = _find_missing_colon(text.splitlines(), error)
        if found is not None:
            line, column, what = found
            return (line + 1, column + 1), what
    return place, message


_AFTER_A_MISSING_COLON = ("mapping values are not allowed", "could not find expected ':'")


def _find_missing_colon(lines: list[str], error: yaml.error.MarkedYAMLError) -> tuple[int, int, str] | None:
    """The line and column (from 0) where a colon is missing, and what is.

    The parser takes such a line and the next one for one text, and stumbles over the colon of the next one.
    """
    mark = error.problem_mark
    if mark is None or (mark.line < len(lines) and _COLON.search(lines[mark.line][: mark.column].strip())):
        return None
    start = min(mark.line, len(lines)) - 1
    if "mapping" not in error.problem and error.context_mark is not None:
        start = error.context_mark.line
    while start >= 0 and (not lines[start].strip() or lines[start].lstrip().startswith("#")):
        start -= 1
    line = lines[start] if start >= 0 else ""
    bare = line.split(" #")[0].rstrip()
    if not bare.strip() or _COLON.search(bare) or bare.lstrip().startswith(("- ", "{", "[", "'", '"', "|", ">")):
        return None
    if bare.endswith(";"):
        return start, len(line) - len(line.lstrip()), _OF_NGINX
    indent = len(line) - len(line.lstrip())
    word, _, rest = bare.strip().partition(" ")
    head, colon, tail = word.partition(":")
    if tail.startswith("//"):
        return start, indent, f'expected a key before {words.quoted(word)}, such as "/: "'
    if colon and tail and not rest:
        return start, indent + len(head), f'expected a space after the ":" of {words.quoted(head)}'
    return start, indent + len(word), f'expected ":" after {words.quoted(word)}'


_COLON = re.compile(r":(?:\s|\Z)")
_OF_NGINX = "this is a line of nginx's own language; hand-written nginx stands below `nginx: |`, indented"


_DIRECTIVE = re.compile(r"[a-z_]+\s")


def hint_at_colon(found: object) -> str:
    """What a text was meant to be that stands where a map should: "email me@example.com"."""
    if not isinstance(found, str):
        return ""
    word, space, rest = found.strip().partition(" ")
    head, colon, tail = word.partition(":")
    if colon and tail and _KEY.match(head):
        return f'; a space is missing after the ":" of {words.quoted(head)}'
    return f'; a ":" is missing after {words.quoted(word)}' if space and rest and _KEY.match(word) else ""


_KEY = re.compile(r"[\w./*-]+\Z")
_ENTRY = re.compile(r"/[^\s:]*(?:\s+|:)[a-z][a-z0-9]*://")


def hint_at_entry(text: str) -> str:
    """The same, where a target should stand: "/api http://127.0.0.1:3000"."""
    return hint_at_colon(text) if _ENTRY.match(text) else ""


def _explain(error: yaml.error.MarkedYAMLError) -> tuple[yaml.error.StreamMark | None, str]:
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


def unknown_key(
    key: str, known: collections.abc.Collection[str], *, elsewhere: str = "", of_other_tools: bool = False
) -> str:
    """elsewhere: where the key would be known. of_other_tools: whether words of other tools are looked up."""
    is_slip = words.letters(key) in {words.letters(one) for one in known}
    if of_other_tools and not elsewhere and not is_slip and (here := other_tools.find_key(key)) is not None:
        return f"unknown key {words.quoted(key)}: {here}"
    hint = elsewhere or words.guess(key, known)
    return f"unknown key {words.quoted(key)}: expected one of {', '.join(sorted(known))}{hint}"


def label(path: Loc) -> str:
    """What a message calls a place: as rules about values do, with the site and the route."""
    if not path:
        return "the file"
    is_of_site = path[0] == "sites" and len(path) > 1
    return problem_report.label(find_field(path), host=str(path[1]) if is_of_site else None)


def find_field(path: Loc) -> Loc:
    """A path of the file as `model.Problem.field`: below the site, whichever form that is written in."""
    if path[:1] != ("sites",) or len(path) < 2:
        return path
    below = path[2:]
    is_short = bool(below) and isinstance(below[0], str) and below[0].startswith("/")
    return ("routes", *below) if is_short else below


def translate(
    detail: collections.abc.Mapping[str, typing.Any], label: str, *, shape: str, key: str | int | None = None
) -> str:
    """A pydantic error as words. label: what it is about. shape: what a map there looks like. key: the last one
    there, as it was written."""
    kind, found = detail["type"], detail["input"]
    if kind == "missing":
        return f"{label}: {words.quoted(str(detail['loc'][-1]))} is missing"
    if kind == "value_error":
        return f"{label}: {detail['ctx']['error']}"
    if kind == "model_type" and found is None and label == "the file":
        return f"the file is empty; expected {shape}"
    expected = shape if kind in _MAP_EXPECTED else _EXPECTED.get(kind, detail["msg"])
    # In braces, a key without a colon has nothing as its value.
    colon = hint_at_colon(key if found is None else found) if "map" in expected else ""
    if isinstance(found, str) and ";" in found and _DIRECTIVE.match(found):
        colon = f"; {_OF_NGINX}"
    return f"{label}: expected {expected}, found {words.describe(found)}{colon}"
