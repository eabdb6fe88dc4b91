"""`daemun status`."""

import datetime
import typing

import typer

from daemun import package_data, settings
from daemun.cli import (
    app_offers,
    common_options,
    control_client,
    daemon_state,
    fleet_rows,
    json_answer,
    output,
    problem_lines,
    site_filter,
    stream_rows,
    tables,
    verdict,
)
from daemun.core.texts import durations

Json = dict[str, typing.Any]

_FRESH = datetime.timedelta(minutes=2)
"""Servers in trouble are tried again within a minute."""
MANY = 20
"""With more sites than this, the sum stands below the table, too."""

Alive = typing.Annotated[
    bool, typer.Option("--alive", help="Only whether daemun and nginx run, whatever the sites are: for health checks.")
]
Probe = typing.Annotated[
    bool, typer.Option("--probe", help="Try each server and a handshake with each name now, and wait for that.")
]


@common_options.with_settings
def status(  # noqa: PLR0917 - Typer's
    chosen: settings.Settings,
    hosts: site_filter.Hosts = None,
    only: site_filter.States = None,
    probe: Probe = False,
    as_json: common_options.AsJson = False,
    alive: Alive = False,
) -> None:
    """Show what is live, with the reasons where something is not.

    A site is live when a visitor gets its certificate and its servers answer. Exits with 3 when something is not live,
    or when no daemon runs that could tell.
    """
    daemon = control_client.ControlClient(chosen)
    if probe:
        left = daemon_state.or_not_live(chosen, daemon.probe)
        if left:
            output.complain(f"{left} servers and handshakes were not tried in time; what is known of them is shown")
    answer = site_filter.choose(daemon_state.or_not_live(chosen, daemon.status), hosts, only)
    if alive:
        output.print_line(summary_of(answer)[1])
        raise typer.Exit(0 if verdict.is_alive(answer) else verdict.NOT_LIVE)
    weaknesses, lines = _look_at_weaknesses(chosen)
    if as_json:
        json_answer.print_json({**answer, "nginx": {**answer["nginx"], "weaknesses": weaknesses}})
    else:
        for line in (*summary_of(answer, is_part=bool(hosts or only)), *lines):
            output.print_line(line)
        if answer["nginx"]["old_generations"]:
            tables.print_table(
                ("GENERATION", "AGE", "WORKERS", "SOCKETS", "MEMORY"),
                [_old_row_of(one) for one in answer["nginx"]["old_generations"]],
            )
        if answer.get("fleet") and len(answer["fleet"]["nodes"]) > 1:
            tables.print_table(fleet_rows.TITLES, fleet_rows.rows_of(answer["fleet"]))
        print_sites(answer)
        if len(answer["sites"]) > MANY:
            output.print_line(verdict.count_sites(answer))
    raise typer.Exit(0 if verdict.all_live(answer) else verdict.NOT_LIVE)


def _look_at_weaknesses(chosen: settings.Settings) -> tuple[list[Json] | None, list[str]]:
    """Of the nginx that serves: as JSON, null where none serves, and as a line for people."""
    from daemun.core.nginx_builds import nginx_weaknesses
    from daemun.web import nginx_json
    from daemun.wiring import nginx_exposure

    exposure = nginx_exposure.look(chosen)
    if exposure is None or not exposure.serves:
        return None, []
    laid_open = [one for one in exposure.weaknesses if one.applies]
    lines = [f"nginx has {nginx_weaknesses.describe(laid_open)}; `daemun nginx list` shows more"] if laid_open else []
    return nginx_json.weaknesses_json(exposure.weaknesses), lines


def print_sites(answer: Json) -> None:
    """The tables of sites, streams and containers, the reasons and the problems below it."""
    if answer["sites"]:
        titles = ("HOST", "STATE", "CERTIFICATE", "SERVERS", "ROUTES")
        now = datetime.datetime.now(datetime.UTC)
        tables.print_table(titles, [_row_of(site, now) for site in answer["sites"]])
    if answer.get("streams"):
        of_streams = ("STREAM", "STATE", "CERTIFICATE", "SERVERS", "LISTEN", "TO")
        now = datetime.datetime.now(datetime.UTC)
        tables.print_table(of_streams, [_stream_row_of(one, now) for one in answer["streams"]])
    if answer["containers"]:
        tables.print_table(("CONTAINER", "HOSTS", "SERVED"), [_container_row_of(one) for one in answer["containers"]])
    if len(answer.get("engines", ())) > 1:
        rows = [_engine_row_of(one, answer["containers"]) for one in answer["engines"]]
        tables.print_table(("ENGINE", "ENDPOINT", "ANSWERS", "SERVED"), rows)
    for line in (*verdict.reasons(answer), *app_offers.lines_of(answer, package_data.list_names("apps", ".yaml"))):
        output.print_line(line)
    problem_lines.print_all(answer["problems"])


