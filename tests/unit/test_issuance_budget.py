"""What may be asked of a CA: counted before it is asked, in any span of time, whatever happens in between."""

import datetime

import hypothesis
import pytest
from hypothesis import strategies

from daemun.certs.acme import rate_limit_domains
from daemun.core.issuance import budget

NOW = datetime.datetime(2026, 5, 1, 12, tzinfo=datetime.UTC)
MINUTE, HOUR, DAY = datetime.timedelta(minutes=1), datetime.timedelta(hours=1), datetime.timedelta(days=1)
LIMITS = budget.LETS_ENCRYPT


def order(*hosts: str, by: str = "a", replaces: bool = False) -> budget.OrderCost:
    return budget.OrderCost(by=by, hosts=hosts, domains=rate_limit_domains.domains_of(hosts), replaces=replaces)


def made(count: int, *hosts: str, replaces: bool = False) -> budget.Ledger:
    """After that many certificates were issued at one moment."""
    ledger: budget.Ledger = ()
    for number in range(count):
        by = f"{number}"
        names = hosts or (f"n{number}.example.com",)
        ledger = budget.reserve(ledger, order(*names, by=by, replaces=replaces), LIMITS, NOW)
        ledger = budget.close_order(ledger, by, NOW, is_issued=True)
    return ledger


def test_fifty_certificates_per_registered_domain_and_week() -> None:
    ledger, wanted = made(50), order("new.example.com")
    assert budget.find_refusal(made(49), wanted, LIMITS, NOW) is None
    refusal = budget.find_refusal(ledger, wanted, LIMITS, NOW)
    assert refusal is not None
    assert str(refusal) == '50 certificates per registered domain "example.com" in any 7 days'
    assert refusal.until == NOW + 7 * DAY + budget.MARGIN
    assert budget.find_refusal(ledger, wanted, LIMITS, refusal.until - MINUTE) == refusal
    assert budget.find_refusal(ledger, wanted, LIMITS, refusal.until) is None
    assert budget.find_refusal(ledger, order("a.example.org"), LIMITS, NOW) is None


def test_five_certificates_for_the_same_names_and_week() -> None:
    refusal = budget.find_refusal(made(5, "a.test", "b.test"), order("b.test", "a.test"), LIMITS, NOW)
    assert refusal is not None
    assert str(refusal) == "5 certificates for exactly these names in any 7 days"


def test_what_replaces_by_the_word_of_lets_encrypt_is_exempt_but_for_the_orders() -> None:
    assert budget.find_refusal(made(50), order("new.example.com", replaces=True), LIMITS, NOW) is None
    assert {spend.counted for spend in made(3, replaces=True)} == {budget.CaLimitKind.ORDERS}
    assert budget.find_refusal(made(50), order("new.example.com", replaces=True), budget.PUBLIC, NOW) is not None


def test_three_hundred_orders_in_three_hours() -> None:
    refusal = budget.find_refusal(made(300, replaces=True), order("a.test"), LIMITS, NOW + HOUR)
    assert refusal is not None
    assert str(refusal) == "300 orders per account in any 3 hours"
    assert refusal.until == NOW + 3 * HOUR + budget.MARGIN


def test_five_failed_validations_of_a_name_in_an_hour() -> None:
    ledger: budget.Ledger = ()
    for _ in range(5):
        ledger = budget.reserve_failures(ledger, "a", ("a.test", "b.test"), LIMITS, NOW)
        ledger = budget.close_order(ledger, "a", NOW, is_issued=False, failed=frozenset({"a.test"}))
    refusal = budget.find_refusal(ledger, order("*.a.test", "b.test"), LIMITS, NOW)
    assert refusal is not None
    assert str(refusal) == '5 failed validations per name "a.test" in any hour'
    assert budget.find_refusal(ledger, order("b.test"), LIMITS, NOW) is None


def test_an_order_that_failed_costs_no_certificate_and_one_that_lasts_counts_from_its_end() -> None:
    begun = budget.reserve((), order("a.test"), LIMITS, NOW)
    failed = budget.close_order(begun, "a", NOW, is_issued=False)
    assert {spend.counted for spend in failed} == {budget.CaLimitKind.ORDERS}
    issued = budget.close_order(begun, "a", NOW + DAY, is_issued=True)
    assert {spend.at for spend in issued if spend.counted is budget.CaLimitKind.DOMAIN} == {NOW + DAY}


