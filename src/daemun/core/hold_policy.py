"""Which requests may wait, for which servers, and how long. Pure."""

from daemun.core import dns_services, model, names

_HTTP = frozenset({model.Scheme.HTTP, model.Scheme.HTTPS, model.Scheme.H2C})


def find_waits(desired: model.Desired) -> tuple[model.HeldRoute, ...]:
    """Every route of an enabled site whose requests wait, sorted by name. Rendering may let fewer wait."""
    found = (
        _make_wait(site, route, route.action)
        for site in desired.enabled
        for route in site.routes
        if isinstance(route.action, model.Proxy) and route.action.hold_s > 0
    )
    return tuple(sorted(found, key=lambda wait: wait.name))


def _make_wait(site: model.Site, route: model.Route, proxy: model.Proxy) -> model.HeldRoute:
    return model.HeldRoute(
        name=names.upstream_name(site.host, route.path),
        host=site.host,
        hold_s=proxy.hold_s,
        servers=tuple(_make_server(proxy, target) for target in proxy.targets if not target.down),
    )


def _make_server(proxy: model.Proxy, target: model.Target) -> model.WaitedServer:
    if target.socket is not None:
        # nginx wants the end of the path marked where a URL could go on (ngx_parse_unix_domain_url).
        end = ":" if target.scheme in _HTTP else ""
        return model.WaitedServer(socket=target.socket, written=f"unix:{target.socket}{end}", backup=target.backup)
    service = dns_services.find_service(proxy, target)
    if service is not None:
        return model.WaitedServer(service=service.name, backup=target.backup)
    assert target.host is not None
    assert target.port is not None
    return model.WaitedServer(endpoint=model.Endpoint(address=target.host, port=target.port), backup=target.backup)
