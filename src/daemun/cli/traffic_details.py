"""What is known of a site's requests beside the table of `daemun traffic`: a line for each kind that there is. Pure."""

import collections.abc
import textwrap
import typing

from daemun.cli import output

if typing.TYPE_CHECKING:
    from daemun.core.traffic import traffic_usage

WIDTH = 80


def lines_of(usage: "traffic_usage.Usage") -> list[str]:
    """None is wider than `WIDTH`."""
    tls = {name.removeprefix("TLSv"): count for name, count in usage.tls_versions.items()}
    kinds = {
        "statuses": _counts(usage.statuses),
        "refused by the gate": _counts(usage.refused),
        "refused by rule": _counts(usage.refused_by_rule),
        "TLS": _counts(tls),
        "cache": _counts(usage.cache),
        "waited for a server": output.count(usage.held, "request") if usage.held else "",
        "further tries of servers": str(usage.retries) if usage.retries else "",
    }
    return [
        line for title, text in kinds.items() if text for line in textwrap.wrap(f"{title}: {text}", WIDTH, **_WRAPPED)
    ]


_WRAPPED: dict[str, typing.Any] = {"subsequent_indent": "  ", "break_on_hyphens": False}


def _counts(counts: collections.abc.Mapping[str, int]) -> str:
    """ "200 (41), 404 (2)", the most frequent first; a line breaks between them."""
    found = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{name} ({count})" for name, count in found)
