"""nginx.conf: what concerns no single site."""

from daemun.core import arguments, directive, model, render_environment
from daemun.core.access import dashboard_site
from daemun.core.certificates import on_demand_names
from daemun.core.directive import Expr
from daemun.core.options import client_timeout_option, header_options, logs_option, option
from daemun.core.plan import shared_sites, variable_definitions
from daemun.core.render import (
    access,
    access_log,
    ban_lines,
    buffer_sizes,
    client_certificates,
    client_link_location,
    compression,
    dashboard_locations,
    default_server,
    error_pages,
    header_directives,
    hold_locations,
    http_defaults,
    judge_locations,
    network_refusals,
    option_lines,
    path_translation,
    realip,
    request_body,
    server_blocks,
    site_file,
    site_scope,
    snippets,
    stream_lines,
    tls,
    upstream,
)
from daemun.errors import RenderError

_POOL = "4640"
"""Bytes. What musl's allocator, which the nginx of `daemun[nginx]` and that of Alpine have, takes for nginx's own 4096
anyway. It gives memory back to the kernel once all pieces of a stretch are free, and takes it again at the next
request, which every second request of 32 busy clients paid for. A piece that lives as long as a connection keeps the
stretch: a request over HTTP/1.1 takes 25 µs instead of 30, an idle WebSocket 58 kB instead of 56 (1.31.3)."""
_TLS_BUFFER = "16364"
"""Bytes of an answer that are encrypted at once, with musl's allocator. OpenSSL takes pieces of 16.7 kB, each for an
instant, and nginx's usual 16k are of the same size class for it, as is the memory of the configuration. Where that just
fills the class, each of OpenSSL's pieces is mapped and unmapped anew, twice for a small answer over HTTP/2: 0.17 to
0.50 munmap a request over fourteen sizes of the configuration, and 0.25 to 0.28 with this size (1.31.3)."""
MIME = "mime.types"

_LOG_OF_NGINX_PROXY = (
    '$host $remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
    '"$http_user_agent" "$upstream_addr"'
)
"""Its users have `access_log FILE vhost;` in hand-written nginx."""

_FEW_NAMES = 100

_TEMP = {
    "client_body": None,
    "proxy": None,
    "fastcgi": render_environment.Feature.FASTCGI,
    "uwsgi": render_environment.Feature.UWSGI,
    "scgi": render_environment.Feature.SCGI,
}


def nodes(
    desired: model.Desired,
    env: render_environment.Environment,
    earlier: server_blocks.ListenerLines = (),
    *,
    has_shared: bool = False,
) -> tuple[directive.Node, ...]:
    """earlier: where sites of an earlier generation still listen. has_shared: whether any sites share their blocks.

    Raises: RenderError.
    """
    logs = env.layout.logs
    ours = _http(desired, env, has_shared=has_shared)
    http = (
        *site_scope.yielding(ours, desired.globals.snippet),
        *_includes(desired, env, earlier, has_shared=has_shared),
    )
    account = tuple(name for name in (env.user, env.group) if name is not None) if env.user is not None else ()
    return (
        directive.Comment("Written by daemun; changes here are lost. One file per site is under sites/."),
        *((directive.Comment("Sites that need no file of their own are in shared.conf."),) if has_shared else ()),
        *(arguments.line("load_module", path) for path in env.nginx.modules),
        *stream_lines.module(desired, env),
        *((arguments.line("user", *account),) if account else ()),
        arguments.line("worker_processes", str(env.workers)),
        arguments.line("worker_rlimit_nofile", str(env.open_files)),
        arguments.line("pcre_jit", "on"),
        # Of a CA or a revocation list that is written over twice within one second nginx would keep the first: it
        # compares whole seconds (ngx_ssl_cache_fetch in ngx_event_openssl_cache.c).
        arguments.line("ssl_object_cache_inheritable", "off"),
        arguments.line("pid", env.layout.nginx_pid),
        arguments.line("error_log", f"{logs}/error.log", "warn"),
        arguments.line(
            "events",
            block=(arguments.line("worker_connections", str(render_environment.count_connections(env.open_files))),),
        ),
        arguments.line("http", block=http),
        *stream_lines.block(desired, env),
    )


def stand_in(desired: model.Desired, env: render_environment.Environment, path: str) -> tuple[directive.Node, ...]:
    """Our lines that give way to those of a file of hand-written nginx: they stand instead of it when it cannot be
    used. Raises: RenderError."""
    rest = snippets.without(desired, path)
    given = site_scope.yielding(_http(desired, env, has_shared=False), desired.globals.snippet)
    full = site_scope.yielding(_http(rest, env, has_shared=False), rest.globals.snippet)
    lines = [node for node in full if isinstance(node, directive.Directive) and node not in given]
    # What stands there with another value, which follows from the file, would stand there twice.
    ours = site_scope.yielding(lines, given)
    taken = default_server.find_owned(desired.globals) - default_server.find_owned(rest.globals)
    servers = (node for node in default_server.servers(rest, env, only=taken) if getattr(node, "name", "") == "server")
    return (*ours, *(servers if taken else ()))


