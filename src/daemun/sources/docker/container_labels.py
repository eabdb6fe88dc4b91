"""Labels of a container become requests for routes. Pure.

Labels are written by strangers. They set what `KEYS` and `options` name and nothing else, each value is judged by the
rules for the file's values, and any mistake refuses the whole container: half of what was requested would surprise
more.
"""

import collections.abc
import dataclasses
import re

from daemun.core import model, value_parsers
from daemun.core.options import app_option, catalogue, option, rewrite_option
from daemun.core.texts import route_paths, words
from daemun.core.validation import validate
from daemun.sources import app_paths, app_preset, known_apps, yaml_route
from daemun.sources.docker import containers, label_options, route_requests, stream_labels

PREFIX = "daemun."
KEYS = frozenset({"host", "path", "port", "scheme", "share", "swarm", "to", "weight"})
SHARE = "daemun.share"
"""The projects that a container lets share its hosts. It concerns the container as a whole."""
SWARM = "daemun.swarm"
"""Where requests for a service of Docker Swarm go, one of `SWARM_WAYS`. It concerns the service as a whole."""
SWARM_WAYS = ("tasks", "vip")
MAX_LABELS = 200
MAX_VALUE_CHARACTERS = 4096
MAX_ROUTES = 100
"""Per container, so that one cannot fill the gate with hosts."""

_KNOWN = KEYS | label_options.ROUTE_OPTIONS | label_options.SITE_OPTIONS
_RESERVED = _KNOWN | label_options.FOR_THE_FILE_ONLY
_STREAMS = f"{stream_labels.PREFIX}."
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_MISSPELT = re.compile(r"(?i:daemun|(?:da?e?a?m[ou]n[._/-](?P<key>[A-Za-z0-9_.-]{1,128})))\Z")
_SHARE = re.compile(r"\s*(?:true|[A-Za-z0-9_.-]{1,64}(?:\s*,\s*[A-Za-z0-9_.-]{1,64}){0,99})\s*\Z")
_SCHEMES = {scheme.value: scheme for scheme in model.Scheme}
_NO_APP = (None, app_option.NONE)
_MEANT_FOR_SERVERS = ("port", "scheme", "to", "weight")


class _LabelError(ValueError):
    """The text names the label, what was found and what was expected."""


def read_requests(container: containers.EngineContainer) -> route_requests.ContainerRequests:
    """What the labels that start with "daemun." request; nothing when there are none."""
    notes = tuple(_find_misspelt(container.labels))
    found = _read_given(container)
    return found if not notes or found.faults else dataclasses.replace(found, notes=notes)


def _find_misspelt(labels: collections.abc.Iterable[tuple[str, str]]) -> collections.abc.Iterator[str]:
    """Labels that no program reads, but daemun would if their beginning was spelled right."""
    for name, _ in labels:
        found = None if name.startswith(PREFIX) else _MISSPELT.match(name)
        if found is not None and (found["key"] or "").rpartition(".")[2].lower() in {"", *_KNOWN}:
            meant = PREFIX + ((found["key"] or "").lower() or "host")
            yield f"the label {words.quoted(name)} is not read; did you mean {words.quoted(meant)}?"


def _read_given(container: containers.EngineContainer) -> route_requests.ContainerRequests:
    given = {name.removeprefix(PREFIX): value for name, value in container.labels if name.startswith(PREFIX)}
    shared = given.pop("share", None)
    if shared is not None and not _SHARE.match(shared):
        expected = "true, or names of projects, separated by commas"
        fault = f'label "{SHARE}": expected {expected}, found {words.describe(shared)}'
        return route_requests.ContainerRequests(faults=(fault,))
    way = given.pop("swarm", SWARM_WAYS[0]).strip()
    if way not in SWARM_WAYS:
        expected = f"expected {words.listed(SWARM_WAYS)}, found {words.describe(way)}{words.guess(way, SWARM_WAYS)}"
        return route_requests.ContainerRequests(faults=(f'label "{SWARM}": {expected}',))
    origin = model.Origin(source="docker", place=container.place)
    try:
        of_streams = _take_streams(given)
        found = tuple(_read_all(_group(given), origin))
    except (_LabelError, stream_labels.StreamLabelError) as error:
        return route_requests.ContainerRequests(faults=(str(error),))
    if len(found) > MAX_ROUTES:
        return route_requests.ContainerRequests(
            faults=(f"it asks for {len(found)} hosts and paths; at most {MAX_ROUTES} are allowed",)
        )
    faults = tuple(dict.fromkeys(fault for request in found for fault in find_faults(request)))
    if faults:
        return route_requests.ContainerRequests(faults=faults)
    return route_requests.ContainerRequests(requests=found, streams=of_streams)


def _take_streams(given: dict[str, str]) -> tuple[route_requests.StreamRequest, ...]:
    """Takes the labels of streams out of the others. Raises: _LabelError, StreamLabelError."""
    _check_bounds(given)
    found = {name.removeprefix(_STREAMS): given.pop(name) for name in [*given] if name.startswith(_STREAMS)}
    return stream_labels.read_streams(found, prefix=f"{PREFIX}{_STREAMS}")


