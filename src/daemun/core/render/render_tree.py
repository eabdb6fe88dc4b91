"""From what is desired to the files nginx reads. Pure: equal input gives equal bytes.

The tree: nginx.conf; variables.conf, which defines what the files use (`plan.variable_definitions`); sites/NAME.conf,
one for each enabled site; shared.conf with its lists, for the many sites that need no file of their own
(`render.shared_blocks`); and what those include. `generation.conf`, which nginx.conf includes too, is added by the
nginx adapter: it holds the server that says which generation answers.
"""

import collections.abc
import dataclasses

from daemun.core import directive, mime, model, render_environment, serialise, site_memory
from daemun.core.access import access_levels
from daemun.core.plan import change_plan, generation_files, shared_sites, variable_definitions
from daemun.core.render import (
    access,
    ban_lines,
    default_server,
    error_pages,
    hold_locations,
    internal_clients,
    main_file,
    network_refusals,
    server_blocks,
    server_logs,
    shared_blocks,
    site_file,
    site_scope,
    sni_passthrough,
    snippets,
    stream_lines,
    traffic_log,
    variables,
    without_listeners,
)
from daemun.core.validation import validate
from daemun.errors import RenderError


def render_files(
    desired: model.Desired,
    env: render_environment.Environment,
    memory: site_memory.PerSite[bytes] | None = None,
    *,
    entries: tuple[shared_sites.SharedSite, ...] | None = None,
    whole: model.Desired | None = None,
) -> dict[str, bytes]:
    """Render every file of a generation but generation.conf.

    memory: of earlier calls, for who calls again. entries: the sites that share their blocks; None: those of
    `shared_blocks.find_entries`. whole: with the sites that another version stands in for: a stream shows the
    certificate of its site, and a site has its handshakes, also then; None: there are none.
    Returns: path relative to the generation's folder -> UTF-8 content, sorted by path.
    Raises: RenderError when a value cannot be written safely or nginx cannot do it; names site and route.
    """
    main_file.check_state(env.layout.state)
    settings = desired.globals
    problems = (
        *validate.find_unsupported_globals(settings, env.nginx.features),
        *validate.find_gate_problems(settings, desired.sites),
    )
    errors = [problem.message for problem in problems if problem.severity is model.Severity.ERROR]
    if errors:
        raise RenderError("; ".join(f"cannot render {message}" for message in errors))
    entries = shared_blocks.find_entries(desired, env) if entries is None else entries
    trees: dict[str, tuple[directive.Node, ...]] = {
        "nginx.conf": main_file.nodes(desired, env, has_shared=bool(entries)),
        main_file.MIME: mime.nodes(),
        generation_files.LISTEN_HTTP: server_blocks.listen_http_file(settings, env),
        generation_files.LISTEN_HTTPS: server_blocks.listen_https_file(settings, env),
        generation_files.LISTEN_QUIC: server_blocks.listen_quic_file(desired, env),
        server_blocks.CHALLENGE: server_blocks.challenge_file(env, settings),
        ban_lines.FILE: ban_lines.nodes(desired, env),
        generation_files.INTERNAL_CLIENTS: internal_clients.internal_file(settings),
        error_pages.FILE: error_pages.nodes(settings, env),
        hold_locations.HOLD: hold_locations.file(settings, env.nginx, buffered=True),
        hold_locations.HOLD_UNBUFFERED: hold_locations.file(settings, env.nginx, buffered=False),
    }
    if refused := access.networks_of_gate(settings, env):
        trees[network_refusals.FILE] = refused
    trees |= {path: snippets.nodes(settings, env, path) for path in snippets.paths(settings)}
    files = {path: serialise.serialise(traffic_log.beside_logs(nodes, settings, env)) for path, nodes in trees.items()}
    files |= shared_blocks.files(entries, env, settings)
    files |= _stream_files(whole or desired, env)
    files |= _site_files(desired, env, memory or site_memory.PerSite(), entries)
    return variable_definitions.complete(files, variables.define(desired, env))


def find_refused(
    desired: model.Desired,
    env: render_environment.Environment,
    memory: site_memory.PerSite[bytes],
    entries: tuple[shared_sites.SharedSite, ...],
) -> collections.abc.Iterator[tuple[str, RenderError]]:
    """The sites whose own file cannot be rendered: its path, and why. entries: the sites that have none."""
    chosen, settings = default_server.default_site(desired), desired.globals
    memory.enter(_surroundings(env, settings))
    for one in _with_own(desired, entries):
        try:
            _site_file(one, env, memory, is_default=one is chosen, settings=settings)
        except RenderError as error:
            yield change_plan.site_file(one.host), error


def _stream_files(desired: model.Desired, env: render_environment.Environment) -> dict[str, bytes]:
    """The file of each stream, and which handshakes go to them, where some do. Raises: RenderError."""
    trees = stream_lines.files(desired, env)
    if sni_passthrough.is_on(desired.globals, env):
        trees[generation_files.LISTEN_BY_NAME] = server_blocks.by_name_file(desired, env)
    return {path: serialise.serialise(nodes) for path, nodes in trees.items()}


def _site_files(
    desired: model.Desired,
    env: render_environment.Environment,
    memory: site_memory.PerSite[bytes],
    entries: tuple[shared_sites.SharedSite, ...],
) -> dict[str, bytes]:
    chosen, settings = default_server.default_site(desired), desired.globals
    own = _with_own(desired, entries)
    memory.enter(_surroundings(env, settings))
    return {
        change_plan.site_file(one.host): _site_file(one, env, memory, is_default=one is chosen, settings=settings)
        for one in own
    }


