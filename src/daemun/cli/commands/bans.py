"""`daemun bans`, `daemun ban`, `daemun unban`."""

import datetime
import re
import typing

import typer

from daemun import errors, settings
from daemun.cli import common_options, control_client, json_answer, output, tables
from daemun.core.texts import durations, words

_REASONS = {"owner": "daemun ban", "guesses": "wrong passwords", "crowdsec": "CrowdSec"}

Address = typing.Annotated[str, typer.Argument(help="An address or a network: 203.0.113.7, 203.0.113.0/24.")]
Attacks = typing.Annotated[
    bool,
    typer.Option("--attacks", help="Who guessed passwords, and whom CrowdSec had refused, in the last day instead."),
]
_FOR = re.compile(r"([1-9][0-9]{0,8})\s*([smhd])\Z")
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


Search = typing.Annotated[
    str, typer.Option("--search", metavar="TEXT", help="Only those with this in their address or note.")
]
Reason = typing.Annotated[
    str | None, typer.Option("--reason", metavar="REASON", help=f"Only those by {words.listed(_REASONS)}.")
]


@common_options.with_settings
def bans(
    chosen: settings.Settings,
    attacks: Attacks = False,
    search: Search = "",
    reason: Reason = None,
    as_json: common_options.AsJson = False,
) -> None:
    """The addresses that are refused on every site: why, since when, and until when."""
    if reason is not None and reason not in _REASONS:
        raise errors.ConfigError(f"cannot list bans by {words.quoted(reason)}; expected {words.listed(_REASONS)}")
    daemon, wanted = control_client.ControlClient(chosen), search.strip().lower()
    found = [
        one
        for one in (daemon.attacks() if attacks else daemon.bans())
        if reason in {None, one["reason"]} and (wanted in one["address"] or wanted in (one["note"] or "").lower())
    ]
    if as_json:
        json_answer.print_json({"attacks" if attacks else "bans": found})
        return
    if not found:
        what = " of what is looked for" if wanted or reason else ""
        output.print_line(f"no attack{what} was seen in the last day" if attacks else f"no address{what} is banned")
        return
    rows = [(one["address"], _reason(one), _moment(one["since"]), _moment(one["until"])) for one in found]
    tables.print_table(("ADDRESS", "WHY", "SINCE", "UNTIL"), rows)


@common_options.with_settings
def ban(
    chosen: settings.Settings,
    address: Address,
    within: typing.Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="How long: 30m, 1h, 7d; for good if left out.")
    ] = None,
) -> None:
    """Refuse an address on every site, at once (403). Of IPv6 its /64."""
    json_answer.note(address=address)
    found = control_client.ControlClient(chosen).ban(address, None if within is None else _seconds(within))
    until = "for good" if found["until"] is None else f"until {_moment(found['until'])}"
    output.print_line(f"{found['address']} is refused {until}; `daemun unban {found['address']}` lets it in")


@common_options.with_settings
def unban(chosen: settings.Settings, address: Address) -> None:
    """Let an address in again, as `daemun bans` writes it."""
    json_answer.note(address=address)
    found = control_client.ControlClient(chosen).unban(address)
    output.print_line(f"{found['address']} may come in again")


def _seconds(text: str) -> int:
    match = _FOR.match(text.strip())
    if match is None:
        raise errors.ConfigError(f'cannot ban for "{text}": expected a time such as 30m, 1h or 7d')
    return int(match[1]) * _UNITS_S[match[2]]


def _reason(one: dict[str, typing.Any]) -> str:
    reason = _REASONS.get(one["reason"], one["reason"])
    return f"{reason} ({one['note']})" if one["note"] else reason


def _moment(text: str | None) -> str:
    return "for good" if text is None else durations.moment(datetime.datetime.fromisoformat(text))
