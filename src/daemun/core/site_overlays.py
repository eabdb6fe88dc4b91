"""A site of the file over the one that containers have of the same host (`from: docker`). Pure.

What the file sets holds instead of what labels set. Where both name who may come in, both hold, unless the file opens
the place with `public`. Routes of containers stay, beside those of the file; at one path the file's action wins. A
route of the file without an action leads where the containers' own would lead.
"""

import collections.abc
import dataclasses
import typing

from daemun.core import model, overlay_access, problem_report
from daemun.core.options import (
    access_option,
    catalogue,
    header_options,
    http_option,
    listen_option,
    option,
    rewrite_option,
    tls_option,
)
from daemun.core.texts import route_paths, words

_POOL = "container"
UNKNOWN = model.Proxy(targets=(model.Target(scheme=model.Scheme.HTTP, pool=_POOL),))
"""The action of a route that leads where the containers' would: it is replaced before anything is rendered."""
_HEADERS = (header_options.REQUEST, header_options.RESPONSE)
_BOTH_HOLD = frozenset({access_option.OPTION.name, *(one.name for one in _HEADERS)})
_FIELDS = tuple((one.name, one.model_field) for one in catalogue.SITE if one.model_field is not None)
_OWN_FIELDS = frozenset({"aliases", "enabled", "overlay"})
NO_ANSWER = model.Respond(status=503)
"""While no container is there."""
_Values = dict[str, typing.Any]


def is_open(route: model.Route) -> bool:
    """Whether it leads where the containers' would."""
    return isinstance(route.action, model.Proxy) and any(one.pool == _POOL for one in route.action.targets)


def wait(site: model.Site) -> model.Site:
    """While no container has the host: what leads to it is answered with 503, and whom the site keeps out stays out."""
    routes = [_close(route) if is_open(route) else route for route in site.routes]
    if not any(route.path == "/" for route in routes):
        routes.append(model.Route(path="/", action=NO_ANSWER, origin=site.origin))
    return dataclasses.replace(site, routes=tuple(sorted(routes, key=lambda one: route_paths.order(one.path))))


_DENIES = option.RouteAction.RESPOND


def why_it_waits(site: model.Site) -> str:
    return f"no container has the host {words.quoted(site.host)}, and the site has the routes of containers (`from`)"


def how_to_serve(site: model.Site, engines: collections.abc.Collection[model.EngineStatus] = ()) -> str:
    """engines: those that are followed. No container is seen where none of them answers."""
    silent = [one for one in engines if not one.answers]
    if silent and len(silent) == len(engines):
        shown = silent[0].name or silent[0].place
        return f"let daemun reach the engine {shown} first, which does not answer: `daemun status` shows why"
    return f"start a container with the label `daemun.host={site.host}`, or give the site routes of its own"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The file keeps requests from a container. is_whole: from all of its routes at the host; else others go on."""

    why: str
    is_whole: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """problems: what cannot be combined, or has no effect. cuts: by `Origin.place` of the routes that are closed."""

    site: model.Site
    problems: tuple[model.Problem, ...]
    cuts: collections.abc.Mapping[str, Cut]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Report:
    """closed: the routes of containers that a problem closes, each with the path where it is closed, and why."""

    problems: problem_report.ProblemReport
    closed: list[tuple[model.Route, str, str]] = dataclasses.field(default_factory=list)

    def close(
        self,
        route: model.Route,
        cause: str,
        *field: str | int,
        path: str,
        severity: model.Severity = model.Severity.ERROR,
    ) -> None:
        self.problems.at(route.origin).add(cause, *field, severity=severity)
        self.closed.append((route, path, self.problems.problems[-1].message))

    def find_cuts(self, beneath: model.Site) -> dict[str, Cut]:
        paths = {path for _, path, _ in self.closed}
        going_on = {one.origin.place for one in beneath.routes if one.path not in paths}
        return {
            one.origin.place: Cut(why=why, is_whole=one.origin.place not in going_on)
            for one, _, why in reversed(self.closed)
        }


def lay_over(site: model.Site, beneath: model.Site, settings: model.Globals) -> Laid:
    """The file's site over that of containers. site: with an overlay."""
    assert site.overlay is not None
    report = _Report(problems=problem_report.ProblemReport(host=site.host, origin=site.origin))
    laid = dataclasses.replace(
        beneath,
        **_fields(site, beneath),
        options=_merged(dict(beneath.options), dict(site.options), _keys(site)),
        routes=tuple(_lay_routes(site, beneath, settings, report)),
        snippet=(*beneath.snippet, *site.snippet),
        fault=site.fault,
        overlay=dataclasses.replace(site.overlay, beneath=beneath.origin),
        origin=site.origin,
    )
    return Laid(site=laid, problems=tuple(report.problems.problems), cuts=report.find_cuts(beneath))