def test_a_crash_costs_what_may_have_reached_the_ca() -> None:
    """Between counting and knowing more: the order counts; when it is made again, its validations may have failed."""
    begun = budget.reserve_failures(budget.reserve((), order("a.test"), LIMITS, NOW), "a", ("a.test",), LIMITS, NOW)
    again = budget.reserve(begun, order("a.test"), LIMITS, NOW)
    counts = [spend.counted for spend in again]
    assert counts.count(budget.CaLimitKind.ORDERS) == 2
    assert counts.count(budget.CaLimitKind.FAILURES) == 1
    assert counts.count(budget.CaLimitKind.SET) == 1, "nobody knows the URL of the first any more"
    # Going on with an order asks for no second look.
    assert budget.reserve_failures(begun, "a", ("a.test",), LIMITS, NOW) == begun


def test_a_clock_that_was_ahead_does_not_forbid_for_years() -> None:
    ahead = tuple(budget.Spend(counted=budget.CaLimitKind.SET, key="a.test", at=NOW + 5000 * DAY) for _ in range(5))
    refusal = budget.find_refusal(ahead, order("a.test"), LIMITS, NOW)
    assert refusal is not None
    assert refusal.until == NOW + 7 * DAY + budget.MARGIN
    assert {spend.at for spend in budget.prune(ahead, LIMITS, NOW)} == {NOW}


@pytest.mark.parametrize(
    ("directory", "limits"),
    [
        ("https://acme-v02.api.letsencrypt.org/directory", budget.LETS_ENCRYPT),
        ("https://acme.zerossl.com/v2/DV90", budget.PUBLIC),
        ("https://ca.internal/acme/directory", ()),
        ("https://notletsencrypt.org/directory", ()),
    ],
)
def test_whose_limits_are_known(directory: str, limits: budget.Limits) -> None:
    assert budget.limits_of(directory) == limits


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("a.b.example.com", "example.com"),
        ("*.shop.example.co.uk", "example.co.uk"),
        ("me.github.io", "me.github.io"),
        ("github.io", "github.io"),
        ("xn--bcher-kva.example.de", "example.de"),
        ("192.0.2.7", "192.0.2.7"),
        ("[2001:db8:1:2:3::4]", "2001:db8:1:2::/64"),
    ],
)
def test_what_certificates_are_counted_by(host: str, domain: str) -> None:
    assert rate_limit_domains.domains_of([host]) == {domain}


@hypothesis.given(
    steps=strategies.lists(
        strategies.tuples(
            strategies.integers(0, 30),  # hours until the next order
            strategies.sampled_from(["a.test", "b.test", "c.test"]),
            strategies.sampled_from(["issued", "failed", "lost"]),
        ),
        max_size=60,
    )
)
def test_whatever_happens_no_window_holds_more_than_its_limit(steps: list[tuple[int, str, str]]) -> None:
    """As the CA counts what reaches it: orders that were sent, certificates that were issued, names that failed."""
    limits = (
        budget.Limit(counted=budget.CaLimitKind.DOMAIN, most=3, window=7 * DAY),
        budget.Limit(counted=budget.CaLimitKind.SET, most=2, window=7 * DAY),
        budget.Limit(counted=budget.CaLimitKind.ORDERS, most=4, window=30 * HOUR),
        budget.Limit(counted=budget.CaLimitKind.FAILURES, most=2, window=48 * HOUR),
    )
    now = NOW
    ledger: budget.Ledger = ()
    events: dict[tuple[budget.CaLimitKind, str], list[datetime.datetime]] = {}
    for hours, host, end in steps:
        now += hours * HOUR
        wanted = order(host, by=host)
        if budget.find_refusal(ledger, wanted, limits, now) is not None:
            continue
        ledger = budget.reserve(ledger, wanted, limits, now)
        events.setdefault((budget.CaLimitKind.ORDERS, ""), []).append(now)
        ledger = budget.reserve_failures(ledger, host, (host,), limits, now)
        if end == "issued":
            events.setdefault((budget.CaLimitKind.SET, host), []).append(now)
            events.setdefault((budget.CaLimitKind.DOMAIN, host), []).append(now)
            ledger = budget.close_order(ledger, host, now, is_issued=True)
        elif end == "failed":
            events.setdefault((budget.CaLimitKind.FAILURES, host), []).append(now)
            ledger = budget.close_order(ledger, host, now, is_issued=False, failed=frozenset({host}))
        else:  # a crash; the CA looked, and saw nothing
            events.setdefault((budget.CaLimitKind.FAILURES, host), []).append(now)
    most = {limit.counted: limit for limit in limits}
    for (counted, _), due_times in events.items():
        limit = most[counted]
        for first, beyond in zip(due_times, due_times[limit.most :], strict=False):
            assert beyond - first >= limit.window
