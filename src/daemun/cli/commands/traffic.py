"""`daemun traffic`."""

import collections.abc
import dataclasses
import datetime
import typing

import typer

from daemun import errors, settings
from daemun.cli import common_options, json_answer, known_names, output, tables, traffic_cells, traffic_details
from daemun.core.texts import durations, words

if typing.TYPE_CHECKING:
    from daemun.core.traffic import traffic_usage
    from daemun.wiring.offline import offline_node_traffic

KEPT_DAYS = 90
_TITLES = ("REQUESTS", "5XX", "SENT", "RECEIVED", "P50", "P95", "P99")

Host = typing.Annotated[
    str | None, typer.Argument(metavar="[HOST[/PATH]]", help="The routes of this site, below this path.")
]
Since = typing.Annotated[
    str,
    typer.Option(
        "--since", metavar="TIME", help="As of `daemun logs`: 1h or 30d ago, yesterday, 2026-11-30; 90d are kept."
    ),
]
Top = typing.Annotated[
    int,
    typer.Option("--top", metavar="NUMBER", min=1, max=1_000_000, help="So many of the largest; the rest is one line."),
]


ByMachine = typing.Annotated[
    bool, typer.Option("--by-machine", help="The machines of a fleet, in place of sites or routes.")
]


@common_options.with_settings
def traffic(  # noqa: PLR0917 - Typer's
    chosen: settings.Settings,
    host: Host = None,
    since: Since = "24h",
    top: Top = 20,
    by_machine: ByMachine = False,
    as_json: common_options.AsJson = False,
) -> None:
    """Show who uses how much: requests, answers of 500 and more, bytes and times, the largest first. Needs no daemon.

    Counted are requests that ended. Half of them took P50 at most, 99 % took P99. With HOST, and in JSON of
    all sites, come statuses, refusals, TLS versions, what the cache did, requests that waited, and retries. The last 24
    hours are known by minute, what is before that by hour. In a fleet it is the sum of all machines: what
    others counted comes some minutes later, and is known for two days, by whole hours.
    """
    from daemun.core.traffic import traffic_usage
    from daemun.traffic import traffic_report
    from daemun.wiring.offline import offline_node_traffic

    now = datetime.datetime.now(datetime.UTC)
    since_at = read_since(since, now)
    found = traffic_report.read(chosen.layout, since_at.timestamp(), now.timestamp())
    others = offline_node_traffic.read(chosen, since_at.timestamp(), now.timestamp())
    if by_machine and others is None:
        raise errors.ConfigError("cannot show traffic by machine: this one is in no fleet; leave out --by-machine")
    parts = {} if others is None else traffic_cells.by_machine(others.node, found, others.found)
    if others is not None:
        found = traffic_cells.add_up(parts.values())
        if others.error:
            output.complain(f"what other machines counted is not, or not all, among it: {others.error}")
    if host is not None:
        site, path = traffic_cells.parse_place(host)
        parts = {node: traffic_cells.of_place(one, site, path) for node, one in parts.items()}
        found = traffic_cells.of_place(found, site, path)
    if host is None:
        usages = traffic_usage.by_site(found)
    else:
        if found and site in known_names.read(chosen).of_one_route:
            found = traffic_cells.with_only_route(found)
        usages = traffic_usage.by_route(found, site)
    if as_json:
        key = "sites" if host is None else "routes"
        whole = _value(traffic_usage.total(found), but=("site", "route"))
        shown = [_value(one, but=("route",) if host is None else ()) for one in usages]
        of_nodes = {} if others is None else {"nodes": [_node_value(node, one, others) for node, one in parts.items()]}
        json_answer.print_json({"since": durations.instant(since_at), "total": whole, key: shown, **of_nodes})
        return
    if not usages:
        _explain_nothing(chosen, host, since)
        return
    if by_machine:
        rows = [(node, *_cells(traffic_usage.total(one))) for node, one in sorted(parts.items())]
        tables.print_table(("MACHINE", *_TITLES), [*rows, ("(all)", *_cells(traffic_usage.total(found)))])
        return
    title = "SITE" if host is None else "ROUTE"
    tables.print_table((title, *_TITLES), rows_of(usages, found, top, is_of_site=host is not None))
    if others is not None:
        print("", *traffic_cells.name_nodes(others.node, parts), sep="\n")
    if host is not None and (details := traffic_details.lines_of(traffic_usage.total(found))):
        print("", *details, sep="\n")


