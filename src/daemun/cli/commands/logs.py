"""`daemun logs`."""

import collections
import pathlib
import time
import typing

import typer

from daemun import errors, settings
from daemun.cli import options, output

POLL_S = 0.25

Errors = typing.Annotated[bool, typer.Option("--errors", "-e", help="What nginx says of errors, instead of requests.")]
Count = typing.Annotated[int, typer.Option("--lines", "-n", min=0, max=1_000_000, help="How many of the last lines.")]
Follow = typing.Annotated[bool, typer.Option("--follow", "-f", help="Go on with lines that come, until Ctrl-C.")]
Find = typing.Annotated[str, typer.Option("--grep", metavar="TEXT", help="Only lines that hold this text.")]


@options.with_settings
def logs(
    chosen: settings.Settings, error_log: Errors = False, lines: Count = 20, follow: Follow = False, grep: Find = ""
) -> None:
    """Show the last lines of the access log. Needs no daemon.

    The daemon's own log is where it was started: `journalctl -u daemun` for the service.
    """
    path = pathlib.Path(chosen.layout.logs) / ("error.log" if error_log else "access.log")
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in collections.deque((line for line in file if grep in line), maxlen=lines):
                output.say(line.rstrip("\n"))
            if follow:
                _follow(path, file, grep)
    except FileNotFoundError as error:
        raise errors.EnvironmentProblemError(
            f"cannot show {path}: there is none yet; with `logs: {{access: true}}` the first request makes it"
        ) from error
    except OSError as error:
        raise errors.EnvironmentProblemError(
            f"cannot read {path}: {(error.strerror or str(error)).lower()}; run this as the owner of daemun"
        ) from error


def _follow(path: pathlib.Path, file: typing.TextIO, grep: str) -> typing.NoReturn:
    """Also over to the file that takes the place of a rotated one."""
    while True:
        line = file.readline()
        if line:
            if grep in line:
                print(output.clean(line.rstrip("\n")), flush=True)
            continue
        try:
            is_same = path.samefile(f"/proc/self/fd/{file.fileno()}")
        except OSError:
            is_same = True  # the new one is not there yet
        if not is_same:
            file.close()
            file = path.open(encoding="utf-8", errors="replace")
            continue
        time.sleep(POLL_S)