def without_labels(site: model.Site, beneath: model.Site, errors: collections.abc.Sequence[model.Problem]) -> Laid:
    """The routes of containers alone, where what labels set for the whole site makes errors beside what the file sets:
    a site for the file to lie over, and a warning of it."""
    own = dataclasses.replace(site, routes=beneath.routes, snippet=beneath.snippet, origin=beneath.origin)
    report = problem_report.ProblemReport(host=site.host, origin=beneath.origin)
    places = words.listed(sorted({one.origin.place for one in beneath.routes}), last="and")
    cause = f"{errors[0].message} ({site.origin}); what labels of {places} set for the whole site has no effect"
    report.add(cause, severity=model.Severity.WARNING)
    return Laid(site=own, problems=tuple(report.problems), cuts={})


def close(laid: Laid, beneath: model.Site, errors: collections.abc.Iterable[model.Problem]) -> Laid:
    """Without the routes that labels make wrong beside what the file sets."""
    wrong = {str(one.field[1]): one for one in errors if one.field[:1] == ("routes",)}
    report = _Report(problems=problem_report.ProblemReport(host=laid.site.host, origin=laid.site.origin))
    report.closed.extend((one, one.path, wrong[one.path].message) for one in beneath.routes if one.path in wrong)
    routes = tuple(
        model.Route(path=one.path, action=NO_ANSWER, origin=one.origin) if one.path in wrong else one
        for one in laid.site.routes
        if one.path not in wrong or not one.entry
    )
    site = dataclasses.replace(laid.site, routes=routes)
    problems = (*laid.problems, *wrong.values())
    return Laid(site=site, problems=problems, cuts={**report.find_cuts(beneath), **laid.cuts})


def _keys(site: model.Site, *place: str | int) -> frozenset[str]:
    """What the file sets at the site, or at one of its routes: a value that is the default is in no options."""
    found = () if site.overlay is None else site.overlay.keys
    return frozenset(str(one[-1]) for one in found if one[:-1] == place)


def _fields(site: model.Site, beneath: model.Site) -> _Values:
    keys = _keys(site)
    of_file = {field for name, field in _FIELDS if name in keys or field in _OWN_FIELDS}
    if listen_option.OPTION.name in keys:
        of_file |= {"http_port", "https_port"}
    is_https_of_file = tls_option.OPTION.name in keys
    if is_https_of_file:
        of_file.add("refuses_tls")
    found: _Values = {field: getattr(site, field) for field in of_file if field != "overlay"}
    tls, http = found.get("tls", beneath.tls), found.get("http", beneath.http)
    if http_option.find_cause(http, tls) is not None:
        # What the file sets of the two holds, and the other is as if labels had set nothing.
        found |= {"http": http_option.choose(None, tls)} if is_https_of_file else {"tls": site.tls}
    return found


def _lay_routes(
    site: model.Site, beneath: model.Site, settings: model.Globals, report: _Report
) -> collections.abc.Iterator[model.Route]:
    """Suffixes and expressions of containers come behind those of the file, and so take nothing from them."""
    own = {route.path for route in site.routes}
    theirs = [route for route in beneath.routes if route.path not in own]
    for route in theirs:
        if not route_paths.is_ordered(route.path):
            yield from _lay_below(route, site, settings, report)
    for route in site.routes:
        below = _find_below(route, beneath) if is_open(route) else None
        if below is not None:
            yield _lay(below, route, site, settings, report)
        elif is_open(route):
            yield _close(route)
        else:
            yield route
    for route in theirs:
        if route_paths.is_ordered(route.path):
            yield from _lay_below(route, site, settings, report)


def _lay_below(
    route: model.Route, site: model.Site, settings: model.Globals, report: _Report
) -> collections.abc.Iterator[model.Route]:
    """A route of containers at a path that the file does not have, unless the file lets nobody in there."""
    around = overlay_access.find_around(route, site)
    found = overlay_access.why_closed(around)
    if found is None:
        yield _lay(route, None, site, settings, report, around=around)
    else:
        cause = f"is left out: {found}"
        report.close(route, cause, *route.field, path=route.path, severity=model.Severity.WARNING)


