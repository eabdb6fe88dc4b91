"""What is passed on over TCP and UDP as it comes: the `stream` block, and a file for each entry of `streams`.

Each has a file of its own, so that one that nginx refuses keeps its last good version while all others change, and a
round that touches none of them leaves their files as they are.

Source: nginx.org/en/docs/stream/ngx_stream_core_module.html
"""

import collections.abc
import dataclasses

from daemun.core import arguments, directive, model, render_environment
from daemun.core.certificates import certificate_choice
from daemun.core.directive import Expr
from daemun.core.options import stream_forms, streams_option
from daemun.core.plan import change_plan, generation_files
from daemun.core.render import (
    effective_access,
    realip,
    server_blocks,
    server_tls,
    site_scope,
    sni_passthrough,
    tls,
    upstream,
)
from daemun.core.services import dns_services
from daemun.core.texts import names, words

_ADDRESS = "$daemun_stream_address"
_PAIRS = "$daemun_stream_pairs"
_FEW_NAMES = 1000
"""For which nginx's own size of a table of names does."""
_LIMIT_ZONE = "1m"
"""Room for 8,000 addresses; beyond that nginx forgets the oldest."""


def block(desired: model.Desired, env: render_environment.Environment) -> tuple[directive.Directive, ...]:
    """For nginx.conf; nothing without streams."""
    if not is_used(desired, env):
        return ()
    resolver: tuple[directive.Directive, ...] = ()
    if env.resolver is not None:
        timeout = arguments.line("resolver_timeout", upstream.RESOLVER_TIMEOUT)
        resolver = (arguments.line("resolver", env.resolver), timeout)
    included = [arguments.line("include", f"{generation_files.STREAMS}*.conf")]
    if sni_passthrough.is_on(desired.globals, env):
        included.append(arguments.line("include", generation_files.LISTEN_BY_NAME))
    # A name is no longer than 253 characters.
    hashes = [arguments.line("map_hash_bucket_size", "512")]
    if (kept := len(sni_passthrough.find_own_names(desired))) > _FEW_NAMES:
        hashes.append(arguments.line("map_hash_max_size", str(1 << (4 * kept - 1).bit_length())))
    inside = (*resolver, *_tls(desired.globals, env), *hashes, *_counting(env), *included)
    return (arguments.line("stream", block=inside),)


def is_used(desired: model.Desired, env: render_environment.Environment) -> bool:
    """Whether nginx passes anything on as it comes."""
    is_there = render_environment.Feature.STREAM in env.nginx.features
    return is_there and bool(streams_option.find_enabled(desired.globals))


def module(desired: model.Desired, env: render_environment.Environment) -> tuple[directive.Directive, ...]:
    """What has to be loaded for it."""
    path = env.nginx.stream_module
    return (arguments.line("load_module", path),) if path is not None and is_used(desired, env) else ()


def find_unsupported(desired: model.Desired, env: render_environment.Environment) -> dict[str, str]:
    """The files of streams that need what this nginx cannot do: path -> why."""
    has_balancers = bool(realip.balancers(desired.globals))
    found = (
        (one, _find_missing(one.stream, env, has_balancers=has_balancers))
        for one in streams_option.find_enabled(desired.globals)
    )
    return {change_plan.stream_file(one.name): cause for one, cause in found if cause is not None}


def _find_missing(
    stream: stream_forms.Stream, env: render_environment.Environment, *, has_balancers: bool
) -> str | None:
    needed = [render_environment.Feature.STREAM]
    needed += [render_environment.Feature.STREAM_ACCESS] * bool(stream.allow or stream.deny)
    is_tls = stream.certificate_host is not None or stream.is_encrypted
    needed += [render_environment.Feature.STREAM_TLS] * is_tls
    needed += sorted(sni_passthrough.NEEDED, key=lambda feature: feature.value) if stream.is_passthrough else []
    needed += [render_environment.Feature.STREAM_LIMIT_CONN] * (stream.connections is not None)
    needed += [render_environment.Feature.STREAM_REALIP] * (stream.is_passthrough and has_balancers)
    missing = [feature.value for feature in needed if feature not in env.nginx.features]
    if not missing:
        if stream.is_encrypted and stream.verify.is_on and (stream.verify.ca_file or env.ca_bundle) is None:
            return "this machine has no trusted roots; install ca-certificates, or name a CA file as `verify`"
        named = [server.url for server in stream.to if dns_services.find_stream_service(server.url) is not None]
        if named and env.resolver is None:
            return f"server {words.quoted(str(named[0]))} has a name, but no resolver answers for names"
        return None
    version = ".".join(map(str, env.nginx.version))
    return (
        f"nginx {version} at {env.nginx.path} has no {words.listed(missing, last='and')}; install its stream module "
        "(Debian: libnginx-mod-stream), or `pip install 'daemun[nginx]'`, which brings an nginx that has it"
    )


