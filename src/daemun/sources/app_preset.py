"""What an application asks of a proxy, in daemun.yaml's own keys: a preset, which lies beneath the keys of a site.

A preset sets how requests reach the application, and answers some paths itself. It never says who may come in, when,
where servers are or what nginx reads: that stands in daemun.yaml alone, so no preset opens anything.
"""

import collections.abc
import dataclasses
import typing

import pydantic

from daemun.core import model
from daemun.core.options import access_option, app_option, catalogue, header_options, health_option, option, when_option
from daemun.core.texts import route_paths, words
from daemun.sources import yaml_check, yaml_entry, yaml_positions, yaml_route, yaml_variables

MAX_BYTES = 1 << 16
"""Of the file of one preset."""
_OWN = frozenset({access_option.OPTION.name, app_option.OPTION.name, when_option.OPTION.name})
OPTIONS = tuple(
    one
    for one in catalogue.ROUTE
    if option.RouteAction.TO in one.actions and one.name not in _OWN and one.files is None and one.pages is None
)
_OF_SITES = frozenset(one.name for one in OPTIONS if option.Level.SITE in one.levels)
_THAT_ADD_UP = frozenset({header_options.REQUEST.name, header_options.RESPONSE.name})
_ANSWERS = frozenset({option.RouteAction.REDIRECT, option.RouteAction.RESPOND, option.RouteAction.DENY})


class _DefaultsEntry(yaml_entry.YamlEntry):
    """A map of options of routes."""


_DEFAULTS: type[_DefaultsEntry] = catalogue.with_fields("PresetDefaults", _DefaultsEntry, OPTIONS)


class PresetEntry(yaml_entry.YamlEntry):
    """The file of an application."""

    shape = "a map with `title` and what the application needs of a proxy"
    title: str
    source: str = ""
    images: list[str] = pydantic.Field(default_factory=list)
    port: typing.Annotated[int, pydantic.Field(ge=1, le=65535)] | None = None
    settings: list[str] = pydantic.Field(default_factory=list)
    defaults: _DEFAULTS | None = None  # type: ignore[valid-type]
    routes: dict[str, typing.Any] = pydantic.Field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What one application asks of a proxy.

    name: as `app` has it. source: where its documentation says so. images: of containers that run it, without a
    registry. port: at which the container listens. settings: what to set in the application, with {host} for the host.
    options: by their names. routes: paths, and the entries of their answers. written: `defaults` and `routes` as plain
    values. place: of the owner's file; "": daemun brings it.
    """

    name: str
    title: str
    source: str = ""
    images: tuple[str, ...] = ()
    port: int | None = None
    settings: tuple[str, ...] = ()
    options: collections.abc.Mapping[str, typing.Any] = dataclasses.field(default_factory=dict)
    routes: tuple[tuple[str, yaml_route.RouteEntry], ...] = ()
    written: collections.abc.Mapping[str, typing.Any] = dataclasses.field(default_factory=dict)
    place: str = ""

    def settings_for(self, host: str) -> tuple[str, ...]:
        return tuple(one.replace("{host}", host) for one in self.settings)

    # --- beneath the keys of a site ---

    def for_site(self, entry: yaml_entry.YamlEntry, given: dict[str, typing.Any]) -> dict[str, typing.Any]:
        """given: of the entry."""
        beneath = {name: value for name, value in self.options.items() if name in _OF_SITES}
        return _fill(beneath, entry, given)

    def for_route(self, entry: yaml_route.RouteEntry, *, is_of_site: bool, is_http: bool) -> None:
        """For one that leads to servers. is_of_site: the whole site is the application's, and has what a site can have.
        is_http: whether the servers can be requested over HTTP by address."""
        left_out = set(_OF_SITES) if is_of_site else set()
        if not is_http:
            left_out.add(health_option.OPTION.name)
        beneath = {name: value for name, value in self.options.items() if name not in left_out}
        for name, value in _fill(beneath, entry, entry.given(beneath)).items():
            setattr(entry, name, value)

    def make_routes(
        self, taken: collections.abc.Collection[str], origin: model.Origin
    ) -> collections.abc.Iterator[model.Route]:
        """The answers at paths that the site does not have itself. taken: those that it has."""
        for path, entry in self.routes:
            if path not in taken:
                action, options = entry.model_copy().make_action()
                yield model.Route(path=path, action=action, options=options, origin=origin)

    def find_repeated(self, entry: yaml_entry.YamlEntry) -> collections.abc.Iterator[str]:
        """Keys of a site or a route that set what the preset does."""
        for name, value in entry.given(self.options).items():
            if value == self.options[name]:
                yield name


def _fill(
    beneath: collections.abc.Mapping[str, typing.Any], entry: yaml_entry.YamlEntry, given: dict[str, typing.Any]
) -> dict[str, typing.Any]:
    """What holds: the entry's own values, and headers of the preset that it says nothing of."""
    found = {name: value for name, value in beneath.items() if name not in entry.model_fields_set} | given
    for name in _THAT_ADD_UP & beneath.keys() & given.keys():
        own = {header.lower() for header, _ in given[name]}
        found[name] = (*(one for one in beneath[name] if one[0].lower() not in own), *given[name])
    return found


