"""`daemun traffic`."""

import collections.abc
import dataclasses
import time
import typing

import typer

from daemun import errors, settings
from daemun.cli import common_options, json_answer, lifetimes, output, tables

if typing.TYPE_CHECKING:
    from daemun.core.traffic import traffic_usage

UNKNOWN, OTHER_PATHS = "(unknown names)", "(other paths)"
_TITLES = ("REQUESTS", "5XX", "SENT", "RECEIVED", "P50", "P95", "P99")

Host = typing.Annotated[str | None, typer.Argument(metavar="[HOST]", help="The routes of this site.")]
Since = typing.Annotated[str, typer.Option("--since", metavar="TIME", help="So far back: 1h, 30d; 90d are kept.")]
Top = typing.Annotated[
    int, typer.Option("--top", metavar="NUMBER", min=1, max=1_000_000, help="So many lines; the rest is one.")
]


@common_options.with_settings
def traffic(
    chosen: settings.Settings,
    host: Host = None,
    since: Since = "24h",
    top: Top = 20,
    as_json: common_options.AsJson = False,
) -> None:
    """Show who uses how much: requests, answers of 500 and more, bytes and times, the largest first. Needs no daemon.

    Counted are requests that ended. Half of them took P50 at most, 99 % took P99. JSON has all, with statuses, servers,
    refusals, retries and TLS versions. The last 24 hours are known by minute, what is before that by hour.
    """
    from daemun.core.traffic import traffic_usage
    from daemun.traffic import traffic_report

    now_s = time.time()
    since_s = now_s - lifetimes.read(since, "show the traffic of what came")
    found = traffic_report.read(chosen.layout, since_s, now_s)
    if host is None:
        usages = traffic_usage.by_site(found)
    else:
        site = host.strip().lower().removesuffix(".")
        usages = traffic_usage.by_route(found, site)
        found = tuple(one for one in found if one[0].site == site)
    if as_json:
        key = "sites" if host is None else "routes"
        whole = _value(traffic_usage.total(found), but=("site", "route"))
        shown = [_value(one, but=("route",) if host is None else ()) for one in usages]
        json_answer.print_json({"since": lifetimes.moment(since_s), "total": whole, key: shown})
        return
    if not usages:
        _explain_nothing(host, since)
        return
    first, rest = (usages, ()) if len(usages) <= top else (usages[: top - 1], usages[top - 1 :])
    rows = [(_name(one), *_cells(one)) for one in first]
    if rest:
        names = {(one.site, one.route) for one in rest}
        others = tuple(one for one in found if (one[0].site, None if host is None else one[0].route) in names)
        word = "sites" if host is None else "routes"
        rows.append((f"({len(rest)} other {word})", *_cells(traffic_usage.total(others))))
    if len(usages) > 1:
        rows.append(("(all)", *_cells(traffic_usage.total(found))))
    tables.print_table(("SITE" if host is None else "ROUTE", *_TITLES), rows)


def _explain_nothing(host: str | None, since: str) -> None:
    """Raises: ConfigError for a site that nobody visited, which may be no site."""
    if host is not None:
        raise errors.ConfigError(
            f'no request to the site "{host}" is known of the last {since}; `daemun traffic` lists the sites that have '
            "some, by their first names"
        )
    output.print_line(f"no request is known of the last {since}")


def _value(usage: "traffic_usage.Usage", *, but: collections.abc.Collection[str]) -> dict[str, typing.Any]:
    fields = {name: value for name, value in dataclasses.asdict(usage).items() if name not in but}
    return {**fields, "errors": usage.errors}


def _name(usage: "traffic_usage.Usage") -> str:
    if usage.route is None:
        return usage.site or UNKNOWN
    return usage.route or OTHER_PATHS


def _cells(usage: "traffic_usage.Usage") -> tuple[str, ...]:
    times = (usage.p50_s, usage.p95_s, usage.p99_s)
    return (
        str(usage.requests),
        str(usage.errors),
        size(usage.bytes_out),
        size(usage.bytes_in),
        *(_time(value) for value in times),
    )


def size(count: int) -> str:
    """Bytes, for people: "12 B", "1.5 MB", "310 GB". Pure."""
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB", "PB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    digits = 1 if unit != "B" and value < 9.95 else 0
    return f"{value:.{digits}f} {unit}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if seconds < 0.001:
        return "<1ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    return f"{seconds:.1f}s" if seconds < 99.5 else f"{seconds:.0f}s"
