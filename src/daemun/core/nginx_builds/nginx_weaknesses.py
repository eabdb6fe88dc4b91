"""Which known weaknesses an nginx binary has, and which of them the running configuration lays open. Pure.

The table is nginx_weaknesses.toml. Where something cannot be known, a weakness counts.
"""

import collections.abc
import dataclasses
import datetime
import functools
import re
import typing

from daemun import package_data
from daemun.core.nginx_builds import nginx_build

SEVERITIES = ("major", "medium", "low")
"""nginx's words, the worst first."""

ALWAYS_USED = frozenset({"http2 on", "listen ssl", "map", "resolver", "ssl_session_cache"})
"""The conditions that the configuration of every gate fulfils."""

Version = tuple[int, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """One of nginx's. vulnerable: first and last version of each range. with_, unless_without, when, meanwhile: see the
    table; when: all of these, each one of several."""

    cve: str
    title: str
    severity: str
    vulnerable: tuple[tuple[Version, Version], ...]
    fixed: tuple[Version, ...]
    with_: str | None
    unless_without: str | None
    when: tuple[tuple[str, ...], ...]
    meanwhile: str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Weakness:
    """name: "CVE-2026-42533", "OpenSSL 3.3". fixed: the versions that are free of it; empty: it is not nginx's.

    applies: whether the running configuration lays it open. meanwhile: what helps until the binary is replaced.
    """

    name: str
    title: str
    severity: str
    fixed: tuple[str, ...] = ()
    applies: bool = True
    meanwhile: str | None = None


def find_weaknesses(
    build: nginx_build.Build, conditions: collections.abc.Container[str] | None, *, today: datetime.date
) -> tuple[Weakness, ...]:
    """The worst first. conditions: those of the table that the configuration has (`find_conditions`); None: it is not
    known."""
    found = [
        Weakness(
            name=advisory.cve,
            title=advisory.title,
            severity=advisory.severity,
            fixed=tuple(".".join(map(str, version)) for version in advisory.fixed),
            applies=_is_open(advisory, conditions),
            meanwhile=advisory.meanwhile,
        )
        for advisory in _list_of(build)
    ]
    found += _openssl(build, today)
    return tuple(sorted(found, key=lambda one: (not one.applies, SEVERITIES.index(one.severity))))


def list_conditions(build: nginx_build.Build) -> frozenset[str]:
    """Which of the table's conditions decide whether a weakness of this binary is laid open."""
    return frozenset(one for advisory in _list_of(build) for several in advisory.when for one in several)


def find_conditions(
    conditions: collections.abc.Iterable[str], texts: collections.abc.Iterable[bytes]
) -> frozenset[str]:
    """Which conditions nginx's configuration files fulfil. Text that only looks like a directive counts, too."""
    left = set(conditions)
    whole = frozenset(left)
    for text in texts:
        if not left:
            break
        for match in _pattern(frozenset(one.partition(" ")[0] for one in left)).finditer(text):
            name, arguments = match["name"].decode(), match["arguments"].decode(errors="replace").split()
            left -= {one for one in left if _fulfils(one, name, arguments)}
    return whole - left


def describe(found: collections.abc.Sequence[Weakness]) -> str:
    """ "3 known weaknesses (2 major, 1 medium), the worst CVE-2026-123007: memory corruption in HTTP/2"."""
    severities = [one.severity for one in found]
    counted = ", ".join(f"{severities.count(one)} {one}" for one in SEVERITIES if one in severities)
    noun = "weakness" if len(found) == 1 else "weaknesses"
    worst = min(found, key=lambda one: SEVERITIES.index(one.severity))
    return f"{len(found)} known {noun} ({counted}), the worst {worst.name}: {worst.title}"


def read_advisories() -> tuple[Advisory, ...]:
    """The table's."""
    return _read_table()[0]


def read_openssl() -> dict[str, datetime.date]:
    """OpenSSL's branches, "3.3", and the last day with fixes for all."""
    return _read_table()[1]


@functools.cache
def _read_table() -> tuple[tuple[Advisory, ...], dict[str, datetime.date]]:
    table = package_data.read_toml("core/nginx_builds/nginx_weaknesses.toml")
    return tuple(_advisory(row) for row in table["advisory"]), table["openssl"]


def _advisory(row: dict[str, typing.Any]) -> Advisory:
    ranges = [part.strip().split("-") for part in row["vulnerable"].split(",")]
    return Advisory(
        cve=row["cve"],
        title=row["title"],
        severity=row["severity"],
        vulnerable=tuple((parse_version(part[0]), parse_version(part[-1])) for part in ranges),
        fixed=tuple(sorted(map(parse_version, row["fixed"]), reverse=True)),
        with_=row.get("with"),
        unless_without=row.get("unless_without"),
        when=tuple(tuple(one.strip() for one in part.split("|")) for part in row["when"]),
        meanwhile=row.get("meanwhile"),
    )


def parse_version(text: str) -> Version:
    return tuple(int(part) for part in text.split("."))


def _list_of(build: nginx_build.Build) -> list[Advisory]:
    return [advisory for advisory in read_advisories() if _has(build, advisory)]


def _has(build: nginx_build.Build, advisory: Advisory) -> bool:
    if advisory.with_ is not None and not build.has(advisory.with_):
        return False
    if advisory.unless_without is not None and build.lacks(advisory.unless_without):
        return False
    if build.patched is not None and advisory.cve in build.patched:
        return False
    return is_vulnerable(build.version, advisory)


def is_vulnerable(version: Version, advisory: Advisory) -> bool:
    """A branch other than the newest of `fixed` is safe from its own fix on. Source: "Nginx advisories with not
    vulnerable versions inside the vulnerable range", mailman.nginx.org, nginx, December 2021."""
    newest, *others = advisory.fixed
    if version >= newest or any(version[:2] == other[:2] and version >= other for other in others):
        return False
    return any(first <= version <= last for first, last in advisory.vulnerable)


def _is_open(advisory: Advisory, conditions: collections.abc.Container[str] | None) -> bool:
    return conditions is None or all(any(one in conditions for one in several) for several in advisory.when)


def _openssl(build: nginx_build.Build, today: datetime.date) -> list[Weakness]:
    """A distribution mends its OpenSSL itself for as long as it lives."""
    if build.openssl is None or build.patched is not None:
        return []
    version = build.openssl
    branch = next((one for one in read_openssl() if re.match(rf"{re.escape(one)}(?![\d])", version)), None)
    if branch is None or today <= read_openssl()[branch]:
        return []
    title = f"its OpenSSL {version} gets no fixes since {read_openssl()[branch]}"
    return [Weakness(name=f"OpenSSL {branch}", title=title, severity="medium")]


@functools.cache
def _pattern(names: frozenset[str]) -> re.Pattern[bytes]:
    alternatives = "|".join(map(re.escape, sorted(names)))
    return re.compile(rf"(?:^|[;{{}}])\s*(?P<name>{alternatives})(?=[\s{{;])(?P<arguments>[^;{{}}]*)".encode(), re.M)


def _fulfils(condition: str, name: str, arguments: list[str]) -> bool:
    wanted, _, argument = condition.partition(" ")
    if name != wanted or arguments == ["off"] != [argument]:
        return False
    return not argument or any(
        word.strip("\"'") == argument or word.strip("\"'").startswith(f"{argument}://") for word in arguments
    )
