"""Checks one part of daemun.yaml: a route, a site, or the rest.

`read_part` returns all its problems with their places, and what is good of it, so that one mistake hides no other.
Rules about values are in `validation.validate`.
"""

import collections.abc
import re
import typing

import pydantic

from daemun.core import value_parsers
from daemun.core.options import forms, listen_option, login_option, option, respond_form, when_option
from daemun.core.texts import expressions, names, other_tools, route_paths, words
from daemun.sources import (
    yaml_defaults,
    yaml_entry,
    yaml_include,
    yaml_positions,
    yaml_route,
    yaml_site,
    yaml_suggestions,
    yaml_top,
    yaml_words,
)

_T = typing.TypeVar("_T", bound=yaml_entry.YamlEntry)
_Map = type[yaml_entry.YamlEntry] | type[forms.OptionMap]
_OF_OTHER_TOOLS: set[_Map] = {
    yaml_top.FILE,
    yaml_top.IncludedEntry,
    yaml_site.SITE,
    yaml_route.ROUTE,
    yaml_route.TargetEntry,
    listen_option.WrittenListen,
}
"""Maps in which people write what they know from elsewhere."""
_TOPS: set[_Map] = {yaml_top.FILE, yaml_top.IncludedEntry}
_UNKNOWN_KEY = {"extra_forbidden", "unexpected_keyword_argument"}
"""As pydantic calls it in a model, and in a dataclass."""


def read_part(
    kind: type[_T],
    document: yaml_positions.Document,
    at: yaml_positions.Path,
    *,
    folder: str,
    instead: object = None,
) -> tuple[_T | None, tuple[yaml_positions.YamlFault, ...]]:
    """The part of a file at this path, and everything that is wrong with it.

    folder: which relative paths start from. instead: the same with what is misplaced where it belongs.
    Returns: None instead of the part when nothing can be made of it; keys with problems are left at their defaults.
    """
    raw = document.get(at) if instead is None else instead
    context = {"folder": folder}
    try:
        return kind.model_validate(raw, context=context), ()
    except pydantic.ValidationError as error:
        details = error.errors(include_url=False)
    faults = tuple(_fault(kind, document, at, detail) for detail in _without_echoes(_without_sites(kind, raw, details)))
    for detail in details:
        bad = document.find((*at, *detail["loc"]))[len(at) :]
        if not bad:
            return None, faults
        raw = _without(raw, bad)
    try:
        return kind.model_validate(raw, context=context), faults
    except pydantic.ValidationError:
        return None, faults


def _without(value: object, path: yaml_positions.Path) -> object:
    """The value but for the key at the path; a list is left out whole, so that no position in it shifts."""
    if not isinstance(value, dict) or path[0] not in value:
        return value
    rest = {key: item for key, item in value.items() if key != path[0]}
    is_inside = len(path) > 1 and isinstance(path[1], str)
    return {**rest, path[0]: _without(value[path[0]], path[1:])} if is_inside else rest


def _without_echoes(details: collections.abc.Sequence[typing.Any]) -> list[typing.Any]:
    """Beside an unknown key, a missing one is most likely the same mistake."""
    unknown_in = {detail["loc"][:-1] for detail in details if detail["type"] in _UNKNOWN_KEY}
    return [item for item in details if item["type"] != "missing" or item["loc"][:-1] not in unknown_in]


def find_stray_sites(raw: object) -> tuple[str, ...]:
    """Keys at the top of a file without `sites` that are hosts: the line `sites:` above them was forgotten."""
    if not isinstance(raw, dict) or "sites" in raw:
        return ()
    return tuple(key for key, value in raw.items() if "." in key and _is_site(value) and names.is_host_name(key))


def find_slip_of_sites(raw: object) -> str | None:
    """A key at the top of a file without `sites` that was meant to be it, as "site" is."""
    if not isinstance(raw, dict) or "sites" in raw:
        return None
    known = yaml_top.FILE.model_fields
    meant = (key for key, value in raw.items() if key not in known and isinstance(value, dict))
    return next((key for key in meant if words.nearest(key, known) == "sites"), None)


def find_home_of_stray(key: str, value: object) -> str | None:
    """Where a key belongs that stands among the hosts and leads nowhere. None: it is a host, whatever it is called."""
    if _is_site(value):
        return None
    if key in yaml_top.FILE.model_fields:
        return "is a key of the top of the file, not a host; write it beside `sites:`, without indentation"
    if key in yaml_site.SITE.model_fields:
        return "is an option of a site, not a host; write it below the host that it is for, beside `routes:`"
    return None


def is_meant_as_path(key: str, value: object, *, beside_paths: bool) -> bool:
    """Whether a key of a site is a path without its slash, from what it leads to. beside_paths: there are others."""
    if route_paths.is_written(key):
        return False
    known = {*yaml_site.SITE.model_fields, *yaml_route.ROUTE.model_fields}
    leads = (
        value.keys() & {action.value for action in option.RouteAction} if isinstance(value, dict) else _is_target(value)
    )
    if "/" in key:  # in no word, here or elsewhere; nginx's own way to write a path has one
        return bool(leads) and not key.startswith("/")
    is_slip = words.nearest(key, known) is not None and (len(key) > _SHORT or key in known)
    is_a_word = is_slip or (not beside_paths and other_tools.find_key(key) is not None)
    return bool(leads) and not key.startswith("/") and not is_a_word


