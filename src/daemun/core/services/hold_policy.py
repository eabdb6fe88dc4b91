"""Which requests may wait, for which servers, and how long. Pure."""

from daemun.core import model
from daemun.core.options import hold_option
from daemun.core.services import dns_service, dns_services
from daemun.core.texts import names


def find_waits(desired: model.Desired) -> tuple[dns_service.HeldRoute, ...]:
    """Every route of an enabled site whose requests wait, sorted by name. Rendering may let fewer wait."""
    found = (
        _make_wait(site, route, route.action)
        for site in desired.enabled
        for route in site.routes
        if isinstance(route.action, model.Proxy) and hold_option.OPTION.of(route.action) > 0
    )
    return tuple(sorted(found, key=lambda wait: wait.name))


def _make_wait(site: model.Site, route: model.Route, proxy: model.Proxy) -> dns_service.HeldRoute:
    return dns_service.HeldRoute(
        name=names.upstream_name(site.host, route.name),
        host=site.host,
        hold_s=hold_option.OPTION.of(proxy),
        servers=tuple(_make_server(proxy, target) for target in proxy.targets if not target.down),
    )


def _make_server(proxy: model.Proxy, target: model.Target) -> dns_service.WaitedServer:
    if target.socket is not None:
        # nginx wants the end of the path marked where a URL could go on (ngx_parse_unix_domain_url).
        end = ":" if target.scheme.is_http else ""
        return dns_service.WaitedServer(
            socket=target.socket, written=f"unix:{target.socket}{end}", backup=target.backup
        )
    service = dns_services.find_service(proxy, target)
    if service is not None:
        return dns_service.WaitedServer(service=service.name, backup=target.backup)
    assert target.host is not None
    assert target.port is not None
    return dns_service.WaitedServer(
        endpoint=model.Endpoint(address=target.host, port=target.port), backup=target.backup
    )
