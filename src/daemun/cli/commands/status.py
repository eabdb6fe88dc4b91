"""`daemun status`."""

import typing

import typer

from daemun import settings
from daemun.cli import client, options, output, problems, running, verdict

Json = dict[str, typing.Any]

Alive = typing.Annotated[
    bool, typer.Option("--alive", help="Only whether daemun and nginx run, whatever the sites are: for health checks.")
]


@options.with_settings
def status(chosen: settings.Settings, as_json: options.AsJson = False, alive: Alive = False) -> None:
    """Show what is live, with the reasons where something is not.

    Exits with 3 when something is not live, or when no daemon runs that could tell.
    """
    answer = running.or_not_live(chosen, client.Client(chosen).status)
    if alive:
        output.say(summary_of(answer)[1])
        raise typer.Exit(0 if verdict.is_alive(answer) else verdict.NOT_LIVE)
    if as_json:
        output.print_json(answer)
    else:
        for line in summary_of(answer):
            output.say(line)
        if answer["nginx"]["old_generations"]:
            output.print_table(
                ("GENERATION", "AGE", "WORKERS", "SOCKETS", "MEMORY"),
                [_old_row_of(one) for one in answer["nginx"]["old_generations"]],
            )
        print_sites(answer)
    raise typer.Exit(0 if verdict.all_live(answer) else verdict.NOT_LIVE)


def print_sites(answer: Json) -> None:
    """The tables of sites and containers, the reasons and the problems below it."""
    if answer["sites"]:
        output.print_table(("HOST", "STATE", "CERTIFICATE", "ROUTES"), [_row_of(site) for site in answer["sites"]])
    if answer["containers"]:
        output.print_table(("CONTAINER", "HOSTS", "SERVED"), [_container_row_of(one) for one in answer["containers"]])
    for line in verdict.reasons(answer):
        output.say(line)
    problems.print_all(answer["problems"])


def summary_of(answer: Json) -> list[str]:
    """The first lines: who runs, and what. Pure."""
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
    lines += _old_workers_of(answer)
    if not answer["sites"]:
        lines.append("no sites yet; add one with: daemun add HOST TARGET")
    return lines


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


def _row_of(site: Json) -> tuple[str, ...]:
    routes = [f"{route['path']} -> {' '.join(route['to']) or '(nobody now)'}" for route in site["routes"]]
    return (site["host"], output.state_of(site["state"]), _certificate_of(site), "\n".join(routes))


def _container_row_of(container: Json) -> tuple[str, ...]:
    return (container["name"], " ".join(container["hosts"]), "yes" if container["served"] else "no")


def _certificate_of(site: Json) -> str:
    certificate = site["certificate"]
    if certificate is None:
        return "none"
    until = f", until {certificate['not_after'][:10]}" if certificate["not_after"] else ""
    return f"{certificate['state']}{until}"
