"""What is due of a certificate, and its status, from what is known of it. Pure: the time is an argument."""

import collections.abc
import dataclasses
import datetime

from daemun.certs.acme import certificate_key, preferred_chain
from daemun.certs.served import certificate_records, key_types, shown_certificates
from daemun.core import model
from daemun.core.issuance import challenge_choice, order_subject, renewal_advice, renewal_time
from daemun.core.texts import words

_FURTHEST = renewal_time.LONGEST_WAIT + datetime.timedelta(hours=1)
"""No wait is longer: a later moment was noted by a clock that was ahead."""

Authorities = tuple[model.Authority, ...]
"""The CAs for one certificate, tried in this order."""

IN_PROGRESS = "the CA is being asked"

_KINDS = {
    shown_certificates.CertificateSource.PUBLIC: model.CertificateKind.PUBLIC,
    shown_certificates.CertificateSource.OWN: model.CertificateKind.OWN,
    shown_certificates.CertificateSource.LOCAL: model.CertificateKind.LOCAL,
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ManagedCertificate:
    """All that is known of one certificate. attempts: as stored, perhaps for something else than is wanted now.
    advice: as stored, perhaps for a certificate before."""

    spec: model.CertificateSpec
    served: shown_certificates.ServedCertificate
    attempts: certificate_records.Attempts | None = None
    advice: renewal_advice.RenewalAdvice | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CertificatePlan:
    """What follows from an entry, worked out once. None: never.

    order_at: when it is ordered. live_update_at: when live/NAME needs another one without a CA. poll_at: when the CA
    is queried when it wants it renewed. is_ordered: whether it comes from a CA.
    """

    order_at: datetime.datetime | None
    live_update_at: datetime.datetime | None
    poll_at: datetime.datetime | None
    is_ordered: bool
    status: model.CertificateStatus


def plan_certificate(
    entry: ManagedCertificate, authorities: Authorities | None, now: datetime.datetime
) -> CertificatePlan:
    """authorities: None: not known yet, and nothing is ordered."""
    return CertificatePlan(
        order_at=None if authorities is None else order_at(entry, authorities, now),
        live_update_at=live_update_at(entry),
        poll_at=None if authorities is None else poll_at(entry, authorities, now),
        is_ordered=bool(renewal_time.hosts_to_order(entry.spec)),
        status=describe(entry, authorities),
    )


def valid_attempts(entry: ManagedCertificate, authorities: Authorities) -> certificate_records.Attempts | None:
    """The failures so far for what is wanted now."""
    attempts = entry.attempts
    return attempts if attempts and attempts.asked == order_subject.fingerprint(entry.spec, authorities) else None


def order_at(entry: ManagedCertificate, authorities: Authorities, now: datetime.datetime) -> datetime.datetime | None:
    """When it is to be ordered: at once for what is missing (a certificate of another directory counts as missing: who
    leaves a staging CA wants trusted ones), later after failures and for renewals; None: never."""
    if not renewal_time.hosts_to_order(entry.spec):
        return None
    attempts = valid_attempts(entry, authorities)
    if attempts is not None and attempts.next_attempt is not None:
        return attempts.next_attempt if attempts.next_attempt - now <= _FURTHEST else now
    return renews_at(entry) if _is_as_configured(entry, authorities) else now


def renews_at(entry: ManagedCertificate) -> datetime.datetime | None:
    """When daemun renews the certificate that is served; None: it is the owner's."""
    if entry.served.kind is shown_certificates.CertificateSource.OWN:
        return None
    return renewal_advice.renew_at(valid_advice(entry), entry.served.bundle.not_before, entry.served.bundle.not_after)


def live_update_at(entry: ManagedCertificate) -> datetime.datetime | None:
    """When live/ needs another certificate that no CA issues, or the status of the owner's changes;
    None: not by itself."""
    served = entry.served
    if served.is_shared:
        return served.bundle.not_before
    if served.kind is shown_certificates.CertificateSource.OWN:
        return served.changes_at
    main = served.bundle.not_after if served.kind is shown_certificates.CertificateSource.PUBLIC else renews_at(entry)
    seconds = (second.not_after for _, second in served.seconds)
    others = (
        part.bundle.not_after
        if part.kind is shown_certificates.CertificateSource.PUBLIC
        else renewal_time.renew_at(part.bundle.not_before, part.bundle.not_after)
        for part in served.others
    )
    return min([*others, *seconds, *([main] if main is not None else [])], default=None)


def poll_at(entry: ManagedCertificate, authorities: Authorities, now: datetime.datetime) -> datetime.datetime | None:
    """When the CA is queried when it wants the certificate renewed; None: it is none of these CAs', or has expired
    (RFC 9773 section 4.3)."""
    served = entry.served
    if served.kind is not shown_certificates.CertificateSource.PUBLIC or now >= served.bundle.not_after:
        return None
    if all(served.directory != authority.directory for authority in authorities):
        return None
    advice = valid_advice(entry)
    if advice is None:
        return now
    return advice.poll_at if advice.poll_at - now <= renewal_advice.POLL_LATEST else now


def valid_advice(entry: ManagedCertificate) -> renewal_advice.RenewalAdvice | None:
    """The CA's renewal information for the certificate that is served."""
    found = entry.advice
    return found if found is not None and found.serial == serial_of(entry) else None


def serial_of(entry: ManagedCertificate) -> str:
    return entry.served.bundle.facts.serial


def describe(entry: ManagedCertificate, authorities: Authorities | None) -> model.CertificateStatus:
    """authorities: None: not known yet."""
    spec, found = entry.spec, entry.served.bundle
    attempts = valid_attempts(entry, authorities) if authorities is not None else None
    state, reason = _state(entry, authorities, attempts)
    kind = spec.ordering.key_type if spec.algorithm is not None else None
    if spec.first is not None and kind is not None and reason is not None:
        reason = f"of the certificate with an {kind.value} key: {reason}"
    is_failing = attempts is not None and attempts.failures > 0
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
        next_attempt=attempts.next_attempt if attempts is not None else None,
        reason=reason,
        authority=entry.served.directory or None,
        failures=attempts.failures if attempts is not None else 0,
        last_error=attempts.reason if attempts is not None and is_failing else None,
        failing_since=attempts.since if attempts is not None and is_failing else None,
        tries=attempts.tries if attempts is not None and is_failing else (),
        held_until=_held_until(attempts, authorities),
        others=tuple(
            model.OtherCertificate(
                names=part.names,
                kind=_KINDS[part.kind],
                issuer=part.bundle.issuer,
                not_before=part.bundle.not_before,
                not_after=part.bundle.not_after,
                fingerprint=part.bundle.fingerprint,
            )
            for part in entry.served.others
        ),
        fingerprint=found.fingerprint,
        key_type=kind,
        rsa_shown=tuple(_rsa_shown(entry)) if spec.has_two_types else (),
    )


