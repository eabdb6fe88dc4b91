"""The servers behind a route, as an upstream block.

Every block has a zone, so that all workers share failures, counts and the answers for names. Names are queried at
daemun's own DNS responder as SRV records and queried again while nginx runs (nginx.org/r/server, `resolve`).
"""

import dataclasses

from daemun.core import arguments, directive, model, render_environment
from daemun.core.options import balance_option, keepalive_option, timeout_option
from daemun.core.render import site_scope
from daemun.core.services import dns_services
from daemun.core.texts import names, words
from daemun.errors import RenderError

ZONE = "256k"
KEPT_CONNECTIONS = "64"

RESOLVER_TIMEOUT = "10s"
"""nginx repeats an unanswered question every 5 s: a restart of daemun costs one repetition and no error."""

_KEEPS_BY_ITSELF = (1, 29, 7)
"""Since this version nginx keeps connections unless that is switched off; older ones do not know `keepalive 0`."""


def block(scope: site_scope.Scope, name: str, proxy: model.Proxy) -> directive.Directive:
    """Raises: RenderError when nginx cannot balance like this, or nothing answers for a name."""
    lines: list[directive.Node] = [arguments.line("zone", name, ZONE), *_resolver(scope.settings, scope.environment)]
    lines += _balance(scope, name, proxy)
    lines += [_server(scope, proxy, target) for target in proxy.targets]
    # uwsgi and SCGI close after each answer, and an idle FastCGI connection would occupy one of PHP's processes.
    if not proxy.targets[0].scheme.is_cgi:
        lines += _kept(scope, proxy)
    return arguments.line("upstream", name, block=tuple(lines))


def named(
    settings: model.Globals, env: render_environment.Environment, blocks: tuple[directive.Directive, ...]
) -> tuple[directive.Node, ...]:
    """The blocks of servers that hand-written nginx names, and maps of them. Raises: RenderError."""
    if not blocks:
        return ()
    if env.resolver is None:
        raise RenderError("hand-written nginx names servers, but no resolver answers for names")
    added = _resolver(settings, env)
    kept = (arguments.line("keepalive", KEPT_CONNECTIONS), _default_keepalive())
    return (
        directive.Comment("Servers that hand-written nginx names"),
        *(
            dataclasses.replace(one, block=(*added, *(one.block or ()), *kept)) if one.name == "upstream" else one
            for one in blocks
        ),
    )


def groups(
    settings: model.Globals, env: render_environment.Environment, nodes: model.Snippet
) -> tuple[directive.Node, ...]:
    """Hand-written nginx whose groups of servers query our responder for the names that are ours, and close idle
    connections before servers do."""
    added = _resolver(settings, env)
    keeps = env.nginx.version >= _KEEPS_BY_ITSELF
    return tuple(_closing(_asking(node, added) if added else node, keeps=keeps) for node in nodes)


def _closing(node: directive.Node, *, keeps: bool) -> directive.Node:
    """keeps: whether connections are kept where nothing is written of it."""
    if isinstance(node, directive.Comment) or node.name != "upstream" or node.block is None:
        return node
    is_kept = keeps or bool(site_scope.owned(node.block, "keepalive"))
    if not is_kept or site_scope.owned(node.block, "keepalive_timeout"):
        return node
    return dataclasses.replace(node, block=(*node.block, _default_keepalive()))


def _default_keepalive() -> directive.Directive:
    return arguments.line("keepalive_timeout", arguments.duration(timeout_option.Timeouts().keepalive_s))


def _asking(node: directive.Node, added: tuple[directive.Directive, ...]) -> directive.Node:
    if isinstance(node, directive.Comment) or node.name != "upstream" or node.block is None:
        return node
    is_ours = any("service=http" in {arg.value for arg in line.args} for line in site_scope.owned(node.block, "server"))
    return dataclasses.replace(node, block=(*added, *node.block)) if is_ours else node


def _resolver(settings: model.Globals, env: render_environment.Environment) -> tuple[directive.Directive, ...]:
    """An owner's `resolver` for the gate knows nothing of our services."""
    if env.resolver is None or not site_scope.owned(settings.snippet, "resolver"):
        return ()
    return (arguments.line("resolver", env.resolver), arguments.line("resolver_timeout", RESOLVER_TIMEOUT))


def _kept(scope: site_scope.Scope, proxy: model.Proxy) -> list[directive.Directive]:
    most = keepalive_option.OPTION.of(proxy)
    if most == 0:
        return [arguments.line("keepalive", "0")] if scope.environment.nginx.version >= _KEEPS_BY_ITSELF else []
    kept = KEPT_CONNECTIONS if most is None else str(most)
    kept_for = arguments.duration(timeout_option.OPTION.of(proxy).keepalive_s)
    return [arguments.line("keepalive", kept), arguments.line("keepalive_timeout", kept_for)]


def _balance(scope: site_scope.Scope, name: str, proxy: model.Proxy) -> list[directive.Directive]:
    chosen = balance_option.OPTION.of(proxy)
    match chosen.method:
        case balance_option.Method.ROUND_ROBIN:
            return []
        case balance_option.Method.LEAST_CONN:
            return [arguments.line("least_conn")]
        case balance_option.Method.IP_HASH:
            return [arguments.line("ip_hash")]
        case balance_option.Method.RANDOM:
            return [arguments.line("random", "two", "least_conn")]
        case balance_option.Method.HASH:
            return [arguments.line("hash", arguments.expression(chosen.key or ""), "consistent")]
        case balance_option.Method.STICKY:
            scope.require(render_environment.Feature.STICKY)
            # A cookie that is `secure` never comes back over plain HTTP, so only sites without plain HTTP set it so.
            secure = ("secure",) if scope.is_https_only else ()
            return [arguments.line("sticky", "cookie", f"daemun_{name}", "path=/", "httponly", "samesite=lax", *secure)]


def _server(scope: site_scope.Scope, proxy: model.Proxy, target: model.Target) -> directive.Directive:
    options: list[str] = []
    if target.weight != 1:
        options.append(f"weight={target.weight}")
    if target.max_connections != 0:
        options.append(f"max_conns={target.max_connections}")
    options.append(f"max_fails={target.max_fails}")
    options.append(f"fail_timeout={arguments.whole_seconds(target.fail_timeout_s)}")
    options += ["backup"] * target.backup + ["down"] * target.down + ["drain"] * target.drain
    return arguments.line("server", *_place(scope, proxy, target), *options)


def _place(scope: site_scope.Scope, proxy: model.Proxy, target: model.Target) -> tuple[directive.Arg | str, ...]:
    service = dns_services.find_service(proxy, target)
    if service is not None:
        if scope.environment.resolver is None:
            raise RenderError(f"target {words.quoted(str(target))} has a name, but no resolver answers for names")
        return service.name, "service=http", "resolve"
    if target.socket is not None:
        return (f"unix:{target.socket}",)
    assert target.host is not None
    assert target.port is not None
    address = names.address_of(target.host)
    assert address is not None  # a name is a service
    return (arguments.endpoint(address, target.port),)
