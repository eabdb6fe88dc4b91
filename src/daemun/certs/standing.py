"""What is due, and what is said of a certificate, from what is known of it. Pure: the time is an argument."""

import dataclasses
import datetime

from daemun.certs import records, shelf
from daemun.core import model
from daemun.core.issuance import proof, renewal

_KINDS = {
    shelf.Kind.PUBLIC: model.CertificateKind.PUBLIC,
    shelf.Kind.OWN: model.CertificateKind.OWN,
    shelf.Kind.LOCAL: model.CertificateKind.LOCAL,
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """All that is known of one certificate. attempts: as stored, perhaps for other names or another CA."""

    spec: model.CertificateSpec
    served: shelf.Served
    attempts: records.Attempts | None = None


def valid_attempts(entry: Entry, directory: str) -> records.Attempts | None:
    """The failures so far for what is asked for now."""
    attempts = entry.attempts
    return attempts if attempts and attempts.is_for(directory, renewal.hosts_to_order(entry.spec)) else None


def order_at(entry: Entry, directory: str, now: datetime.datetime) -> datetime.datetime | None:
    """When the CA is to be asked: at once for what is missing (a certificate of another directory counts as missing:
    who leaves a staging CA wants trusted ones), later after failures and for renewals; None: never."""
    hosts = renewal.hosts_to_order(entry.spec)
    if not hosts:
        return None
    attempts = valid_attempts(entry, directory)
    if attempts is not None and attempts.next_attempt is not None:
        # No wait is longer than LONGEST_WAIT: a later moment was noted by a clock that was ahead.
        return attempts.next_attempt if attempts.next_attempt - now <= renewal.LONGEST_WAIT else now
    return renews_at(entry) if _is_as_asked(entry, directory) else now


def renews_at(entry: Entry) -> datetime.datetime | None:
    """When daemun renews the certificate that is served; None: it is the owner's."""
    if entry.served.kind is shelf.Kind.OWN:
        return None
    return renewal.renew_at(entry.served.bundle.not_before, entry.served.bundle.not_after)


def settles_at(entry: Entry) -> datetime.datetime | None:
    """When live/NAME needs another certificate that no CA is asked for; None: not by itself."""
    if entry.served.kind is shelf.Kind.PUBLIC:
        return entry.served.bundle.not_after
    return renews_at(entry)


def describe(entry: Entry, directory: str | None) -> model.CertificateStatus:
    """directory: of the CA that is asked; None: not known yet."""
    spec, found = entry.spec, entry.served.bundle
    state, reason, next_attempt = _state(entry, directory)
    return model.CertificateStatus(
        name=spec.name,
        host=spec.host,
        names=spec.names,
        state=state,
        kind=_KINDS[entry.served.kind],
        issuer=found.issuer,
        not_before=found.not_before,
        not_after=found.not_after,
        renew_at=renews_at(entry) if state is not model.CertificateState.PENDING else None,
        next_attempt=next_attempt,
        reason=reason,
    )


def _state(entry: Entry, directory: str | None) -> tuple[model.CertificateState, str | None, datetime.datetime | None]:
    if entry.spec.mode is model.TlsMode.FILES:
        is_wrong = any(problem.severity is model.Severity.ERROR for problem in entry.served.problems)
        said = "; ".join(problem.message for problem in entry.served.problems) or None
        return model.CertificateState.FAILING if is_wrong else model.CertificateState.VALID, said, None
    if not renewal.hosts_to_order(entry.spec):
        return model.CertificateState.LOCAL, _wildcard_reason(entry.spec), None
    attempts = valid_attempts(entry, directory) if directory is not None else None
    if attempts is not None and attempts.failures:
        return model.CertificateState.FAILING, attempts.reason, attempts.next_attempt
    if directory is not None and _is_as_asked(entry, directory):
        return model.CertificateState.VALID, _wildcard_reason(entry.spec), None
    meanwhile = "one of the local CA" if entry.served.kind is shelf.Kind.LOCAL else "the one from before"
    return model.CertificateState.PENDING, f"the CA is being asked; until then {meanwhile} is served", None


def _is_as_asked(entry: Entry, directory: str) -> bool:
    served = entry.served
    return (
        served.kind is shelf.Kind.PUBLIC
        and served.directory == directory
        and not served.bundle.missing(renewal.hosts_to_order(entry.spec))
    )


def _wildcard_reason(spec: model.CertificateSpec) -> str | None:
    left_out = [name for name in spec.names if proof.choose_challenge(name, spec.ordering) is None]
    if spec.mode is not model.TlsMode.ACME or not left_out:
        return None
    return (
        f"a public CA signs {', '.join(left_out)} only after a proof in DNS; say under `acme.dns` who makes "
        "records there, list the names one by one as aliases, or give a certificate of your own with "
        "`tls: {certificate, key}`"
    )