def _rsa_shown(entry: ManagedCertificate) -> collections.abc.Iterator[tuple[str, str]]:
    """As `model.CertificateStatus`: of two with an RSA key OpenSSL shows the last one."""
    parts, seconds = entry.served.parts(), dict(entry.served.seconds)
    for name in entry.spec.names:
        offered = (parts.get(name, entry.served).bundle, seconds.get(name))
        of_rsa = [one for one in offered if one is not None and one.facts.algorithm == "rsa"]
        if of_rsa:
            yield name, of_rsa[-1].fingerprint


def _held_until(
    attempts: certificate_records.Attempts | None, authorities: Authorities | None
) -> datetime.datetime | None:
    holds = dict(attempts.holds) if attempts is not None else {}
    if not authorities or any(authority.directory not in holds for authority in authorities):
        return None
    return min(holds[authority.directory] for authority in authorities)


def _state(
    entry: ManagedCertificate, authorities: Authorities | None, attempts: certificate_records.Attempts | None
) -> tuple[model.CertificateState, str | None]:
    if entry.spec.mode is model.TlsMode.FILES:
        reason = "; ".join(problem.message for problem in entry.served.problems) or None
        return _state_of_files(entry.served), reason
    if not renewal_time.hosts_to_order(entry.spec):
        return model.CertificateState.LOCAL, _wildcard_reason(entry.spec)
    if attempts is not None and attempts.failures:
        return model.CertificateState.FAILING, attempts.reason
    waits = attempts.reason if attempts is not None else None
    if authorities is not None and _is_as_configured(entry, authorities):
        reason = _early_reason(entry) or _wildcard_reason(entry.spec) or _difference_reason(entry)
        return model.CertificateState.VALID, waits or reason
    meanwhile = (
        "one of the local CA is"
        if entry.served.kind is shown_certificates.CertificateSource.LOCAL
        else "the one from before is"
    )
    if entry.served.others:
        meanwhile = "the best that there is for each name is"
    if entry.served.kind is shown_certificates.CertificateSource.PUBLIC and not key_types.is_of_its_type(
        entry.served.bundle, entry.spec
    ):
        meanwhile = "the one with the other type of key is"
    reason = waits or IN_PROGRESS
    return model.CertificateState.PENDING, f"{reason}; until then {meanwhile} served"


