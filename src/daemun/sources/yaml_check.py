"""Checks one part of daemun.yaml: a route, a site, or the rest.

`read_part` returns all its problems with their places, and what is good of it, so that one mistake hides no other.
Rules about values are in `core.validate`.
"""

import collections.abc
import typing

import pydantic

from daemun.core import names, other_tools, words
from daemun.sources import yaml_entry, yaml_positions, yaml_route, yaml_site, yaml_top, yaml_words

_T = typing.TypeVar("_T", bound=yaml_entry.OptionMap)
_OF_OTHER_TOOLS = {yaml_top.FileEntry, yaml_site.SiteEntry, yaml_route.RouteEntry, yaml_route.TargetEntry}
"""Maps in which people write what they know from elsewhere."""


def read_part(
    kind: type[_T], document: yaml_positions.Document, at: yaml_positions.Path, *, instead: object = None
) -> tuple[_T | None, tuple[yaml_positions.YamlFault, ...]]:
    """The part of a file at this path, and everything that is wrong with it.

    instead: the same with what is misplaced where it belongs. Returns: None instead of the part when nothing can be
    made of it; keys with problems are left at their defaults.
    """
    raw = document.get(at) if instead is None else instead
    try:
        return kind.model_validate(raw), ()
    except pydantic.ValidationError as error:
        details = error.errors(include_url=False)
    faults = tuple(_fault(kind, document, at, detail) for detail in _without_echoes(_without_sites(kind, raw, details)))
    for detail in details:
        bad = document.find((*at, *detail["loc"]))[len(at) :]
        if not bad:
            return None, faults
        raw = _without(raw, bad)
    try:
        return kind.model_validate(raw), faults
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
    unknown_in = {detail["loc"][:-1] for detail in details if detail["type"] == "extra_forbidden"}
    return [item for item in details if item["type"] != "missing" or item["loc"][:-1] not in unknown_in]


def find_stray_sites(raw: object) -> tuple[str, ...]:
    """Keys at the top of a file without `sites` that are hosts: the line `sites:` above them was forgotten."""
    if not isinstance(raw, dict) or "sites" in raw:
        return ()
    return tuple(key for key, value in raw.items() if "." in key and _is_site(value) and names.is_host_name(key))


def is_meant_as_path(key: str, value: object, *, beside_paths: bool) -> bool:
    """Whether a key of a site is a path without its slash, from what it leads to. beside_paths: there are others."""
    known = {*yaml_site.SiteEntry.model_fields, *yaml_route.RouteEntry.model_fields}
    leads = value.keys() & yaml_route.ACTION_OPTIONS.keys() if isinstance(value, dict) else _is_target(value)
    is_a_word = words.nearest(key, known) is not None or (not beside_paths and other_tools.find_key(key) is not None)
    return bool(leads) and not key.startswith("/") and not is_a_word


def _is_target(value: object) -> bool:
    return isinstance(value, str) and "://" in value


def _is_site(value: object) -> bool:
    """A target, a map of paths, or a map with routes."""
    if isinstance(value, dict):
        return "routes" in value or (bool(value) and all(key.startswith("/") for key in value))
    return _is_target(value)


def _without_sites(
    kind: type[yaml_entry.OptionMap], raw: object, details: collections.abc.Sequence[typing.Any]
) -> list[typing.Any]:
    """One word is missing, which is told where sites are read: not each host is an unknown key."""
    stray = find_stray_sites(raw) if kind is yaml_top.FileEntry else ()
    return [item for item in details if not (item["type"] == "extra_forbidden" and item["loc"][0] in stray)]


def _fault(
    kind: type[yaml_entry.OptionMap], document: yaml_positions.Document, at: yaml_positions.Path, detail: typing.Any
) -> yaml_positions.YamlFault:
    path = document.find((*at, *detail["loc"]))
    if detail["type"] == "extra_forbidden":
        owner = _owner(kind, detail["loc"][:-1])
        key = str(detail["loc"][-1])
        message = yaml_words.unknown_key(
            key, owner.model_fields, elsewhere=_home_of(key, owner), of_other_tools=owner in _OF_OTHER_TOOLS
        )
        where = f"{yaml_words.label(path[:-1])}: " if path[:-1] else ""
        return yaml_positions.YamlFault(
            message=f"{where}{message}", mark=document.keys.get(path, document.locate(path))
        )
    return yaml_positions.YamlFault(
        message=yaml_words.translate(
            detail, yaml_words.label(path), shape=_owner(kind, detail["loc"]).shape, key=path[-1] if path else None
        ),
        mark=document.locate(path),
    )


def _owner(kind: type[yaml_entry.OptionMap], loc: yaml_words.Loc) -> type[yaml_entry.OptionMap]:
    """The map that holds the place, among the maps inside `kind`."""
    for step, following in zip(loc, (*loc[1:], None), strict=False):
        if isinstance(step, str) and step in kind.model_fields:
            kind = next(_entries_in(kind.model_fields[step].annotation, following), kind)
    return kind


def _entries_in(annotation: object, tag: str | int | None) -> collections.abc.Iterator[type[yaml_entry.OptionMap]]:
    """tag: which of several forms was chosen, if the annotation tells them apart."""
    if isinstance(annotation, type) and issubclass(annotation, yaml_entry.OptionMap):
        yield annotation
    arguments = typing.get_args(annotation)
    tags = [argument.tag for argument in arguments if isinstance(argument, pydantic.Tag)]
    if not tags or tag in tags:
        for argument in arguments:
            yield from _entries_in(argument, tag)


def _home_of(key: str, owner: type[yaml_entry.OptionMap]) -> str:
    """Where a key belongs that is known, but not here."""
    if owner is yaml_site.SiteEntry and key in yaml_route.RouteEntry.model_fields:
        return f"; {words.quoted(key)} is an option of a route, under `routes`"
    if owner in {yaml_site.SiteEntry, yaml_route.RouteEntry} and key in yaml_top.FileEntry.model_fields:
        return f"; {words.quoted(key)} belongs to the top of the file"
    if owner is yaml_route.RouteEntry and key in yaml_site.SiteEntry.model_fields:
        return f"; {words.quoted(key)} is an option of the site, beside `routes`"
    if owner is yaml_top.FileEntry and "." in key:
        return "; sites are written under `sites:`"
    return ""
