"""What is wrong with the values of a file, in words for people: pydantic's validation errors, and words that fit
nowhere."""

import collections.abc
import re
import typing

from daemun.core import problem_report
from daemun.core.options import forms
from daemun.core.texts import other_tools, route_paths, words

MINIMAL_FILE = 'a whole file can be as short as "sites: {chat.example.com: http://127.0.0.1:8000}"'

LACKS_SITES = f"`sites` is missing; {MINIMAL_FILE}"
INCLUDED_LACKS_SITES = "`sites` is missing; write `sites:` above the hosts of this file, or `sites: {}` for none"
_EMPTY = "the file is empty"

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


OF_NGINX = "this is a line of nginx's own language; hand-written nginx stands below `nginx: |`, indented"
_DIRECTIVE = re.compile(r"[a-z_]+\s")


def hint_at_colon(found: object) -> str:
    """What a text was meant to be that stands where a map should: "email me@example.com"."""
    if not isinstance(found, str):
        return ""
    word, space, rest = found.strip().partition(" ")
    head, colon, tail = word.partition(":")
    is_server = tail.isdigit() and ("." in head or head in {"*", "localhost"} or head.isdigit())
    if colon and tail and _KEY.match(head) and not tail.startswith("//") and not is_server:  # a URL is one word
        return f'; a space is missing after the ":" of {words.quoted(head)}'
    return f'; a ":" is missing after {words.quoted(word)}' if space and rest and _KEY.match(word) else ""


_KEY = re.compile(r"[\w./*-]+\Z")
_ENTRY = re.compile(r"/[^\s:]*(?:\s+|:)[a-z][a-z0-9]*://")


def hint_at_entry(text: str) -> str:
    """The same, where a target should stand: "/api http://127.0.0.1:3000"."""
    return hint_at_colon(text) if _ENTRY.match(text) else ""


# --- values ----------------------------------------------------------------------------------------------------


def unknown_key(
    key: str,
    known: collections.abc.Collection[str],
    *,
    elsewhere: str | None = None,
    near_elsewhere: tuple[str, str] | None = None,
    of_other_tools: bool = False,
) -> str:
    """elsewhere: where the key would be known. near_elsewhere: a key that this one may be a slip of, and where that
    belongs. of_other_tools: whether words of other tools are looked up."""
    if elsewhere is not None:
        return f"unknown key {words.quoted(key)} here: it {elsewhere}"
    is_slip = words.letters(key) in {words.letters(one) for one in known}
    if of_other_tools and not is_slip and (here := other_tools.find_key(key)) is not None:
        return f"unknown key {words.quoted(key)}: {here}"
    guess = words.guess(key, known).removeprefix("; ")
    if of_other_tools and not guess and (where := _find_place_of_directive(key)) is not None:
        return f"unknown key {words.quoted(key)}: it is a directive of nginx; write {where}"
    if not guess and near_elsewhere is not None:
        return (
            f"unknown key {words.quoted(key)}: did you mean {words.quoted(near_elsewhere[0])}? It {near_elsewhere[1]}"
        )
    expected = f"expected one of {', '.join(sorted(known))}"
    return f"unknown key {words.quoted(key)}: {f'{guess} ' if guess else ''}{expected}"


def _find_place_of_directive(key: str) -> str | None:
    """Where hand-written nginx may have a directive; None: it is none of nginx's, or of no HTTP."""
    if not _DIRECTIVE.fullmatch(f"{key} "):
        return None
    from crossplane import analyzer  # noqa: PLC0415 - only a mistake needs it

    contexts = 0
    for mask in analyzer.DIRECTIVES.get(key, ()):
        contexts |= mask
    places = (
        (analyzer.NGX_HTTP_LOC_CONF, "in a site or a route"),
        (analyzer.NGX_HTTP_SRV_CONF, "in a site"),
        (analyzer.NGX_HTTP_MAIN_CONF, "at the top"),
    )
    where = next((place for mask, place in places if contexts & mask), None)
    return None if where is None else f"`{key} ...;` below `nginx: |` {where}"


def lacks_sites(message: str) -> bool:
    """Whether a file has no `sites`."""
    return message.startswith((LACKS_SITES, _EMPTY))


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
    is_short = bool(below) and isinstance(below[0], str) and route_paths.is_written(below[0])
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
        return f"{_EMPTY}; expected {shape}"
    expected = shape if kind in _MAP_EXPECTED else _EXPECTED.get(kind, detail["msg"])
    # In braces, a key without a colon has nothing as its value.
    colon = hint_at_colon(key if found is None else found) if "map" in expected else ""
    if isinstance(found, str) and ";" in found and _DIRECTIVE.match(found):
        colon = f"; {OF_NGINX}"
    flag = forms.hint_flag(found) if "true" in expected else ""
    return f"{label}: expected {expected}, found {words.describe(found)}{flag or colon}"
