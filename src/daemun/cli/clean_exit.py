"""Exit codes and messages at the end of every program of daemun: no traceback for users, none on Ctrl-C."""

import collections.abc
import os
import signal
import sys
import typing

from daemun import errors

INTERRUPTED = 130
"""As shells give it for what Ctrl-C ended."""
DEFECT = 70
"""EX_SOFTWARE of sysexits.h: a defect in this program, not in what it was given."""


def end_well(program: collections.abc.Callable[[], None]) -> None:
    """Run a program and exit. A person never meets a traceback before a message, nor one of Ctrl-C."""
    sys.unraisablehook = _end_or_report
    code: str | int | None = 0
    try:
        program()
    except errors.DaemunError as error:
        _fail(str(error))
        code = 1
    except KeyboardInterrupt:
        code = INTERRUPTED
    except SystemExit as end:
        code = end.code
    except Exception as error:
        _report_defect(error)
        code = DEFECT
    if code != INTERRUPTED:
        _finish(code)
    _exit(code)


def interruptible() -> None:
    """From now on Ctrl-C raises KeyboardInterrupt, so that what was begun is undone."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _exit(code: str | int | None) -> typing.NoReturn:
    """What Python does at its end is not interrupted: it would show a traceback, or lose the code."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    sys.exit(code)


def _end_or_report(found: "sys.UnraisableHookArgs") -> None:
    """Where Python cannot raise anything (a callback of the import system, say) it would print a traceback."""
    if issubclass(found.exc_type, KeyboardInterrupt):
        os._exit(INTERRUPTED)
    sys.__unraisablehook__(found)


def _report_defect(error: Exception) -> None:
    """One line, and the trace where it can be fetched from: what fails once may not fail again."""
    import traceback

    trace = "".join(traceback.format_exception(error))
    what = f"this is a defect in daemun: {type(error).__name__}: {error}"
    if os.environ.get("DAEMUN_DEBUG"):
        _fail(f"{trace}\n{what}")
        return
    try:
        _fail(f"{what}; please report it with {_keep(trace)}, which tells where")
    except OSError:
        _fail(f"{what}; run it again with DAEMUN_DEBUG=1 to see where")


def _keep(trace: str) -> str:
    """Write the trace to a file that only the user can read. Returns: its path."""
    import tempfile

    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", prefix="daemun-defect-", suffix=".txt", delete=False
    ) as file:
        file.write(trace)
        return file.name


def _fail(text: str) -> None:
    from daemun.cli import output

    output.fail(text)


def _finish(code: str | int | None) -> None:
    from daemun.cli import json_answer

    json_answer.finish(code)
