"""`daemun audit`: who changed what by the dashboard and its API."""

import datetime
import itertools
import typing

import typer

from daemun import errors, settings
from daemun.cli import common_options, json_answer, output, tables

if typing.TYPE_CHECKING:
    from daemun.core.access import audit_entries

USUAL_LINES = 50

Since = typing.Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="None before: 1h (that long ago), yesterday, 2026-11-30.")
]
Lines = typing.Annotated[
    int | None,
    typer.Option("--lines", "-n", min=0, help="How many of the newest; default: 50, all with --since; 0: all."),
]


Who = typing.Annotated[str, typer.Option("--who", metavar="NAME", help="Only what this operator did.")]
Search = typing.Annotated[
    str, typer.Option("--search", metavar="TEXT", help="Only entries with this in what was requested, or of what.")
]


@common_options.with_settings
def audit(  # noqa: PLR0917 - Typer's
    chosen: settings.Settings,
    since: Since = None,
    who: Who = "",
    search: Search = "",
    lines: Lines = None,
    as_json: common_options.AsJson = False,
) -> None:
    """Show who changed what by the dashboard and its API, the newest first. Needs no daemon.

    Each row has when, who with which role, from where, what was requested of which site, and the status of the answer.
    With --json also what was there before and after.
    """
    from daemun.core.access import audit_entries
    from daemun.operators import audit_log

    moment = _read_moment(since)
    most = USUAL_LINES if lines is None and since is None else lines or None
    found = itertools.islice(
        audit_log.choose(audit_log.read(chosen.layout), since=moment, who=who, text=search.strip()), most
    )
    if as_json:
        json_answer.print_list("entries", map(audit_entries.value_of, found))
        return
    rows = [_row(one) for one in found]
    if rows:
        tables.print_table(("WHEN", "WHO", "ROLE", "BY", "FROM", "STATUS", "WHAT"), rows)
    else:
        wanted = " of what is looked for" if who or search else ""
        since_text = f" since {since}" if since else ""
        output.print_line(f"nothing{wanted} was changed by the dashboard or its API{since_text}")


def _row(entry: "audit_entries.AuditEntry") -> output.Row:
    what = entry.summary + (f": {entry.target}" if entry.target else "")
    if entry.before or entry.after:
        what += f" ({entry.before or 'nothing'} -> {entry.after or 'nothing'})"
    when = entry.at.strftime("%Y-%m-%d %H:%M:%SZ")
    return (when, entry.who, entry.role, entry.how, entry.address or "-", str(entry.status), what)


def _read_moment(text: str | None) -> datetime.datetime | None:
    from daemun.core.logged import request_filter

    if text is None:
        return None
    try:
        return request_filter.parse_moment(text, datetime.datetime.now(datetime.UTC))
    except ValueError as error:
        raise errors.ConfigError(f"cannot use --since: {error}") from error
