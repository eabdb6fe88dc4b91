"""Sites that differ in nothing but their names, their certificate and their server share one HTTPS and one HTTP server.

Why (nginx 1.31.3): the servers, locations and upstream of a site cost nginx 0.11 MB and, at each reload, 0.5 ms of
CPU; a line in the three lists here costs 1 kB and 4 µs. There is no `upstream` block for these sites, because nginx
looks through all of them one by one for each `proxy_pass` with a variable (ngx_http_upstream_init_request). The price
is that connections to their servers are not kept, which takes a request from 36 µs to 86. So the first sites, in the
order of their names, have blocks of their own whatever they set, and so has every site that sets something: see
`find_entries`.

For visitors the two are the same. Only names that are written here lead to these servers: what brings no `Host`, as
HTTP/1.0 allows, goes to the default server also after a handshake for one of them (ngx_http_set_virtual_server).
"""

import collections.abc
import dataclasses
import functools

from daemun.core import arguments, directive, model, render_environment, serialise, site_memory
from daemun.core.certificates import certificate_choice
from daemun.core.directive import Expr
from daemun.core.plan import shared_sites
from daemun.core.render import (
    accel_redirect,
    access,
    answer_headers,
    ban_lines,
    cache_headers,
    client_certificates,
    cors_headers,
    default_server,
    early_answers,
    error_pages,
    forward_auth,
    header_directives,
    https_redirects,
    judge_locations,
    response_cache,
    route_locations,
    server_blocks,
    server_logs,
    site_scope,
    tls,
    traffic_routes,
)
from daemun.core.texts import names, rules

_TITLE = "daemun shared"
"""The server's first name. It is logged as the host of what is no HTTP, and no request can bring it, as nginx refuses a
`Host` with a space (ngx_http_validate_host)."""

_SITE = "$daemun_shared_site"
_HANDSHAKE = "$daemun_shared_handshake"
_FOLDER = "$daemun_shared_folder"
_VARIABLES = site_scope.Variables(
    server="$daemun_shared_server",
    port="$daemun_shared_port",
    url="$daemun_shared_url",
    waits_as=_SITE,
    connection="$daemun_shared_connection",
)
_WORDS = frozenset({"default", "hostnames", "include", "volatile"})
"""What the map module reads as a word of its own."""

_REMEMBERED = 1 << 15
"""Of how many sites something is kept in memory from one round to the next: thousands of them are the same."""


# --- which sites -----------------------------------------------------------------------------------------------


def find_entries(
    desired: model.Desired,
    env: render_environment.Environment,
    memory: site_memory.PerSite[shared_sites.SharedSite | None] | None = None,
) -> tuple[shared_sites.SharedSite, ...]:
    """The sites that share their blocks, in the order of their names. memory: of earlier calls.

    A site that comes or goes moves one other at most between the two ways.
    """
    memory = memory or site_memory.PerSite()
    memory.enter(None)
    acme = desired.globals.acme
    further = desired.enabled[env.own_blocks :]
    chosen = default_server.default_site(desired) if further else None
    found = (
        memory.get(site, make_entry)
        for site in further
        if (chosen is None or site.host != chosen.host) and _has_as_many_types(site, acme)
    )
    return tuple(entry for entry in found if entry is not None)


def _has_as_many_types(site: model.Site, acme: model.Acme) -> bool:
    """Their servers show one certificate, or two, as `acme` has it."""
    return site.tls.ordering.key_type is None or (
        certificate_choice.has_two_types(site, acme) is (acme.further_key_type is not None)
    )


def make_entry(site: model.Site) -> shared_sites.SharedSite | None:
    """None when the site has anything of its own beside names, certificate and one server with an address.

    Every field but those that are named here has its default, so an option that this module does not know is one of the
    site's own.
    """
    if len(site.routes) != 1 or not _OF_SITE.is_plain(site) or site.tls.mode is model.TlsMode.OFF:
        return None
    (route_,) = site.routes
    action = route_.action
    if not isinstance(action, model.Proxy) or len(action.targets) != 1:
        return None
    (target,) = action.targets
    is_plain = _OF_TLS.is_plain(site.tls) and _OF_ROUTE.is_plain(route_) and _OF_PROXY.is_plain(action)
    if not is_plain or route_.path != "/" or target.scheme is not model.Scheme.HTTP or not _OF_TARGET.is_plain(target):
        return None
    server_ = _find_server(site.names, target.host, target.port)
    return None if server_ is None else shared_sites.SharedSite(names=site.names, server=server_, place=_place(site))


