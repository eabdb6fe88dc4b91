"""What `daemun logs` shows: which lines, and how."""

import collections
import collections.abc
import contextlib
import dataclasses
import datetime
import enum
import fnmatch
import shutil
import sys
import typing

from daemun import errors, settings
from daemun.cli import host_names, json_answer, known_names, output, request_lines
from daemun.core import value_parsers
from daemun.core.logged import error_line, line_filter, logged_request, request_filter
from daemun.core.texts import words
from daemun.nginx import log_files

_FIELDS = {
    "host": "host",
    "uri": "path",
    "status": "status",
    "request_time": "time taken",
    "time": "time",
    "method": "method",
}


class Output(enum.Enum):
    SHORT = "short"
    RAW = "raw"
    JSON = "json"


def find(
    files: log_files.LogFiles, wanted: line_filter.LineFilter, most: int | None
) -> collections.abc.Iterator[bytes]:
    """The lines that are wanted, the oldest first; with `most` the last ones of them."""
    if most is None:
        yield from filter(wanted.takes, files.forward(wanted.is_before))
        return
    last: list[bytes] = []
    lines = files.backwards()
    with contextlib.closing(lines):
        for number, line in enumerate(lines if most else ()):
            if wanted.takes(line):
                last.append(line)
            if len(last) == most or (number % 100 == 0 and wanted.is_before(line)):
                break
    yield from reversed(last)


@dataclasses.dataclass(slots=True)
class CountedLines:
    """number: how many lines were taken of it."""

    lines: collections.abc.Iterator[bytes]
    number: int = 0

    def __iter__(self) -> collections.abc.Iterator[bytes]:
        for line in self.lines:
            self.number += 1
            yield line


class Printer:
    """Prints lines in one form, with the day before the first of each."""

    def __init__(self, form: Output, read: collections.abc.Callable[[bytes], line_filter.Found]) -> None:
        self._form = form
        self._read = read
        self._day: datetime.date | None = None
        self._is_terminal = sys.stdout.isatty()
        self._colours = self._is_terminal and request_lines.is_coloured()

    def print(self, line: bytes) -> None:
        if self._form is Output.JSON:
            json_answer.print_json(self.value_of(line), is_line=True)
            return
        request = line_filter.request_of(self._read(line)) if self._form is Output.SHORT else None
        if request is None:
            self._print_raw(line)
            return
        day = request_lines.date_of(request)
        if day is not None and day != self._day:
            self._day = day
            print(f"{day:%A %Y-%m-%d}")
        width = shutil.get_terminal_size().columns
        print(request_lines.line_of(request, width=width, colours=self._colours))

    def value_of(self, line: bytes) -> dict[str, typing.Any]:
        found = self._read(line)
        if found is None:
            return {"line": line.decode("utf-8", "replace")}
        return (
            error_line.to_json(found)
            if isinstance(found, error_line.RequestErrorLine)
            else logged_request.to_json(found)
        )

    def _print_raw(self, line: bytes) -> None:
        """For programs byte for byte; a terminal obeys nothing that a client wrote."""
        raw = getattr(sys.stdout, "buffer", None)
        if self._is_terminal or raw is None:
            print(output.without_controls(line.decode("utf-8", "replace")))
            return
        sys.stdout.flush()  # what else was printed comes first
        raw.write(line + b"\n")


def make_filter(
    chosen: settings.Settings,
    place: str | None,
    *,
    since: str | None,
    until: str | None,
    status: str | None,
    slow: str | None,
    method: str | None = None,
) -> request_filter.RequestFilter:
    """Raises: ConfigError for what cannot be read."""
    now = datetime.datetime.now(datetime.UTC)
    host, path = request_filter.parse_place(place) if place else ("", "")
    option = ""
    try:
        option = "--since"
        from_ = None if since is None else request_filter.parse_moment(since, now)
        option = "--until"
        to = None if until is None else request_filter.parse_moment(until, now)
        option = "--status"
        statuses = () if status is None else request_filter.parse_statuses(status)
        option = "--slow"
        least_s = None if slow is None else value_parsers.parse_duration(slow)
        option = "--method"
        methods = () if method is None else request_filter.parse_methods(method)
    except ValueError as error:
        raise errors.ConfigError(f"cannot use {option}: {error}") from error
    return request_filter.RequestFilter(
        hosts=_names_of(chosen, host) if host else (),
        path=path,
        statuses=statuses,
        least_s=least_s,
        methods=methods,
        since=from_,
        until=to,
    )


def _names_of(chosen: settings.Settings, host: str) -> tuple[str, ...]:
    """Of every site that has such a name, all names; what no site has may be in the log from before."""
    pattern = host_names.normal(host)
    found = {pattern: None}
    for names in known_names.read(chosen).sites:
        if any(name == pattern or ("*" in pattern and fnmatch.fnmatchcase(name, pattern)) for name in names):
            found |= dict.fromkeys(names)
    return tuple(found)


def choose_form(short: bool | None, *, is_of_errors: bool) -> Output:
    is_short = sys.stdout.isatty() if short is None else short
    return Output.SHORT if is_short and not is_of_errors else Output.RAW


def report_nothing(chosen: settings.Settings, place: str | None, wanted: line_filter.LineFilter) -> None:
    """On standard error: why no line was found, where that is known."""
    host = host_names.normal(request_filter.parse_place(place)[0]) if place else ""
    known = known_names.read(chosen) if host else known_names.KnownNames(is_known=False)
    names = [name for site in known.sites for name in site]
    if known.is_known and not _is_a_name(host, names):
        what = f"no site has the name {words.quoted(host)}"
        if known_names.is_stream(host, known.streams):
            output.complain(f"no line fits: {words.quoted(host)} is a stream, whose connections are not in this log")
        else:
            output.complain(f"no line fits, and {what}{words.guess(host, names) or '; `daemun sites` lists all'}")
        return
    if wanted.requests.needs or wanted.holds:
        output.complain("no line fits")


def _is_a_name(host: str, names: collections.abc.Iterable[str]) -> bool:
    from daemun.core import doctor_findings

    return any(doctor_findings.covers(name, host) or fnmatch.fnmatchcase(name, host) for name in names)


def report_passed(lines: line_filter.LineFilter) -> None:
    """On standard error: lines that may have been wanted."""
    for field, number in lines.passed.items():
        what = f"without {_FIELDS[field]}" if field else "of no form that is known"
        output.complain(
            f"left out {output.count(number, 'line')} {what}: their log_format is another one than daemun's; --grep "
            "finds them"
        )
