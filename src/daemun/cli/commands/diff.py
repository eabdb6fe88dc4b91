"""`daemun diff`."""

import typing

import typer

from daemun import settings
from daemun.cli import common_options, history_access, history_lines, json_answer, nginx_lines, output

_WORDS = "A number of `daemun history`; now: what was applied last; file: what the file holds."
One = typing.Annotated[str, typer.Argument(metavar="A", help=_WORDS)]
Other = typing.Annotated[str, typer.Argument(metavar="B", help="The same.")]

NginxFiles = typing.Annotated[bool, typer.Option("--nginx-files", help="Show what differs in nginx's files instead.")]


@common_options.with_settings
def diff(
    chosen: settings.Settings,
    one: One = history_access.NOW,
    other: Other = history_access.FILE,
    nginx_files: NginxFiles = False,
    as_json: common_options.AsJson = False,
) -> None:
    """Show what differs between two configurations: sites first, then settings and containers. Needs no daemon.

    Without arguments, between what was applied last and the file. Exits with 0 whether they differ or not.
    With --nginx-files both are made into nginx's files as daemun would make them now, without what containers request.
    """
    from daemun.sources.history import file_changes

    book = history_access.open_book(chosen)
    if nginx_files:
        found = nginx_lines.compare(chosen, book, one, other)
        if as_json:
            json_answer.print_json({"from": found.before, "to": found.after, **nginx_lines.diff_json(found)})
        else:
            for line in nginx_lines.lines_of(found):
                output.print_line(line)
        history_access.complain_of_damage(chosen, book)
        return
    before, after = (history_access.find_side(chosen, book, word) for word in (one, other))
    changes = file_changes.compare(before.files, after.files)
    routes: tuple[tuple[str, str], ...] = ()
    if before.entry is not None and after.entry is not None:
        routes = file_changes.compare_routes(before.entry, after.entry)
    if as_json:
        json_answer.print_json(
            {
                "from": before.what,
                "to": after.what,
                "changes": [history_lines.change_json(change) for change in changes],
                "containers": [{"kind": "added" if sign == "+" else "removed", "what": what} for sign, what in routes],
            }
        )
    else:
        main = next(iter(after.files or before.files), "")
        for line in history_lines.lines_of(changes, main=main, most=None):
            output.print_line(line)
        for sign, what in routes:
            output.print_line(f"{sign} {what}")
        if not changes and not routes:
            output.print_line(f"no difference between {before.what} and {after.what}")
    history_access.complain_of_damage(chosen, book)
