"""How many requests a CA takes before it refuses for hours or days, and which were sent so far. Pure; the time is an
argument.

daemun counts by itself, and before it sends a request: who is over a limit is locked out with everything else that the
limit covers, also with what still works. Every limit counts in a window that slides, which is stricter than the
refilling buckets by which Let's Encrypt counts, so that what is allowed here is allowed there.
"""

import dataclasses
import datetime
import enum

from daemun.core.issuance import public_cas
from daemun.core.texts import names

MARGIN = datetime.timedelta(minutes=5)
"""A CA counts when it receives a request, which may be later than daemun sent it."""


class CaLimitKind(enum.Enum):
    """What a limit counts, and per what."""

    DOMAIN = "certificates per registered domain"
    SET = "certificates for exactly these names"
    ORDERS = "orders per account"
    FAILURES = "failed validations per name"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """most: of what is counted, in any span of `window`. spares_replacing: an order that replaces a certificate by
    the CA's word (RFC 9773 section 5) does not count."""

    counted: CaLimitKind
    most: int
    window: datetime.timedelta
    spares_replacing: bool = False


LETS_ENCRYPT = (
    Limit(counted=CaLimitKind.DOMAIN, most=50, window=datetime.timedelta(days=7), spares_replacing=True),
    Limit(counted=CaLimitKind.SET, most=5, window=datetime.timedelta(days=7), spares_replacing=True),
    Limit(counted=CaLimitKind.ORDERS, most=300, window=datetime.timedelta(hours=3)),
    Limit(counted=CaLimitKind.FAILURES, most=5, window=datetime.timedelta(hours=1)),
)
"""Source: letsencrypt.org/docs/rate-limits. Orders that replace are exempt there from all limits; daemun counts them
against the orders of an account all the same: 300 in three hours are enough for any number of certificates it keeps."""

PUBLIC = tuple(dataclasses.replace(limit, spares_replacing=False) for limit in LETS_ENCRYPT)
"""Other public CAs publish less or nothing: what the strictest of them publishes, without the exemption."""

Limits = tuple[Limit, ...]


def limits_of(directory: str) -> Limits:
    """The limits at the CA with this directory. A CA of one's own sets its limits for its owner, who knows them."""
    if not public_cas.is_public_directory(directory):
        return ()
    return LETS_ENCRYPT if public_cas.host_of(directory).endswith(".letsencrypt.org") else PUBLIC


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """Something that a CA counts. key: the domain, the set of names or the one name; empty for the account.

    by: the certificate whose order this is as long as it is open; empty once it is certain that it counts.
    """

    counted: CaLimitKind
    key: str
    at: datetime.datetime
    by: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OrderCost:
    """What an order is going to spend. by: the certificate's name. domains: the registered domains (or address ranges)
    of its names. replaces: by the CA's word, the certificate of the same names before."""

    by: str
    hosts: tuple[str, ...]
    domains: frozenset[str]
    replaces: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OverLimit:
    """Why an order has to wait. until: the limit allows it then, as far as is known now."""

    limit: Limit
    key: str
    until: datetime.datetime

    def __str__(self) -> str:
        about = f' "{self.key}"' if self.key and self.limit.counted is not CaLimitKind.SET else ""
        hours = self.limit.window.total_seconds() / 3600
        span = f"{hours / 24:.0f} days" if hours > 24 else "hour" if hours == 1 else f"{hours:.0f} hours"
        return f"{self.limit.most} {self.limit.counted.value}{about} in any {span}"


Ledger = tuple[Spend, ...]
"""What was spent at one CA, oldest first."""


def find_refusal(ledger: Ledger, order: OrderCost, limits: Limits, now: datetime.datetime) -> OverLimit | None:
    """The limit that an order would exceed now; of several, the one that lasts longest."""
    found = [
        refusal
        for limit in limits
        for key in _keys(order, limit)
        if (refusal := _check(ledger, limit, key, now)) is not None
    ]
    return max(found, key=lambda refusal: refusal.until, default=None)


def reserve(ledger: Ledger, order: OrderCost, limits: Limits, now: datetime.datetime) -> Ledger:
    """Count an order that is going to be sent.

    What an earlier order of the same certificate reserved is free again: its URL is lost, so it never
    becomes a certificate. Its validations may have failed all the same.
    """
    certain = tuple(
        dataclasses.replace(spend, by="") if spend.by == order.by else spend
        for spend in ledger
        if spend.by != order.by or spend.counted is CaLimitKind.FAILURES
    )
    new = tuple(
        Spend(counted=limit.counted, key=key, at=now, by="" if limit.counted is CaLimitKind.ORDERS else order.by)
        for limit in limits
        if limit.counted is not CaLimitKind.FAILURES
        for key in _keys(order, limit)
    )
    return prune(certain + new, limits, now)


def reserve_failures(ledger: Ledger, by: str, hosts: tuple[str, ...], limits: Limits, now: datetime.datetime) -> Ledger:
    """Count a failed validation of each name: the CA is going to look, and daemun may not live to see what it found."""
    if not any(limit.counted is CaLimitKind.FAILURES for limit in limits):
        return ledger
    known = {spend.key for spend in ledger if spend.counted is CaLimitKind.FAILURES and spend.by == by}
    new = tuple(Spend(counted=CaLimitKind.FAILURES, key=host, at=now, by=by) for host in hosts if host not in known)
    return ledger + new


def close_order(
    ledger: Ledger, by: str, now: datetime.datetime, *, is_issued: bool, failed: frozenset[str] = frozenset()
) -> Ledger:
    """An order ended: the certificate counts from now on or not at all, and so do the validations of the names that
    failed."""
    kept = []
    for spend in ledger:
        if spend.by != by:
            kept.append(spend)
        elif spend.key in failed if spend.counted is CaLimitKind.FAILURES else is_issued:
            kept.append(dataclasses.replace(spend, at=now, by=""))
    return tuple(kept)


def prune(ledger: Ledger, limits: Limits, now: datetime.datetime) -> Ledger:
    """Without what no limit looks at any more. What a clock that was ahead noted for times to come was, at the latest,
    now."""
    windows = {limit.counted: limit.window + MARGIN for limit in limits}
    return tuple(
        spend if spend.at <= now else dataclasses.replace(spend, at=now)
        for spend in ledger
        if spend.counted in windows and now - windows[spend.counted] < spend.at
    )


def _check(ledger: Ledger, limit: Limit, key: str, now: datetime.datetime) -> OverLimit | None:
    since = now - limit.window - MARGIN
    spent = sorted(
        min(spend.at, now)
        for spend in ledger
        if spend.counted is limit.counted and spend.key == key and since < spend.at
    )
    if len(spent) < limit.most:
        return None
    frees = spent[len(spent) - limit.most] + limit.window + MARGIN
    return OverLimit(limit=limit, key=key, until=frees)


def _keys(order: OrderCost, limit: Limit) -> tuple[str, ...]:
    if order.replaces and limit.spares_replacing:
        return ()
    match limit.counted:
        case CaLimitKind.DOMAIN:
            return tuple(sorted(order.domains))
        case CaLimitKind.SET:
            return (",".join(sorted(order.hosts)),)
        case CaLimitKind.ORDERS:
            return ("",)
        case CaLimitKind.FAILURES:
            return tuple(sorted({failing_name(host) for host in order.hosts}))


def failing_name(host: str) -> str:
    """Under which key failed validations of a name count: an address as CAs write it, a wildcard as its domain."""
    address = names.address_of(host)
    return str(address) if address is not None else host.removeprefix("*.")
