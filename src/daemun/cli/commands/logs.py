"""`daemun logs`."""

import pathlib
import sys
import time
import typing

import typer

from daemun import causes, errors, settings
from daemun.cli import clean_exit, common_options, host_names, json_answer

POLL_S = 0.25
USUAL_LINES = 20

Place = typing.Annotated[
    str | None,
    typer.Argument(
        metavar="[HOST[/PATH]]",
        help="Only requests for this site, by any of its names, and below this path.",
        autocompletion=host_names.complete,
    ),
]
Errors = typing.Annotated[
    bool, typer.Option("--errors", "-e", help="What nginx reports of errors, instead of requests.")
]
Count = typing.Annotated[
    int | None,
    typer.Option(
        "--lines", "-n", min=0, max=1_000_000, help="How many of the last lines; default: 20, all with --since."
    ),
]
Follow = typing.Annotated[bool, typer.Option("--follow", "-f", help="Go on with lines that come, until Ctrl-C.")]
Find = typing.Annotated[str, typer.Option("--grep", metavar="TEXT", help="Only lines that hold this text.")]
Since = typing.Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Only later ones: 30m, 2h or 1d ago, 14:30, yesterday, '2026-11-30 14:30'."),
]
Until = typing.Annotated[str | None, typer.Option(metavar="TIME", help="Only earlier ones, written the same way.")]
Status = typing.Annotated[
    str | None, typer.Option(metavar="CODES", help="Only answers with this status: 502, 5xx, 500-504, or 4xx,5xx.")
]
Slow = typing.Annotated[
    str | None, typer.Option(metavar="TIME", help="Only requests that took as long or longer: 1s, 250ms.")
]
Method = typing.Annotated[
    str | None, typer.Option(metavar="METHODS", help="Only requests with this method: POST, or POST,PUT.")
]
Short = typing.Annotated[
    bool | None,
    typer.Option(
        "--short/--raw",
        help="One short line a request, or the log's lines as they are; default: short on a terminal, raw elsewhere.",
    ),
]


@common_options.with_settings
def logs(  # noqa: PLR0917 - Typer's
    chosen: settings.Settings,
    place: Place = None,
    error_log: Errors = False,
    lines: Count = None,
    follow: Follow = False,
    grep: Find = "",
    since: Since = None,
    until: Until = None,
    status: Status = None,
    slow: Slow = None,
    method: Method = None,
    short: Short = None,
    as_json: common_options.AsJson = False,
) -> None:
    """Show the last lines of the access log, rotated files included. Needs no daemon.

    The daemon's own log is where it was started: `journalctl -u daemun` for the service. With --json the
    answer is one document with a list of lines; with --follow, too, each line is a document of its own.
    """
    from daemun.cli import log_search
    from daemun.core.logged import error_line, line_filter
    from daemun.nginx import access_lines, log_files, request_log

    if error_log and (status or slow):
        raise errors.ConfigError(
            "cannot filter errors by --status or --slow: nginx's error log has neither; leave it out"
        )
    path = pathlib.Path(chosen.layout.logs) / ("error.log" if error_log else "access.log")
    wanted = line_filter.LineFilter(
        read=error_line.read if error_log else request_log.make_reader(chosen.layout).read,
        requests=log_search.make_filter(
            chosen, place, since=since, until=until, status=status, slow=slow, method=method
        ),
        holds=grep.encode("utf-8", "surrogateescape"),
    )
    form = log_search.Output.JSON if as_json else log_search.choose_form(short, is_of_errors=error_log)
    most = lines if lines is not None else None if since else USUAL_LINES
    try:
        with log_files.LogFiles(path) as files:
            printer = log_search.Printer(form, wanted.read)
            found = log_search.CountedLines(log_search.find(files, wanted, most))
            if as_json and not follow:
                json_answer.print_list("lines", map(printer.value_of, found), file=str(path))
            else:
                for line in found:
                    printer.print(line)
            log_search.report_passed(wanted)
            if not found.number and most != 0 and not follow:
                log_search.report_nothing(chosen, place, wanted)
            follower = access_lines.Follower(path, descriptor=files.take_newest()) if follow else None
        while follower is not None:
            for block in follower.read():
                for line in block[:-1].split(b"\n"):
                    if wanted.takes(line):
                        printer.print(line)
            sys.stdout.flush()
            time.sleep(POLL_S)
    except FileNotFoundError as error:
        raise errors.EnvironmentProblemError(
            f"cannot show {path}: there is none yet; with `logs: {{access: true}}` the first request makes it"
        ) from error
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _find_end(path, error) from error


def _find_end(path: pathlib.Path, error: OSError) -> Exception:
    """Standard output may be what failed, not the log."""
    if clean_exit.give_up_output(error):
        return typer.Exit(1)
    return errors.EnvironmentProblemError(
        f"cannot read {path}: {causes.describe(error)}; run this as the owner of daemun"
    )
