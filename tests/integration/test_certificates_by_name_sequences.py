"""C1, C2, C9: for any sequence of renames, aliases added, moved and swapped, sites removed and back, types of keys,
days that pass, and CA answers, no name is ever shown a worse certificate than the best valid one in the store, and
nothing is ordered for names that have a certificate which is not due: of two types of keys, of each.

The manager, the store, what is served and the ACME library are the real ones; the CA lives in the time of the test.
`--hypothesis-profile deep` tries many more.
"""

import asyncio
import collections.abc
import contextlib
import dataclasses
import datetime
import itertools
import json
import pathlib
import random
import tempfile

import hypothesis
import pytest
from cryptography import x509
from hypothesis import strategies as st

from daemun.certs import certificate_manager
from daemun.certs.acme import certificate_key
from daemun.certs.served import bundle, live_folder
from daemun.core import model
from daemun.core.certificates import certificate_choice
from daemun.core.issuance import renewal_time
from tests.support import acme_server, clock, http01, issuing
from tests.support.sites import site

DAY = datetime.timedelta(days=1)
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
NAMES = tuple(f"{letter}.example.com" for letter in "abcd")
LONGEST_S = 300.0

Sites = tuple[tuple[str, ...], ...]
Kinds = tuple[model.KeyType | None, model.KeyType | None]
P256, RSA_2048 = model.KeyType.ECDSA_P256, model.KeyType.RSA_2048
KINDS: tuple[Kinds, ...] = ((None, None), (RSA_2048, None), (P256, RSA_2048), (RSA_2048, P256))


@st.composite
def sites(draw: st.DrawFn, least: int = 0) -> Sites:
    """Some of the names, spread over sites; the first of each is its main name. least: so many names."""
    left = draw(st.permutations(NAMES))[: draw(st.integers(least, len(NAMES)))]
    made: list[tuple[str, ...]] = []
    while left:
        size = draw(st.integers(1, len(left)))
        made.append(tuple(left[:size]))
        left = left[size:]
    return tuple(made)


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, object]:
    found: tuple[str, object] = draw(
        st.one_of(
            sites(2).map(lambda found: ("sites", found)),
            sites().map(lambda found: ("sites", found)),
            st.sets(st.sampled_from(NAMES), max_size=2).map(lambda found: ("unproved", found)),
            st.sampled_from((False, False, True)).map(lambda is_down: ("down", is_down)),
            st.sampled_from(KINDS).map(lambda kinds: ("kinds", kinds)),
            st.integers(1, 70).map(lambda days: ("days", days)),
            st.just(("days", 31)),
            st.just(("restart", None)),
        )
    )
    return found