def _tls(settings: model.Globals, env: render_environment.Environment) -> tuple[directive.Node, ...]:
    if render_environment.Feature.STREAM_TLS not in env.nginx.features:
        return ()
    folder = arguments.line("geo", Expr(_PAIRS), block=(arguments.line("default", env.layout.pairs),))
    return (
        directive.Comment("TLS. Through a variable, certificates are loaded by the handshakes that need them."),
        *tls.stream_lines(settings.tls_policy, env),
        folder,
    )


def _counting(env: render_environment.Environment) -> tuple[directive.Node, ...]:
    if render_environment.Feature.STREAM_LIMIT_CONN not in env.nginx.features:
        return ()
    entries = (
        arguments.line("default", Expr("$binary_remote_addr")),
        # "::ffff:192.0.2.1" is an address of IPv4; a balancer may write it so.
        arguments.line(r"~(?s)^\x00{10}\xff{2}(?<daemun_stream_mapped>.{4})\z", Expr("$daemun_stream_mapped")),
        arguments.line(r"~(?s)^(?<daemun_stream_network>.{8}).{8}\z", Expr("$daemun_stream_network")),
    )
    return (
        directive.Comment("What connections are counted by: the address, of IPv6 the network of one customer."),
        arguments.line("map", Expr("$binary_remote_addr"), Expr(_ADDRESS), block=entries),
    )


# --- one stream ------------------------------------------------------------------------------------------------


def files(desired: model.Desired, env: render_environment.Environment) -> dict[str, tuple[directive.Node, ...]]:
    """The file of each stream that nginx can serve. Raises: RenderError."""
    left_out, shown = find_unsupported(desired, env), certificate_choice.find_of_streams(desired)
    balancers = realip.balancers(desired.globals)
    paths = {change_plan.stream_file(one.name): one for one in streams_option.find_enabled(desired.globals)}
    return {path: _nodes(one, env, shown, balancers) for path, one in paths.items() if path not in left_out}


_Shown = collections.abc.Mapping[str, certificate_choice.ShownCertificate]


def _nodes(
    one: streams_option.NamedStream,
    env: render_environment.Environment,
    shown: _Shown,
    balancers: tuple[str, ...],
) -> tuple[directive.Node, ...]:
    stream, group = one.stream, _group(one.name)
    limits: tuple[directive.Directive, ...] = ()
    if stream.connections is not None:
        zone = f"stream/{one.name}/connections"
        limits = (arguments.line("limit_conn_zone", Expr(_ADDRESS), f"zone={zone}:{_LIMIT_ZONE}"),)
    return (
        directive.Comment(f"{one.name}{site_scope.place(one.origin)}"),
        directive.Comment("Written by daemun; changes here are lost."),
        *limits,
        arguments.line("upstream", group, block=_servers(one)),
        arguments.line("server", block=_server(one, env, shown, balancers)),
    )


def _group(name: str) -> str:
    return f"stream_{name}"


def _servers(one: streams_option.NamedStream) -> tuple[directive.Node, ...]:
    lines: list[directive.Node] = [arguments.line("zone", f"stream/{one.name}", upstream.ZONE)]
    match one.stream.balance:
        case stream_forms.StreamBalance.ROUND_ROBIN:
            pass
        case stream_forms.StreamBalance.LEAST_CONN:
            lines.append(arguments.line("least_conn"))
        case stream_forms.StreamBalance.IP_HASH:
            lines.append(arguments.line("hash", Expr("$remote_addr"), "consistent"))
        case stream_forms.StreamBalance.RANDOM:
            lines.append(arguments.line("random", "two", "least_conn"))
    return (*lines, *(_one_server(server) for server in one.stream.to))


