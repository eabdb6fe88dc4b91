"""Requests that would come back to the gate again and again: of servers that are the gate itself. Pure."""

import ipaddress

from daemun.core import model, names, problem_report, words
from daemun.core.options import host_header_option


def find_loops(site: model.Site, listening: tuple[model.Address, ...]) -> tuple[model.Problem, ...]:
    """listening: the addresses of the gate. Warnings: a server that answers there all the same may come."""
    report = problem_report.ProblemReport(host=site.host, origin=site.origin)
    ports = {address.port for address in listening if address.host is None or _is_here(address.host)}
    for route in site.routes if site.enabled else ():
        if isinstance(route.action, model.Proxy):
            _check_servers(route.action, route, ports, report.at(route.origin))
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
