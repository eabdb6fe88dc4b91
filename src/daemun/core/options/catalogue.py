"""Every option of daemun.yaml. A new one is added to one list here, and nothing else has to know it.

The keys that say what there is (`sites`, `routes`, `to`, `redirect`, `files`, `respond`, `deny`, `php`) and
hand-written `nginx` are no options: they are read in `sources` (`yaml_top`, `yaml_site`, `yaml_route`).
"""

import collections.abc
import dataclasses
import itertools
import typing

import pydantic
import pydantic.json_schema
import pydantic_core

from daemun.core import directive, model, render_environment
from daemun.core.options import (
    access_option,
    acme_option,
    alerts_option,
    alias_options,
    app_option,
    balance_option,
    bandwidth_option,
    bans_option,
    buffering_option,
    buffers_option,
    cache_control_option,
    cache_option,
    client_timeout_option,
    compat_option,
    compress_option,
    cors_option,
    crowdsec_option,
    dashboard_option,
    default_option,
    docker_option,
    enabled_option,
    errors_option,
    fleet_option,
    from_option,
    header_options,
    health_option,
    hold_option,
    host_header_option,
    hsts_option,
    http3_option,
    http_option,
    index_option,
    keep_option,
    keepalive_option,
    listen_option,
    listing_option,
    local_address_option,
    login_option,
    logs_option,
    maintenance_option,
    max_body_option,
    max_header_option,
    metrics_option,
    nginx_upgrade_option,
    node_option,
    old_workers_option,
    on_demand_option,
    option,
    page_file,
    proxy_headers_option,
    redirect_status_option,
    retries_option,
    rewrite_option,
    robots_option,
    root_option,
    security_headers_option,
    spa_option,
    status_option,
    status_page_option,
    streams_option,
    timeout_option,
    tls_option,
    tracing_option,
    trailing_slash_option,
    translate_option,
    trusted_proxies_option,
    underscores_option,
    upstream_tls_options,
    user_option,
    when_option,
    workers_option,
)
from daemun.core.texts import words

EVERY: tuple[option.Option[typing.Any], ...] = (
    listen_option.OPTION,
    http3_option.OPTION,
    acme_option.OPTION,
    default_option.OPTION,
    compat_option.OPTION,
    alerts_option.OPTION,
    docker_option.OPTION,
    trusted_proxies_option.OPTION,
    bans_option.OPTION,
    crowdsec_option.OPTION,
    streams_option.OPTION,
    proxy_headers_option.OPTION,
    logs_option.OPTION,
    metrics_option.OPTION,
    dashboard_option.OPTION,
    status_page_option.OPTION,
    tracing_option.OPTION,
    workers_option.OPTION,
    old_workers_option.OPTION,
    nginx_upgrade_option.OPTION,
    user_option.OPTION,
    fleet_option.OPTION,
    node_option.OPTION,
    max_header_option.OPTION,
    client_timeout_option.OPTION,
    from_option.OPTION,
    app_option.OPTION,
    alias_options.ALIASES,
    alias_options.REDIRECT,
    trailing_slash_option.OPTION,
    tls_option.OPTION,
    on_demand_option.OPTION,
    http_option.OPTION,
    enabled_option.OPTION,
    login_option.OPTION,
    when_option.OPTION,
    access_option.OPTION,
    hsts_option.OPTION,
    redirect_status_option.OPTION,
    underscores_option.OPTION,
    balance_option.OPTION,
    timeout_option.OPTION,
    retries_option.OPTION,
    buffering_option.OPTION,
    buffers_option.OPTION,
    local_address_option.OPTION,
    keepalive_option.OPTION,
    translate_option.OPTION,
    rewrite_option.OPTION,
    health_option.OPTION,
    hold_option.OPTION,
    host_header_option.OPTION,
    header_options.REQUEST,
    header_options.RESPONSE,
    max_body_option.OPTION,
    bandwidth_option.OPTION,
    compress_option.OPTION,
    errors_option.OPTION,
    maintenance_option.OPTION,
    cors_option.OPTION,
    cache_control_option.OPTION,
    cache_option.OPTION,
    security_headers_option.OPTION,
    robots_option.OPTION,
    upstream_tls_options.VERIFY,
    upstream_tls_options.SERVER_NAME,
    root_option.OPTION,
    index_option.OPTION,
    status_option.OPTION,
    keep_option.OPTION,
    listing_option.OPTION,
    spa_option.OPTION,
)
"""In the order of the documentation."""

BY_NAME = {one.name: one for one in EVERY}
_T = typing.TypeVar("_T")
_Entry = typing.TypeVar("_Entry", bound=pydantic.BaseModel)


