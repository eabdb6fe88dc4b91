"""Which servers of a site are tried, and how: as nginx would reach them for a visitor. Pure."""

import collections.abc
import dataclasses
import urllib.parse

from daemun.core import model
from daemun.core.access import access_levels
from daemun.core.options import (
    alias_options,
    forward_auth_forms,
    header_options,
    host_header_option,
    upstream_tls_options,
)
from daemun.core.services import dns_services
from daemun.core.texts import names, route_paths

_HTTP = frozenset({model.Scheme.HTTP, model.Scheme.HTTPS})
_UNLIKELY = "daemun-probe"
"""The label that stands for the star of a wildcard."""


def handshake_names(site: model.Site) -> tuple[str, ...]:
    """Those by which a handshake can reach the site."""
    if site.tls.mode is model.TlsMode.OFF:
        return ()
    return tuple(dict.fromkeys(name for one in site.names if (name := visited_name(one)) is not None))


def names_a_certificate(site: model.Site) -> bool:
    """Whether the owner's nginx does, so that daemun does not know which one is shown."""
    return any(getattr(node, "name", "") == "ssl_certificate" for node in site.snippet)


def takes_old_clients(site: model.Site, settings: model.Globals) -> bool:
    """Whether a client of TLS 1.2 that takes only RSA is meant to be served, where there is a certificate for it."""
    written = {getattr(node, "name", "") for node in (*site.snippet, *settings.snippet)}
    policy = site.tls.policy or settings.tls_policy
    is_offered = policy is None or ("TLSv1.2" in policy.protocols and "RSA" in policy.ciphers)
    return is_offered and not written & {"ssl_protocols", "ssl_ciphers", "ssl_conf_command"}


def targets_of(site: model.Site) -> collections.abc.Iterator[model.Target]:
    for route in site.routes:
        if isinstance(route.action, model.Proxy):
            yield from route.action.targets


def server_of(aim: model.Aim) -> tuple[object, ...]:
    """What is the same for all routes to one server."""
    return (aim.scheme, aim.service, aim.endpoint, aim.socket, aim.tls, aim.server_name, aim.is_judge)


def find_aims(site: model.Site, settings: model.Globals | None = None) -> tuple[model.Aim, ...]:
    """Of every route of an enabled site, and of the judges before them; a target that is `down` gets no requests, and
    is not tried. settings: of the gate, whose judge holds for sites without an own `access`."""
    if not site.enabled:
        return ()
    settings = settings or model.Globals()
    servers = tuple(
        _make_aim(site, route, route.action, target, settings)
        for route in site.routes
        if isinstance(route.action, model.Proxy)
        for target in route.action.targets
        if not target.down
    )
    judges = (_make_judge_aim(site, route, settings) for route in site.routes)
    return (*servers, *(aim for aim in judges if aim is not None))


def find_gate(site: model.Site | None, desired: model.Desired | None) -> tuple[model.Address, ...]:
    """Where the gate listens, for all sites and for this one."""
    listen = desired.globals.listen if desired is not None else model.Listen()
    own = () if site is None else ((listen.http, site.http_port), (listen.https, site.https_port))
    moved = (one.with_port(port) for addresses, port in own if port is not None for one in addresses)
    return (*listen.http, *listen.https, *moved)


def visited_name(host: str) -> str | None:
    """A name by which a visitor reaches a site with this host name; None: none can be made up."""
    if host.startswith("~") or names.address_of(host) is not None:
        return None
    if host.startswith("*."):
        return f"{_UNLIKELY}{host[1:]}"
    return f"{host[:-1]}test" if host.endswith(".*") else host


def is_encrypted(aim: model.Aim) -> bool:
    """Whether the server is reached over TLS."""
    return aim.scheme.is_encrypted


def _make_judge_aim(site: model.Site, route: model.Route, settings: model.Globals) -> model.Aim | None:
    """A connection alone: what a judge answers depends on the visitor, and its own log is not filled."""
    auth = access_levels.of_route(route, site, settings).access.forward_auth
    if auth is None:
        return None
    aim = _make_aim(site, route, auth.proxy, auth.proxy.targets[0], settings)
    return dataclasses.replace(aim, is_judge=True, sent=None, leads_back=(), headers=(), is_checked=False)


def _make_aim(
    site: model.Site, route: model.Route, proxy: model.Proxy, target: model.Target, settings: model.Globals
) -> model.Aim:
    service = dns_services.find_service(proxy, target)
    is_literal = service is None and target.socket is None
    named = target.host if target.host is not None and names.address_of(target.host) is None else None
    headers = header_options.merged(header_options.REQUEST, proxy, site, settings)
    assert is_literal is False or (target.host is not None and target.port is not None)
    return model.Aim(
        host=site.host,
        path=route.name,
        written=str(target),
        scheme=target.scheme,
        service=service.name if service is not None else None,
        named=named,
        endpoint=model.Endpoint(address=target.host or "", port=target.port or 0) if is_literal else None,
        socket=target.socket,
        tls=upstream_tls_options.find_tls(proxy),
        server_name=upstream_tls_options.find_tls(proxy).name or named,
        sees=host_header_option.OPTION.of(proxy) or visited_name(site.host) or site.host.strip("[]~^$"),
        sent=_sent(route, target) if target.scheme in _HTTP else None,
        is_https=site.tls.mode is not model.TlsMode.OFF,
        is_checked=service is not None and service.check is not None,
        is_pool=target.pool is not None,
        leads_back=_find_ways_back(site),
        shows_certificate=any(
            getattr(node, "name", "").endswith("_ssl_certificate") for node in (*site.snippet, *route.snippet)
        ),
        headers=tuple((name, value) for name, value in headers if value and "$" not in value),
    )


def _find_ways_back(site: model.Site) -> tuple[tuple[str, str], ...]:
    """Plain HTTP, where the gate redirects it, and aliases, where it sends them to the main name."""
    is_https = site.tls.mode is not model.TlsMode.OFF
    schemes = ["https"] if is_https else ["http"]
    if is_https and site.http is model.HttpMode.REDIRECT:
        schemes.append("http")
    hosts = [visited_name(site.host) or site.host, *(site.aliases if alias_options.REDIRECT.of(site) else ())]
    return tuple((scheme, host) for scheme in schemes for host in hosts)


def _sent(route: model.Route, target: model.Target) -> str | None:
    """The path that the server would see of a visitor who requests the route's own."""
    here = route_paths.find_literal(route.path)
    if here is None:
        return None
    return _quote(here if target.path is None else target.path)


def _quote(path: str) -> str:
    return urllib.parse.quote(path, safe="/%:@!$&'()*+,;=~-._")


def find_judge_of_gate(desired: model.Desired) -> forward_auth_forms.ForwardAuth | None:
    """The server that decides for every site without an access of its own."""
    return access_levels.of_gate(desired.globals).access.forward_auth
