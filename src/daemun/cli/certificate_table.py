"""Certificates as people see them, from the API's answers. Pure: the time is an argument.

On a terminal one line a certificate, and beneath it, wrapped, what does not fit a column: other names, and why it is
not as it should be.
"""

import collections.abc
import datetime
import re
import textwrap
import typing

from daemun.cli import output
from daemun.core.texts import durations, words

Json = dict[str, typing.Any]

INDENT = "  "
_SHORTEST_HOST, _LONGEST_HOST = 24, 48
_SHORTEST_ISSUER, _LONGEST_ISSUER = 8, 30
_PARTS = re.compile(r"; |\. (?=[A-Z])")
_SHORT_REASON = 100
_LONGEST_NOTE = 300
_DETAIL = re.compile(r"\. The CA says: .*\Z", re.DOTALL)
_NEXT_RESULT = re.compile(r"; (?=cannot |and the same kind |the same kind |before that, |the other names )")
_TITLES = ("HOST", "STATE", "LEFT", "NEXT", "ISSUER")


def lines_of(
    certificates: collections.abc.Sequence[Json], now: datetime.datetime, width: int
) -> list[output.TerminalLine]:
    """The whole table, `width` columns wide where that is possible."""
    rows = [_cells(each, now) for each in certificates]
    middle = [max(len(row[column]) for row in [_TITLES, *rows]) for column in (1, 2, 3)]
    taken = sum(middle) + 4 * len(output.GAP)
    longest = max(len(row[0]) for row in [_TITLES, *rows])
    issuer = min(max(len(row[4]) for row in [_TITLES, *rows]), _LONGEST_ISSUER)
    host_width = min(longest, _LONGEST_HOST, max(_SHORTEST_HOST, width - taken - issuer))
    widths = (host_width, *middle, max(_SHORTEST_ISSUER, width - taken - host_width))
    lines = [output.TerminalLine(text=_join(_TITLES, widths))]
    for certificate, row in zip(certificates, rows, strict=True):
        host = row[0]
        if len(host) > host_width:  # on a line of its own, so that the columns stay
            lines.append(output.TerminalLine(text=host))
            host = ""
        lines.append(
            output.TerminalLine(text=_join((host, *row[1:]), widths), state=row[1], at=host_width + len(output.GAP))
        )
        for note in _notes(certificate):
            wrapped = textwrap.wrap(note, max(width - len(INDENT), 20), break_on_hyphens=False)
            lines += (output.TerminalLine(text=INDENT + part) for part in wrapped)
    return lines


def row_of(certificate: Json, now: datetime.datetime) -> tuple[str, ...]:
    """For pipes: no cell is cut to a width, and all is in one line."""
    note = brief_reason(certificate)
    if certificate["next_attempt"]:
        note = f"{note}; " if note else ""
        note += f"next try {certificate['next_attempt']}"
    return (
        ", ".join(certificate["names"]) + _type_of(certificate),
        certificate["state"],
        certificate["issuer"] or "",
        (certificate["not_after"] or "")[:10],
        left(certificate, now),
        (certificate["renew_at"] or "")[:10],
        note,
    )


def detail_of(certificate: Json, now: datetime.datetime) -> list[tuple[str, str]]:
    """All that is known of one, as names and values."""
    known = [
        ("host", certificate["host"]),
        ("names", ", ".join(certificate["names"])),
        ("key", certificate.get("key_type")),
        ("state", certificate["state"]),
        ("issuer", certificate["issuer"]),
        ("valid from", _moment(certificate["not_before"])),
        ("valid until", _moment(certificate["not_after"])),
        ("left", left(certificate, now)),
        ("renewed", _moment(certificate["renew_at"])),
        ("next try", _moment(certificate["next_attempt"])),
        ("next", _next(certificate, now)),
        *(("but", f"{what} shown {whose}") for what, whose in _others(certificate)),
        ("reason", certificate["reason"]),
        *(("tried", _try_of(one)) for one in reversed(certificate.get("tries", ()))),
    ]
    return [
        (name if number == 0 else "", part)
        for name, value in known
        if value
        for number, part in enumerate(sentences_of(value) if name == "reason" else [value])
    ]