def _check_bounds(given: collections.abc.Mapping[str, str]) -> None:
    if len(given) > MAX_LABELS:
        raise _LabelError(f'it has {len(given)} labels that start with "daemun."; at most {MAX_LABELS} are read')
    for name, value in given.items():
        if name.startswith(_STREAMS) and len(value) > MAX_VALUE_CHARACTERS:
            label = f"label {words.quoted(PREFIX + name)}"
            raise _LabelError(f"{label} is too long: {len(value)} characters, at most {MAX_VALUE_CHARACTERS}")


def find_faults(request: route_requests.RouteRequest, *, with_patterns: bool = False) -> tuple[str, ...]:
    """Why the rules for every site refuse this request. Refused alone, it harms no other request for the same host.

    with_patterns: whether its host and path may be regular expressions.
    """
    action = request.route.action
    if isinstance(action, model.Proxy):
        action = dataclasses.replace(
            action,
            targets=tuple(
                dataclasses.replace(one, host="127.0.0.1", port=request.port or 80) for one in action.targets
            ),
        )
    without_tls = route_requests.SiteOptions(tls=model.Tls(mode=model.TlsMode.OFF), http=model.HttpMode.SERVE)
    site_options = request.site or (without_tls if with_patterns else route_requests.SiteOptions())
    origin = request.route.origin if with_patterns else model.NOWHERE
    route = dataclasses.replace(request.route, action=action, origin=origin)
    site = site_options.make_site(request.host, (route,), origin)
    found = validate.find_site_problems(site)
    return tuple(problem.message for problem in found if problem.severity is model.Severity.ERROR)


# --- names -----------------------------------------------------------------------------------------------------


@dataclasses.dataclass(slots=True)
class _Group:
    """The labels of one route. prefix: what each starts with, "daemun." or "daemun.NAME."."""

    prefix: str
    values: dict[str, label_options.Value] = dataclasses.field(default_factory=dict)

    def text(self, key: str) -> str | None:
        value = self.values.get(key)
        return value.strip() if isinstance(value, str) else None

    def label(self, key: str) -> str:
        return f"label {words.quoted(self.prefix + key)}"


def _group(given: collections.abc.Mapping[str, str]) -> list[_Group]:
    """The labels by route, the one without a name first. Raises: _LabelError."""
    groups: dict[str, _Group] = {}
    for name, value in sorted(given.items()):
        head, dot, rest = name.partition(".")
        is_named = head not in _RESERVED and bool(dot)
        if is_named and not _NAME.match(head):
            raise _LabelError(
                f"label {words.quoted(PREFIX + name)}: a route's name is 1 to 64 of A-Z, a-z, 0-9, _ and -"
            )
        prefix, path = (f"{PREFIX}{head}.", rest) if is_named else (PREFIX, name)
        _add(groups.setdefault(prefix, _Group(prefix=prefix)), path, value)
    return [groups[prefix] for prefix in sorted(groups, key=lambda prefix: (prefix != PREFIX, prefix))]


def _add(group: _Group, path: str, value: str) -> None:
    key, dot, part = path.partition(".")
    label = group.label(path)
    if key in {"share", "swarm"}:
        raise _LabelError(f"{label} concerns the whole container; write {words.quoted(PREFIX + key)}")
    if key in label_options.FOR_THE_FILE_ONLY or label_options.is_for_the_file(key, part):
        raise _LabelError(f"{label} is not for labels, because it could reach beyond its container; use daemun.yaml")
    if key not in _KNOWN:
        raise _LabelError(f"{label} is unknown: expected {words.listed(sorted(_KNOWN))}{words.guess(key, _KNOWN)}")
    if len(value) > MAX_VALUE_CHARACTERS:
        raise _LabelError(f"{label} is too long: {len(value)} characters, at most {MAX_VALUE_CHARACTERS}")
    if key in label_options.HEADERS and not part:
        raise _LabelError(f"{label}: the header's name is missing; write {words.quoted(group.prefix + key + '.NAME')}")
    if dot and key not in label_options.BY_ANY_NAME and part not in label_options.PARTS.get(key, ()):
        known = label_options.PARTS.get(key)
        hint = f"expected {words.listed(f'{key}.{name}' for name in known)}" if known else f"{key} has no parts"
        raise _LabelError(f"{label} is unknown: {hint}")
    if not dot:
        group.values[key] = value
        return
    parts = group.values.setdefault(key, {})
    if not isinstance(parts, dict):
        raise _LabelError(f"{label} stands beside {group.label(key)}; use one of the two forms")
    if key not in label_options.BY_ANY_NAME:
        other = next((one for one in parts if one.startswith(f"{part}.") or part.startswith(f"{one}.")), None)
        if other is not None:
            raise _LabelError(f"{label} stands beside {group.label(f'{key}.{other}')}; use one of the two forms")
    parts[part] = value


# --- values ----------------------------------------------------------------------------------------------------