@pytest.fixture(scope="module", autouse=True)
def rsa_keys() -> collections.abc.Iterator[None]:
    """Made once: one costs a fifth of a second of the processor, and hundreds of orders begin with a new one."""
    make = certificate_key.make_pem
    made = itertools.cycle([make(model.Ordering(key_type=RSA_2048)) for _ in range(3)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            certificate_key, "make_pem", lambda wanted: next(made) if wanted.key_type is RSA_2048 else make(wanted)
        )
        yield


class Passing:
    """Time that goes on up to a moment, past everything that is due until then."""

    def __init__(self, passing: clock.SharedClock) -> None:
        self.clock = passing
        self.until = passing.now()
        self.certs: certificate_manager.Manager | None = None
        self._is_idle = asyncio.Event()

    async def wait(self, woken: asyncio.Event, until: datetime.datetime | None) -> None:
        """`certificate_manager.Wait`."""
        assert self.certs is not None
        if woken.is_set() or self.certs.busy:
            await woken.wait()
            return
        if until is not None and until <= max(self.until, self.clock.now()):
            self.clock.advance_to(until)
            return
        self.clock.advance_to(self.until)
        self._is_idle.set()
        await woken.wait()

    async def go_on(self, days: int = 0) -> None:
        assert self.certs is not None
        self.until = self.clock.now() + days * DAY
        self._is_idle.clear()
        self.certs.wake()
        async with asyncio.timeout(LONGEST_S):
            await self._is_idle.wait()


class Sequence:
    """One state directory through all of the changes."""

    def __init__(self, folder: pathlib.Path, stack: contextlib.ExitStack) -> None:
        self.clock = clock.SharedClock(START)
        self.passing = Passing(self.clock)
        self.gate = issuing.StateDirectory(folder / "state", limits_of=lambda _: ())
        self.gate.clock = self.clock
        http_port = stack.enter_context(http01.answering(self.gate.thumbprint))
        self.is_down = False
        behaviour = acme_server.Behaviour(profiles={"classic": 90 * DAY}, is_down=lambda _: self.is_down)
        self.ca = acme_server.Authority("ca", self.clock, random.Random(1), behaviour, http_port)
        url, ca_file = stack.enter_context(acme_server.running(folder, self.clock, (self.ca,)))
        self.acme = model.Acme(authorities=(model.Authority(directory=f"{url}/ca/dir", ca_file=str(ca_file)),))
        self.sites: Sites = ()
        self.kinds: Kinds = (None, None)
        self._kinds_since: list[tuple[int, Kinds]] = [(0, self.kinds)]
        """With the number of certificates that were issued before."""
        self._running: asyncio.Task[None] | None = None

    @property
    def certs(self) -> certificate_manager.Manager:
        assert self.passing.certs is not None
        return self.passing.certs

    async def start(self) -> None:
        self.passing.certs = await self.gate.manager(
            self.acme, *self._specs(), rng=random.Random(1), wait=self.passing.wait, pause=self.clock.pause
        )
        self._running = asyncio.create_task(self.certs.run())
        await self.passing.go_on()

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running

    async def change(self, kind: str, value: object) -> None:
        match kind, value:
            case "kinds", (model.KeyType() | None as first, model.KeyType() | None as further):
                self.kinds = (first, further)
                self._kinds_since.append((len(self.ca.issued), self.kinds))
                await self.certs.prepare(self._specs())
                self.look()
                await self.certs.confirm()
                await self.passing.go_on()
            case "sites", tuple():
                self.sites = value
                await self.certs.prepare(self._specs())
                self.look()
                await self.certs.confirm()
                await self.passing.go_on()
            case "unproved", set():
                self.ca.behaviour.unproved = value
            case "down", bool():
                self.is_down = value
            case "days", int():
                await self.passing.go_on(value)
            case _:
                await self.stop()
                await self.start()

    def _specs(self) -> tuple[model.CertificateSpec, ...]:
        first, further = self.kinds
        tls = model.Tls(ordering=model.Ordering(key_type=first, further_key_type=further))
        made = tuple(
            dataclasses.replace(site(names[0], "http://10.0.0.1", aliases=names[1:]), tls=tls) for names in self.sites
        )
        return certificate_choice.find_specs(model.Desired(globals=model.Globals(acme=self.acme), sites=made))

    # --- what must hold ------------------------------------------------------------------------------------------

    def look(self) -> None:
        stored = self._stored()
        first, further = self.kinds
        for name in (name for names in self.sites for name in names):
            good = [leaf for leaf in stored if name in _names(leaf) and self.clock.now() < leaf.not_valid_after_utc]
            if first is None or further is None:
                self._look_at(name, self.gate.leaf(name), good)
                continue
            second = live_folder.read_second(pathlib.Path(self.gate.paths.live), name)
            assert second is not None
            for kind, shown in ((first, self.gate.leaf(name)), (further, second.leaf)):
                self._look_at(
                    name, shown, [leaf for leaf in good if bundle.read_facts(leaf).algorithm == kind.algorithm] or good
                )

    def _look_at(self, name: str, shown: x509.Certificate, good: list[x509.Certificate]) -> None:
        """good: what could be shown."""
        if good:
            assert shown in good, f"{name} is shown {shown.issuer}, and the store has better"
        if any(not self._is_due(leaf) for leaf in good):
            assert not self._is_due(shown), f"{name} is shown one that is due, and the store has a fresh one"
        assert name in _names(shown)

    def _stored(self) -> list[x509.Certificate]:
        store = pathlib.Path(self.gate.paths.store)
        files = [*store.glob("certs/*/certificate.json"), *store.glob("adopted/*.json")]
        return [x509.load_pem_x509_certificate(json.loads(file.read_text())["fullchain"].encode()) for file in files]

    def _is_due(self, leaf: x509.Certificate) -> bool:
        return self.clock.now() >= renewal_time.renew_at(leaf.not_valid_before_utc, leaf.not_valid_after_utc)

    def look_at_orders(self) -> None:
        for index, event in enumerate(self.ca.issued):
            _, wanted = [kinds for since, kinds in self._kinds_since if since <= index][-1]
            alike = (one for one in self.ca.issued[:index] if wanted is None or one.algorithm == event.algorithm)
            for before in alike:
                is_due = event.at >= renewal_time.renew_at(before.at, before.at + 90 * DAY)
                assert is_due or not set(event.hosts) <= set(before.hosts), f"{event} after {before}"


def _names(leaf: x509.Certificate) -> list[str]:
    found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return found.get_values_for_type(x509.DNSName)


async def _run(steps: collections.abc.Sequence[tuple[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        sequence = Sequence(pathlib.Path(name), stack)
        await sequence.start()
        try:
            for kind, value in steps:
                await sequence.change(kind, value)
                sequence.look()
        finally:
            await sequence.stop()
        sequence.look_at_orders()


A, B, C, D = NAMES[:4]
Steps = tuple[tuple[str, object], ...]
A_NEW_MAIN_NAME_FAILS: Steps = (
    ("sites", ((A,),)),
    ("unproved", {B}),
    ("sites", ((B, A),)),
    ("days", 70),
    ("unproved", set()),
    ("days", 2),
)
AN_ALIAS_MOVES: Steps = (
    ("sites", ((A, B), (C,))),
    ("sites", ((A,), (C, B))),
    ("days", 65),
    ("sites", ((B, A),)),
    ("restart", None),
    ("days", 70),
)
SOME_FAIL_AT_THE_RENEWAL: Steps = (
    ("sites", ((D, A, B, C),)),
    ("unproved", {C, D}),
    ("restart", None),
    ("days", 31),
    ("days", 54),
)
TWO_TYPES_OF_KEYS: Steps = (
    ("sites", ((A, B), (C,))),
    ("kinds", (P256, RSA_2048)),
    ("days", 40),
    ("unproved", {B}),
    ("kinds", (RSA_2048, P256)),
    ("sites", ((B, A), (C,))),
    ("days", 31),
    ("restart", None),
    ("days", 70),
    ("unproved", set()),
    ("kinds", (None, None)),
    ("days", 70),
)


@pytest.mark.timeout(0)
@hypothesis.settings(max_examples=max(hypothesis.settings().max_examples // 5, 10))
@hypothesis.given(st.lists(changes(), min_size=4, max_size=12))
@hypothesis.example(A_NEW_MAIN_NAME_FAILS)
@hypothesis.example(AN_ALIAS_MOVES)
@hypothesis.example(SOME_FAIL_AT_THE_RENEWAL)
@hypothesis.example(TWO_TYPES_OF_KEYS)
def test_c1_c2_c9_any_sequence(steps: collections.abc.Sequence[tuple[str, object]]) -> None:
    asyncio.run(_run(steps))