def _one_server(server: stream_forms.Server) -> directive.Directive:
    options = [f"weight={server.weight}"] * (server.weight != 1)
    options += [f"max_conns={server.max_connections}"] * (server.max_connections != 0)
    options += [f"max_fails={server.max_fails}", f"fail_timeout={arguments.whole_seconds(server.fail_timeout_s)}"]
    options += ["backup"] * server.backup + ["down"] * server.down
    return arguments.line("server", *_target(server.url), *options)


def _target(target: stream_forms.StreamTarget) -> tuple[str, ...]:
    if target.socket is not None:
        return (f"unix:{target.socket}",)
    service = dns_services.find_stream_service(target)
    if service is not None:
        return service.name, "service=http", "resolve"
    assert target.host is not None
    assert target.port is not None
    address = names.address_of(target.host)
    assert address is not None  # a name is a service
    return (arguments.endpoint(address, target.port),)


def _server(
    one: streams_option.NamedStream,
    env: render_environment.Environment,
    shown: _Shown,
    balancers: tuple[str, ...],
) -> tuple[directive.Node, ...]:
    stream = one.stream
    lines: list[directive.Node]
    # Datagrams of one client have to come to the worker that has its session: with a socket for each worker the kernel
    # sees to that (nginx.org/en/docs/stream/ngx_stream_core_module.html#listen). Of a client that is gone without a
    # word nothing is heard over TCP; the kernel finds out.
    kind = ("udp", "reuseport") if stream.is_udp else ("so_keepalive=on",)
    kind = ("ssl", *kind) if stream.certificate_host is not None else kind
    if stream.is_passthrough:
        lines = [arguments.line("listen", sni_passthrough.stream_socket(env.layout, one.name))]
        lines += [arguments.line("set_real_ip_from", network) for network in balancers]
    else:
        lines = [*server_blocks.listen_lines(stream.listen, *kind, ipv6=env.ipv6)]
    if stream.certificate_host is not None:
        certificate = shown[stream.certificate_host]
        folder = f"{_PAIRS}/{certificate.folder}"
        lines += server_blocks.pairs(folder, has_two_types=certificate.has_two_types)
    lines += effective_access.address_rules(stream.access, env)
    if stream.connections is not None:
        lines.append(arguments.line("limit_conn", f"stream/{one.name}/connections", str(stream.connections)))
    lines += [
        arguments.line("proxy_pass", _group(one.name)),
        arguments.line("proxy_connect_timeout", arguments.duration(stream.timeout.connect_s)),
        arguments.line("proxy_timeout", arguments.duration(stream.idle_s)),
    ]
    if not stream.is_udp:
        lines.append(arguments.line("proxy_socket_keepalive", "on"))
    if stream.is_encrypted:
        lines += _tls_of_servers(stream, env)
    if stream.proxy_protocol:
        lines.append(arguments.line("proxy_protocol", "on"))
    if stream.responses is not None:
        lines.append(arguments.line("proxy_responses", str(stream.responses)))
    return tuple(lines)


def _tls_of_servers(
    stream: stream_forms.Stream, env: render_environment.Environment
) -> collections.abc.Iterator[directive.Directive]:
    yield arguments.line("proxy_ssl", "on")
    yield arguments.line("proxy_ssl_protocols", "TLSv1.2", "TLSv1.3")
    name = stream.name_of_servers
    if name is not None:
        yield arguments.line("proxy_ssl_server_name", "on")
        yield arguments.line("proxy_ssl_name", name)
    if not stream.verify.is_on:
        return
    roots = stream.verify.ca_file or env.ca_bundle
    assert roots is not None  # `_find_missing` looked
    yield arguments.line("proxy_ssl_verify", "on")
    yield arguments.line("proxy_ssl_verify_depth", server_tls.DEPTH)
    trusted, digest = arguments.line("proxy_ssl_trusted_certificate", roots), stream.verify.ca_digest
    yield dataclasses.replace(trusted, beside=directive.content(digest)) if digest else trusted
