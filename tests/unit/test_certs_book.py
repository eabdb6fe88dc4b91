"""What follows from what is known of each certificate, worked out once per change."""

import dataclasses
import datetime

from daemun.certs.managed import certificate_index, schedule
from daemun.certs.served import certificate_records, local_ca, shown_certificates
from daemun.core import model
from daemun.core.issuance import order_subject, renewal_advice
from daemun.store import memory_store
from tests.support import issuing

NOW = datetime.datetime(2026, 5, 1, 12, tzinfo=datetime.UTC)
DAY, HOUR = datetime.timedelta(days=1), datetime.timedelta(hours=1)
FIRST, SECOND = (model.Authority(directory=f"https://{name}.test/dir") for name in ("first", "second"))
ACME = model.Acme(authorities=(FIRST, SECOND))
BUNDLE = local_ca.load_or_create(memory_store.MemoryStore(), NOW).issue(["a.test"], NOW)
SERIAL = f"{BUNDLE.leaf.serial_number:x}"


def entry(directory: str | None = FIRST.directory, **known: object) -> schedule.ManagedCertificate:
    kind = (
        shown_certificates.CertificateSource.LOCAL if directory is None else shown_certificates.CertificateSource.PUBLIC
    )
    served = shown_certificates.ServedCertificate(kind=kind, bundle=BUNDLE, directory=directory)
    whole = schedule.ManagedCertificate(spec=issuing.spec("a.test"), served=served)
    return dataclasses.replace(whole, **known)  # type: ignore[arg-type]


def made(*entries: schedule.ManagedCertificate, acme: model.Acme = ACME) -> certificate_index.CertificateIndex:
    result = certificate_index.CertificateIndex()
    result.configure(acme)
    for one in entries:
        result.put(one.spec.name, one)
    return result


def plan(one: schedule.ManagedCertificate, acme: model.Acme = ACME) -> schedule.CertificatePlan:
    return made(one, acme=acme).plans(NOW)["a.test"]


def test_nothing_is_worked_out_twice() -> None:
    known = made(entry())
    first = known.plans(NOW)["a.test"]
    assert known.plans(NOW + DAY)["a.test"] is first
    assert not known.configure(ACME)
    assert known.plans(NOW + DAY)["a.test"] is first
    assert known.make_plans(dict(known.entries), NOW)["a.test"] is first
    known.put("a.test", entry())
    assert known.plans(NOW + DAY)["a.test"] is not first


def test_a_clock_that_was_set_back_makes_all_doubtful() -> None:
    known = made(entry())
    first = known.plans(NOW)["a.test"]
    assert known.plans(NOW - HOUR)["a.test"] is not first


def test_other_cas_are_tried_at_once() -> None:
    failed = certificate_records.Attempts(
        asked=order_subject.fingerprint(issuing.spec("a.test"), ACME.authorities), failures=5
    )
    known = made(entry(attempts=failed))
    assert known.entries["a.test"].attempts == failed
    known.configure(dataclasses.replace(ACME, hook=("/bin/true",)))
    assert known.entries["a.test"].attempts == failed
    known.configure(model.Acme(authorities=(FIRST,)))
    assert known.entries["a.test"].attempts is None


def test_a_certificate_of_a_later_ca_counts_as_good_and_one_of_another_does_not() -> None:
    for authority in (FIRST, SECOND):
        assert plan(entry(authority.directory)).status.state is model.CertificateState.VALID
    other = plan(entry("https://other.test/dir"))
    assert (other.status.state, other.order_at) == (model.CertificateState.PENDING, NOW)
    assert other.poll_at is None, "nobody is asked about another CA's certificate"


def test_advice_of_the_certificate_before_is_not_obeyed() -> None:
    window = renewal_advice.Window(start=NOW - 2 * DAY, end=NOW - DAY, explanation_url="https://ca.test/why")
    past = renewal_advice.RenewalAdvice(serial=SERIAL, poll_at=NOW + HOUR, window=window, chosen=NOW - DAY)
    now = plan(entry(advice=past))
    assert (now.order_at, now.poll_at) == (NOW - DAY, NOW + HOUR)
    assert now.status.reason is not None
    assert "https://ca.test/why" in now.status.reason
    other = plan(entry(advice=dataclasses.replace(past, serial="1")))
    assert (other.order_at, other.poll_at) == (BUNDLE.not_after - 30 * DAY - HOUR / 3, NOW)
    assert other.status.reason is None
    assert plan(entry(advice=dataclasses.replace(past, poll_at=NOW + 5000 * DAY))).poll_at == NOW


def test_what_a_limit_holds_up_is_no_failure() -> None:
    held = certificate_records.Attempts(
        asked=order_subject.fingerprint(issuing.spec("a.test"), ACME.authorities),
        next_attempt=NOW + DAY,
        reason="the limit",
    )
    good = plan(entry(attempts=held)).status
    assert (good.state, good.reason, good.failures) == (model.CertificateState.VALID, "the limit", 0)
    new = plan(entry(None, attempts=held)).status
    assert (new.state, new.next_attempt) == (model.CertificateState.PENDING, NOW + DAY)
    assert new.reason == "the limit; until then one of the local CA is served"


def test_what_is_asked_is_known_by_its_fingerprint_and_no_secret_is_part_of_it() -> None:
    def of(*authorities: model.Authority, **ordering: object) -> str:
        return order_subject.fingerprint(issuing.spec("a.test", **ordering), authorities)

    def dns(secret: str) -> model.Dns:
        return model.Dns(provider="x", options=(("token", model.Secret(text=secret)),))

    assert of(FIRST) == of(dataclasses.replace(FIRST, email="me@example.com"))
    different = {
        of(FIRST),
        of(FIRST, SECOND),
        of(dataclasses.replace(FIRST, staging="https://staging.test/dir")),
        of(FIRST, profile="shortlived"),
        of(FIRST, challenge=model.Challenge.DNS_01),
        of(FIRST, dns=dns("a")),
        of(FIRST, key_type=model.KeyType.RSA_2048),
        of(FIRST, preferred_chain="ISRG Root X1"),
    }
    assert len(different) == 8
    assert of(FIRST, dns=dns("a")) == of(FIRST, dns=dns("b"))


def test_a_site_may_have_a_ca_of_its_own() -> None:
    own = model.Authority(directory="https://own.test/dir")
    known = dataclasses.replace(SECOND, email="two@example.com", eab=model.Eab(key_id="k", hmac_key=model.Secret()))
    acme = model.Acme(authorities=(dataclasses.replace(FIRST, email="one@example.com"), known))
    assert order_subject.authorities_of(issuing.spec("a.test", authority=own), acme) == (
        dataclasses.replace(own, email="one@example.com"),
    )
    assert order_subject.authorities_of(issuing.spec("a.test", authority=SECOND), acme) == (known,)
    assert order_subject.authorities_of(issuing.spec("a.test"), acme) == acme.authorities