def _http(
    desired: model.Desired, env: render_environment.Environment, *, has_shared: bool
) -> tuple[directive.Node, ...]:
    return (
        *_basics(desired, env),
        *_log(desired.globals, env),
        *_hashes(desired, has_shared=has_shared),
        *option_lines.of_gate(desired.globals, env.nginx),
        *compression.shared(),
        directive.Comment("TLS"),
        *tls.lines(
            desired.enabled,
            desired.globals.tls_policy,
            env,
            has_two_types=desired.globals.acme.further_key_type is not None,
            has_clients=client_certificates.is_used(desired),
        ),
        *_http2(desired.globals, env),
        *_resolver(env),
        *realip.lines(desired.globals),
        # Before the first `map`, or nginx would refuse what an owner sets for the size of its tables.
        *(arguments.line("include", path) for path in snippets.paths(desired.globals)),
        arguments.line("include", variable_definitions.FILE),
        *access.shared_by_sites(desired.globals),
        *((arguments.line("include", network_refusals.FILE),) if access.networks_of_gate(desired.globals, env) else ()),
        *hold_locations.shared(env.layout),
        *judge_locations.shared(env.layout),
        *client_link_location.shared(env.layout),
        *dashboard_locations.shared(env.layout),
        *http_defaults.lines(env.nginx),
        *request_body.shared(env),
        *_proxying(desired.globals, env),
    )


def _http2(settings: model.Globals, env: render_environment.Environment) -> tuple[directive.Node, ...]:
    offered = settings.http2 and render_environment.Feature.HTTP_V2 in env.nginx.features
    return (arguments.line("http2", "on"),) if offered else ()


def _basics(desired: model.Desired, env: render_environment.Environment) -> tuple[directive.Node, ...]:
    temp = [
        arguments.line(f"{name}_temp_path", f"{env.layout.temp}/{name}")
        for name, feature in _TEMP.items()
        if feature is None or feature in env.nginx.features
    ]
    times = client_timeout_option.OPTION.of(desired.globals)
    return (
        arguments.line("include", MIME),
        arguments.line("default_type", "application/octet-stream"),
        *temp,
        arguments.line("server_tokens", "off"),
        arguments.line("sendfile", "on"),
        arguments.line("tcp_nopush", "on"),
        directive.Comment("A link inside a folder leads to files of its own owner only: others could publish what"),
        directive.Comment("nginx may read and visitors may not, private keys among it."),
        arguments.line("disable_symlinks", "if_not_owner", Expr(f"from={ban_lines.followed(desired, env)}")),
        arguments.line("reset_timedout_connection", "on"),
        directive.Comment("Redirects stay relative, so that they are right behind another proxy or a mapped port."),
        arguments.line("absolute_redirect", "off"),
        directive.Comment("An idle connection outlives a reload by this much, so that no request meets a closed one."),
        *(() if times.keepalive is not None else (arguments.line("keepalive_timeout", "65s"),)),
        arguments.line("keepalive_min_timeout", "10s"),
        # nginx's own 1000 would cost a busy client a TLS handshake for every thousand requests.
        arguments.line("keepalive_requests", "10000"),
        *(() if times.header is not None else (arguments.line("client_header_timeout", "30s"),)),
        arguments.line("client_body_buffer_size", request_body.BUFFER),
        directive.Comment("Connections and requests take memory in pieces of one size; the allocator keeps it then."),
        arguments.line("connection_pool_size", _POOL),
        arguments.line("request_pool_size", _POOL),
        *(() if env.nginx.keeps_large_pieces else (arguments.line("ssl_buffer_size", _TLS_BUFFER),)),
    )


def _log(settings: model.Globals, env: render_environment.Environment) -> tuple[directive.Node, ...]:
    logs = logs_option.OPTION.of(settings)
    escape = () if logs.escape == "default" else (f"escape={logs.escape}",)
    theirs = arguments.line("log_format", "vhost", *escape, Expr(logs.format or _LOG_OF_NGINX_PROXY))
    pages = error_pages.log_format(settings, env.nginx)
    named = (pages, theirs) if settings.like_nginx_proxy else (pages,)
    return (*named, *access_log.formats(settings, env.nginx), *access_log.shared(settings, env))