def at(level: option.Level) -> tuple[option.Option[typing.Any], ...]:
    return tuple(one for one in EVERY if level in one.levels)


ROUTE, SITE, GATE = at(option.Level.ROUTE), at(option.Level.SITE), at(option.Level.GATE)


class _KeyDocs:
    """The rows of an option that is a map, as descriptions of its keys in the JSON Schema."""

    def __init__(self, docs: collections.abc.Mapping[str, option.Doc]) -> None:
        self._docs = docs

    def __get_pydantic_json_schema__(
        self, schema: pydantic_core.CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> pydantic.json_schema.JsonSchemaValue:
        whole = handler(schema)
        for key, described in handler.resolve_ref_schema(whole)["properties"].items():
            described["description"] = self._docs[key].plain
        return {**whole, "description": "; ".join(f"{key}: {doc.plain}" for key, doc in self._docs.items())}


def _form(one: option.Option[typing.Any]) -> object:
    """Where the default is None, a key with nothing behind it is one that is not written."""
    if one.default is not None or one.is_never_empty:
        return one.form
    return typing.Optional[one.form]  # noqa: UP045 made while it runs


def with_options(name: str, base: type[_Entry], level: option.Level) -> type[_Entry]:
    """A class of pydantic's with a field for each option of the level; one that is not written is not among
    `model_fields_set`."""
    return with_fields(name, base, at(level))


def with_fields(
    name: str, base: type[_Entry], options: collections.abc.Iterable[option.Option[typing.Any]]
) -> type[_Entry]:
    """The same for these options."""
    fields: dict[str, typing.Any] = {}
    for one in options:
        described = one.doc if isinstance(one.doc, option.Doc) else _KeyDocs(one.doc)
        fields[one.name] = (typing.Annotated[_form(one), described], pydantic.Field(default=None))
    return pydantic.create_model(name, __base__=base, __doc__=base.__doc__, **fields)


OF_ACTIONS = {kind: tuple(one for one in ROUTE if kind in one.actions) for kind in option.RouteAction}


def values(*settings: option.Setting) -> model.OptionValues:
    """The values that are set; what is the default is left out, unless it overrides a further level."""
    return values_of(dict(settings))


def values_of(given: collections.abc.Mapping[str, object]) -> model.OptionValues:
    """The same of values by the names of their options, as their forms read them. Raises: KeyError for no option."""
    return tuple(
        (name, value)
        for name, value in sorted(given.items())
        if len(BY_NAME[name].levels) > 1 or value != BY_NAME[name].default
    )


def as_fields(given: collections.abc.Mapping[str, object]) -> dict[str, typing.Any]:
    """Values by the names of their options, as fields of the class of a gate or a site."""
    fields = {field: value for name, value in given.items() if (field := BY_NAME[name].model_field) is not None}
    return {**fields, "options": values_of({name: given[name] for name in given if BY_NAME[name].model_field is None})}


def with_value(options: model.OptionValues, one: option.Option[_T], value: _T) -> model.OptionValues:
    """The same with another value of one option."""
    return values_of({**dict(options), one.name: value})


def find_action(action: model.Action) -> option.RouteAction:
    match action:
        case model.Proxy(php=php):
            return option.RouteAction.TO if php is None else option.RouteAction.PHP
        case model.Redirect():
            return option.RouteAction.REDIRECT
        case model.Files():
            return option.RouteAction.FILES
        case model.Respond():
            return option.RouteAction.RESPOND


def split(
    given: collections.abc.Mapping[str, object], action: option.RouteAction
) -> tuple[model.OptionValues, model.OptionValues]:
    """The values of a route: those that every action has, which are the route's, and those of its own action.

    What the action has no use for stays there, even when it is the default, so that `check_route` finds it.
    """
    common = {name: value for name, value in given.items() if BY_NAME[name].actions == option.EVERY_ACTION}
    own = {name: value for name, value in given.items() if name not in common}
    misplaced = {name for name, _ in find_misplaced(own, action)}
    used = {name: value for name, value in own.items() if name not in misplaced}
    return values_of(common), (*values_of(used), *((name, own[name]) for name in sorted(misplaced)))


def find_misplaced(
    given: collections.abc.Iterable[str], action: option.RouteAction
) -> collections.abc.Iterator[tuple[str, str]]:
    """Options that this action does not look at, and why: to ignore them without a word would surprise."""
    for name in sorted(given):
        if action not in BY_NAME[name].actions:
            meant = [f"`{kind.value}`" for kind in option.RouteAction if kind in BY_NAME[name].actions]
            yield name, f"has a meaning only beside {words.listed(meant)}"


@dataclasses.dataclass(frozen=True, slots=True)
class SetOption:
    """The value of an option, and where it is: `Problem.field`, and the site; None: the gate."""

    option: option.Option[typing.Any]
    value: typing.Any
    field: tuple[str | int, ...]
    site: model.Site | None = None


_LOADED = frozenset(one.name for one in EVERY if one.loaded is not None)
_FILES = frozenset(one.name for one in EVERY if one.files is not None)


def find_values(
    snapshot: model.Snapshot, names: typing.Container[str] = BY_NAME
) -> collections.abc.Iterator[SetOption]:
    """What the options with these names are set to, wherever they are."""
    fields = {
        level: [one for one in at(level) if one.model_field is not None and one.name in names] for level in option.Level
    }
    if snapshot.globals is not None:
        for one, value in _find_set(snapshot.globals, fields[option.Level.GATE], names):
            yield SetOption(one, value, (one.name,))
    of_site = fields[option.Level.SITE]
    for site in snapshot.sites:  # of ten thousand most set nothing
        if of_site or site.options:
            for one, value in _find_set(site, of_site, names):
                yield SetOption(one, value, (one.name,), site)
        for route in site.routes:
            for holder in (route, route.action):
                if holder.options:
                    for one, value in _find_set(holder, (), names):
                        yield SetOption(one, value, (*route.field, one.name), site)


def _find_set(
    holder: option.HasOptions,
    fields: collections.abc.Iterable[option.Option[typing.Any]],
    names: typing.Container[str],
) -> collections.abc.Iterator[tuple[option.Option[typing.Any], typing.Any]]:
    yield from ((one, one.of(holder)) for one in fields)
    yield from ((BY_NAME[name], value) for name, value in holder.options if name in names)


def find_files(snapshot: model.Snapshot) -> collections.abc.Iterator[tuple[option.NamedFile, SetOption]]:
    """The files that options name (`Option.files`)."""
    for held in find_values(snapshot, _FILES):
        if held.option.files is not None:
            yield from ((file, held) for file in held.option.files(held.value))


PAGES = frozenset(one.name for one in EVERY if one.pages is not None)


def find_pages(snapshot: model.Snapshot) -> collections.abc.Iterator[tuple[page_file.PageFile, SetOption]]:
    """The files that visitors are shown (`Option.pages`)."""
    for held in find_values(snapshot, PAGES):
        found: list[page_file.PageFile] = []
        _replace_pages(held.option, held.value, lambda page, found=found: found.append(page) or page)  # type: ignore[misc]
        yield from ((page, held) for page in found)


def with_pages(options: model.OptionValues, replace: page_file.Replace) -> model.OptionValues:
    """The same with each of these files replaced."""
    if not any(name in PAGES for name, _ in options):
        return options
    return tuple((name, _replace_pages(BY_NAME[name], value, replace)) for name, value in options)


def _replace_pages(one: option.Option[typing.Any], value: object, replace: page_file.Replace) -> object:
    return value if one.pages is None else one.pages(value, replace)


def with_digests(options: model.OptionValues, digest: collections.abc.Callable[[str], str]) -> model.OptionValues:
    """The same with digests of what files hold that nginx loads once (`Option.digested`)."""
    digested = [(name, value, BY_NAME[name].digested) for name, value in options]
    return tuple((name, value if add is None else add(value, digest)) for name, value, add in digested)


def with_loaded(options: model.OptionValues, read: collections.abc.Callable[[str], bytes | None]) -> model.OptionValues:
    """The same with what files hold that daemun reads (`Option.loaded`)."""
    if not any(name in _LOADED for name, _ in options):
        return options
    loaded = [(name, value, BY_NAME[name].loaded) for name, value in options]
    return tuple((name, value if add is None else add(value, read)) for name, value, add in loaded)


def find_needs(options: model.OptionValues) -> collections.abc.Iterator[tuple[str, render_environment.Feature]]:
    """What nginx must have been built with for these values, with the option that needs it."""
    for name, value in options:
        if (needs := BY_NAME[name].needs) is not None:
            yield from ((name, feature) for feature in needs(value))


def lines(context: option.NginxContext, *holders: option.HasOptions) -> collections.abc.Iterator[directive.Directive]:
    """What the options that are set here write for themselves. holders: of one level, a route and its action."""
    for name, value in itertools.chain.from_iterable(holder.options for holder in holders):
        if (write := BY_NAME[name].lines) is not None:
            yield from write(value, context)


def lines_of_gate(
    settings: option.HasOptions, context: option.NginxContext
) -> collections.abc.Iterator[directive.Directive]:
    """What the options of the gate write, set or not: it is what nearer levels inherit."""
    for one in GATE:
        if one.lines is not None:
            yield from one.lines(one.of(settings), context)
