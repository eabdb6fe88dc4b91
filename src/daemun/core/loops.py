"""Requests that would come back to the gate again and again: servers that are the gate itself, and redirects of a route
to itself. Pure."""

import ipaddress
import urllib.parse

from daemun.core import model, names, problem_report, words
from daemun.core.options import host_header_option

_OWN_PORTS = {None, 80, 443}
"""Without a port of its own, or with one that `listen` most often has."""


def find_loops(site: model.Site, listening: tuple[model.Address, ...]) -> tuple[model.Problem, ...]:
    """listening: the addresses of the gate. Warnings: a server that answers there all the same may come."""
    report = problem_report.ProblemReport(host=site.host, origin=site.origin)
    ports = {address.port for address in listening}
    for route in site.routes if site.enabled else ():
        here = report.at(route.origin)
        match route.action:
            case model.Proxy() as action:
                _check_servers(action, route, ports, here)
            case model.Redirect() as action:
                _check_redirect(action, route, site, here)
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
                "routes",
                route.path,
                "to",
                index,
                severity=model.Severity.WARNING,
            )


def _is_here(host: str) -> bool:
    address = names.address_of(host)
    if address is None:
        return host == "localhost"
    return address.is_loopback or address in {ipaddress.ip_address("0.0.0.0"), ipaddress.ip_address("::")}  # noqa: S104


def _check_redirect(
    action: model.Redirect, route: model.Route, site: model.Site, report: problem_report.ProblemReport
) -> None:
    """Who writes a variable in a host or path knows where it leads."""
    if "$" in action.to.partition("?")[0] and not action.to.startswith(("http://$host", "https://$host")):
        return
    parts = urllib.parse.urlsplit(action.to.replace("$host", site.host, 1))
    try:
        is_own = parts.hostname is None or (parts.hostname in site.names and parts.port in _OWN_PORTS)
    except ValueError:
        return  # no port, which is a problem of its own
    if not is_own or not parts.path.startswith("/") or "$" in parts.path:
        return
    matching = [one for one in site.routes if not one.path.startswith("~") and parts.path.startswith(one.path)]
    if matching and max(matching, key=lambda one: len(one.path)) is route:
        cause = f"{words.quoted(action.to)} is under this route, so visitors would be sent round in circles"
        report.add(f"{cause}; name another place", "routes", route.path, "redirect", severity=model.Severity.WARNING)
