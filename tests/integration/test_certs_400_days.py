"""400 days with a CA as bad as they come, in the time of a clock that the test moves.

The manager, the store, what is served and the ACME library are the real ones, and they talk to a server that speaks the
real protocol over HTTPS. Wherever daemun would wait, the time goes on instead.
"""

import asyncio
import collections
import collections.abc
import contextlib
import dataclasses
import datetime
import pathlib
import random

import pytest
from cryptography import x509

from daemun.certs import certificate_manager
from daemun.certs.acme import rate_limit_domains, renewal_info
from daemun.core import model
from daemun.core.issuance import budget
from tests.support import acme_server, clock, http01, issuing

DAY, HOUR = datetime.timedelta(days=1), datetime.timedelta(hours=1)
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
END = START + 400 * DAY

PROFILES = {"classic": 90 * DAY, "tlsserver": 45 * DAY, "shortlived": 6 * DAY}
SPECS = (
    issuing.spec("a.example.com", "www.a.example.com", profile="classic"),
    issuing.spec("b.example.com", profile="classic"),
    issuing.spec("c.example.com", profile="tlsserver"),
    issuing.spec("d.example.com", profile="tlsserver"),
    issuing.spec("e.example.com", "e.example.org", profile="shortlived"),
)
BROKEN = issuing.spec("broken.example.net", profile="classic")
REPAIRED_AT = START + 20 * DAY
REVOKED_AT = START + 100 * DAY

LIMITS = (
    budget.Limit(counted=budget.CaLimitKind.DOMAIN, most=3, window=7 * DAY, spares_replacing=True),
    budget.Limit(counted=budget.CaLimitKind.SET, most=2, window=7 * DAY, spares_replacing=True),
    budget.Limit(counted=budget.CaLimitKind.ORDERS, most=12, window=3 * HOUR),
    budget.Limit(counted=budget.CaLimitKind.FAILURES, most=2, window=HOUR),
)
"""Tighter than any CA's, so that five certificates meet them."""


class Days:
    """What is served at each moment, and the time that goes on whenever nothing is under way."""

    def __init__(self, gate: issuing.StateDirectory, passing: clock.SharedClock, ca: acme_server.Authority) -> None:
        self.certs: certificate_manager.Manager
        self.is_over = asyncio.Event()
        self.has_public: dict[str, datetime.datetime] = {}
        self._gate = gate
        self._clock = passing
        self._ca = ca
        self._served: dict[str, tuple[str, x509.Certificate]] = {}
        self._plans: list[tuple[datetime.datetime, collections.abc.Callable[[], None]]] = []

    def at(self, moment: datetime.datetime, what: collections.abc.Callable[[], None]) -> None:
        self._plans = sorted([*self._plans, (moment, what)], key=lambda plan: plan[0])

    async def wait(self, woken: asyncio.Event, until: datetime.datetime | None) -> None:
        """`certificate_manager.Wait`."""
        if self.certs.busy or woken.is_set():
            await woken.wait()
            return
        until = min(until or END, END)
        if self._plans and self._plans[0][0] <= until:
            until, what = self._plans.pop(0)
            self.look(until)
            self._clock.advance_to(until)
            what()
            return
        self.look(until)
        self._clock.advance_to(until)
        if self._clock.now() >= END:
            self.is_over.set()
            await asyncio.Event().wait()

    def look(self, until: datetime.datetime) -> None:
        """Nothing changes until then: what is served must be good until then, and what was served before must have been
        good until it was replaced."""
        for spec in (*SPECS, BROKEN):
            link = pathlib.Path(self._gate.paths.live) / spec.name
            place = str(link.readlink())
            before = self._served.get(spec.name)
            now = self._clock.now()
            if before is not None:
                assert now <= before[1].not_valid_after_utc, f"{spec.name} expired before it was replaced"
            if before is None or before[0] != place:
                self._served[spec.name] = (place, self._gate.leaf(spec.name))
            leaf = self._served[spec.name][1]
            assert until <= leaf.not_valid_after_utc, f"{spec.name} expires before anything happens"
            if leaf.issuer == self._ca.issuer:
                self.has_public.setdefault(spec.name, now)
            else:
                assert spec.name not in self.has_public, f"{spec.name} lost its public certificate"


