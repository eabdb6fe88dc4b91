"""What is set in the files of a draft and where, for forms. Blocking; no secret is in what comes of it."""

import collections.abc
import dataclasses
import enum
import pathlib
import typing

from daemun.core import model
from daemun.core.options import catalogue, option, secret_fields
from daemun.core.texts import secret_forms, words
from daemun.errors import ConfigError, NotFoundError
from daemun.sources import (
    file_access,
    yaml_blocks,
    yaml_defaults,
    yaml_excerpt,
    yaml_holder,
    yaml_positions,
    yaml_value_text,
)
from daemun.sources.drafts import draft_secrets, option_forms

Json = dict[str, typing.Any]

_ROUTES = "routes"
_PLAIN = (str, int, float, bool)


class _Written:
    """A file as people see it: its secrets hidden, its variables as they are written. keep: the sites that are read of
    a long file."""

    def __init__(self, content: bytes, keep: collections.abc.Callable[[str], bool]) -> None:
        shown = draft_secrets.show(content)
        real = yaml_positions.decode(content, [])
        if shown is None or real is None:
            raise ConfigError("cannot make a form: the file is no YAML that can be read; correct its text first")
        self.document = _load(shown, keep)
        self._lines = self.document if shown == real else _load(real, keep)
        self._excerpt = yaml_excerpt.make(real, keep)

    def line_of(self, path: yaml_positions.Path) -> int | None:
        """From 1."""
        mark = self._lines.keys.get(path) or self._lines.values.get(path)
        if mark is None:
            return None
        if self._excerpt is None:
            return mark.line
        before = self._excerpt.text.split("\n")[: mark.line - 1]
        return mark.line + sum(self._excerpt.left_out.get(line, "").count("\n") for line in before)

    def get(self, path: yaml_positions.Path) -> object:
        value = self.document.value
        for step in path:
            is_there = (isinstance(value, dict) and step in value) or (
                isinstance(value, list) and isinstance(step, int)
            )
            if not is_there:
                return None
            value = value[step]  # type: ignore[index]
        return value


def _load(text: str, keep: collections.abc.Callable[[str], bool]) -> yaml_positions.Document:
    excerpt = yaml_excerpt.make(text, keep)
    return yaml_positions.load(text if excerpt is None else excerpt.text, is_literal=True)


def describe_gate(main: pathlib.Path, files: file_access.EditedFiles) -> Json:
    """Every key of the top of daemun.yaml, with what is written."""
    written = _Written(files.read(main) or b"", lambda _: False)
    fields = [
        _with_text(field, _find_value(written, main.name, (field["key"],)))
        for field in option_forms.list_fields(option.Level.GATE)
    ]
    return {
        "level": option.Level.GATE.value,
        "host": None,
        "path": None,
        "index": None,
        "file": main.name,
        "line": None,
        "containers": [],
        "routes": [],
        "servers": [],
        "options": fields,
    }


def describe_site(
    main: pathlib.Path,
    files: file_access.EditedFiles,
    host: str,
    *,
    route: tuple[str, int | None] | None,
    served: collections.abc.Sequence[model.Site],
    pools: collections.abc.Mapping[str, model.Pool],
) -> Json:
    """Every key of a site, or of one of its routes (path, and which of several of that path). served: what the gate has
    for the host, of containers too.

    file: where it is written, null: it is a container's alone. containers: whose it is besides. routes: with their
    paths and where they lead. servers: of
    containers, of the route. pools: by name. Raises: ConfigError when there is no such site or route."""
    holder = yaml_holder.find(main, host, files=files)
    of_containers = [site for site in served if any(True for _ in _origins_of(site))]
    wanted = yaml_holder.host_of(host)
    written = _Written(files.read(holder.path) or b"", lambda key: yaml_holder.host_of(key) == wanted)
    keys = yaml_blocks.keys_of(written.document)
    key = next((one for one in keys if yaml_holder.host_of(one) == wanted), None)
    if key is None and not of_containers:
        raise NotFoundError(f'cannot make a form of "{host}": there is no such site; add it first')
    site = _SiteValues(written, holder.name, key)
    path, index = (None, None) if route is None else route
    at = site.place if path is None else site.find_route(path, index)
    if path is not None and at is None and not any(one.path == path for held in of_containers for one in held.routes):
        raise NotFoundError(f'cannot make a form of "{host}": there is no route "{path}"')
    level = option.Level.SITE if route is None else option.Level.ROUTE
    further = _Further(_Defaults(main, files), _find_served(of_containers, path))
    fields = []
    for field in option_forms.list_fields(level):
        found = _NOT_SET if at is None else _find_value(written, holder.name, (*at, field["key"]))
        if at is not None and field["key"] == "to" and found["source"] is None:
            found = site.find_target(at)
        fields.append(_with_text(field, found if found["source"] is not None else further.find(field["key"])))
    return {
        "level": level.value,
        "host": host,
        "path": path,
        "index": index,
        "file": holder.name if key is not None else None,
        "line": None if key is None else written.line_of((yaml_blocks.SITES, key)),
        "containers": sorted({str(one) for held in of_containers for one in _origins_of(held)}),
        "routes": [*site.list_routes(), *_list_served(of_containers, pools)],
        "servers": _list_servers(of_containers, path, pools),
        "options": fields,
    }


