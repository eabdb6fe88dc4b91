"""Which of several routes of one path a request is for (`options.when_option`).

The path's location looks at nothing but a variable, and hands each request to a named location with that route whole:
its guards, limits, waiting, WebSockets and pages. nginx has no other way to choose a location by a variable; what
stands in an `if` would change what the location does beside it. No visitor can request a named location.

The variable is a chain of maps, one for each condition: where it holds, the next condition of the same route follows,
else the first of the next route. nginx evaluates what a map gives only when it is needed, and once for a request, so
the choice stays the same when a request waits, or comes back for a file. Nothing of it is there where no path has a
list of routes.

The location that is found first decides how large a body may be that declares its size (find_config_phase in
ngx_http_core_module.c), so it allows the most that one of the routes does, and those that allow less look at the size
themselves.
"""

import collections.abc
import dataclasses
import itertools

from daemun.core import arguments, directive, model
from daemun.core.directive import Expr
from daemun.core.options import access_option, max_body_option, when_option
from daemun.core.render import access, error_pages, site_scope, slash_redirects
from daemun.core.texts import names, route_paths, value_patterns

_STATUS = "420"
"""Never leaves nginx."""
_NONE = "none"
_VALUE = "$daemun_when_value"
_HELD = "1"
_EVERYWHERE = ("0.0.0.0/0", "::/0")

_Entries = tuple[model.Route, ...]


def find_lists(site: model.Site) -> tuple[_Entries, ...]:
    """The routes of each path that has a list of them."""
    entries = (one for one in site.routes if one.entry is not None)
    return tuple(tuple(group) for _, group in itertools.groupby(entries, key=lambda one: one.path))


# --- the variable ----------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Condition:
    """It holds where the source has one of the keys, or, `is_absent`, none of them.

    further: what defines the source.
    """

    source: str
    keys: tuple[str, ...]
    is_absent: bool = False
    further: tuple[directive.Directive, ...] = ()


