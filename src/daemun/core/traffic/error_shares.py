"""How many of a site's requests ended with an error of the server (5xx). Pure."""

import collections
import collections.abc
import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ErrorShare:
    """requests, errors: how many. status: the most frequent of the errors."""

    requests: int
    errors: int
    status: int

    @property
    def percent(self) -> float:
        return 100 * self.errors / self.requests if self.requests else 0.0


def gather(
    errors: collections.abc.Iterable[tuple[str, int, int]], requests: collections.abc.Iterable[tuple[str, int]]
) -> dict[str, ErrorShare]:
    """By site, of sites with errors alone. errors: site, status and how many. requests: of each site, errors
    among them."""
    statuses: dict[str, collections.Counter[int]] = {}
    for site, status, count in errors:
        statuses.setdefault(site, collections.Counter())[status] += count
    return {
        site: ErrorShare(
            requests=count,
            errors=statuses[site].total(),
            status=statuses[site].most_common(1)[0][0],
        )
        for site, count in requests
        if site in statuses
    }
