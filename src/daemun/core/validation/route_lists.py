"""The routes of one path that are for some requests each (`options.when_option`), seen together. Pure."""

import collections.abc
import itertools

from daemun.core import directive, model, problem_report
from daemun.core.access import access_levels
from daemun.core.options import access_option, listing_option, max_body_option, when_option
from daemun.core.texts import route_paths, words

_Found = collections.abc.Iterator[tuple[model.Route, str]]
_NOT_IN_NAMED = frozenset({"alias", "location", "proxy_pass"})
"""What nginx does not take in a named location, or not as it is meant."""
_BODY_SIZE = "client_max_body_size"
"""nginx compares the declared size of a body in the location that chooses, and not in the one that is chosen."""
_PUBLIC = access_option.Access()


def check(site: model.Site, report: problem_report.ProblemReport) -> None:
    for _, group in itertools.groupby(site.routes, key=lambda one: one.path):
        entries = tuple(group)
        if entries[0].entry is None:
            continue
        for route, cause in _find_unfit(entries):
            report.at(route.origin).add(cause, *route.field)
        for route, cause in _find_unreachable(entries):
            report.at(route.origin).add(cause, *route.field, severity=model.Severity.WARNING)


def find_list_problems(site: model.Site, settings: model.Globals) -> tuple[model.Problem, ...]:
    """What is wrong with them in a gate with these settings: countries without a database to look in, and routes that
    nothing guards beside guarded ones."""
    report = problem_report.ProblemReport(host=site.host, origin=site.origin)
    for route, cause in _find_unguarded(site, settings):
        report.at(route.origin).add(cause, *route.field)
    for route in site.routes:
        value = when_option.OPTION.of(route)
        if value is not None and value.country is not None and find_database(route, site, settings) is None:
            cause = "needs a database; write `country: {any_of: [KR], database: FILE.mmdb}` with yours"
            report.at(route.origin).add(cause, *route.field, when_option.OPTION.name, "country")
    return tuple(report.problems)


def find_database(route: model.Route, site: model.Site, settings: model.Globals) -> str | None:
    """The path of the file in which a condition looks for countries: its own, or that of the access that holds."""
    value = when_option.OPTION.of(route)
    if value is None or value.country is None:
        return None
    if value.country.database is not None:
        return value.country.database.path
    levels = (
        access_levels.of_route(route, site, settings),
        access_levels.of_site(site, settings),
        access_levels.of_gate(settings),
    )
    return next((one.database.path for held in levels for one in held.access.countries), None)


def _find_unfit(entries: tuple[model.Route, ...]) -> _Found:
    """What cannot be in a list."""
    if len(entries) > when_option.MOST_ENTRIES:
        yield entries[0], f"leads to {len(entries)} routes, at most {when_option.MOST_ENTRIES}"
    for one in entries:
        lines = {node.name: node for node in one.snippet if isinstance(node, directive.Directive)}
        written = lines.keys() & _NOT_IN_NAMED
        if written:
            names = words.listed([f"`{name}`" for name in sorted(written)], last="and")
            yield one, f"has {names} in its `nginx:`, which nginx does not take where routes share a path"
        if _BODY_SIZE in lines:
            size = " ".join(one.value for one in lines[_BODY_SIZE].args)
            yield (
                one,
                f"has `{_BODY_SIZE}` in its `nginx:`, which does not hold where routes share a path; write "
                f"`{max_body_option.OPTION.name}: {size}` in the route in its place",
            )
        is_php = isinstance(one.action, model.Proxy) and one.action.php is not None
        if is_php and route_paths.is_prefix(one.path) and one.path != "/":
            yield one, f"runs PHP (`php`), which can share the path / with other routes, and not {one.path}"
        if isinstance(one.action, model.Files) and listing_option.OPTION.of(one.action):
            yield one, "shows lists of folders (`listing`), which cannot be where routes share a path"


def _find_unguarded(site: model.Site, settings: model.Globals) -> _Found:
    """Routes that everybody may reach without a word of it, beside one that has conditions: whoever is refused by one
    could choose another by what a request holds, so what is meant must be written. Limits, and certificates that are
    not required, refuse nobody."""
    has_conditions = {
        one.field: bool(access_levels.of_route(one, site, settings).access.conditions)
        for one in site.routes
        if one.entry is not None
    }
    guarded: dict[str, model.Route] = {}
    for one in site.routes:
        if has_conditions.get(one.field):
            guarded.setdefault(one.path, one)
    for one in site.routes:
        own = access_option.OPTION.of(one)
        refuses = isinstance(one.action, model.Respond) and one.action.refuses
        if one.path not in guarded or has_conditions.get(one.field) or own == _PUBLIC or refuses:
            continue
        other = words.quoted(guarded[one.path].name)
        if own is None:
            found = f"has no `access`, and {other} has"
            cure = "give this route that `access`, too, or `access: public` if it is meant"
        else:
            found = f"has no condition in its `access`, and {other} has"
            cure = "give this route those conditions, too, or `allow: public` in its `access` if it is meant"
        yield one, f"{found}: a visitor chooses between them by what a request holds; {cure}"


# --- what can never be reached ---------------------------------------------------------------------------------


def _find_unreachable(entries: tuple[model.Route, ...]) -> _Found:
    for index, one in enumerate(entries):
        later = when_option.OPTION.of(one)
        taker = next((other for other in entries[:index] if _covers(when_option.OPTION.of(other), later)), None)
        if taker is not None:
            yield one, f"can never be reached: {words.quoted(taker.name)} comes before it and takes its requests"


def _covers(earlier: when_option.When | None, later: when_option.When | None) -> bool:
    """Whether all requests for which the later one holds are surely among those of the earlier one."""
    if earlier is None:
        return True
    if earlier.is_empty:
        return False  # what was wrong with it is reported
    if later is None:
        later = when_option.When()
    is_certain = earlier.probability in {None, when_option.CERTAIN}
    return (
        is_certain
        and _is_among(later.method, earlier.method)
        and _is_among(later.address, earlier.address)
        and _is_in_country(later.country, earlier.country)
        and all(_has_named(one, key, later) for key in when_option.NAMED for one in getattr(earlier, key))
    )


def _is_among(later: tuple[str, ...], earlier: tuple[str, ...]) -> bool:
    return not earlier or (bool(later) and set(later) <= set(earlier))


def _is_in_country(later: when_option.InCountries | None, earlier: when_option.InCountries | None) -> bool:
    if earlier is None:
        return True
    return later is not None and later.database == earlier.database and _is_among(later.any_of, earlier.any_of)


def _has_named(earlier: when_option.NamedValue, key: str, later: when_option.When) -> bool:
    def same(name: str) -> str:
        return name.lower() if key == "header" else name

    found = next((one for one in getattr(later, key) if same(one.name) == same(earlier.name)), None)
    if found is None or found.is_absent is not earlier.is_absent:
        return False
    return _is_among(found.patterns, earlier.patterns)
