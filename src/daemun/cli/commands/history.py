"""`daemun history`."""

import itertools
import typing

import typer

from daemun import settings
from daemun.cli import common_options, history_access, history_lines, json_answer, output, tables

if typing.TYPE_CHECKING:
    from daemun.sources.history import history_entry

Number = typing.Annotated[
    str | None,
    typer.Argument(metavar="[NUMBER]", help="One of them: what the files held, and all that is known of it."),
]
Count = typing.Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the newest; 0: all.")]


@common_options.with_settings
def history(
    chosen: settings.Settings,
    number: Number = None,
    lines: Count = 20,
    as_json: common_options.AsJson = False,
) -> None:
    """Show which configurations were applied: when, by whom, what changed, and whether it came live. Needs no daemon.

    With a number, what daemun.yaml and the files that it includes held then. Secrets are never kept: `(hidden 7.1)`
    stands in place of each, with another number where it was another one.
    """
    from daemun.sources.history import compared_entries

    entries = history_access.open_history(chosen)
    if number is not None:
        _show(compared_entries.find(entries, number), as_json=as_json)
    else:
        found = list(itertools.islice(entries.newest(), lines or None))
        if as_json:
            from daemun.sources.history import history_entry

            json_answer.print_json({"entries": [history_entry.summary_json(one) for one in found]})
        elif found:
            tables.print_table(history_lines.TITLES, [history_lines.row_of(one) for one in found])
        else:
            output.print_line("nothing was applied yet")
    history_access.complain_of_damage(chosen, entries)


def _show(entry: "history_entry.HistoryEntry", *, as_json: bool) -> None:
    from daemun.sources.history import compared_entries, hidden_secrets

    if as_json:
        json_answer.print_json(compared_entries.entry_json(entry))
        return
    texts = hidden_secrets.show_entry(entry)
    changed = ", ".join(entry.changes) + (f" and {entry.more} more" if entry.more else "")
    facts = [
        f"number {entry.number}, {entry.state.value}, {entry.at:%Y-%m-%d %H:%M:%SZ}, by {entry.author}",
        *([f"because: {entry.reason}"] if entry.reason else []),
        *([changed] if changed else []),
        *(f"container: {one.host} {one.path} ({one.origin})" for one in entry.routes),
    ]
    for fact in facts:
        output.print_line("\n".join(f"# {line}" for line in fact.splitlines()))
    for one in entry.files:
        output.print_line(f"# --- {one.name}")
        output.print_line("# it is no YAML, and was not kept" if one.text is None else texts[one.name].rstrip("\n"))
