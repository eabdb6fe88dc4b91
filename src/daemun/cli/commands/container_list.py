"""`daemun containers`."""

import typing

import typer

from daemun import errors, settings
from daemun.cli import common_options, control_client, daemon_state, json_answer, output, tables
from daemun.core.texts import words

Json = dict[str, typing.Any]

_LAMPS = ("bad", "warning", "good")
"""The worst first, as `web.container_json` has them."""

Search = typing.Annotated[
    str, typer.Option("--search", metavar="TEXT", help="Only those with this in their name, a host or a stream.")
]
Only = typing.Annotated[
    str | None,
    typer.Option(
        "--only", metavar="LAMP", help="Only those that are bad (not served), warning (look at them) or good."
    ),
]


@common_options.with_settings
def containers(
    chosen: settings.Settings, search: Search = "", only: Only = None, as_json: common_options.AsJson = False
) -> None:
    """List the containers that request to be reached, those that are not first: what is served, or why not and what to
    do, health and restarts.
    """
    if only is not None and only not in _LAMPS:
        expected = words.listed(_LAMPS)
        raise errors.ConfigError(f"cannot list containers that are {words.quoted(only)}; expected {expected}")
    status = daemon_state.or_not_live(chosen, control_client.ControlClient(chosen).status)
    found = choose(status["containers"], text=search, lamp=only)
    if as_json:
        json_answer.print_json({"containers": found})
    elif found:
        titles = ("CONTAINER", "SERVED", "HOSTS", "HEALTH", "RESTARTS", "WHY")
        tables.print_table(titles, [row_of(one) for one in found])
    else:
        output.print_line(
            "no container requests to be reached" if not status["containers"] else "no container is like that"
        )


def choose(every: list[Json], *, text: str = "", lamp: str | None = None) -> list[Json]:
    """Those with a part of a name, and with a lamp; the worst first, then by name. Pure."""
    wanted = text.strip().lower()
    found = [
        one
        for one in every
        if lamp in {None, one["lamp"]}
        and any(wanted in name.lower() for name in (name_of(one), *one["hosts"], *one["streams"]))
    ]
    return sorted(found, key=lambda one: (_LAMPS.index(one["lamp"]), name_of(one)))


def name_of(one: Json) -> str:
    """With its engine, where there are several. Pure."""
    return f"{one['name']}@{one['engine']}" if one["engine"] else str(one["name"])


def row_of(one: Json) -> tuple[str, ...]:
    """Pure."""
    why = one["why"] or "-"
    return (
        name_of(one),
        "yes" if one["served"] else "no",
        ", ".join([*one["hosts"], *(f"stream {name}" for name in one["streams"])]) or "-",
        one["health"] or one["state"] or "-",
        "-" if one["restarts"] is None else str(one["restarts"]),
        f"{why}; {one['cure']}" if one["why"] and one["cure"] else why,
    )