def shared(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    """For the http level."""
    nodes: list[directive.Node] = []
    for entries in find_lists(scope.site):
        nodes.append(directive.Comment(f"Which of the routes of {entries[0].path} a request is for."))
        nodes += _maps(scope, entries)
    return tuple(dict.fromkeys(nodes))  # the same cookie may decide in several lists


def _maps(scope: site_scope.Scope, entries: _Entries) -> collections.abc.Iterator[directive.Directive]:
    steps: list[list[_Condition]] = []
    drawn = 0
    for entry in entries:
        value = when_option.OPTION.of(entry)
        steps.append([] if value is None else list(_conditions(scope, entry, value, drawn)))
        drawn += value is not None and value.probability is not None
    variable = _variable(scope, entries)

    def start(number: int) -> str:
        return _NONE if number == len(entries) else _start(scope, entries, number)

    for number, conditions in enumerate(steps):
        for place, one in enumerate(conditions):
            held = f"{variable}_{number}_{place + 1}" if place + 1 < len(conditions) else str(number)
            other = start(number + 1)
            yes, no = (other, held) if one.is_absent else (held, other)
            yield from one.further
            yield arguments.map_to(
                one.source, f"{variable}_{number}_{place}", *((key, yes) for key in one.keys), default=no
            )


def _conditions(
    scope: site_scope.Scope, entry: model.Route, value: when_option.When, drawn: int
) -> collections.abc.Iterator[_Condition]:
    """drawn: how many routes before this one take a share of the visitors."""
    place = names.variable_suffix(scope.site.host, entry.name)
    if value.method:
        yield _Condition(source="$request_method", keys=value.method)
    if value.address:
        yield _in_networks(f"$daemun_when_{place}_address", access_option.networks(value.address))
    if value.country is not None:
        found = None if value.country.database is None else value.country.database.found
        yield _in_networks(f"$daemun_when_{place}_country", () if found is None else found.networks)
    if value.probability is not None and value.probability < when_option.CERTAIN:
        yield _share(scope, f"$daemun_when_{place}_share", value.probability, drawn)
    for one in value.header:
        source = f"$http_{one.name.lower().replace('-', '_')}"
        yield _named(one, source, source, ("",), is_encoded=False)
    for one in value.cookie:
        # RFC 6265 section 5.4: pairs are separated by "; ". The first of a name counts.
        pattern = rf"~(?:^|;[ \t]*){arguments.in_regex(one.name)}=(?<daemun_when_value>[^;]*)"
        yield _in_list(scope, one, "cookie", "$http_cookie", pattern)
    for one in value.query:
        pattern = rf"~(?:^|&){value_patterns.encoded(one.name)}(?:=(?<daemun_when_value>[^&]*))?(?:&|\z)"
        yield _in_list(scope, one, "query", "$args", pattern)


def _in_list(scope: site_scope.Scope, one: when_option.NamedValue, kind: str, source: str, pattern: str) -> _Condition:
    """One of several pairs of a name and a value in a text."""
    variable = f"$daemun_when_{names.variable_suffix(scope.site.host, f'{kind} {one.name}')}_{kind}"
    further = (arguments.map_to(source, variable, (pattern, _VALUE), default=""),)
    if not one.patterns:
        return _Condition(source=source, keys=(pattern,), is_absent=one.is_absent)
    found = _named(one, variable, variable, (), is_encoded=kind == "query")
    return dataclasses.replace(found, further=further)


def _named(
    one: when_option.NamedValue, source: str, variable: str, absent: tuple[str, ...], *, is_encoded: bool
) -> _Condition:
    """absent: what the source has where there is no such value."""
    if not one.patterns:
        return _Condition(source=source, keys=absent, is_absent=not one.is_absent)
    keys = tuple(value_patterns.written(text, is_encoded=is_encoded) for text in one.patterns)
    return _Condition(source=variable, keys=tuple(dict.fromkeys(keys)))


def _in_networks(variable: str, networks: tuple[str, ...]) -> _Condition:
    # nginx warns of a network that is the default once more.
    others = [arguments.line(one, "0") for one in _EVERYWHERE if one not in networks]
    lines = [arguments.line("default", "0")] if len(others) == len(_EVERYWHERE) else others
    geo = arguments.line("geo", Expr(variable), block=(*lines, *(arguments.line(one, _HELD) for one in networks)))
    return _Condition(source=variable, keys=(_HELD,), further=(geo,))


def _share(scope: site_scope.Scope, variable: str, share: int, drawn: int) -> _Condition:
    """Visitors are distinguished by address (of IPv6 the network that one customer has) and browser: a cookie would
    have to be set in answers of all kinds, and needs consent in some countries. The same for all paths of a site, so
    that a visitor meets one version of an application; another for each further share of a list, so that 50 % behind
    10 % is half of those who are left."""
    salt = names.variable_suffix(scope.site.host, f"share {drawn}")
    block = (arguments.line(f"{share // 100}.{share % 100:02d}%", _HELD), arguments.line("*", "0"))
    source = Expr(f"{salt}$daemun_limit_address$http_user_agent")
    split = arguments.line("split_clients", source, Expr(variable), block=block)
    return _Condition(source=variable, keys=(_HELD,), further=(split,))


def _start(scope: site_scope.Scope, entries: _Entries, number: int) -> str:
    """The number of the route that is taken of those from this one on: the variable of its first condition."""
    value = when_option.OPTION.of(entries[number])
    is_open = value is None or value == when_option.When(probability=when_option.CERTAIN)
    return str(number) if is_open else f"{_variable(scope, entries)}_{number}_0"


def _variable(scope: site_scope.Scope, entries: _Entries) -> str:
    return f"$daemun_entry_{names.variable_suffix(scope.site.host, entries[0].path)}"


# --- the locations ---------------------------------------------------------------------------------------------


def locations(scope: site_scope.Scope, entries: _Entries) -> tuple[directive.Node, ...]:
    """What chooses, and what answers where no route is for a request."""
    path, place = entries[0].path, _place(scope, entries[0].path)
    largest = _find_largest(entries)
    choosing = (
        *(() if largest is None else (arguments.line("client_max_body_size", arguments.size(largest)),)),
        error_pages.RECURSIVE,
        *error_pages.repeated(scope, dataclasses.replace(entries[0], options=(), snippet=())),
        arguments.line("error_page", _STATUS, "=", Expr(f"{place}_{_start(scope, entries, 0)}")),
        arguments.line("return", _STATUS),
    )
    none = (error_pages.RECURSIVE, arguments.line("return", "404"))
    return (
        directive.Comment(f"{path} -> the first of {len(entries)} routes that is for a request"),
        arguments.location(path, choosing),
        *(() if _takes_rest(entries) else (arguments.line("location", f"{place}_{_NONE}", block=none),)),
        *_to_slash(scope, entries),
    )


def as_entry(
    scope: site_scope.Scope, route: model.Route, nodes: tuple[directive.Node, ...]
) -> tuple[directive.Node, ...]:
    """The locations of a route of a list, of which the first is a named one."""
    own = site_scope.location_name(arguments.location(route.path, ()))
    return tuple(
        _named_location(scope, route, node)
        if isinstance(node, directive.Directive) and site_scope.location_name(node) == own
        else node
        for node in nodes
    )


def _named_location(scope: site_scope.Scope, route: model.Route, node: directive.Directive) -> directive.Directive:
    block = node.block or ()
    recursive = () if site_scope.owned(block, "recursive_error_pages") else (error_pages.RECURSIVE,)
    return arguments.line("location", entry_name(scope, route), block=(*_size_lines(scope, route), *recursive, *block))


def entry_name(scope: site_scope.Scope, route: model.Route) -> str:
    """The named location of a route of a list."""
    return f"{_place(scope, route.path)}_{route.entry}"


def _place(scope: site_scope.Scope, path: str) -> str:
    return f"{site_scope.ENTRY_PLACE}{names.variable_suffix(scope.site.host, path)}"


def _takes_rest(entries: _Entries) -> bool:
    return any(when_option.OPTION.of(one) is None for one in entries)


# --- the size of bodies ----------------------------------------------------------------------------------------


def _find_largest(entries: _Entries) -> int | None:
    """None: as everywhere."""
    sizes = [max_body_option.OPTION.of(one) for one in entries]
    return None if not all(sizes) else max(sizes)


def _size_lines(scope: site_scope.Scope, route: model.Route) -> tuple[directive.Directive, ...]:
    most = max_body_option.OPTION.of(route)
    if not most:
        return ()
    refused = (arguments.line("return", "413"),)
    return (arguments.line("if", Expr("$content_length"), "~", Expr(_larger(most)), block=refused),)


def _larger(most: int) -> str:
    """An expression for numbers beyond this one: nginx compares no numbers."""
    digits = str(most)
    parts = [rf"[1-9][0-9]{{{len(digits)},}}"]
    for index, digit in enumerate(digits):
        if digit != "9":
            rest = len(digits) - index - 1
            parts.append(f"{digits[:index]}[{int(digit) + 1}-9][0-9]{{{rest}}}")
    return rf"^0*(?:{'|'.join(parts)})\z"


# --- a path without its slash ----------------------------------------------------------------------------------


def _to_slash(scope: site_scope.Scope, entries: _Entries) -> tuple[directive.Node, ...]:
    """ "/api" leads to "/api/", as nginx does it where a location sends requests to servers, and as files do."""
    path = entries[0].path
    bare = path.removesuffix("/")
    leads = any(isinstance(one.action, model.Proxy | model.Files) for one in entries)
    if not route_paths.is_prefix(path) or bare in {"", path} or not leads:
        return ()
    return access.guarded_beside(scope, slash_redirects.locations(scope, path))