_SHORT = 3
"""Letters. A word of so few is near to many: "two" to "to"."""


def _may_be_path(key: str, value: object) -> bool:
    """Whether a word of another tool leads to a server here, which it never does there."""
    here = other_tools.find_key(key)
    return here is not None and _is_target(value) and not other_tools.is_of_server(key)


def _is_target(value: object) -> bool:
    return isinstance(value, str) and "://" in value


def _is_site(value: object) -> bool:
    """A target, a map of paths, or a map with routes."""
    if isinstance(value, dict):
        return "routes" in value or (bool(value) and all(route_paths.is_written(key) for key in value))
    return _is_target(value)


def _without_sites(kind: _Map, raw: object, details: collections.abc.Sequence[typing.Any]) -> list[typing.Any]:
    """One word is missing, which is reported where sites are read: not each host is an unknown key."""
    reported = {*find_stray_sites(raw), find_slip_of_sites(raw)} if kind in _TOPS else set()
    return [item for item in details if not (item["type"] in _UNKNOWN_KEY and item["loc"][0] in reported)]


def _fault(
    kind: _Map, document: yaml_positions.Document, at: yaml_positions.Path, detail: typing.Any
) -> yaml_positions.YamlFault:
    path = document.find((*at, *detail["loc"]))
    if detail["type"] in _UNKNOWN_KEY:
        owner = _owner(kind, detail["loc"][:-1])
        key = str(detail["loc"][-1])
        home = _home_of(key, owner, detail["input"])
        if owner is yaml_site.SITE and key in {action.value for action in option.RouteAction}:
            route = yaml_suggestions.suggest_action(key, detail["input"], document.get(at))
            home = f"{_OF_A_ROUTE}; write `{route}`" if route is not None else home
        elif owner is yaml_site.SITE and key in yaml_route.ROUTE.model_fields:
            both = yaml_suggestions.suggest_beside_php(key, detail["input"], document.get(at))
            home = f"{_OF_A_ROUTE}; write `{both}` in place of `php`" if both is not None else home
        elif key == login_option.OPTION.name and owner in {yaml_site.SITE, yaml_route.ROUTE}:
            rule = yaml_suggestions.suggest_login(detail["input"], document.get(path[:-1]))
            home = f"is a condition of `access`; write `access: {rule}`" if rule is not None else home
        if owner is yaml_route.ROUTE and key in forms.keys(respond_form.RespondMap) and len(detail["loc"]) == 1:
            answer = yaml_suggestions.suggest_response(document.get(at))
            home = f"{_OF_AN_ANSWER}; write `{answer}`" if answer is not None else home
        is_in_list = bool(at) and isinstance(at[-1], int)
        if is_in_list and owner is yaml_route.ROUTE and key in forms.keys(when_option.When):
            condition = yaml_suggestions.suggest_condition(key, detail["input"])
            home = f"is a condition; write `{condition}`" if condition is not None else home
        message = yaml_words.unknown_key(
            key,
            _keys(owner),
            elsewhere=home,
            near_elsewhere=_find_near_elsewhere(key, owner),
            of_other_tools=owner in _OF_OTHER_TOOLS,
        )
        if owner is yaml_site.SITE and home is None and _may_be_path(key, detail["input"]):
            message = f"{message}; if it is a path, write {words.quoted(f'/{key}')}"
        where = f"{yaml_words.label(path[:-1])}: " if path[:-1] else ""
        return yaml_positions.YamlFault(
            message=f"{where}{message}", mark=document.keys.get(path, document.locate(path)), path=path
        )
    message = yaml_words.translate(
        detail, yaml_words.label(path), shape=_owner(kind, detail["loc"]).shape, key=path[-1] if path else None
    )
    error = detail.get("ctx", {}).get("error")
    if isinstance(error, value_parsers.NotOneServerError):
        cure = yaml_suggestions.suggest_instead(error.entry, path, document.find(at))
        message = f"{yaml_words.label(path)}: {error.cause}: {cure}"
    elif (group := _find_group_cause(path, detail)) is not None:
        message = f"{yaml_words.label(path)}: {group}"
    elif (instead := _suggest(kind, detail)) is not None:
        message = f"{message}; write `{instead}`"
    return yaml_positions.YamlFault(message=message, mark=document.locate(path), path=path)


def _find_group_cause(path: yaml_positions.Path, detail: typing.Any) -> str | None:
    """Of a target that has a group of its route's path in another tool's spelling."""
    found = detail["input"]
    route = next((one for one in path if isinstance(one, str) and route_paths.is_of_file(one)), None)
    if detail["type"] != "value_error" or route is None or not isinstance(found, str) or "://" not in found:
        return None
    sign, expression = route_paths.split_expression(route)
    both = expressions.name_groups(expression, found) if "(" in expression else None
    if both is not None and both[0] != expression:
        better, use = words.quoted(f"{sign} {both[0]}"), words.quoted(both[1])
        cause: str | None = f"uses groups without a name; write {better} in place of the path, and {use} here"
    else:
        cause = expressions.check_spelling(found, route_paths.find_groups(route), value_parsers.check_target)
    return None if cause is None else f"target {words.quoted(found)} {cause}"