class _Defaults:
    """The defaults of all fields of a class but some."""

    def __init__(self, kind: type, *but: str) -> None:
        self._fields = [(field.name, field.default) for field in dataclasses.fields(kind) if field.name not in but]

    def is_plain(self, value: object) -> bool:
        return all(getattr(value, name) == default for name, default in self._fields)


_OF_SITE = _Defaults(model.Site, "host", "aliases", "tls", "routes", "origin")
_OF_TLS = _Defaults(model.Tls, "mode", "certificate", "key", "ordering")
_OF_ROUTE = _Defaults(model.Route, "path", "action", "origin")
_OF_PROXY = _Defaults(model.Proxy, "targets")
_OF_TARGET = _Defaults(model.Target, "scheme", "host", "port")


@functools.lru_cache(maxsize=_REMEMBERED)
def _find_server(given: tuple[str, ...], host: str | None, port: int | None) -> str | None:
    """The server as nginx gets it; None when that, or one of the given names, is of a kind that is not shared."""
    address = None if host is None else names.address_of(host)
    if host is None or address is None or address.compressed != host or rules.check_server(host) is not None:
        return None
    if port is None or not 1 <= port <= 65535 or not all(map(_is_exact, given)):
        return None
    if any(names.slug(name) != name for name in given):  # they are the names of folders, too
        return None
    return arguments.endpoint(address, port)


def _is_exact(name: str) -> bool:
    return names.is_host_name(name) and names.address_of(name) is None and name not in _WORDS


def _place(site: model.Site) -> str:
    """The nearest that a person can open."""
    origins = (site.routes[0].origin, site.origin)
    return next((str(origin) for origin in origins if origin != model.NOWHERE), "")


def make_site(entry: shared_sites.SharedSite) -> model.Site:
    """A site that sets no more than the entry; where its certificate comes from is not known."""
    host, _, port = entry.server.rpartition(":")
    target = model.Target(scheme=model.Scheme.HTTP, host=host.removeprefix("[").removesuffix("]"), port=int(port))
    routes = (model.Route(path="/", action=model.Proxy(targets=(target,))),)
    return model.Site(host=entry.host, aliases=entry.names[1:], routes=routes)


# --- files -----------------------------------------------------------------------------------------------------


def files(
    entries: tuple[shared_sites.SharedSite, ...], env: render_environment.Environment, settings: model.Globals
) -> dict[str, bytes]:
    """The files of the sites that share their blocks; none when no site does. Raises: RenderError."""
    if not entries:
        return {}
    # A site like all of them; its name is that of the locations.
    one = dataclasses.replace(make_site(entries[0]), host="daemun_shared", aliases=())
    scope = site_scope.Scope(site=one, environment=env, settings=settings, variables=_VARIABLES)
    written = [_write(entry.names, entry.server, entry.place) for entry in entries]
    lists = {
        shared_sites.NAMES: ("Their names, one site a line.", [lines.name for lines in written]),
        shared_sites.HOSTS: ("The site of each name, and its certificate.", [lines.hosts for lines in written]),
        shared_sites.ALIASES: ("Names beside a site's first.", [lines.aliases for lines in written]),
        shared_sites.SERVERS: (
            "The server of each site, and where it comes from.",
            [lines.server for lines in written],
        ),
    }
    return {
        shared_sites.MAIN: serialise.serialise(
            (
                *_title(),
                *forward_auth.shared(scope),
                *cors_headers.shared(scope),
                *cache_headers.shared(scope),
                *response_cache.shared(scope, one.routes[0]),
                *_maps(),
                *server_logs.beside_logs((_https(scope), _http(scope)), settings, env),
            )
        ),
        **{
            path: b"".join((serialise.serialise((directive.Comment(title),)), *lines))
            for path, (title, lines) in lists.items()
        },
    }


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Lines:
    """The line of one site in each of the shared lists."""

    name: bytes
    hosts: bytes
    aliases: bytes
    server: bytes


@functools.lru_cache(maxsize=_REMEMBERED)
def _write(given: tuple[str, ...], server_: str, place: str) -> _Lines:
    host = given[0]
    where = directive.Directive(host, (directive.Text(server_),), beside=place)
    return _Lines(
        name=serialise.serialise((arguments.line("server_name", *given),)),
        hosts=serialise.serialise(arguments.line(name, host) for name in given),
        aliases=serialise.serialise(arguments.line(name, name) for name in given[1:]),
        server=serialise.serialise((where,)),
    )


def _title() -> tuple[directive.Node, ...]:
    return (
        directive.Comment("Sites that have nothing but names, certificate and server; these are under shared/."),
        directive.Comment("Written by daemun; changes here are lost. The variables $daemun_* are in variables.conf."),
    )


