"""daemun's own log: lines for a person on a terminal, one JSON object a line otherwise. On standard error.

Only `wiring` and `cli` configure it; everything else calls `structlog.get_logger()`. No secret is ever logged: log
names and paths, never the content of a key, a token or a file.
"""

import collections.abc
import contextlib
import datetime
import logging
import os
import re
import sys
import time
import typing

from daemun import settings
from daemun.core.texts import cures, repeats, words


@contextlib.contextmanager
def _without(package: str) -> collections.abc.Iterator[None]:
    """Meanwhile a package that is not imported yet seems not to be installed ("The module cache" in Python's reference:
    None in sys.modules)."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[package]


# Where it can, structlog.dev imports Rich, and that Pygments, for tracebacks which this log never shows: 3 MB.
with _without("rich"):
    import structlog

NOISY = ("uvicorn", "aiohttp", "asyncio", "acme", "filelock")
"""Libraries whose own lines mean nothing to a person; their warnings are kept."""
SILENT = ("lexicon", "opentelemetry", "urllib3")
"""Libraries whose lines may hold secrets of DNS providers and collectors: what they send, and the addresses that they
query. What fails in them is an exception, and reported by who called them."""


class OncePerMinute(logging.Filter):
    """One line a minute for one cause, with how many there were. A library that meets the same failure again
    and again (asyncio: no descriptor for a connection) would fill the disk.

    now: seconds of any clock that only goes on.
    """

    def __init__(self, now: collections.abc.Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._repeats = repeats.Repeats()

    def filter(self, record: logging.LogRecord) -> bool:
        cause = (record.levelno, _NUMBERS.sub("N", record.getMessage()))
        left_out = self._repeats.note(cause, self._now())
        if left_out:
            record.msg, record.args = repeats.add_left_out(record.getMessage(), left_out), ()
        return left_out is not None


class OfLibraries(logging.Filter):
    """For a handler: the filter of a logger does not see what its children log ("Logging flow" in Python's HOWTO)."""

    def __init__(self) -> None:
        super().__init__()
        self._repeats = OncePerMinute()

    def filter(self, record: logging.LogRecord) -> bool:
        library = record.name.partition(".")[0]
        if library in SILENT:
            return False
        return library not in NOISY or (record.levelno >= logging.WARNING and self._repeats.filter(record))


_NUMBERS = re.compile(r"\b(?:0x[0-9a-f]+|[0-9]+)\b")
"""Descriptors, ports and addresses in memory make no other cause."""


def is_json(log_format: settings.LogFormat) -> bool:
    """AUTO: JSON unless standard error is a terminal."""
    if log_format is settings.LogFormat.AUTO:
        return not sys.stderr.isatty()
    return log_format is settings.LogFormat.JSON


def configure(log_format: settings.LogFormat, *, verbose: bool = False, options: str = "") -> None:
    """Send structlog's and the standard library's log to standard error, in one form. verbose: debug lines, too.
    options: of the commands that lines name (`settings.Settings.options`)."""

    def complete(_: typing.Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {**event, "event": cures.with_options(str(event["event"]), options)}

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        complete,
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_render(log_format)],
        )
    )
    handler.addFilter(OfLibraries())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    for name in (*NOISY, *SILENT):  # so that most lines are not even made
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # module-level loggers are made before this call
    )


def configure_for_commands() -> None:
    """What a command comes upon is for the person, on standard error: on standard output is the answer, which may be
    JSON. Nothing of a daemon's log, which is configured before."""
    if not structlog.is_configured():
        structlog.configure(
            logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
            processors=[_drop_below_warnings, *structlog.get_config()["processors"]],
        )


def _drop_below_warnings(_: typing.Any, level: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    if level in {"debug", "info"}:
        raise structlog.DropEvent
    return event


def _render(log_format: settings.LogFormat) -> list[structlog.typing.Processor]:
    if is_json(log_format):
        return [
            structlog.processors.format_exc_info,
            _order_keys,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ]
    return [
        _shorten_time,
        _show_values,
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty() and not os.environ.get("NO_COLOR"),
            pad_event_to=0,
            # The renderer's own choice shows the values of local variables, and with them keys and tokens.
            exception_formatter=structlog.dev.plain_traceback,
        ),
    ]


def _order_keys(_: typing.Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """When, how bad, what; then the rest."""
    return {key: event[key] for key in sorted(event, key=_key_rank)}


def _key_rank(key: str) -> int:
    first = ("timestamp", "level", "event")
    return first.index(key) if key in first else len(first)


_PLAIN = re.compile(r"[\w.:/@+,*\[\]()'~-]+\Z")


class _Shown:
    """A value as a person reads it. The renderer writes reprs: of a text with an apostrophe, or a moment, a riddle."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __repr__(self) -> str:
        match self._value:
            case datetime.datetime():
                return f"{self._value:%Y-%m-%d %H:%M:%S}"
            case str() if not _PLAIN.match(self._value):
                return words.quoted(self._value, at_most=None)
            case list() | tuple():
                return ", ".join(map(str, self._value)) or "none"
            case None:
                return "none"
        return str(self._value)


def _show_values(_: typing.Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {key: value if key in _OF_THE_RENDERER else _Shown(value) for key, value in event.items()}


_OF_THE_RENDERER = frozenset({"timestamp", "level", "event", "logger", "logger_name", "exc_info", "exception", "stack"})


def _shorten_time(_: typing.Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """ "2026-01-02T03:04:05.123456Z" -> "03:04:05": a person knows the day."""
    event["timestamp"] = event["timestamp"][11:19]
    return event
