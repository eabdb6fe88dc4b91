"""What each node of a fleet counted of requests in an hour, as the others read it. Pure.

It lies in the fleet's database and is hostile until parsed: whatever is not as expected is a ValueError.
"""

import dataclasses
import json
import re
import typing
import zlib

from daemun.core.traffic import traffic_sums

PREFIX = "traffic"
HOUR_S = 3600
KEPT_HOURS = 48
MOST_ROWS = 4_000
"""Of sites and routes with requests in an hour, those with most: a quarter of a megabyte. All others are one row."""
MOST_TEXT = 4 << 20
"""Of those rows, before they are compressed: a row has 100 bytes, and a kilobyte where its times differ much."""
OTHERS = "*"
"""In place of a site's name: those beyond."""

_MOST_BYTES = 8 << 20
_LARGEST = 1 << 62
_LONGEST_NAME = 400
_COUNTED = re.compile(r"[A-Za-z0-9. ]{1,40}")
_KEY = re.compile(rf"{PREFIX}/([0-9a-f]{{32}})/(0|[1-9][0-9]{{0,8}})")

Found = tuple[tuple[traffic_sums.Series, traffic_sums.Sums], ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NodeTraffic:
    """hour: since the epoch. sums: each series once; of its servers only that one answered, by the node's name."""

    node: str
    hour: int
    sums: Found


def key(machine: str, hour: int) -> str:
    """machine: its id, which stays when its name changes."""
    return f"{PREFIX}/{machine}/{hour}"


def parse_key(key: str) -> tuple[str, int]:
    """The id of the machine, and the hour; "" and -1: it is no such key."""
    match = _KEY.fullmatch(key)
    return ("", -1) if match is None else (match[1], int(match[2]))


def encode(node: str, hour: int, found: Found) -> bytes:
    """Bounded, whatever was counted."""
    rows: dict[traffic_sums.Series, traffic_sums.Sums] = {}
    for series, sums in found:
        known = traffic_sums.Series(series.site, series.route, "*" if series.server else "")
        rows.setdefault(known, traffic_sums.Sums()).add(sums)
    kept: list[str] = []
    others: dict[traffic_sums.Series, traffic_sums.Sums] = {}
    left = MOST_TEXT
    for series, sums in sorted(rows.items(), key=lambda one: (-one[1].requests, one[0])):
        text = _encode_row(series, sums)
        if len(kept) < MOST_ROWS and len(text) <= left and _is_name(series.site) and _is_name(series.route):
            kept.append(text)
            left -= len(text)
        else:
            others.setdefault(traffic_sums.Series(OTHERS, "", series.server), traffic_sums.Sums()).add(sums)
    kept += (_encode_row(*one) for one in others.items())
    about = json.dumps({"node": node, "hour": hour})
    return zlib.compress(f'{about[:-1]}, "sums": [{",".join(kept)}]}}'.encode())


def _encode_row(series: traffic_sums.Series, sums: traffic_sums.Sums) -> str:
    numbers = (min(one, _LARGEST) for one in (sums.requests, sums.bytes_out, sums.bytes_in))
    counts = {name: min(count, _LARGEST) for name, count in sums.counts.items()}
    return json.dumps((series.site, series.route, bool(series.server), *numbers, counts))


def decode(content: bytes, site: str | None = None) -> NodeTraffic:
    """site: that one alone; None: all. Raises: ValueError."""
    engine = zlib.decompressobj()
    try:
        fields = json.loads(engine.decompress(content, _MOST_BYTES))
        node, hour = _text(fields["node"]), _number(fields["hour"])
        sums = tuple(_row(node, one) for one in fields["sums"] if site is None or one[:1] == [site])
    except (zlib.error, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"expected what a node counted: {error}") from error
    return NodeTraffic(node=node, hour=hour, sums=sums)


def _row(node: str, row: typing.Any) -> tuple[traffic_sums.Series, traffic_sums.Sums]:
    site, route, is_passed, requests, bytes_out, bytes_in, counts = row
    found = {name: _number(count) for name, count in counts.items() if _COUNTED.fullmatch(name)}
    series = traffic_sums.Series(_text(site), _text(route), f"on {node}" if is_passed else "")
    return series, traffic_sums.Sums(
        requests=_number(requests), bytes_out=_number(bytes_out), bytes_in=_number(bytes_in), counts=found
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or not _is_name(value):
        raise ValueError("expected a name")
    return value


def _is_name(text: str) -> bool:
    return len(text) <= _LONGEST_NAME and text.isprintable()


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LARGEST:
        raise ValueError("expected a number")
    return value
