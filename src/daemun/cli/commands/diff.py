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
    one: One = "now",
    other: Other = "file",
    nginx_files: NginxFiles = False,
    as_json: common_options.AsJson = False,
) -> None:
    """Show what differs between two configurations: sites first, then settings and containers. Needs no daemon.

    Without arguments, between what was applied last and the file. Exits with 0 whether they differ or not.
    With --nginx-files both are made into nginx's files as daemun would make them now, without what containers request.
    """
    from daemun.sources.history import compared_entries
    from daemun.wiring.offline import past_diff

    history, main = history_access.open_history(chosen), history_access.file_of(chosen)
    if nginx_files:
        differing = past_diff.compare(chosen, history, main, one, other)
        if as_json:
            sides = {"from": differing.before, "to": differing.after}
            json_answer.print_json({**sides, **past_diff.diff_json(differing)})
        else:
            for line in nginx_lines.lines_of(differing):
                output.print_line(line)
        history_access.complain_of_damage(chosen, history)
        return
    found = compared_entries.compare(history, one, other, main)
    if as_json:
        json_answer.print_json(compared_entries.comparison_json(found))
    else:
        name = next(iter(found.after.files or found.before.files), "")
        for line in history_lines.lines_of(found.changes, main=name, most=None):
            output.print_line(line)
        for sign, what in found.routes:
            output.print_line(f"{sign} {what}")
        if not found.changes and not found.routes:
            output.print_line(f"no difference between {found.before.what} and {found.after.what}")
    history_access.complain_of_damage(chosen, history)
