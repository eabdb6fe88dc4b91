"""What a look from outside found of a site that was just added: it is saved whatever that is."""

import typing

from daemun import errors
from daemun.cli import control_client, json_answer, output

Json = dict[str, typing.Any]


def print_probe(daemon: control_client.ControlClient, host: str, path: str) -> None:
    """Try the servers of one route, and report what is wrong and what to do."""
    try:
        daemon.probe(host)
        sites = daemon.status(host)["sites"]
    except errors.DaemunError as error:
        output.complain(f"the target could not be tried: {error}")
        return
    site = next((site for site in sites if site["host"] == host), None)
    json_answer.note(site=site)
    for line in lines_of(site, path):
        output.print_line(line)


def lines_of(site: Json | None, path: str) -> list[str]:
    """Pure. site: as in `status --json`; None: it is not there."""
    if site is None:
        return []
    servers = [one for route in site["routes"] if route["path"] == path for one in route["servers"]]
    bad = [one for one in servers if one["state"] != "answers"]
    lines = [f"but {one['cause']}\n  {one['cure']}" for one in bad]
    lines += [f"but {one['cause']}\n  {one['cure']}" for one in site["handshakes"]]
    if bad:
        lines.append("it is saved all the same, and served once the server answers")
    elif servers:
        lines.append("its server answers" if len(servers) == 1 else f"its {len(servers)} servers answer")
    return lines