def _state_of_files(served: shown_certificates.ServedCertificate) -> model.CertificateState:
    if served.is_stand_in:
        return model.CertificateState.FAILING
    if not served.is_written:
        return model.CertificateState.FAILING
    if any(problem.severity is model.Severity.ERROR for problem in served.problems):
        return model.CertificateState.INVALID
    return model.CertificateState.INCOMPLETE if served.problems else model.CertificateState.VALID


def _is_as_configured(entry: ManagedCertificate, authorities: Authorities) -> bool:
    """Also when a later CA than the first one issued it: the first one is tried when it is to be renewed."""
    served = entry.served
    return (
        served.kind is shown_certificates.CertificateSource.PUBLIC
        # Nothing is known of it any more (`certificate_records.UNKNOWN`), so it is good until it is due.
        and any(served.directory in {certificate_records.UNKNOWN, authority.directory} for authority in authorities)
        and not served.bundle.missing(renewal_time.hosts_to_order(entry.spec))
    )


def _early_reason(entry: ManagedCertificate) -> str | None:
    """A CA moves renewal up when it is going to revoke the certificate."""
    found, served = valid_advice(entry), entry.served.bundle
    if (
        found is None
        or found.window is None
        or not renewal_advice.is_moved_up(found, served.not_before, served.not_after)
    ):
        return None
    reason = f"; it says why at {found.window.explanation_url}" if found.window.explanation_url else ""
    return f"the CA wants this certificate to be renewed early{reason}; nothing to do, daemun renews it by itself"


def _difference_reason(entry: ManagedCertificate) -> str | None:
    """The certificate is good, so it stays until it is renewed: by chance there is none to be had like that."""
    ordering, found = entry.spec.ordering, entry.served.bundle
    differs = []
    if ordering.key_type is not None:
        kind = certificate_key.type_of(found.leaf.public_key())
        if kind is not ordering.key_type:
            differs.append(
                f"its key is {kind.value if kind is not None else 'of another type'}, not {ordering.key_type.value}"
            )
    chain = ordering.preferred_chain
    if chain is not None and not preferred_chain.is_preferred(found, chain):
        differs.append(
            f"its chain leads to {words.quoted(preferred_chain.root_of(found))}, not to {words.quoted(chain)}"
        )
    if not differs:
        return None
    at_once = f"`daemun certs renew {entry.spec.host}`"
    return f"{' and '.join(differs)}; daemun asks for that when it renews it, or at once with {at_once}"


def _wildcard_reason(spec: model.CertificateSpec) -> str | None:
    left_out = [name for name in spec.names if challenge_choice.choose_challenge(name, spec.ordering) is None]
    if spec.mode is not model.TlsMode.ACME or not left_out:
        return None
    return (
        f"a public CA signs {', '.join(left_out)} only after a proof in DNS; say under `acme.dns` who makes "
        "records there, list the names one by one as aliases, or give a certificate of your own with "
        "`tls: {certificate, key}`"
    )
