"""How much happens in a second: rates of sites, or of the routes of one, in the order that is wanted. Pure."""

import collections.abc
import dataclasses
import enum

from daemun.core.traffic import traffic_usage


class Order(enum.Enum):
    """What comes first: most requests, most errors (5xx, then 4xx), the longest p95, most bytes; or by name."""

    REQUESTS = "requests"
    ERRORS = "errors"
    TIME = "time"
    BYTES = "bytes"
    NAME = "name"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrafficRate:
    """site, route: as of a `Usage`. requests, client_errors (4xx), server_errors (5xx): how many there were, not a
    second."""

    site: str
    route: str | None
    requests: int
    requests_per_s: float
    client_errors: int
    server_errors: int
    p50_s: float | None
    p95_s: float | None
    bytes_out_per_s: float
    bytes_in_per_s: float


def make(usage: traffic_usage.Usage, span_s: float) -> TrafficRate:
    """span_s: how long the time was in which all that was used."""
    span_s = max(span_s, 0.001)
    return TrafficRate(
        site=usage.site,
        route=usage.route,
        requests=usage.requests,
        requests_per_s=usage.requests / span_s,
        client_errors=sum(count for status, count in usage.statuses.items() if "400" <= status < "500"),
        server_errors=usage.errors,
        p50_s=usage.p50_s,
        p95_s=usage.p95_s,
        bytes_out_per_s=usage.bytes_out / span_s,
        bytes_in_per_s=usage.bytes_in / span_s,
    )


def arrange(rates: collections.abc.Iterable[TrafficRate], order: Order) -> tuple[TrafficRate, ...]:
    return tuple(sorted(rates, key=lambda one: (*_KEYS[order](one), one.site, one.route or "")))


_KEYS: dict[Order, collections.abc.Callable[[TrafficRate], tuple[float, ...]]] = {
    Order.REQUESTS: lambda one: (-one.requests,),
    Order.ERRORS: lambda one: (-one.server_errors, -one.client_errors, -one.requests),
    Order.TIME: lambda one: (-(one.p95_s or 0.0), -one.requests),
    Order.BYTES: lambda one: (-one.bytes_out_per_s - one.bytes_in_per_s, -one.requests),
    Order.NAME: lambda _: (),
}
