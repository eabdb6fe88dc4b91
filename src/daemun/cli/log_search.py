"""What `daemun logs` shows: which lines, and how."""

import collections
import collections.abc
import contextlib
import dataclasses
import datetime
import enum
import fnmatch
import re
import shutil
import sys
import typing

from daemun import errors, settings
from daemun.cli import host_names, json_answer, known_names, output, request_lines
from daemun.core import short_texts
from daemun.core.logged import error_line, logged_request, request_filter
from daemun.core.texts import words
from daemun.nginx import log_files, request_log

Found = logged_request.LoggedRequest | error_line.RequestErrorLine | None

_FIELDS = {
    "host": "host",
    "uri": "path",
    "status": "status",
    "request_time": "time taken",
    "time": "time",
}


class Output(enum.Enum):
    SHORT = "short"
    RAW = "raw"
    JSON = "json"


@dataclasses.dataclass(slots=True, kw_only=True)
class LineFilter:
    """Which lines are wanted. passed: how many were not taken because their form has not what the filter looks at, by
    the field; "": it is no form that is known."""

    read: collections.abc.Callable[[bytes], Found]
    wanted: request_filter.RequestFilter
    holds: bytes
    passed: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    _may_be: re.Pattern[bytes] | None = dataclasses.field(init=False, default=None)

    def __post_init__(self) -> None:
        self._may_be = _pattern_of(self.wanted)

    def takes(self, line: bytes) -> bool:
        if self.holds not in line or (self._may_be is not None and self._may_be.search(line) is None):
            return False
        if not self.wanted.needs:
            return True
        request = _request_of(self.read(line))
        if request is None:
            self.passed[""] += 1
            return False
        if lacking := self.wanted.needs - request.fields:
            self.passed.update(lacking)
            return False
        return self.wanted.takes(request)

    def is_before(self, line: bytes) -> bool | None:
        request = _request_of(self.read(line))
        if request is None or request.at is None or self.wanted.since is None:
            return None
        return request.at < self.wanted.since - request_log.OUT_OF_ORDER


def find(files: log_files.LogFiles, wanted: LineFilter, most: int | None) -> collections.abc.Iterator[bytes]:
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

    def __init__(self, form: Output, read: collections.abc.Callable[[bytes], Found]) -> None:
        self._form = form
        self._read = read
        self._day: datetime.date | None = None
        self._is_terminal = sys.stdout.isatty()
        self._colours = self._is_terminal and request_lines.is_coloured()

    def print(self, line: bytes) -> None:
        if self._form is Output.JSON:
            json_answer.print_json(self.value_of(line), is_line=True)
            return
        request = _request_of(self._read(line)) if self._form is Output.SHORT else None
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
        least_s = None if slow is None else short_texts.parse_duration(slow)
    except ValueError as error:
        raise errors.ConfigError(f"cannot use {option}: {error}") from error
    return request_filter.RequestFilter(
        hosts=_names_of(chosen, host) if host else (),
        path=path,
        statuses=statuses,
        least_s=least_s,
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


def _pattern_of(wanted: request_filter.RequestFilter) -> re.Pattern[bytes] | None:
    """What every wanted line holds, found many times as fast as its values are read; None: nothing is known."""
    if wanted.statuses:
        each = "|".join(str(code) for first, last in wanted.statuses for code in range(first, last + 1))
        return re.compile(f"(?<![0-9])(?:{each})(?![0-9])".encode())
    if wanted.hosts and not any("*" in host for host in wanted.hosts):
        return re.compile("|".join(re.escape(host) for host in wanted.hosts).encode(), re.IGNORECASE)
    return None


def choose_form(short: bool | None, *, is_of_errors: bool) -> Output:
    is_short = sys.stdout.isatty() if short is None else short
    return Output.SHORT if is_short and not is_of_errors else Output.RAW


def _request_of(found: Found) -> logged_request.LoggedRequest | None:
    return found.request if isinstance(found, error_line.RequestErrorLine) else found


def report_nothing(chosen: settings.Settings, place: str | None, wanted: LineFilter) -> None:
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
    if wanted.wanted.needs or wanted.holds:
        output.complain("no line fits")


def _is_a_name(host: str, names: collections.abc.Iterable[str]) -> bool:
    from daemun.core import doctor_findings

    return any(doctor_findings.covers(name, host) or fnmatch.fnmatchcase(name, host) for name in names)


def report_passed(lines: LineFilter) -> None:
    """On standard error: lines that may have been wanted."""
    for field, number in lines.passed.items():
        what = f"without {_FIELDS[field]}" if field else "of no form that is known"
        output.complain(
            f"left out {output.count(number, 'line')} {what}: their log_format is another one than daemun's; --grep "
            "finds them"
        )