@pytest.mark.timeout(900)  # a minute, or minutes where the machine has other work
async def test_400_days(tmp_path: pathlib.Path) -> None:
    """No certificate expires, no budget is exceeded by the CA's own count, and the orders are within a tenth of the
    least possible.

    The least possible of one certificate: the first one, and one for each time that as much as the CA's window allows
    (to its very end) fits into the time that is left then; and one more for the certificate that is revoked. The name
    that cannot be proved for weeks is not counted among them; of it only one order may reach the CA until it is
    repaired, all others its test system.
    """
    passing = clock.SharedClock(START)
    gate = issuing.StateDirectory(tmp_path / "state", limits_of=lambda _: LIMITS)
    gate.clock = passing
    with contextlib.ExitStack() as stack:
        http_port = stack.enter_context(http01.answering(gate.thumbprint))
        bad = acme_server.Behaviour(
            profiles=PROFILES,
            is_down=lambda now: (now - START).days % 3 == 1,
            limited=0.1,
            refused_nonces=0.1,
            unproved={BROKEN.host},
        )
        # A test system that cannot be used would send the try for the broken name to the CA in the end.
        good = dataclasses.replace(bad, is_down=lambda _: False, limited=0.0)
        ca, staging = (
            acme_server.Authority(name, passing, random.Random(name), behaviour, http_port)
            for name, behaviour in (("ca", bad), ("staging", good))
        )
        url, ca_file = stack.enter_context(acme_server.running(tmp_path, passing, (ca, staging)))
        authority = model.Authority(directory=f"{url}/ca/dir", ca_file=str(ca_file), staging=f"{url}/staging/dir")

        days = Days(gate, passing, ca)
        before_repair: list[acme_server.Event] = []

        def repair() -> None:
            before_repair.extend(event for event in ca.orders if BROKEN.host in event.hosts)
            for one in (ca, staging):
                one.behaviour.unproved.clear()

        def revoke() -> None:
            identifier = renewal_info.identify(ca.latest("a.example.com"))
            assert identifier is not None
            ca.windows[identifier] = (REVOKED_AT - DAY, REVOKED_AT)

        days.at(REPAIRED_AT, repair)
        days.at(REVOKED_AT, revoke)
        days.certs = await gate.manager(
            issuing.asking(authority),
            *SPECS,
            BROKEN,
            rng=random.Random(400),
            wait=days.wait,
            pause=passing.pause,
        )
        running = asyncio.create_task(days.certs.run())
        over = asyncio.create_task(days.is_over.wait())
        await asyncio.wait((running, over), return_when=asyncio.FIRST_COMPLETED)
        assert not running.done(), running.exception()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running

    assert ca.limited > 0
    assert ca.refused_nonces > 0
    assert set(days.has_public) == {spec.name for spec in (*SPECS, BROKEN)}
    assert max(days.has_public[spec.name] for spec in SPECS) <= START + 12 * DAY, (
        "a budget of a week, and the bad days of the CA"
    )
    # Tried within a day, then refused by the CA's whim, then a day that it is down, then within a day.
    assert days.has_public[BROKEN.name] <= REPAIRED_AT + 4 * DAY
    assert len(before_repair) == 1
    for one in (ca, staging):
        assert_within_budget(one)

    made = sum(BROKEN.host not in event.hosts for event in ca.orders)
    least = sum(least_orders(spec, days.has_public[spec.name]) for spec in SPECS) + 1
    assert least <= made + len(SPECS), "the least possible is less than what was made, but for rounding"
    assert made <= 1.1 * least, f"{made} orders, {least} are the least possible"
    revoked = [event for event in ca.issued if "a.example.com" in event.hosts and event.at >= REVOKED_AT]
    assert revoked[0].at <= REVOKED_AT + 3 * DAY, "polled within a day, or after a day that the CA is down"


def least_orders(spec: model.CertificateSpec, first: datetime.datetime) -> int:
    lifetime = PROFILES[spec.ordering.profile or "classic"]
    longest = lifetime * (1 / 2 if lifetime < 10 * DAY else 2 / 3) + lifetime / 50
    return 1 + (END - first) // longest


def assert_within_budget(ca: acme_server.Authority) -> None:
    """By the CA's own count of what reached it, in every span of time."""
    spent: dict[tuple[budget.CaLimitKind, str], list[datetime.datetime]] = collections.defaultdict(list)
    for event in ca.issued:
        if not event.replaces:
            spent[budget.CaLimitKind.SET, ",".join(sorted(event.hosts))].append(event.at)
            for domain in rate_limit_domains.domains_of(event.hosts):
                spent[budget.CaLimitKind.DOMAIN, domain].append(event.at)
    for event in ca.orders:
        spent[budget.CaLimitKind.ORDERS, ""].append(event.at)
    for event in ca.failed:
        spent[budget.CaLimitKind.FAILURES, event.hosts[0]].append(event.at)
    limits = {limit.counted: limit for limit in LIMITS}
    for (counted, key), due_times in spent.items():
        limit = limits[counted]
        for index in range(len(due_times) - limit.most):
            span = due_times[index + limit.most] - due_times[index]
            assert span >= limit.window, f"{limit.most + 1} {counted.value} {key} within {span} at {ca.name}"
