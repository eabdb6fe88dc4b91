"""Who used how much: sums of sites, or of the routes of one, the largest first. Pure."""

import collections.abc
import dataclasses
import typing

from daemun.core.traffic import time_buckets, traffic_sums

Found = collections.abc.Iterable[tuple[traffic_sums.Series, traffic_sums.Sums]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """site: "" for names that no site has. route: of one site; None: all of them. times: seconds. refused: what the
    gate itself answered with 400 and more, by status. refused_by_rule: whom a rule refused (`traffic_names.RULES`)."""

    site: str
    route: str | None
    requests: int
    statuses: dict[str, int]
    bytes_out: int
    bytes_in: int
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    upstream_p50_s: float | None
    upstream_p95_s: float | None
    upstream_p99_s: float | None
    refused: dict[str, int]
    refused_by_rule: dict[str, int]
    held: int
    retries: int
    tls_versions: dict[str, int]
    cache: dict[str, int]
    servers: dict[str, int]

    @property
    def errors(self) -> int:
        """Answers of 500 and more."""
        return sum(count for status, count in self.statuses.items() if status >= "500")


def by_site(found: Found) -> tuple[Usage, ...]:
    return _group(found, lambda one: (one.site, None))


def by_route(found: Found, site: str) -> tuple[Usage, ...]:
    return _group(((series, sums) for series, sums in found if series.site == site), lambda one: (one.site, one.route))


def total(found: Found) -> Usage:
    """All of it as one."""
    return _usage("", None, list(found))


_Name = tuple[str, str | None]


def _group(found: Found, name: collections.abc.Callable[[traffic_sums.Series], _Name]) -> tuple[Usage, ...]:
    groups: dict[_Name, list[tuple[traffic_sums.Series, traffic_sums.Sums]]] = {}
    for series, sums in found:
        groups.setdefault(name(series), []).append((series, sums))
    rows = (_usage(site, route, group) for (site, route), group in groups.items())
    return tuple(sorted(rows, key=lambda one: (-one.bytes_out - one.bytes_in, one.site, one.route or "")))


def _usage(site: str, route: str | None, group: list[tuple[traffic_sums.Series, traffic_sums.Sums]]) -> Usage:
    together, refused, servers = traffic_sums.Sums(), dict[str, int](), dict[str, int]()
    for series, sums in group:
        together.add(sums)
        if series.server:
            servers[series.server] = servers.get(series.server, 0) + sums.requests
        else:
            traffic_sums.merge_counts(refused, {key: n for key, n in sums.counts.items() if _is_error(key)})
    counts = together.counts
    return Usage(
        site=site,
        route=route,
        requests=together.requests,
        statuses=_sorted({key: count for key, count in counts.items() if key.isdigit()}),
        bytes_out=together.bytes_out,
        bytes_in=together.bytes_in,
        refused=_sorted(refused),
        refused_by_rule=traffic_sums.find_refused(counts),
        held=counts.get(traffic_sums.HELD, 0),
        retries=counts.get(traffic_sums.RETRIES, 0),
        tls_versions=_sorted({key: count for key, count in counts.items() if key.startswith("TLS")}),
        cache=_sorted(
            {
                key.removeprefix(traffic_sums.CACHE): count
                for key, count in counts.items()
                if key.startswith(traffic_sums.CACHE)
            }
        ),
        servers=_sorted(servers),
        **_times("", counts, traffic_sums.TIME),
        **_times("upstream_", counts, traffic_sums.UPSTREAM_TIME),
    )


def _is_error(key: str) -> bool:
    return key.isdigit() and key >= "400"


def _sorted(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def _times(prefix: str, counts: dict[str, int], kind: str) -> dict[str, typing.Any]:
    buckets = {int(key[1:]): count for key, count in counts.items() if key[0] == kind and key[1:].isdigit()}
    shares = {"p50_s": 0.5, "p95_s": 0.95, "p99_s": 0.99}
    found = {name: time_buckets.percentile_ms(buckets, share) for name, share in shares.items()}
    return {f"{prefix}{name}": None if value is None else value / 1000 for name, value in found.items()}
