"""Whether clients of a stream are served, judged from what was seen from outside. Pure: the time is an argument."""

import collections.abc
import dataclasses
import datetime

from daemun.core import model
from daemun.core.certificates import certificate_faults
from daemun.core.served import served_judgement
from daemun.core.texts import words

_NOT_BOUND = "`daemun apply` lets nginx listen again; when that does not help, look at logs/error.log"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    state: model.SiteState
    reason: str
    cure: str | None
    since: datetime.datetime | None = None


def judge(
    status: model.StreamStatus, certificate: model.CertificateStatus | None, now: datetime.datetime
) -> model.StreamStatus:
    """The status with what clients meet. What nginx does not run as wanted, or was not looked at, stays as it is.

    certificate: of a stream with `tls`; None: it is as it should be, or there is none.
    """
    if status.state is not model.SiteState.LIVE:
        return status
    verdict = next(_find_verdicts(status.look or model.StreamLook(), len(status.listen), certificate, now), None)
    if verdict is None:
        return status
    return dataclasses.replace(
        status, state=verdict.state, reason=verdict.reason, cure=verdict.cure, since=verdict.since
    )


def _find_verdicts(
    look: model.StreamLook, listeners: int, certificate: model.CertificateStatus | None, now: datetime.datetime
) -> collections.abc.Iterator[_Verdict]:
    """The worst first."""
    fault = certificate_faults.find_fault(certificate, now) if certificate is not None else None
    since = certificate.failing_since if certificate is not None else None
    if fault is not None and fault.is_useless:
        yield _Verdict(state=model.SiteState.WRONG_CERTIFICATE, reason=fault.reason, cure=fault.cure, since=since)
    if look.unbound:
        all_gone = len(look.unbound) >= listeners
        state = model.SiteState.UNREACHABLE if all_gone else model.SiteState.DEGRADED
        yield _Verdict(state=state, reason=_not_bound(look), cure=_NOT_BOUND)
    for one in look.handshakes[:1]:
        state = model.SiteState.WRONG_CERTIFICATE if one.is_wrong else model.SiteState.UNREACHABLE
        yield _Verdict(state=state, reason=one.cause, cure=one.cure, since=one.at)
    bad = [one for one in look.servers if one.trouble is not None]
    if bad:
        is_down = served_judgement.is_down(look.servers)
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        yield _Verdict(
            state=model.SiteState.UNREACHABLE if is_down else model.SiteState.DEGRADED,
            reason=f"{bad[0].cause}{more}",
            cure=bad[0].cure,
            since=bad[0].since,
        )
    if fault is not None:
        yield _Verdict(state=model.SiteState.DEGRADED, reason=fault.reason, cure=fault.cure, since=since)
    error = look.last_error
    if error is not None and error.is_lasting and now - error.at < served_judgement.FRESH:
        reason = served_judgement.describe_error(error, now)
        yield _Verdict(state=model.SiteState.DEGRADED, reason=reason, cure=error.cure, since=error.since)


def _not_bound(look: model.StreamLook) -> str:
    return f"nothing listens on {words.listed(look.unbound, last='and')}"


def find_certificate(
    status: model.StreamStatus, certificates: collections.abc.Iterable[model.CertificateStatus]
) -> model.CertificateStatus | None:
    """That of the host that a stream shows, if it is among these."""
    host = None if status.hosts else status.tls
    if host is None:
        return None
    covering = {host, f"*.{host.partition('.')[2]}"}
    return next((one for one in certificates if not covering.isdisjoint((one.host, *one.names))), None)


def as_trouble(status: model.StreamStatus) -> model.SiteStatus:
    """For alerts, which name what clients do not get."""
    name = f"stream {status.name}"
    return model.SiteStatus(
        site=model.Site(host=name, origin=status.origin),
        state=status.state,
        reason=status.reason,
        cure=status.cure,
        since=status.since,
    )


# --- findings of `daemun doctor` ---------------------------------------------------------------------------


def find_findings(status: model.StreamStatus, now: datetime.datetime) -> collections.abc.Iterator[model.Finding]:
    """What is wrong with one stream, and in one line that nothing is. status: as it was judged. What nginx does not run
    as wanted has a problem."""
    name, look = f"stream {words.quoted(status.name)}", status.look or model.StreamLook()
    if status.state not in {model.SiteState.LIVE, *served_judgement.STATES}:
        return
    found: list[model.Finding] = []
    if look.unbound:
        found.append(_finding(model.Weight.BLOCKS, f"{name}: {_not_bound(look)}", _NOT_BOUND))
    found += (_finding(model.Weight.BLOCKS, f"{name}: {one.cause}", one.cure) for one in look.handshakes)
    weight = model.Weight.BLOCKS if served_judgement.is_down(look.servers) else model.Weight.WARNS
    for one in look.servers:
        if one.trouble is not None:
            found.append(_finding(weight, f"{name}: {one.cause}", one.cure))
    error = look.last_error
    if error is not None and now - error.at < served_judgement.FRESH:
        text = f"{name}: nginx's last error: {served_judgement.describe_error(error, now)}"
        found.append(_finding(model.Weight.WARNS, text, error.cure))
    if not found and status.state is not model.SiteState.LIVE:  # its certificate, which has a finding of its own
        return
    yield from found
    if not found:
        yield _finding(model.Weight.GOOD, f"{name} {_describe(status, look)}")


def _describe(status: model.StreamStatus, look: model.StreamLook) -> str:
    if status.protocol == "udp":
        return "is live; whether its servers answer cannot be tried over UDP"
    if not look.servers:
        return "is live; no server of it was tried yet"
    servers = words.listed([one.server for one in look.servers[:3]], last="and")
    more = f" and {len(look.servers) - 3} more" if len(look.servers) > 3 else ""
    return f"is live, and {servers}{more} {'answers' if len(look.servers) == 1 else 'answer'}"


def _finding(weight: model.Weight, message: str, cure: str | None = None) -> model.Finding:
    return model.Finding(topic="stream", weight=weight, message=message, cure=cure)
