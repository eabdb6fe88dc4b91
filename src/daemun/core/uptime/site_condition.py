"""Judges whether a site counts as up, from probes and from the answers that visitors received. Pure.

Milder than `daemun status` with what visitors do not notice: that one of several servers of a route does not answer is
no disturbance, nor is a certificate that cannot be renewed while the one that is shown is good.
"""

import dataclasses
import datetime
import enum
import re

from daemun.core import model
from daemun.core.certificates import certificate_faults
from daemun.core.options import maintenance_option
from daemun.core.served import served_judgement
from daemun.core.traffic import error_shares

LEAST_REQUESTS = 20
"""Of fewer a share means nothing."""
BAD_PERCENT = 25.0
"""Of the requests of the last minutes."""
LONGEST_CAUSE = 300
_SPACES = re.compile(r"\s+")


class Condition(enum.Enum):
    """DEGRADED: some of it is not served, or many visitors got an error; it counts as up. UNWATCHED: not known."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    MAINTENANCE = "maintenance"
    UNWATCHED = "not watched"


BAD = (Condition.DOWN, Condition.DEGRADED, Condition.MAINTENANCE)
"""Of what incidents are kept, the worst first."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SiteVerdict:
    """cause: one line; None: there is none."""

    condition: Condition
    cause: str | None = None


def find_listed(status: model.SiteStatus, now: datetime.datetime) -> SiteVerdict | None:
    """What follows from the configuration alone. None: the site is disabled or waits, so it has no uptime."""
    if status.state in {model.SiteState.DISABLED, model.SiteState.WAITING}:
        return None
    if maintenance_option.OPTION.of(status.site).is_closed(now):
        return SiteVerdict(condition=Condition.MAINTENANCE)
    if status.has_page:
        return SiteVerdict(condition=Condition.DOWN, cause=shorten(status.reason))
    if status.state is model.SiteState.PENDING:
        return SiteVerdict(condition=Condition.UNWATCHED)
    return SiteVerdict(condition=Condition.UP)


def judge_trouble(status: model.SiteStatus, look: model.SiteLook | None) -> SiteVerdict:
    """Of a site that is not live (`served_judgement`)."""
    if status.state is model.SiteState.DEGRADED and look is not None:
        servers = [one for route in look.routes for one in (*route.judges, *route.servers) if one.trouble is not None]
        is_route_down = any(served_judgement.is_route_down(route) for route in look.routes)
        if servers and not is_route_down:
            return SiteVerdict(condition=Condition.UP)
    condition = Condition.DEGRADED if status.state is model.SiteState.DEGRADED else Condition.DOWN
    return SiteVerdict(condition=condition, cause=shorten(status.reason))


def judge_errors(share: error_shares.ErrorShare) -> SiteVerdict | None:
    """Never that a site is down: a stranger can make a server answer with errors. None: they are few."""
    if share.requests < LEAST_REQUESTS or share.percent < BAD_PERCENT:
        return None
    cause = (
        f"{share.errors} of its last {share.requests} requests ({share.percent:.0f} %) got a 5xx, most of them "
        f"{share.status}"
    )
    return SiteVerdict(condition=Condition.DEGRADED, cause=cause)


def find_visible(
    certificates: tuple[model.CertificateStatus, ...], now: datetime.datetime
) -> tuple[model.CertificateStatus, ...]:
    """Those that visitors may refuse."""
    failing = model.CertificateState.FAILING
    return tuple(
        one
        for one in certificates
        if one.state in served_judgement.BAD_CERTIFICATES
        and (one.state is not failing or ((fault := certificate_faults.find_fault(one, now)) and fault.is_useless))
    )


def shorten(cause: str | None) -> str | None:
    """On one line, of bounded length."""
    if not cause:
        return None
    text = _SPACES.sub(" ", "".join(one if one.isprintable() else " " for one in cause)).strip()
    return text if len(text) <= LONGEST_CAUSE else f"{text[: LONGEST_CAUSE - 1]}…"