def rows_of(
    usages: "collections.abc.Sequence[traffic_usage.Usage]", found: "traffic_usage.Found", top: int, *, is_of_site: bool
) -> list[tuple[str, ...]]:
    """So many of the largest, the rest as one, and all. found: what the usages are made of. Pure."""
    from daemun.core.traffic import traffic_usage

    first, rest = usages[:top], usages[top:]
    rows = [(traffic_cells.name(one.site, one.route), *_cells(one)) for one in first]
    if rest:
        names = {(one.site, one.route) for one in rest}
        others = tuple(one for one in found if (one[0].site, one[0].route if is_of_site else None) in names)
        word = ("route" if is_of_site else "site") + ("" if len(rest) == 1 else "s")
        rows.append((f"({len(rest)} other {word})", *_cells(traffic_usage.total(others))))
    if len(usages) > 1:
        rows.append(("(all)", *_cells(traffic_usage.total(found))))
    return rows


def read_since(text: str, now: datetime.datetime) -> datetime.datetime:
    """In UTC. Raises: ConfigError for what is no time, or is before all that is kept."""
    from daemun.core.logged import request_filter

    try:
        at = request_filter.parse_moment(text, now).astimezone(datetime.UTC)
    except ValueError as error:
        raise errors.ConfigError(f"cannot use --since: {error}") from error
    if at >= now:
        raise errors.ConfigError(f"cannot use --since: {words.quoted(text)} is not past")
    if at < now - datetime.timedelta(days=KEPT_DAYS):
        output.complain(f"traffic is kept for {KEPT_DAYS} days: what came before is not counted")
    return at


def _explain_nothing(chosen: settings.Settings, host: str | None, since: str) -> None:
    """Raises: ConfigError for a site that nobody visited, which may be no site."""
    if host is not None:
        if known_names.is_stream(host, known_names.read(chosen).streams):
            raise errors.ConfigError(
                f"cannot show the traffic of {words.quoted(host)}: it is a stream, and streams are not counted; "
                "`daemun status` shows whether it is live"
            )
        raise errors.ConfigError(
            f'no request to the site "{host}" is known of {_span(since)}; `daemun traffic` lists the sites that have '
            "some, by their first names"
        )
    output.print_line(f"no request is known of {_span(since)}")


def _span(since: str) -> str:
    """ "the last 24h", or "the time since yesterday"."""
    text = since.strip()
    return f"the last {text}" if text[-1:].isalpha() and text[:1].isdigit() else f"the time since {text}"


def _node_value(
    node: str, found: "traffic_usage.Found", others: "offline_node_traffic.FoundTraffic"
) -> dict[str, typing.Any]:
    from daemun.core.traffic import traffic_usage

    usages = [_value(one, but=("route",)) for one in traffic_usage.by_site(found)]
    whole = _value(traffic_usage.total(found), but=("site", "route"))
    return {"name": node, "self": node == others.node, "total": whole, "sites": usages}


def _value(usage: "traffic_usage.Usage", *, but: collections.abc.Collection[str]) -> dict[str, typing.Any]:
    fields = {name: value for name, value in dataclasses.asdict(usage).items() if name not in but}
    return {**fields, "errors": usage.errors}


def _cells(usage: "traffic_usage.Usage") -> tuple[str, ...]:
    times = (usage.p50_s, usage.p95_s, usage.p99_s)
    return (
        str(usage.requests),
        str(usage.errors),
        traffic_cells.size(usage.bytes_out),
        traffic_cells.size(usage.bytes_in),
        *(traffic_cells.time(value) for value in times),
    )
