"""Which sites `daemun status` and `daemun sites` show. Pure, apart from the options."""

import collections.abc
import fnmatch
import re
import typing

import typer

from daemun import errors
from daemun.cli import host_names, stream_rows, verdict

Json = dict[str, typing.Any]

STATES = ("live", "unreachable", "degraded", "wrong certificate", "pending", "held back", "waiting", "disabled")
NOT_LIVE, MAINTENANCE, TROUBLE = "not-live", "maintenance", "trouble"

Hosts = typing.Annotated[
    list[str] | None,
    typer.Argument(metavar="[HOST]...", help="Only these sites, by any of their names; *shop* matches, too."),
]
States = typing.Annotated[
    list[str] | None,
    typer.Option(
        "--only", metavar="STATE", help=f"Only sites in this state: {', '.join(STATES)}, {MAINTENANCE} or {NOT_LIVE}."
    ),
]


def choose(answer: Json, hosts: list[str] | None, states: list[str] | None) -> Json:
    """The status with these sites alone, and what concerns them or all. Raises: ConfigError when nothing has a name."""
    if not hosts and not states:
        return answer
    wanted = [state_of(state) for state in states or ()]
    found = [site for site in answer["sites"] if _is_in(site, wanted)]
    streams = [one for one in answer.get("streams", ()) if _is_in(one, wanted)]
    for pattern in hosts or ():
        if not any(_has_name(one, pattern) for one in (*answer["sites"], *answer.get("streams", ()))):
            raise errors.ConfigError(f'no site or stream has the name "{pattern}"; `daemun sites` lists all')
    if hosts:
        found = [site for site in found if any(_has_name(site, pattern) for pattern in hosts)]
        streams = [one for one in streams if any(_has_name(one, pattern) for pattern in hosts)]
    names = {name for site in found for name in (site["host"], *site["aliases"])}
    of_streams = {one["name"] for one in streams}
    return {
        **answer,
        "sites": found,
        "streams": streams,
        "containers": [
            one for one in answer["containers"] if names & set(one["hosts"]) or of_streams & set(one.get("streams", ()))
        ],
        "problems": [one for one in answer["problems"] if one["host"] is None or one["host"] in names],
    }


def state_of(text: str) -> str:
    """As in the JSON, from what a person wrote."""
    state = re.sub("[-_ ]+", " ", text.strip().lower())
    known = {
        **{one: one for one in STATES},
        "not live": NOT_LIVE,
        MAINTENANCE: MAINTENANCE,
        TROUBLE: TROUBLE,
        "held back": "quarantined",
        "waiting for its container": "waiting",
        "quarantined": "quarantined",
    }
    if state not in known:
        expected = ", ".join(f'"{one}"' for one in (*STATES, MAINTENANCE, NOT_LIVE))
        raise errors.ConfigError(f'"{text}" is no state of a site; expected one of {expected}')
    return known[state]


def _is_in(site: Json, states: collections.abc.Collection[str]) -> bool:
    is_at_rest = site["state"] in verdict.AT_REST
    is_closed = bool(site.get("maintenance"))
    return (
        not states
        or site["state"] in states
        or (NOT_LIVE in states and not is_at_rest)
        or (MAINTENANCE in states and is_closed)
    )


def _has_name(site: Json, pattern: str) -> bool:
    name = stream_rows.name_in(pattern)
    if name is not None:  # as messages name it
        return "host" not in site and site["name"].lower() == name
    wanted = host_names.normal(pattern)
    return any(
        name in {wanted, pattern.lower()} or fnmatch.fnmatchcase(name, pattern.lower()) for name in _names_of(site)
    )


def _names_of(item: Json) -> tuple[str, ...]:
    """Of a site, or of a stream."""
    return (item["host"], *item["aliases"]) if "host" in item else (item["name"].lower(), *item["hosts"])
