"""Requests that would come back to the gate again and again: of servers that are the gate itself, and of redirects
that lead to themselves. Pure."""

import ipaddress
import urllib.parse

from daemun.core import model, problem_report
from daemun.core.options import host_header_option
from daemun.core.texts import names, route_paths, words


def find_loops(site: model.Site, listening: tuple[model.Address, ...]) -> tuple[model.Problem, ...]:
    """listening: the addresses of the gate. Warnings: another server may come to answer there, or a proxy in front."""
    report = problem_report.ProblemReport(host=site.host, origin=site.origin)
    ports = {address.port for address in listening if address.host is None or _is_here(address.host)}
    everywhere = {address.port for address in listening}
    for route in site.routes if site.enabled else ():
        here = report.at(route.origin)
        if isinstance(route.action, model.Proxy):
            _check_servers(route.action, route, ports, here)
            _check_names(route.action, route, site, everywhere, here)
        elif isinstance(route.action, model.Redirect) and _leads_back(route.action.to, route, site, listening):
            cause = f"{words.quoted(route.action.to)} leads back to this route, so visitors go round in circles"
            here.add(
                f"{cause}; name another place, or give that path a route of its own{_find_reason(site)}",
                *route.field,
                "redirect",
                severity=model.Severity.WARNING,
            )
    return tuple(report.problems)


def _check_servers(
    action: model.Proxy, route: model.Route, ports: set[int], report: problem_report.ProblemReport
) -> None:
    if host_header_option.OPTION.of(action) is not None:
        return  # another site of the gate may be meant
    for index, target in enumerate(action.targets):
        if target.port in ports and target.host is not None and _is_here(target.host):
            cause = f"{words.quoted(str(target))} is daemun's own port, so requests would come back to this site"
            report.add(
                f"{cause}; name the port that the server listens on",
                *route.field,
                "to",
                index,
                severity=model.Severity.WARNING,
            )


def _check_names(
    action: model.Proxy, route: model.Route, site: model.Site, ports: set[int], report: problem_report.ProblemReport
) -> None:
    """The site's own names, at the gate's ports: another port, or another `host_header`, means another server."""
    if host_header_option.OPTION.of(action) is not None:
        return
    for index, target in enumerate(action.targets):
        if target.port in ports and target.host in site.names and not _is_here(target.host):
            cause = f"{words.quoted(str(target))} is this site itself, so requests would come back to it"
            report.add(
                f"{cause}; name the server by its address, or by a name that leads to it alone",
                *route.field,
                "to",
                index,
                severity=model.Severity.WARNING,
            )


def _is_here(host: str) -> bool:
    address = names.address_of(host)
    if address is None:
        return host == "localhost"
    return address.is_loopback or address in {ipaddress.ip_address("0.0.0.0"), ipaddress.ip_address("::")}  # noqa: S104


# --- redirects -------------------------------------------------------------------------------------------------

_PORTS = {"http": 80, "https": 443}
_SAME_PATH = ("$request_uri", "$uri")
"""What stands for the path that the visitor came with."""


def _leads_back(to: str, route: model.Route, site: model.Site, listening: tuple[model.Address, ...]) -> bool:
    """Whether the same route gets what it sends away, as far as can be known: hand-written nginx may decide otherwise,
    and so may a variable in a path or a host."""
    here = route_paths.find_literal(route.path)
    if site.snippet or route.snippet or here is None or route.entry is not None:
        return False
    to = to.replace("$scheme://", "https://", 1).partition("?")[0].partition("$is_args")[0]
    for variable in _SAME_PATH:
        to = to.removesuffix(variable) + here if to.endswith(variable) else to
    try:
        parts = urllib.parse.urlsplit(to)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False  # a problem of its own
    if parts.netloc and (host not in {"$host", *site.names} or not _is_own_port(parts.scheme, port, site, listening)):
        return False
    path = parts.path or "/"
    if not path.startswith("/") or "$" in path:
        return False
    found = route_paths.choose([one.path for one in site.routes], path)
    return found is not None and site.routes[found] is route


def _is_own_port(scheme: str, port: int | None, site: model.Site, listening: tuple[model.Address, ...]) -> bool:
    if scheme == "https" and site.tls.mode is model.TlsMode.OFF:
        return False  # that is another program's
    own = {one for one in (site.http_port, site.https_port) if one is not None}
    return (port or _PORTS.get(scheme)) in own | {address.port for address in listening}


def _find_reason(site: model.Site) -> str:
    """People know it from nginx, where HTTPS has to be redirected to by hand."""
    is_sent = site.tls.mode is not model.TlsMode.OFF and site.http is model.HttpMode.REDIRECT
    return "; plain HTTP is sent to HTTPS anyway" if is_sent else ""