def _try_of(one: Json) -> str:
    return f"{_moment(one['at'])}, {one['authority'] or 'this machine'}: {one['result']}"


def left(certificate: Json, now: datetime.datetime) -> str:
    """ "61 days", "expired"."""
    until = instant(certificate["not_after"])
    if until is None:
        return ""
    return durations.describe(until - now) if until > now else "expired"


def instant(text: str | None) -> datetime.datetime | None:
    """As the API writes them; None stays None."""
    return None if text is None else datetime.datetime.fromisoformat(text)


def _cells(certificate: Json, now: datetime.datetime) -> tuple[str, ...]:
    cells = (
        certificate["host"] + _type_of(certificate),
        certificate["state"],
        left(certificate, now),
        _next(certificate, now),
        certificate["issuer"] or "",
    )
    return tuple(output.clean(cell) for cell in cells)


def _type_of(certificate: Json) -> str:
    """Of its key, where there are two for the same names."""
    found = certificate.get("key_type")
    return f" ({found})" if found else ""


def _next(certificate: Json, now: datetime.datetime) -> str:
    """What happens next, and when."""
    attempt, renewal = instant(certificate["next_attempt"]), instant(certificate["renew_at"])
    if attempt is not None:
        return f"tries {durations.ahead(attempt, now)}"
    if certificate["state"] == "pending":
        return "is asked for now"
    if certificate["kind"] == "own":
        return "you renew it"
    return f"renews {durations.ahead(renewal, now)}" if renewal is not None else ""


def _notes(certificate: Json) -> list[str]:
    others = [name for name in certificate["names"] if name != certificate["host"]]
    notes = [f"also {', '.join(others)}"] if others else []
    notes += [f"{what} shown {whose}" for what, whose in _others(certificate)]
    return [*notes, *sentences_of(brief_reason(certificate))]


def brief_reason(certificate: Json) -> str:
    """One of many results, with the names that the others are about: those of twenty names are pages of text."""
    reason: str = certificate["reason"] or ""
    if len(reason) <= _LONGEST_NOTE:
        return reason
    first, *others = _NEXT_RESULT.split(reason)
    if not others:
        return reason
    rest = " ".join(others)
    also = [name for name in certificate["names"] if _names(rest, name) and not _names(first, name)]
    with_ = f"; also with {words.listed(map(words.quoted, also), last='and')}" if also else ""
    return f"{_DETAIL.sub('', first)}{with_} (`daemun certs show {certificate['host']}` tells all)"


def _names(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w.*-]){re.escape(name)}(?![\w-])", text) is not None


def sentences_of(reason: str) -> list[str]:
    """A reason in its parts, one a line: the results of several CAs and checks are one text."""
    text = output.clean(reason)
    return [text] if len(text) <= _SHORT_REASON else [part.strip() for part in _PARTS.split(text) if part.strip()]


def _others(certificate: Json) -> list[tuple[str, str]]:
    """What single names are shown instead."""
    return [
        (
            f"{output.clean(', '.join(other['names']))} {'is' if len(other['names']) == 1 else 'are'}",
            f"one of {output.clean(other['issuer'])}, until {(other['not_after'] or '')[:10]}",
        )
        for other in certificate.get("others", ())
    ]


def _join(cells: collections.abc.Sequence[str], widths: collections.abc.Sequence[int]) -> str:
    shown = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    if len(shown[-1]) > widths[-1]:
        shown[-1] = shown[-1][: widths[-1] - 1] + "…"
    return output.GAP.join(shown).rstrip()


def _moment(text: str | None) -> str | None:
    found = instant(text)
    return None if found is None else durations.moment(found)