@dataclasses.dataclass(frozen=True, slots=True)
class _Further:
    """What holds where the site or the route sets nothing."""

    defaults: "_Defaults"
    containers: dict[str, Json]

    def find(self, key: str) -> Json:
        return self.containers.get(key) or self.defaults.find(key) or _NOT_SET


def _with_text(field: Json, found: Json) -> Json:
    """text: what stands in the form."""
    value = found["value"]
    text = ""
    if isinstance(value, list) and field["control"] == option_forms.Control.LINES.value:
        text = "\n".join(map(str, value))
    elif isinstance(value, str) and field["control"] != option_forms.Control.YAML.value:
        text = value
    elif value is not None:
        text = yaml_value_text.write(value)
    return {**field, **found, "text": text}


_NOT_SET: Json = {"value": None, "source": None, "file": None, "line": None}


def _find_value(written: _Written, name: str, path: yaml_positions.Path, source: str = "file") -> Json:
    if path not in written.document.values:
        return _NOT_SET
    return {"value": written.get(path), "source": source, "file": name, "line": written.line_of(path)}


class _SiteValues:
    """A site as it is written. place: of the map that has its options; None: it is written in a short form."""

    def __init__(self, written: _Written, file: str, key: str | None) -> None:
        self._written = written
        self._file = file
        self._at = None if key is None else (yaml_blocks.SITES, key)
        value = None if self._at is None else written.get(self._at)
        self._routes_at: yaml_positions.Path | None = None
        self.place: yaml_positions.Path | None = None
        if self._at is None:
            return
        is_short = isinstance(value, dict) and all(one.startswith(("/", "=", "~", "*.")) for one in value)
        self._routes_at = self._at if is_short else (*self._at, _ROUTES)
        self.place = self._at if isinstance(value, dict) and not is_short else None
        self._target = value if isinstance(value, str) else None

    def find_route(self, path: str, index: int | None) -> yaml_positions.Path | None:
        """Where its map is; a place that is no map has a target alone. None: the file has no such route."""
        if self._at is None or self._routes_at is None:
            return None
        if self._target is not None:
            return self._at if path == "/" else None
        at = (*self._routes_at, path) if index is None else (*self._routes_at, path, index)
        return at if at in self._written.document.values else None

    def find_target(self, at: yaml_positions.Path) -> Json:
        value = self._written.get(at)
        if not isinstance(value, str):
            return _NOT_SET
        return {"value": value, "source": "file", "file": self._file, "line": self._written.line_of(at)}

    def list_routes(self) -> list[Json]:
        if self._at is None or self._routes_at is None:
            return []
        if self._target is not None:
            return [
                {
                    "path": "/",
                    "index": None,
                    "to": self._target,
                    "line": self._written.line_of(self._at),
                    "container": None,
                }
            ]
        routes = self._written.get(self._routes_at)
        found: list[Json] = []
        for path, value in routes.items() if isinstance(routes, dict) else ():
            several = value if isinstance(value, list) else [value]
            for number, one in enumerate(several):
                index = number if isinstance(value, list) else None
                at = (*self._routes_at, path) if index is None else (*self._routes_at, path, index)
                found.append(
                    {
                        "path": path,
                        "index": index,
                        "to": _lead(one),
                        "line": self._written.line_of(at),
                        "container": None,
                    }
                )
        return found