def _suggest(kind: _Map, detail: typing.Any) -> str | None:
    """What a list, or a status, was meant to be where a map is expected."""
    found, loc = detail["input"], detail["loc"]
    if kind in {yaml_site.SITE, yaml_route.ROUTE} and loc == () and isinstance(found, int):
        return yaml_suggestions.suggest_answer(found, is_site=kind is yaml_site.SITE)
    if not isinstance(found, list):
        return None
    if kind is yaml_site.SITE and loc == ():
        return yaml_suggestions.suggest_site(found)
    if kind is yaml_site.SITE and loc == ("routes",):
        return yaml_suggestions.suggest_routes(found)
    return yaml_suggestions.suggest_route(found) if kind is yaml_route.ROUTE and loc == () else None


def _keys(kind: _Map) -> collections.abc.Mapping[str, object]:
    """The keys of a map, and the forms of their values."""
    if issubclass(kind, yaml_entry.YamlEntry):
        return {name: field.annotation for name, field in kind.model_fields.items()}
    return forms.keys(kind)


def _owner(kind: _Map, loc: yaml_words.Loc) -> _Map:
    """The map that holds the place, among the maps inside `kind`."""
    for step, following in zip(loc, (*loc[1:], None), strict=False):
        known = _keys(kind)
        if isinstance(step, str) and step in known:
            kind = next(_maps_in(known[step], following), kind)
    return kind


def _maps_in(annotation: object, tag: str | int | None) -> collections.abc.Iterator[_Map]:
    """tag: which of several forms was chosen, if the annotation distinguishes them."""
    if isinstance(annotation, type) and issubclass(annotation, yaml_entry.YamlEntry | forms.OptionMap):
        yield annotation
    arguments = typing.get_args(annotation)
    tags = [argument.tag for argument in arguments if isinstance(argument, pydantic.Tag)]
    if not tags or tag in tags:
        for argument in arguments:
            yield from _maps_in(argument, tag)


_OF_AN_ANSWER = "is part of a fixed answer"
_OF_A_ROUTE = "is an option of a route"
_HOMES: tuple[tuple[type[yaml_entry.YamlEntry], str], ...] = (
    (yaml_site.SITE, "is an option of a site; write it below the host that it is for, beside `routes:`"),
    (yaml_route.ROUTE, f"{_OF_A_ROUTE}; write it in the map of a path under `routes:`"),
    (yaml_top.FILE, "belongs to the top of the file; write it beside `sites:`, without indentation"),
    (yaml_route.TargetEntry, "is an option of a server; write it beside `url:` in an item of `to:`"),
)


_OWN_KEY = re.compile(r"(?:[._]|[xX]_)_?([A-Za-z][\w-]*)")
"""Keys that are the owner's in files of Docker Compose, GitLab and others."""


def _find_stray_of_top(key: str) -> str | None:
    own = _OWN_KEY.fullmatch(key)
    if own is not None:
        return f'is none of daemun\'s, and those of yours, for anchors, begin with "x-"; write `x-{own[1]}`'
    return "is a host; write it below `sites:`" if "." in key else None


def _find_near_elsewhere(key: str, owner: _Map) -> tuple[str, str] | None:
    """A key that is known in another place, of which this one may be a slip, and where it belongs."""
    if owner not in _OF_OTHER_TOOLS:
        return None
    others = ((home, where) for home, where in _HOMES if home is not owner)
    found = ((words.nearest(key, home.model_fields), where) for home, where in others)
    return next(((near, where) for near, where in found if near is not None), None)


def _home_of(key: str, owner: _Map, value: object) -> str | None:
    """Where a key belongs that is known, but not here. One that other tools have, too, is only sent home when its
    value is a word: `http: serve`, not `http: 80`."""
    if owner in _TOPS and (stray := _find_stray_of_top(key)) is not None:
        return stray
    if owner is yaml_top.IncludedEntry and key == yaml_include.KEY:
        return "is for daemun.yaml alone, as files that it includes include no others; write it there"
    if owner is yaml_top.IncludedEntry and key in yaml_top.FILE.model_fields:
        return "belongs to the top of daemun.yaml, which includes this file for its sites; write it there"
    if owner not in _OF_OTHER_TOOLS:
        return None
    is_foreign = other_tools.find_key(key) is not None and not isinstance(value, str)
    for home, words_ in _HOMES:
        is_ambiguous = is_foreign and owner in _TOPS
        is_url = home is yaml_route.TargetEntry and key == "url"
        if home is not owner and key in home.model_fields and not is_ambiguous and not is_url:
            for_all = owner is yaml_top.FILE and key in yaml_defaults.DEFAULTS.model_fields
            return f"{words_}, or for all sites as `defaults: {{{key}: ...}}`" if for_all else words_
    return None