def _with_own(desired: model.Desired, entries: tuple[shared_sites.SharedSite, ...]) -> tuple[model.Site, ...]:
    """The sites that have files of their own."""
    shared_ = {entry.host for entry in entries}
    return tuple(one for one in desired.enabled if one.host not in shared_)


def _site_file(
    one: model.Site,
    env: render_environment.Environment,
    memory: site_memory.PerSite[bytes],
    *,
    is_default: bool,
    settings: model.Globals,
) -> bytes:
    known = _find_addresses(one, env, settings)

    def render(site: model.Site) -> bytes:
        # With no more than it may depend on: what is remembered is what would be rendered.
        own = dataclasses.replace(env, named_addresses=dict(known))
        return render_site(site, env=own, is_default=is_default, settings=settings)

    return memory.get(one, render, variant=(is_default, known))


def _surroundings(env: render_environment.Environment, settings: model.Globals) -> object:
    """What the file of any site depends on: an address that a name of `access` has now concerns few."""
    return dataclasses.replace(env, named_addresses={}), settings


def _find_addresses(
    one: model.Site, env: render_environment.Environment, settings: model.Globals
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    known = env.named_addresses
    if not known:
        return ()
    return tuple((name, known[name]) for name in access_levels.find_names_of_site(one, settings) if name in known)


def render_main(
    desired: model.Desired,
    env: render_environment.Environment,
    *,
    denied: frozenset[str],
    earlier: server_blocks.ListenerLines,
    has_shared: bool = False,
) -> bytes:
    """Render nginx.conf for a tree in which files of an earlier generation stand in for sites.

    denied: addresses that nginx cannot listen on. earlier: where else the default servers listen, for those sites.
    has_shared: whether sites of the tree share their blocks. Raises: RenderError.
    """
    nodes = traffic_log.beside_logs(main_file.nodes(desired, env, earlier, has_shared=has_shared), desired.globals, env)
    return serialise.serialise(without_listeners.without(nodes, denied))


def render_snippet(
    settings: model.Globals, env: render_environment.Environment, path: str, *, denied: frozenset[str]
) -> bytes:
    """Render a file of hand-written nginx for all sites, without these addresses. Raises: RenderError."""
    nodes = traffic_log.beside_logs(snippets.nodes(settings, env, path), settings, env)
    return serialise.serialise(without_listeners.without(nodes, denied))


def render_stand_in(desired: model.Desired, env: render_environment.Environment, path: str) -> bytes:
    """Render what stands instead of such a file when it cannot be used. Raises: RenderError."""
    return serialise.serialise(main_file.stand_in(desired, env, path))


def render_site(
    one: model.Site,
    env: render_environment.Environment,
    *,
    is_default: bool = False,
    settings: model.Globals | None = None,
) -> bytes:
    """Render the file of one site. is_default: it serves unknown names too. Raises: RenderError."""
    settings = settings or model.Globals()
    nodes = site_file.nodes(site_scope.Scope(site=one, environment=env, is_default=is_default, settings=settings))
    return _serialise(one, server_logs.beside_logs(nodes, settings, env))


def render_unavailable(
    one: model.Site,
    env: render_environment.Environment,
    *,
    settings: model.Globals | None = None,
    denied: frozenset[str] = frozenset(),
) -> bytes:
    """Render the same names with nothing but a 503 page, for a site that cannot be served as configured.

    denied: addresses that nginx cannot listen on. Raises: RenderError when the names themselves cannot be written.
    """
    scope = site_scope.Scope(site=one, environment=env, settings=settings or model.Globals())
    nodes = traffic_log.beside_logs(site_file.unavailable_nodes(scope), scope.settings, env)
    return _serialise(one, _listening_somewhere(nodes, denied))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReducedSite:
    """A site's file without some of its addresses. is_page: a 503 page is all that it shows."""

    content: bytes
    is_page: bool


def render_rest(
    one: model.Site,
    env: render_environment.Environment,
    *,
    denied: frozenset[str],
    is_default: bool = False,
    settings: model.Globals | None = None,
) -> ReducedSite:
    """Render what is left of a site without these addresses; comments alone when that is nothing. Raises: RenderError.

    Where nothing but the HTTPS that is not here would have served it, plain HTTP shows a 503 page: its redirect would
    lead to whatever program listens there.
    """
    scope = site_scope.Scope(site=one, environment=env, is_default=is_default, settings=settings or model.Globals())
    nodes = server_logs.beside_logs(_listening_somewhere(site_file.nodes(scope), denied), scope.settings, env)
    if scope.is_https_only and without_listeners.has_servers(nodes) and not without_listeners.speaks_tls(nodes):
        return ReducedSite(content=render_unavailable(one, env, settings=settings, denied=denied), is_page=True)
    return ReducedSite(content=_serialise(one, nodes), is_page=False)


def _listening_somewhere(nodes: tuple[directive.Node, ...], denied: frozenset[str]) -> tuple[directive.Node, ...]:
    """What servers of a file that has none would share is left out, too."""
    left = without_listeners.without(nodes, denied)
    return (
        left
        if without_listeners.has_servers(left)
        else tuple(node for node in left if isinstance(node, directive.Comment))
    )


def _serialise(one: model.Site, nodes: tuple[directive.Node, ...]) -> bytes:
    try:
        return serialise.serialise(nodes)
    except RenderError as error:
        raise RenderError(f'cannot render site "{one.host}"{site_scope.place(one.origin)}: {error}') from error
