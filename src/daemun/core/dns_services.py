"""Which of a route's servers nginx queries at the DNS responder, and under which names. Pure.

Rendering and publishing must agree on it, so it is decided here only.
"""

from daemun.core import model, named_servers, names

_ENCRYPTED = frozenset({model.Scheme.HTTPS, model.Scheme.GRPCS})


def find_service(proxy: model.Proxy, target: model.Target) -> model.Service | None:
    """None: the target stands in nginx's configuration as it is, a unix socket or a literal address.

    An address that is checked is a service too: only so can it be taken out and in without a reload. Each target is a
    service of its own, so that nginx goes on knowing its weight and whether it is a backup.
    """
    check = _make_check(proxy, target)
    if target.pool is not None:
        name = target.pool if check is None else names.checked_name(target.pool, repr(check))
        return model.Service(name=name, pool=target.pool, check=check)
    if target.host is None or target.port is None:
        return None
    if check is not None:
        name = names.checked_name(f"{target.host}:{target.port}", repr(check))
        return model.Service(name=name, host=target.host, port=target.port, check=check)
    if names.address_of(target.host) is not None:
        return None
    return model.Service(name=names.service_name(target.host, target.port), host=target.host, port=target.port)


def find_services(desired: model.Desired) -> tuple[model.Service, ...]:
    """What nginx queries: every service of an enabled site, once, sorted by name."""
    found = {
        find_service(route.action, target)
        for site in desired.enabled
        for route in site.routes
        if isinstance(route.action, model.Proxy)
        for target in route.action.targets
    }
    written = {
        service for site in desired.enabled for service in named_servers.find_in_site(site, desired.globals).services
    }
    for part in (None, *desired.globals.parts):
        written |= set(named_servers.find_in_gate(desired.globals, part).services)
    named = (service for service in found | written if service is not None)
    return tuple(sorted(named, key=lambda service: service.name))


def _make_check(proxy: model.Proxy, target: model.Target) -> model.Check | None:
    if proxy.health is None or target.down or target.socket is not None:
        return None
    named = target.host if target.host is not None and names.address_of(target.host) is None else None
    return model.Check(
        health=proxy.health,
        tls=proxy.tls if target.scheme in _ENCRYPTED else None,
        host=proxy.health.host or proxy.host_header or named,
        server_name=proxy.tls.name or named,
    )