def _lead(value: object) -> str:
    """Where a route leads, in one line, as a file has it."""
    if not isinstance(value, dict):
        return _in_words(value)
    for kind in option.RouteAction:
        if kind.value in value:
            text = _in_words(value[kind.value])
            return text if kind is option.RouteAction.TO else f"{kind.value}: {text}"
    return ""


def _in_words(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    try:
        return yaml_value_text.make_flow(value)
    except ConfigError:  # a date, for one
        return words.describe(value)


class _Defaults:
    """`defaults` of daemun.yaml, which are read when a key is not set nearer."""

    def __init__(self, main: pathlib.Path, files: file_access.EditedFiles) -> None:
        self._name = main.name
        try:
            self._written: _Written | None = _Written(files.read(main) or b"", lambda _: False)
        except ConfigError:
            self._written = None

    def find(self, key: str) -> Json | None:
        if self._written is None:
            return None
        found = _find_value(self._written, self._name, (yaml_defaults.KEY, key), source="defaults")
        return found if found["source"] is not None else None


def _find_served(sites: collections.abc.Sequence[model.Site], path: str | None) -> dict[str, Json]:
    """What containers set, by key: with the name of the label. Values that are more than a word are left to it."""
    found: dict[str, Json] = {}
    for site in sites:
        routes = [route for route in site.routes if route.path == path]
        beneath = None if site.overlay is None else site.overlay.beneath
        own = frozenset() if site.overlay is None else site.overlay.keys
        holders = (
            [(beneath or site.origin, tuple(one for one in site.options if (one[0],) not in own))]
            if path is None
            else [
                (
                    beneath or route.origin,
                    tuple(one for one in (*route.options, *route.action.options) if (*route.field, one[0]) not in own),
                )
                for route in routes
            ]
        )
        for origin, options in holders:
            for name, value in options:
                if name in catalogue.BY_NAME:
                    plain = value.value if isinstance(value, enum.Enum) else value
                    shown = _without_secret(name, plain) if isinstance(plain, _PLAIN) else None
                    found[name] = {"value": shown, "source": str(origin), "file": None, "line": None}
        if path is not None:
            for route in routes:
                if isinstance(route.action, model.Proxy):
                    # Their servers come and go: what stood in the form would be written into the file.
                    found["to"] = {"value": None, "source": str(beneath or route.origin), "file": None, "line": None}
    return found


def _without_secret(name: str, value: object) -> object:
    """None: it is or has one. What stands in a form may come back, and would be written."""
    secret = secret_fields.find_all().get(name)
    is_secret = secret is not None and (secret.is_secret or secret.can_be_short)
    return None if is_secret or (isinstance(value, str) and secret_forms.hide(value) != value) else value


def _list_servers(
    sites: collections.abc.Iterable[model.Site],
    path: str | None,
    pools: collections.abc.Mapping[str, model.Pool],
) -> list[str]:
    routes = [route for site in sites for route in site.routes if route.path == path]
    return [secret_forms.hide(text) for route in routes for text in _targets_of(route, pools)]


def _targets_of(route: model.Route, pools: collections.abc.Mapping[str, model.Pool]) -> list[str]:
    """No pool by its name: nobody else can do anything with it."""
    targets = route.action.targets if isinstance(route.action, model.Proxy) else ()
    known = [one for one in targets if one.pool is None or one.pool in pools]
    return [str(server) for one in known for server in one.list_servers(pools)]


def _origins_of(site: model.Site) -> collections.abc.Iterator[model.Origin]:
    """Of containers, beneath a site of the file, too."""
    yield from (route.origin for route in site.routes if route.origin.source == model.CONTAINERS)
    if site.overlay is not None and site.overlay.beneath is not None:
        yield site.overlay.beneath


def _list_served(
    sites: collections.abc.Sequence[model.Site], pools: collections.abc.Mapping[str, model.Pool]
) -> list[Json]:
    """Routes of containers."""
    return [
        {
            "path": route.path,
            "index": None,
            "to": secret_forms.hide(", ".join(_targets_of(route, pools))),
            "line": None,
            "container": str(route.origin),
        }
        for site in sites
        for route in site.routes
        if route.origin.source == "docker"
    ]
