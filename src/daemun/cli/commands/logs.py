"""`daemun logs`."""

import collections
import collections.abc
import json
import pathlib
import time
import typing

import typer

from daemun import causes, errors, regular_files, settings
from daemun.cli import common_options, json_answer, output

if typing.TYPE_CHECKING:
    from daemun.nginx import access_lines

POLL_S = 0.25

Errors = typing.Annotated[bool, typer.Option("--errors", "-e", help="What nginx says of errors, instead of requests.")]
Count = typing.Annotated[int, typer.Option("--lines", "-n", min=0, max=1_000_000, help="How many of the last lines.")]
Follow = typing.Annotated[bool, typer.Option("--follow", "-f", help="Go on with lines that come, until Ctrl-C.")]
Find = typing.Annotated[str, typer.Option("--grep", metavar="TEXT", help="Only lines that hold this text.")]


@common_options.with_settings
def logs(  # noqa: PLR0917 - Typer's
    chosen: settings.Settings,
    error_log: Errors = False,
    lines: Count = 20,
    follow: Follow = False,
    grep: Find = "",
    as_json: common_options.AsJson = False,
) -> None:
    """Show the last lines of the access log. Needs no daemon.

    The daemon's own log is where it was started: `journalctl -u daemun` for the service. With --json and --follow each
    line is a document of its own.
    """
    from daemun.nginx import access_lines

    path = pathlib.Path(chosen.layout.logs) / ("error.log" if error_log else "access.log")
    try:
        regular_files.open_for_reading(path).close()
        follower = access_lines.Follower(path, at_end=False)
        found = collections.deque(_lines_of(follower, grep), maxlen=lines)
        if as_json and not follow:
            json_answer.print_json({"file": str(path), "lines": [_value_of(line) for line in found]})
        for line in found if follow or not as_json else ():
            _print(line, as_json=as_json)
        while follow:
            for line in _lines_of(follower, grep):
                _print(line, as_json=as_json)
            time.sleep(POLL_S)
    except FileNotFoundError as error:
        raise errors.EnvironmentProblemError(
            f"cannot show {path}: there is none yet; with `logs: {{access: true}}` the first request makes it"
        ) from error
    except OSError as error:
        raise errors.EnvironmentProblemError(
            f"cannot read {path}: {causes.describe(error)}; run this as the owner of daemun"
        ) from error


def _value_of(line: str) -> typing.Any:
    """An object where the log is written as JSON (`logs: {format: json}`), else the text."""
    try:
        value = json.loads(line)
    except ValueError:
        return line
    return value if isinstance(value, dict) else line


def _print(line: str, *, as_json: bool) -> None:
    if as_json:
        json_answer.print_json(_value_of(line), is_line=True)
    else:
        print(output.clean(line), flush=True)


def _lines_of(follower: "access_lines.Follower", grep: str) -> collections.abc.Iterator[str]:
    for lines in follower.read():
        yield from (line for line in lines.decode("utf-8", "replace")[:-1].split("\n") if grep in line)