def summary_of(answer: Json, *, is_part: bool = False) -> list[str]:
    """The first lines: who runs, and what. is_part: whether only some of the sites and streams were wanted. Pure."""
    nginx = answer["nginx"]
    if nginx["pid"] is None:
        serving = f"nginx {nginx['version']} is not running"
    elif not nginx["answers"]:
        serving = f"nginx {nginx['version']} (process {nginx['pid']}) does not answer"
    else:
        draining = f", {nginx['draining_workers']} draining" if nginx["draining_workers"] else ""
        serving = (
            f"nginx {nginx['version']} (process {nginx['pid']}): generation {answer['generation']}, "
            f"{output.count(nginx['workers'], 'worker')}{draining}, {output.count(nginx['reloads'], 'reload')}"
        )
    lines = [f"daemun {answer['version']} (process {answer['pid']}): {answer['config']}", serving]
    lines += [*_successor_of(answer), *_old_workers_of(answer)]
    if answer.get("fleet"):
        lines.append(fleet_rows.describe(answer["fleet"]))
    if answer["sites"] or answer.get("streams"):
        lines.append(verdict.count_sites(answer))
    elif is_part:
        lines.append("no site or stream is in such a state")
    elif answer["generation"] is None:
        lines.append("nothing is live yet; after a start the first configuration is applied within seconds")
    else:
        lines.append("no sites yet; add one with: daemun add HOST TARGET")
    return lines


def _successor_of(answer: Json) -> list[str]:
    """Which nginx could take over."""
    found = answer["nginx"]["successor"]
    if found is None:
        return []
    why = "its file was replaced while it serves" if found["replaced"] else "another one is there"
    line = f"{why}: nginx {found['version']} ({found['path']}) takes over with `daemun nginx upgrade`"
    return [line, *([f"the last time that failed: {found['error']}"] if found["error"] is not None else [])]


def _old_workers_of(answer: Json) -> list[str]:
    """What nginx's old workers cost, and what waits for them."""
    old, waiting = answer["nginx"]["old_workers"], answer["waiting_change"]
    if not old["generations"]:
        return []
    sockets = "unknown" if old["sockets"] is None else old["sockets"]
    lines = [
        f"old workers: {output.count(old['generations'], 'generation')} of {old['most_generations']}, "
        f"{_megabytes(old)} of {_megabytes(old, 'most_memory_bytes')}, sockets: {sockets}"
    ]
    if waiting is not None:
        lines.append(f"a change waits since {waiting['since']}: {waiting['reason']}")
    return lines


def _old_row_of(one: Json) -> tuple[str, ...]:
    number = "unknown" if one["number"] is None else str(one["number"])
    sockets = "unknown" if one["sockets"] is None else str(one["sockets"])
    if one["drained"]:
        sockets += f", drained ({one['sockets_closed']} closed)"
    memory = ("at most " if one["memory"] == "anonymous" else "") + _megabytes(one)
    return (number, _age(one["age_s"]), str(one["workers"]), sockets, memory)


def _megabytes(one: Json, key: str = "memory_bytes") -> str:
    return f"{round(one[key] / (1 << 20))} MB"


def _age(seconds: int) -> str:
    """ "5 s", "12 min", "3 h", "9 days": as exact as it matters. Pure."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _row_of(site: Json, now: datetime.datetime) -> tuple[str, ...]:
    routes = [f"{route['path']} -> {' '.join(route['to']) or '(no server now)'}" for route in site["routes"]]
    return (site["host"], output.state_of_site(site), _certificate_of(site), servers_of(site, now), "\n".join(routes))


def servers_of(site: Json, now: datetime.datetime) -> str:
    """ "2 answer", "1 of 2 answers"; "" where there is none, or none was tried yet.

    Without a health check a server that answered is tried again only where something speaks against it, so what is
    known of it may be old: "1 answers, seen 3 hours ago". Pure.
    """
    return _count_servers([one for route in site["routes"] for one in route["servers"]], now)


def _count_servers(servers: list[Json], now: datetime.datetime) -> str:
    good = sum(one["state"] == "answers" for one in servers)
    if not servers:
        return ""
    verb = "answers" if good == 1 else "answer"
    counted = f"{good} {verb}" if good == len(servers) else f"{good} of {len(servers)} {verb}"
    age = now - min(datetime.datetime.fromisoformat(one["at"]) for one in servers)
    return f"{counted}, seen {durations.describe(age)} ago" if age > _FRESH else counted


def _stream_row_of(stream: Json, now: datetime.datetime) -> tuple[str, ...]:
    servers = "not tried (UDP)" if stream["protocol"] == "udp" else _count_servers(stream["servers"], now)
    return (
        stream["name"],
        output.state_of(stream["state"]),
        _certificate_of(stream),
        servers,
        stream_rows.listen_of(stream),
        stream_rows.servers_of(stream),
    )


def _engine_row_of(engine: Json, containers: list[Json]) -> tuple[str, ...]:
    own = [one for one in containers if one.get("engine") == engine["name"]]
    served = sum(one["served"] for one in own)
    since = f", since {engine['since'][:16].replace('T', ' ')}" if engine["since"] else ""
    answers = "yes" if engine["answers"] else f"no{since}"
    return (engine["name"] or "", engine["endpoint"], answers, f"{served} of {len(own)}")


def _container_row_of(container: Json) -> tuple[str, ...]:
    streams = (f"stream:{name}" for name in container.get("streams", ()))
    engine = f"@{container['engine']}" if container.get("engine") else ""
    return (
        f"{container['name']}{engine}",
        " ".join([*container["hosts"], *streams]),
        "yes" if container["served"] else "no",
    )


def _certificate_of(site: Json) -> str:
    certificate = site["certificate"]
    if certificate is None:
        return "none"
    until = f", until {certificate['not_after'][:10]}" if certificate["not_after"] else ""
    return f"{certificate['state']}{until}"