def _find_below(route: model.Route, beneath: model.Site) -> model.Route | None:
    """The containers' route of this path, else the one that its requests would go to, with its path."""
    same = next((one for one in beneath.routes if one.path == route.path), None)
    literal = route_paths.find_literal(route.path)
    if same is not None:
        return same
    prefixes = [one for one in beneath.routes if route_paths.is_prefix(one.path)]
    index = route_paths.choose([one.path for one in prefixes], literal or "/")
    if index is None:
        return None
    found = prefixes[index]
    if literal is None or not isinstance(found.action, model.Proxy):
        return found
    rest = literal.removeprefix(found.path)
    targets = tuple(
        one if one.path is None else dataclasses.replace(one, path=one.path + rest) for one in found.action.targets
    )
    return dataclasses.replace(found, action=dataclasses.replace(found.action, targets=targets))


def _lay(
    below: model.Route,
    over: model.Route | None,
    site: model.Site,
    settings: model.Globals,
    report: _Report,
    *,
    around: collections.abc.Sequence[model.Route] = (),
) -> model.Route:
    """A route of containers with what the file sets for the site, and for this route (over). around: routes of the file
    that guard what this one takes from them."""
    keys = _keys(site)
    theirs = {name: value for name, value in _values(below).items() if name not in keys or name in _BOTH_HOLD}
    for header in _HEADERS:
        if header.name in theirs:
            theirs[header.name] = _without(theirs[header.name], header.of(site))
    ours = {} if over is None else _values(over)
    action = catalogue.find_action(below.action)
    origin = below.origin if over is None else over.origin
    field = below.field if over is None else over.field
    path = below.path if over is None else over.path
    for name, cause in tuple(catalogue.find_misplaced(ours, action)):
        reason = f"{cause}, and {below.origin} has `{action.value}`; it has no effect"
        report.problems.at(origin).add(reason, *field, name, severity=model.Severity.WARNING)
        del ours[name]
    given = dict(_merged(theirs, ours, frozenset() if over is None else _keys(site, *over.field)))
    access = access_option.OPTION.name
    given.pop(access, None)
    try:
        held = overlay_access.hold(settings, site, below, over, around)
    except ValueError as error:
        report.close(below, str(error), *field, access, path=path)
        return _close(below if over is None else over)
    if held is not None:
        given[access] = held
    options, own = catalogue.split(given, action)
    return dataclasses.replace(
        below,
        path=path,
        options=options,
        action=_place(path, dataclasses.replace(below.action, options=own), is_new=rewrite_option.OPTION.name in ours),
        snippet=below.snippet if over is None else (*below.snippet, *over.snippet),
        origin=origin,
    )


def _close(route: model.Route) -> model.Route:
    """The route without whatever answered there."""
    return dataclasses.replace(route, action=NO_ANSWER, options=catalogue.split(_values(route), _DENIES)[0])


def _place(path: str, action: model.Action, *, is_new: bool) -> model.Action:
    """With the path of its servers, where the file changes how paths are rewritten (is_new)."""
    if not is_new or not isinstance(action, model.Proxy):
        return action
    targets = tuple(dataclasses.replace(one, path=None) for one in action.targets)
    return rewrite_option.place_path(path, dataclasses.replace(action, targets=targets))


def _values(route: model.Route) -> _Values:
    return {**dict(route.options), **dict(route.action.options)}


def _merged(theirs: _Values, ours: _Values, keys: collections.abc.Set[str]) -> model.OptionValues:
    """What the file sets holds; headers add up. keys: what it sets."""
    given = {**{name: value for name, value in theirs.items() if name not in keys}, **ours}
    for header in _HEADERS:
        if header.name in theirs and header.name in ours:
            given[header.name] = (*_without(theirs[header.name], ours[header.name]), *ours[header.name])
    return catalogue.values_of(given)


def _without(
    headers: collections.abc.Iterable[model.Header], others: collections.abc.Iterable[model.Header]
) -> tuple[model.Header, ...]:
    names = {name.lower() for name, _ in others}
    return tuple(one for one in headers if one[0].lower() not in names)
