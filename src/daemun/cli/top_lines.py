"""What `daemun top` shows, as lines of a table that fit the width: the busiest rows, the rest as one, and all. Pure."""

import collections.abc
import dataclasses
import typing

from daemun.cli import output, traffic_cells

if typing.TYPE_CHECKING:
    from daemun.core.traffic import traffic_rates, traffic_usage

_TITLES = ("REQ/S", "4XX", "5XX", "P50", "P95", "SENT/S", "RCVD/S")
_LEAST_NAME = 12
_CUT = "…"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """rates: all rows in their order. total: all of them together. span_s: of how much time. open_: connections by
    port. notes: what a person must know beside."""

    rates: "tuple[traffic_rates.TrafficRate, ...]"
    total: "traffic_rates.TrafficRate"
    span_s: float
    open_: collections.abc.Mapping[int, int]
    notes: tuple[str, ...] = ()
    is_of_site: bool = False


def make_view(
    found: "traffic_usage.Found",
    span_s: float,
    order: "traffic_rates.Order",
    *,
    site: str | None,
    open_: collections.abc.Mapping[int, int],
    notes: tuple[str, ...] = (),
) -> View:
    """site: whose routes are shown; None: sites are."""
    from daemun.core.traffic import traffic_rates, traffic_usage

    found = tuple(found)
    usages = traffic_usage.by_site(found) if site is None else traffic_usage.by_route(found, site)
    return View(
        rates=traffic_rates.arrange((traffic_rates.make(one, span_s) for one in usages), order),
        total=traffic_rates.make(traffic_usage.total(found), span_s),
        span_s=span_s,
        open_=open_,
        notes=notes,
        is_of_site=site is not None,
    )


def heading(view: View) -> str:
    """Of which time the numbers are, and what is open."""
    return f"requests that ended in the last {view.span_s:.0f} s; {open_text(view.open_)}"


def open_text(open_: collections.abc.Mapping[int, int]) -> str:
    total = output.count(sum(open_.values()), "connection")
    busiest = sorted(open_, key=lambda port: (-open_[port], port))[:3]
    ports = ", ".join(f"{open_[port]} on {port}" for port in busiest)
    return f"{total} open" + (f" ({ports}{', ...' if len(open_) > len(busiest) else ''})" if busiest else "")


def table(view: View, *, most: int, width: int) -> list[str]:
    """most: rows; what is left out is one more, and all another. No line is wider, whatever a name's length."""
    rows = [(traffic_cells.name(one.site, one.route), *_cells(one)) for one in view.rates[:most]]
    left_out = len(view.rates) - len(rows)
    if left_out:
        word = "route" if view.is_of_site else "site"
        rows.append((f"({output.count(left_out, f'other {word}')})", *[""] * len(_TITLES)))
    if len(view.rates) > 1:
        rows.append(("(all)", *_cells(view.total)))
    titles = ("ROUTE" if view.is_of_site else "SITE", *_TITLES)
    widths = [max(len(row[column]) for row in (titles, *rows)) for column in range(1, len(titles))]
    room = max(width - sum(widths) - len(output.GAP) * len(widths), _LEAST_NAME)
    names = [cut(output.clean(row[0]), room) for row in (titles, *rows)]
    longest = max(map(len, names))
    return [
        output.GAP.join(
            (name.ljust(longest), *(cell.rjust(size) for cell, size in zip(row[1:], widths, strict=True)))
        ).rstrip()
        for name, row in zip(names, (titles, *rows), strict=True)
    ]


def cut(name: str, room: int) -> str:
    """Shortened in its middle: sites of one domain differ at their beginnings, routes at their ends."""
    if len(name) <= room:
        return name
    end = (room - len(_CUT)) // 2
    return f"{name[: room - len(_CUT) - end]}{_CUT}{name[len(name) - end :]}"


def _cells(one: "traffic_rates.TrafficRate") -> tuple[str, ...]:
    return (
        rate(one.requests_per_s),
        number(one.client_errors),
        number(one.server_errors),
        traffic_cells.time(one.p50_s),
        traffic_cells.time(one.p95_s),
        traffic_cells.size(one.bytes_out_per_s),
        traffic_cells.size(one.bytes_in_per_s),
    )


def rate(per_s: float) -> str:
    """ "0.02", "1.5", "40000"."""
    if per_s >= 99.5:
        return f"{per_s:.0f}"
    return f"{per_s:.1f}" if per_s >= 0.95 else f"{per_s:.2f}"


def number(count: int) -> str:
    """ "99999", "100k", "12M"."""
    if count < 100_000:
        return str(count)
    return f"{count // 1000}k" if count < 1_000_000 else f"{count // 1_000_000}M"