def _read_all(
    groups: collections.abc.Sequence[_Group], origin: model.Origin
) -> collections.abc.Iterator[route_requests.RouteRequest]:
    """A named route without a host of its own takes the one of the route without a name. Raises: _LabelError."""
    default = groups[0].text("host") if groups and groups[0].prefix == PREFIX else None
    found: list[route_requests.RouteRequest] = []
    owners: dict[tuple[str, str], _Group] = {}
    for group in groups:
        written = group.text("host")
        if written is None and default is None:
            raise _LabelError(f"{group.label('host')} is missing: no host name says where this container is reached")
        for request in _read_group(group, written or default or "", origin):
            # Both would be granted, and requests would go to each of two ports in turn.
            owner = owners.setdefault((request.host, request.route.path), group)
            if owner is not group:
                where = words.quoted(request.host + request.route.path)
                raise _LabelError(
                    f"the labels {words.quoted(owner.prefix + '*')} and {words.quoted(group.prefix + '*')} are both "
                    f"for {where}; set {group.label('path')} or {group.label('host')} to another one"
                )
            found.append(request)
    yield from found
    for host in dict.fromkeys(one.host for one in found):
        yield from _read_app_paths(host, [one.route for one in found if one.host == host])


def _read_group(
    group: _Group, hosts: str, origin: model.Origin
) -> collections.abc.Iterator[route_requests.RouteRequest]:
    try:
        entry = label_options.read_route(group.values)
        site = label_options.read_site(group.values)
        action, options = _action(group, entry)
    except label_options.OptionError as error:
        raise _LabelError(f"{group.label(error.key)}: {error}") from error
    path = route_paths.normal(group.text("path") or "/")
    action = rewrite_option.place_path(path, action)
    route = model.Route(path=path, action=action, options=options, origin=origin)
    port = _number(group, "port", most=65535)
    weight = _number(group, "weight", most=65535) or 1
    for host in _hosts(group, hosts):
        yield route_requests.RouteRequest(host=host, route=route, port=port, weight=weight, site=site)


def _read_app_paths(
    host: str, written: collections.abc.Sequence[model.Route]
) -> collections.abc.Iterator[route_requests.RouteRequest]:
    """The paths that the applications behind them want answered. written: of the container's own labels.

    Raises: _LabelError: one that is to be closed cannot be written."""
    for one in app_paths.find(written, lambda name: known_apps.built_in(name) if name not in _NO_APP else None):
        try:
            for route in app_paths.make_routes(one, written):
                yield route_requests.RouteRequest(host=host, route=route)
        except app_paths.UnplacedPathError as error:
            raise _LabelError(f"the application {one.app.name} at {words.quoted(one.route.path)} {error}") from error


def _find_app(entry: yaml_route.RouteEntry) -> app_preset.Preset | None:
    """Raises: OptionError for one that daemun does not know. The owner's files are for the file alone."""
    name = getattr(entry, app_option.OPTION.name)
    if name is None or name == app_option.NONE:
        return None
    app = known_apps.BUILT_IN.find(name)
    if app is None:
        raise label_options.OptionError(app_option.OPTION.name, known_apps.BUILT_IN.explain(name))
    return app


def _action(group: _Group, entry: yaml_route.RouteEntry) -> tuple[model.Action, model.OptionValues]:
    """What a route leads to, and the options of the route itself."""
    if entry.actions():
        misplaced = [key for key in _MEANT_FOR_SERVERS if key in group.values]
        if misplaced:
            kind = "redirect" if entry.redirect is not None else "fixed answer"
            raise label_options.OptionError(misplaced[0], f"has no meaning for a {kind}")
        return entry.make_action()
    target = model.Target(scheme=_scheme(group), path=group.text("to"))
    app = _find_app(entry)
    if app is not None:
        app.for_route(entry, is_of_site=False, is_http=target.scheme.is_http)
    given = entry.given(catalogue.BY_NAME) | label_options.choose_verify(entry, target.scheme)
    options, own = catalogue.split(given, option.RouteAction.TO)
    return model.Proxy(targets=(target,), options=own), options


def _hosts(group: _Group, text: str) -> list[str]:
    try:
        port = words.quoted(f"{group.prefix}port")
        parts = (part for part in text.split(",") if part.strip())
        found = [value_parsers.parse_listed_host(part, port_word=port) for part in parts]
    except ValueError as error:
        raise _LabelError(f"{group.label('host')}: {error}") from error
    if not found:
        raise _LabelError(f"{group.label('host')} is empty: expected host names, separated by commas")
    return list(dict.fromkeys(found))


def _scheme(group: _Group) -> model.Scheme:
    word = group.text("scheme")
    if word is None:
        return model.Scheme.HTTP
    if word not in _SCHEMES:
        hint = "; WebSockets need no scheme of their own" if word in {"ws", "wss"} else words.guess(word, _SCHEMES)
        raise label_options.OptionError(
            "scheme", f"expected {words.listed(_SCHEMES)}, found {words.describe(word)}{hint}"
        )
    return _SCHEMES[word]


def _number(group: _Group, key: str, *, most: int) -> int | None:
    text = group.text(key)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= most):
        raise _LabelError(f"{group.label(key)}: expected a number from 1 to {most}, found {words.describe(text)}")
    return int(text)