# --- its file --------------------------------------------------------------------------------------------------


def parse(name: str, content: bytes, *, place: str = "") -> tuple[Preset | None, tuple[str, ...]]:
    """The preset of a file, and everything that is wrong with it, each with its place. place: the file's name in
    messages; "": the package's. Never raises, whatever the content."""
    file = place or f"{name}.yaml"
    if len(content) > MAX_BYTES:
        return None, (f"{file}: is too large: more than {MAX_BYTES} bytes",)
    document = yaml_positions.load(content)
    entry, found = yaml_check.read_part(PresetEntry, document, (), folder="")
    faults = [*document.faults, *(found if not document.faults or document.value is not None else ())]
    routes: list[tuple[str, yaml_route.RouteEntry]] = []
    for path in entry.routes if entry is not None else ():
        route, found = yaml_check.read_part(yaml_route.ROUTE, document, ("routes", path), folder="")
        faults += found
        cause = None if route is None or found else _find_cause(path, route)
        if cause is not None:
            mark = document.keys.get(("routes", path), yaml_positions.START)
            faults.append(yaml_positions.YamlFault(message=f"route {words.quoted(path)} {cause}", mark=mark))
        elif route is not None:
            routes.append((route_paths.normal(path), route))
    messages = tuple(yaml_variables.hide(f"{file}:{one.mark}: {one.message}", document.variables) for one in faults)
    if messages or entry is None:
        return None, messages or (f"{file}: cannot be read; expected {PresetEntry.shape}",)
    written = document.value if isinstance(document.value, dict) else {}
    defaults: yaml_entry.YamlEntry | None = entry.defaults
    return (
        Preset(
            name=name,
            title=entry.title,
            source=entry.source,
            images=tuple(entry.images),
            port=entry.port,
            settings=tuple(entry.settings),
            options={} if defaults is None else defaults.given(catalogue.BY_NAME),
            routes=tuple(routes),
            written={key: written[key] for key in ("defaults", "routes") if key in written},
            place=place,
        ),
        (),
    )


def _find_cause(path: str, route: yaml_route.RouteEntry) -> str | None:
    """Why it cannot be a route of a preset."""
    if not route_paths.is_written(path):
        return 'is no path; it starts with "/", or is written as in daemun.yaml'
    actions = route.actions()
    if len(actions) != 1 or actions[0] not in _ANSWERS:
        return "needs one of `redirect`, `respond` and `deny`; servers and files stand in daemun.yaml"
    if route.nginx or (route.respond is not None and route.respond.file is not None):
        return "cannot have hand-written nginx, or a file; write it in daemun.yaml"
    if route.given(_OWN):
        return "cannot say who may come in, or when; write it in daemun.yaml"
    return None


# --- images ----------------------------------------------------------------------------------------------------


def find_repository(image: str) -> str:
    """ "linuxserver/jellyfin" of "lscr.io/linuxserver/jellyfin:10.9@sha256:..."; "nextcloud" of Docker's own."""
    name = image.partition("@")[0]
    path, colon, tag = name.rpartition(":")
    name = path if colon and "/" not in tag else name
    first, slash, rest = name.partition("/")
    is_registry = bool(slash) and ("." in first or ":" in first or first == "localhost")
    return (rest if is_registry else name).removeprefix("library/").lower()
