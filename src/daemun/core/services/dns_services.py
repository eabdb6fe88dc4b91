"""Which of a route's servers nginx queries at the DNS responder, and under which names. Pure.

Rendering and publishing must agree on it, so it is decided here only.
"""

import collections.abc

from daemun.core import model
from daemun.core.access import access_levels
from daemun.core.options import (
    health_option,
    host_header_option,
    stream_forms,
    streams_option,
    upstream_tls_options,
)
from daemun.core.services import dns_service, named_servers
from daemun.core.texts import names


def find_service(proxy: model.Proxy, target: model.Target) -> dns_service.Service | None:
    """None: the target stands in nginx's configuration as it is, a unix socket or a literal address.

    An address that is checked is a service too: only so can it be taken out and in without a reload. Each target is a
    service of its own, so that nginx goes on knowing its weight and whether it is a backup.
    """
    check = _make_check(proxy, target)
    if target.pool is not None:
        name = target.pool if check is None else names.checked_name(target.pool, repr(check))
        return dns_service.Service(name=name, pool=target.pool, check=check)
    if target.host is None or target.port is None:
        return None
    if check is not None:
        name = names.checked_name(f"{target.host}:{target.port}", repr(check))
        return dns_service.Service(name=name, host=target.host, port=target.port, check=check)
    if names.address_of(target.host) is not None:
        return None
    return dns_service.Service(name=names.service_name(target.host, target.port), host=target.host, port=target.port)


def find_stream_service(target: stream_forms.StreamTarget) -> dns_service.Service | None:
    """The same for a server of a stream."""
    if target.pool is not None:
        return dns_service.Service(name=target.pool, pool=target.pool)
    if target.host is None or target.port is None or names.address_of(target.host) is not None:
        return None
    return dns_service.Service(name=names.service_name(target.host, target.port), host=target.host, port=target.port)


def find_services(desired: model.Desired) -> tuple[dns_service.Service, ...]:
    """What nginx queries: every service of an enabled site and of a stream, once, sorted by name."""
    found = {
        find_service(route.action, target)
        for site in desired.enabled
        for route in site.routes
        if isinstance(route.action, model.Proxy)
        for target in route.action.targets
    }
    found |= {find_service(proxy, target) for proxy in _find_judges(desired) for target in proxy.targets}
    streams = streams_option.find_enabled(desired.globals)
    found |= {find_stream_service(server.url) for one in streams for server in one.stream.to}
    written = {
        service for site in desired.enabled for service in named_servers.find_in_site(site, desired.globals).services
    }
    for part in (None, *desired.globals.parts):
        written |= set(named_servers.find_in_gate(desired.globals, part).services)
    named = (service for service in found | written if service is not None)
    return tuple(sorted(named, key=lambda service: service.name))


def _find_judges(desired: model.Desired) -> collections.abc.Iterator[model.Proxy]:
    """The servers that decide who may come in."""
    for held in access_levels.find_all(desired):
        if held.access.forward_auth is not None:
            yield held.access.forward_auth.proxy


def _make_check(proxy: model.Proxy, target: model.Target) -> dns_service.Check | None:
    chosen = health_option.OPTION.of(proxy)
    if chosen is None or target.down or target.socket is not None:
        return None
    named = target.host if target.host is not None and names.address_of(target.host) is None else None
    tls = upstream_tls_options.find_tls(proxy)
    return dns_service.Check(
        health=chosen,
        tls=tls if target.scheme.is_encrypted else None,
        host=chosen.host or host_header_option.OPTION.of(proxy) or named,
        server_name=tls.name or named,
    )
