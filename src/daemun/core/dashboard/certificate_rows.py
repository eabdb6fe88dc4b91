"""All certificates as a list: how good it stands with each, those in trouble first. Pure: the time is an argument."""

import collections.abc
import dataclasses
import datetime

from daemun.core import model
from daemun.core.certificates import certificate_faults
from daemun.core.dashboard import lamps

LIGHTS = (lamps.Light.BAD, lamps.Light.WARNING, lamps.Light.GOOD)
"""The worst first."""
_LAST = datetime.datetime.max.replace(tzinfo=datetime.UTC)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRow:
    """cure: what to do, or what daemun does by itself; None: there is nothing to say."""

    lamp: lamps.SiteLamp
    status: model.CertificateStatus
    cure: str | None = None


def make_row(status: model.CertificateStatus, now: datetime.datetime) -> CertificateRow:
    lamp = lamps.of_certificate(status, (), now, has_tls=True, is_enabled=True)
    return CertificateRow(lamp=lamp, status=status, cure=_find_cure(status, now))


def sort_by_trouble(
    statuses: collections.abc.Iterable[model.CertificateStatus], now: datetime.datetime
) -> list[CertificateRow]:
    """Bad ones first, then what comes next."""
    rows = [make_row(one, now) for one in statuses]
    return sorted(
        rows, key=lambda row: (LIGHTS.index(row.lamp.light), _find_next(row.status), row.status.host, row.status.name)
    )


def choose(rows: collections.abc.Iterable[CertificateRow], *, text: str = "", lamp: str = "") -> list[CertificateRow]:
    """Those with a part of a name, in small letters, and with a lamp."""
    return [
        row
        for row in rows
        if lamp in {"", row.lamp.light.value} and any(text in name for name in (row.status.host, *row.status.names))
    ]


def _find_cure(status: model.CertificateStatus, now: datetime.datetime) -> str | None:
    fault = certificate_faults.find_fault(status, now)
    if fault is not None:
        return fault.cure
    is_over = status.not_after is not None and now >= status.not_after
    if is_over or status.state is model.CertificateState.NOT_SERVED:
        return certificate_faults.find_replacement(status)
    return None


def _find_next(status: model.CertificateStatus) -> datetime.datetime:
    return status.next_attempt or status.renew_at or status.not_after or _LAST
