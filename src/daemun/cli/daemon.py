"""Replaces the process of `daemun up`, once its command line was read, by one without the modules of commands.

Typer, and what all commands together are made of, would stay in memory for as long as the daemon runs: 4 MB.
"""

import dataclasses
import json
import os
import pathlib
import signal
import sys
import typing

from daemun import errors, garbage, settings
from daemun.cli import clean_exit, json_answer, output

_PROGRAM = "daemun.cli.daemon"
"""This module, whose name is another one where it is the program."""


def become(chosen: settings.Settings) -> typing.NoReturn:
    """Go on as the daemon: the same process, with its number, environment and standard streams."""
    sys.stdout.flush()
    sys.stderr.flush()
    # Ctrl-C waits until the new program listens to it: Python would show a traceback while it starts.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    # Modules are looked for where they were: in the working directory only with `python -m daemun`.
    was_module = sys.modules["__main__"].__spec__ is not None and not sys.flags.safe_path
    flags = [] if was_module else ["-P"]
    # "up" is there for people who look at lists of processes.
    words = ["up", write_settings(chosen), *(["--json"] if json_answer.is_wanted() else [])]
    os.execv(sys.executable, [sys.executable, *flags, "-m", _PROGRAM, *words])  # noqa: S606


def fail(error: errors.DaemunError, log_format: settings.LogFormat, *, options: str = "") -> typing.NoReturn:
    """Exit because there will be no daemon, with the reason in the form that its log would have had. options: as
    `log.configure`."""
    from daemun import log  # first: it sees to it that structlog stays small

    if json_answer.is_wanted() or not log.is_json(log_format):
        raise error
    # Whoever collects the lines of a daemon expects each of them in the same form.
    import structlog

    log.configure(log_format, options=options)
    structlog.get_logger().error(str(error))
    sys.exit(1)


def main() -> None:
    """The program, with the arguments that `become` gives it. Until the daemon listens to signals nothing is begun."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: os._exit(clean_exit.INTERRUPTED))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    json_answer.begin(is_wanted="--json" in sys.argv[3:])
    clean_exit.end_well(lambda: _live(read_settings(sys.argv[2])))


def _live(chosen: settings.Settings) -> None:
    from daemun import log

    output.name_gate(chosen.options)
    log.configure(chosen.log_format, verbose=chosen.verbose, options=chosen.options)
    try:
        from daemun.wiring import start
        from daemun.wiring.offline import configuration

        configuration.check_can_start(chosen)
        code = start.run(chosen)
    except errors.DaemunError as error:
        fail(error, chosen.log_format, options=chosen.options)
    if code is None:
        become(chosen)
    sys.exit(code)


def write_settings(chosen: settings.Settings) -> str:
    """As one argument of a command."""
    return json.dumps({**dataclasses.asdict(chosen), "log_format": chosen.log_format.value}, default=str)


def read_settings(text: str) -> settings.Settings:
    """What `write_settings` made of them."""
    fields = json.loads(text)
    paths = {name: pathlib.Path(fields[name]) for name in ("config", "state", "nginx") if fields[name] is not None}
    return settings.Settings(**{**fields, **paths, "log_format": settings.LogFormat(fields["log_format"])})


if __name__ == "__main__":
    garbage.seek_seldom()
    garbage.share_heap()
    main()