def _hashes(desired: model.Desired, *, has_shared: bool) -> tuple[directive.Node, ...]:
    """Sizes for the names there are; nginx refuses a name that is longer than a bucket.

    It tries sizes of a table until no bucket overflows, which with many names and small buckets takes long.
    """
    is_listed = has_shared or on_demand_names.find_site(desired) is not None
    names_ = [name for site in (desired.sites if is_listed else desired.enabled) for name in site.names]
    are_few = len(names_) <= _FEW_NAMES  # nginx's own size of a table, which is 2048, will do
    least = 128 if are_few else 512
    bucket = str(_power_of_two(max([len(name) for name in names_], default=0) + 48, least=least))
    routes = [route for site in desired.enabled for route in site.routes]
    # A route has three variables at most, and one of a list some more for its conditions.
    count = len(names_) + sum(3 if route.entry is None else 15 for route in routes)
    both = (header_options.REQUEST, header_options.RESPONSE)
    around: tuple[option.HasOptions, ...] = (desired.globals, *desired.enabled)
    sent = (
        *(one.of(holder) for one in both for holder in around),
        *(header_options.REQUEST.of(route.action) + header_options.RESPONSE.of(route) for route in routes),
    )
    header = max((len(name) for headers in sent for name, _ in headers), default=0)
    return (
        directive.Comment("Hash tables"),
        arguments.line("server_names_hash_bucket_size", bucket),
        arguments.line("server_names_hash_max_size", str(_power_of_two(4 * len(names_), least=1024))),
        arguments.line("map_hash_bucket_size", bucket),
        *(
            (arguments.line("map_hash_max_size", str(_power_of_two(4 * len(names_), least=2048))),)
            if is_listed or not are_few
            else ()
        ),
        arguments.line("variables_hash_bucket_size", "128"),
        arguments.line("variables_hash_max_size", str(_power_of_two(2 * count, least=2048))),
        arguments.line("types_hash_max_size", "4096"),
        arguments.line("proxy_headers_hash_bucket_size", str(_power_of_two(header + 48, least=128))),
        arguments.line("proxy_headers_hash_max_size", "2048"),
    )


def _power_of_two(value: int, *, least: int) -> int:
    return max(least, 1 << (value - 1).bit_length())


def _resolver(env: render_environment.Environment) -> tuple[directive.Node, ...]:
    if env.resolver is None:
        return ()
    return (
        directive.Comment("daemun answers for the names of servers; nginx asks again as often as the answer says."),
        arguments.line("resolver", env.resolver),
        arguments.line("resolver_timeout", upstream.RESOLVER_TIMEOUT),
    )


def _proxying(settings: model.Globals, env: render_environment.Environment) -> tuple[directive.Node, ...]:
    """What locations inherit. An owner's lines at the http level replace those of the same header."""
    lines: list[directive.Node] = [
        directive.Comment("What every server behind the gate is sent. Room for headers with large cookies."),
        arguments.line("proxy_http_version", "1.1"),
        directive.Comment("Answers leave, and requests arrive, as they come; nothing of them is kept on disk."),
        arguments.line("proxy_buffering", "off"),
        arguments.line("proxy_request_buffering", "off"),
        *buffer_sizes.shared("proxy", settings, env.nginx),
        *_early_hints(env),
        *_trailers(env),
        *path_translation.cookie_domains(settings),
        *header_directives.shared(settings, env.nginx, "proxy_set_header"),
    ]
    for feature, module in (
        (render_environment.Feature.FASTCGI, "fastcgi"),
        (render_environment.Feature.UWSGI, "uwsgi"),
        (render_environment.Feature.SCGI, "scgi"),
    ):
        if feature in env.nginx.features:
            lines += buffer_sizes.shared(module, settings, env.nginx)
    if render_environment.Feature.GRPC in env.nginx.features:
        lines += [
            arguments.line("grpc_buffer_size", buffer_sizes.first_size(env.nginx)),
            *header_directives.shared(settings, env.nginx, "grpc_set_header"),
        ]
    return tuple(lines)


def _early_hints(env: render_environment.Environment) -> tuple[directive.Directive, ...]:
    """103 (RFC 8297) goes to clients of HTTP/2: many of HTTP/1.1 take it for the answer (section 3)."""
    if {render_environment.Feature.EARLY_HINTS, render_environment.Feature.HTTP_V2} - env.nginx.features:
        return ()
    return (arguments.line("early_hints", Expr("$http2")),)


def _trailers(env: render_environment.Environment) -> tuple[directive.Directive, ...]:
    """What stands behind a body (RFC 9110 section 6.5), such as the status of gRPC behind h2c."""
    if render_environment.Feature.TRAILERS not in env.nginx.features:
        return ()
    return (arguments.line("proxy_pass_trailers", "on"),)


def _includes(
    desired: model.Desired,
    env: render_environment.Environment,
    earlier: server_blocks.ListenerLines,
    *,
    has_shared: bool,
) -> tuple[directive.Node, ...]:
    return (
        arguments.line("include", "generation.conf"),
        arguments.line("include", "sites/*.conf"),
        *((arguments.line("include", shared_sites.MAIN),) if has_shared else ()),
        *default_server.servers(desired, env, earlier),
        *_local_dashboard(desired, env),
    )


def _local_dashboard(desired: model.Desired, env: render_environment.Environment) -> tuple[directive.Node, ...]:
    """Here and not among the sites: nobody configured it, and it is for this machine alone."""
    site = dashboard_site.make_local(desired)
    if site is None:
        return ()
    return site_file.nodes(site_scope.Scope(site=site, environment=env, settings=desired.globals))


def check_state(state: str) -> None:
    """Raises: RenderError when nginx would read a variable in the path of the state directory."""
    if "$" in state or not state.startswith("/"):
        raise RenderError(f'cannot use the state directory "{state}": expected an absolute path without $')
    try:
        arguments.check_printable(state)
    except RenderError as error:
        raise RenderError(f"cannot use the state directory: {error}") from error