def _maps() -> tuple[directive.Node, ...]:
    hosts = (arguments.line("hostnames"), arguments.line("include", shared_sites.HOSTS))
    return (
        directive.Comment("The site that the TLS handshake was for, and the one that the request is for."),
        arguments.line("map", Expr("$ssl_server_name"), Expr(_HANDSHAKE), block=hosts),
        directive.Comment("The folder of the name under live/."),
        arguments.line(
            "map",
            Expr("$ssl_server_name"),
            Expr(_FOLDER),
            block=(
                arguments.line("hostnames"),
                arguments.line("default", Expr(_HANDSHAKE)),
                arguments.line("include", shared_sites.ALIASES),
            ),
        ),
        arguments.line("map", Expr("$host"), Expr(_SITE), block=hosts),
        directive.Comment("Where it goes, and how the server's own address is written in redirects."),
        arguments.line(
            "map", Expr(_SITE), Expr(_VARIABLES.server), block=(arguments.line("include", shared_sites.SERVERS),)
        ),
        arguments.line(
            "map",
            Expr(_VARIABLES.server),
            Expr(_VARIABLES.url),
            block=(
                arguments.line("default", Expr(f"http://{_VARIABLES.server}")),
                arguments.line(r"~^(?<daemun_shared_address>.+):80\z", Expr("http://$daemun_shared_address")),
            ),
        ),
        arguments.line(
            "map",
            Expr(_VARIABLES.server),
            Expr(_VARIABLES.port),
            block=(arguments.line(r"~:(?<daemun_shared_number>[0-9]+)\z", Expr("$daemun_shared_number")),),
        ),
        directive.Comment("Connections to these servers are not kept. A server that is told so closes first,"),
        directive.Comment("and nginx's port is free again at once."),
        arguments.line(
            "map",
            Expr("$daemun_upgrade"),
            Expr(_VARIABLES.connection),
            block=(arguments.line("default", "upgrade"), arguments.line("", "close")),
        ),
    )


def _https(scope: site_scope.Scope) -> directive.Directive:
    misdirected = (Expr(_SITE), directive.Text("!="), Expr(_HANDSHAKE))
    lines = (
        *server_blocks.listen_https(scope),
        arguments.line("server_name", _TITLE),
        arguments.line("include", shared_sites.NAMES),
        *server_blocks.certificate(
            _FOLDER,
            is_followed=not server_blocks.has_root(scope.settings),
            has_two_types=scope.settings.acme.further_key_type is not None,
        ),
        *tls.site_lines(scope),
        *client_certificates.server_lines(scope),
        *traffic_routes.of_site(scope),
        arguments.line("if", *misdirected, block=(arguments.line("return", "421"),)),
        *header_directives.server_lines(scope, https=True),
        ban_lines.included(),
        server_blocks.challenge(),
        *_content(scope, https=True),
        *error_pages.lines(scope, https=True),
    )
    return arguments.line("server", block=lines)


def _content(scope: site_scope.Scope, *, https: bool) -> tuple[directive.Node, ...]:
    return early_answers.behind_guards(scope, tuple(_nodes(scope, https=https)))


def _nodes(scope: site_scope.Scope, *, https: bool) -> collections.abc.Iterator[directive.Node]:
    """Without their titles, which name the server of one site."""
    yield from accel_redirect.lines(scope)
    yield from access.server_lines(scope)
    yield from answer_headers.robots_file(scope)
    yield from client_certificates.before_judges(scope, forward_auth.server_lines(scope))
    yield from client_certificates.judge_locations(scope)
    judges = judge_locations.server_lines(scope, has_pages=error_pages.is_on(scope.settings, ()))
    yield from client_certificates.before_judges(scope, judges)
    for one in scope.site.routes:
        for node in route_locations.locations(scope, one, https=https):
            if isinstance(node, directive.Directive):
                yield node


def _http(scope: site_scope.Scope) -> directive.Directive:
    lines = (
        *server_blocks.listen_http(scope),
        arguments.line("include", shared_sites.NAMES),
        *traffic_routes.of_site(scope),
        *header_directives.server_lines(scope, https=False),
        ban_lines.included(),
        server_blocks.challenge(),
        *(
            (
                *https_redirects.to_https_unless_there(https_redirects.to_https(scope.site)),
                *_content(scope, https=False),
            )
            if https_redirects.believes_https(scope.settings)
            else (arguments.line("location", "/", block=https_redirects.to_https(scope.site)),)
        ),
        *error_pages.lines(scope, https=False),
    )
    return arguments.line("server", block=lines)
