"""What is looked for in the log of a site, as a query of the API writes it. Pure."""

import collections.abc
import dataclasses

from daemun.core import value_parsers
from daemun.core.logged import request_filter

MEANINGS = {
    "status": "only answers with this status: 502, 5xx, 500-504, or 4xx,5xx",
    "slow": "only requests that took as long or longer: 1s, 250ms",
    "method": "only requests with this method: POST, or POST,PUT",
    "text": "only lines that hold this text",
    "path": "only requests whose path begins so",
}
"""The parts of the query, and what they mean."""
LONGEST = 200


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """requests: which, of one site. text: what a line holds; "": anything. has_errors: lines of nginx's error
    log are wanted, too: where nothing is looked for that they do not have."""

    requests: request_filter.RequestFilter
    text: str = ""

    @property
    def has_errors(self) -> bool:
        return not self.requests.statuses and self.requests.least_s is None


def parse(hosts: tuple[str, ...], values: collections.abc.Mapping[str, str]) -> LogQuery:
    """values: by the keys of `MEANINGS`; "": not written. Raises: ValueError with what is wrong."""
    given = {key: values.get(key, "").strip() if key != "text" else values.get(key, "") for key in MEANINGS}
    for key, value in given.items():
        if len(value) > LONGEST or not value.isprintable():
            raise ValueError(f"{key}: expected {LONGEST} printable signs at most")
    key = ""
    try:
        key = "status"
        statuses = request_filter.parse_statuses(given[key]) if given[key] else ()
        key = "slow"
        least_s = value_parsers.parse_duration(given[key]) if given[key] else None
        key = "method"
        methods = request_filter.parse_methods(given[key]) if given[key] else ()
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error
    return LogQuery(
        requests=request_filter.RequestFilter(
            hosts=hosts, path=given["path"], statuses=statuses, least_s=least_s, methods=methods
        ),
        text=given["text"],
    )
