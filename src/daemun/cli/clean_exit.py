"""Exit codes and messages at the end of every program of daemun: no traceback for users, none on Ctrl-C."""

import collections.abc
import contextlib
import errno
import os
import signal
import sys
import typing

from daemun import errors

INTERRUPTED = 130
"""As shells give it for what Ctrl-C ended."""
DEFECT = 70
"""EX_SOFTWARE of sysexits.h: a defect in this program, not in what it was given."""
_OF_FILES = frozenset({errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC})
"""Why a file cannot be written that is open."""


def end_well(program: collections.abc.Callable[[], None]) -> None:
    """Run a program and exit. A person never meets a traceback before a message, nor one of Ctrl-C."""
    sys.unraisablehook = _end_or_report
    _open_missing()
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
        if _is_interrupt(error):
            code = INTERRUPTED
        elif give_up_output(error):
            code = 1
        else:
            code = DEFECT
            _report_defect(error)
    if code != INTERRUPTED:
        code = _finish(code)
    _exit(code)


def _is_interrupt(error: BaseException) -> bool:
    """Whether Ctrl-C is behind it: Python 3.11 makes a RuntimeError of what comes while a class names its fields
    ("Creating the class object" in Python's reference)."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, KeyboardInterrupt):
        cause = cause.__cause__
    return cause is not None


def give_up_output(cause: BaseException | None = None) -> bool:
    """Whether standard output cannot be written, as where it is a file on a full disk. If so that is reported, and what
    is still printed is dropped. A pipe without a reader does not count: no output is missed.

    cause: what ended the program; what was printed may have been lost with it already.
    """
    try:
        if isinstance(cause, OSError) and cause.errno in _OF_FILES and cause.filename is None:
            os.write(sys.stdout.fileno(), b"\n")
        sys.stdout.flush()
    except OSError as error:
        # Python would complain when it flushes at its end (library/signal, "Note on SIGPIPE").
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return False
        from daemun import causes
        from daemun.cli import output

        with contextlib.suppress(OSError):
            output.complain(
                f"error: cannot write to standard output: {causes.describe(error)}; the output is not whole"
            )
        return True
    return False


def _open_missing() -> None:
    """What was closed by who started us (`>&-`) is None in Python."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDONLY if name == "stdin" else os.O_WRONLY)
            setattr(sys, name, os.fdopen(descriptor, "r" if name == "stdin" else "w", encoding="utf-8"))


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

    with contextlib.suppress(OSError):  # standard error is a file, too, sometimes
        output.fail(text)


def _finish(code: str | int | None) -> str | int | None:
    """Returns: the exit code, another one when the last of the output could not be written."""
    from daemun.cli import json_answer

    try:
        json_answer.finish(code)
    except OSError as error:
        return 1 if give_up_output(error) else code
    return 1 if give_up_output() and code in {0, None} else code
