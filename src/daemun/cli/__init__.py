"""The command line: one module per command in `commands`. `main` is what the `daemun` script calls."""

import collections.abc
import os
import sys

from daemun import errors, garbage

DEFECT = 70
"""EX_SOFTWARE of sysexits.h: a defect in this program, not in what it was given."""


def main() -> None:
    """Run the command line and exit."""
    garbage.seek_seldom()
    end_well(_run)


def _run() -> None:
    from daemun.cli import app

    app.app(prog_name="daemun")


def end_well(program: collections.abc.Callable[[], None]) -> None:
    """Run a program and exit. A person never meets a traceback before a message."""
    try:
        program()
    except errors.DaemunError as error:
        _complain(f"error: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        _tell_defect(error)
        sys.exit(DEFECT)


def _tell_defect(error: Exception) -> None:
    """One line, and the trace where it can be fetched from: what fails once may not fail again."""
    import traceback

    trace = "".join(traceback.format_exception(error))
    what = f"this is a defect in daemun: {type(error).__name__}: {error}"
    if os.environ.get("DAEMUN_DEBUG"):
        _complain(f"{trace}\n{what}")
        return
    try:
        _complain(f"{what}; please report it with {_keep(trace)}, which tells where")
    except OSError:
        _complain(f"{what}; run it again with DAEMUN_DEBUG=1 to see where")


def _keep(trace: str) -> str:
    """Write the trace to a file that only the user can read. Returns: its path."""
    import tempfile

    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", prefix="daemun-defect-", suffix=".txt", delete=False
    ) as file:
        file.write(trace)
        return file.name


def _complain(text: str) -> None:
    from daemun.cli import output

    output.complain(text)
