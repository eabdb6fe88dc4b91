"""Several machines with one store: each certificate is ordered once, by whichever, and all serve it."""

import asyncio
import collections.abc
import contextlib
import datetime
import functools
import pathlib
import sys
import threading

import pytest

from daemun import errors
from daemun.control import stored_values
from daemun.control.lease import LEASE_S, Lease
from daemun.core import model
from daemun.store import memory_store, mirrored_store
from tests.support import certificates, fleet_machine, fleet_store, issuing, pebble, postgresql

pytestmark = pytest.mark.pebble

VALID = model.CertificateState.VALID
MINUTE, DAY = datetime.timedelta(minutes=1), datetime.timedelta(days=1)


class Shared(memory_store.MemoryStore):
    """In place of a database. is_reachable: or no machine of the fleet gets an answer. unknown: a part of the names of
    locks and keys whose change is made without an answer, as when a synchronous standby is gone."""

    is_reachable = True
    unknown: str | None = None

    def commit(
        self, changes: collections.abc.Collection[stored_values.KeyChange], *, lease: Lease | None = None
    ) -> None:
        self._reach()
        super().commit(changes, lease=lease)
        for change in changes:
            self._answer(change.key)

    def read_changes(self, prefix: str, after: stored_values.Cursor) -> stored_values.ChangedKeys:
        self._reach()
        return super().read_changes(prefix, after)

    @contextlib.contextmanager
    def lock(self, name: str, *, lease_s: float = LEASE_S) -> collections.abc.Iterator[Lease]:
        self._reach()
        with super().lock(name, lease_s=lease_s) as lease:
            self._answer(name)
            yield lease

    def _answer(self, name: str) -> None:
        if self.unknown is not None and self.unknown in name:
            raise errors.OutcomeUnknownError("cannot know whether a change was made")

    def _reach(self) -> None:
        if not self.is_reachable:
            raise errors.StoreUnreachableError("cannot reach the fleet's database")


def _has_failed(one: certificates.Watched) -> bool:
    return one.status("a.example.com").failures > 0


def _is_at_rest(one: certificates.Watched) -> bool:
    return not one.manager.busy


def _is_out_of_reach(one: certificates.Watched) -> bool:
    return "cannot reach" in (one.status("a.example.com").reason or "")


@pytest.fixture
def shared() -> Shared:
    return Shared()


@pytest.fixture
def machines(tmp_path: pathlib.Path, shared: Shared) -> list[fleet_machine.Machine]:
    first = fleet_machine.Machine(tmp_path / "0", shared)
    return [first, *(fleet_machine.Machine(tmp_path / str(number), shared, first) for number in (1, 2))]


@pytest.fixture
def ca(machines: list[fleet_machine.Machine]) -> collections.abc.Iterator[pebble.Pebble]:
    with fleet_machine.answered_by(machines[0]) as running:
        yield running


async def test_all_begin_at_once_and_one_orders(machines: list[fleet_machine.Machine], ca: pebble.Pebble) -> None:
    names = [f"{letter}.example.com" for letter in "abcd"]
    async with fleet_machine.all_running(machines, issuing.asking(ca), *map(issuing.spec, names)) as watched:
        for one in watched:
            for name in names:
                await one.until_state(name, VALID)
    assert ca.orders == len(names)
    for name in names:
        (shown,) = {one.shows(name) for one in machines}
        assert shown is not None


async def test_a_renewal_is_one_order_and_each_machine_runs_its_hook(
    machines: list[fleet_machine.Machine], ca: pebble.Pebble, tmp_path: pathlib.Path
) -> None:
    hook = tmp_path / "hook.py"
    hook.write_text("import os, sys; open(sys.argv[1], 'a').write(os.environ['DAEMUN_HOSTS'] + '\\n')")
    acme = issuing.asking(ca)
    acme = model.Acme(authorities=acme.authorities, hook=(sys.executable, str(hook), str(tmp_path / "ran")))
    async with fleet_machine.all_running(machines, acme, issuing.spec("a.example.com")) as watched:
        for one in watched:
            await one.until_state("a.example.com", VALID)
        before = machines[0].shows("a.example.com")
        assert watched[1].manager.renew("a.example.com")
        for one, machine in zip(watched, machines, strict=True):
            await one.until(functools.partial(machine.shows_another, before))
        assert ca.orders == 2

        def ran() -> int:
            return len((tmp_path / "ran").read_text().splitlines()) if (tmp_path / "ran").exists() else 0

        async with asyncio.timeout(60):
            while ran() < 2 * len(machines):
                await asyncio.sleep(0.05)
    assert len({one.shows("a.example.com") for one in machines}) == 1


async def test_another_goes_on_with_the_order_of_one_that_ended(
    machines: list[fleet_machine.Machine], ca: pebble.Pebble, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, _ = machines
    acme, spec = issuing.asking(ca), issuing.spec("a.example.com")
    commit, stopped = mirrored_store.MirroredStore.commit, asyncio.Event()
    loop = asyncio.get_running_loop()

    def dies(
        self: mirrored_store.MirroredStore,
        changes: collections.abc.Collection[stored_values.KeyChange],
        *,
        lease: Lease | None = None,
    ) -> None:
        commit(self, changes, lease=lease)
        if self is first.mirror and any(change.key.endswith("order.json") for change in changes):
            loop.call_soon_threadsafe(stopped.set)
            raise errors.LeaseLostError("this machine ended")

    monkeypatch.setattr(mirrored_store.MirroredStore, "commit", dies)
    async with first.running(await first.manager(acme, spec)):
        async with asyncio.timeout(60):
            await stopped.wait()
    assert ca.orders == 1
    async with second.running(await second.manager(acme, spec)) as watched:
        await watched.until_state("a.example.com", VALID)
    assert ca.orders == 1


async def test_a_failure_of_one_is_known_to_all(machines: list[fleet_machine.Machine], ca: pebble.Pebble) -> None:
    """The CA counts failures of a name, whoever caused them."""
    ca.break_dns("a.example.com")
    async with fleet_machine.all_running(machines, issuing.asking(ca), issuing.spec("a.example.com")) as watched:
        for one in watched:
            await one.until(functools.partial(_has_failed, one))
        for one in watched:
            await one.until(functools.partial(_is_at_rest, one))
        orders = ca.orders
        ca.repair_dns("a.example.com")
        machines[0].clock.advance(2 * MINUTE)
        for one in watched:
            one.manager.wake()
        for one in watched:
            await one.until_state("a.example.com", VALID)
    assert ca.orders == orders + 1


async def test_a_failure_is_not_repeated_before_it_is_stored(
    machines: list[fleet_machine.Machine], ca: pebble.Pebble, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca.break_dns("a.example.com")
    commit, loop = mirrored_store.MirroredStore.commit, asyncio.get_running_loop()
    begins, goes_on = asyncio.Event(), threading.Event()

    def waits(
        self: mirrored_store.MirroredStore,
        changes: collections.abc.Collection[stored_values.KeyChange],
        *,
        lease: Lease | None = None,
    ) -> None:
        if any(change.key.endswith("attempts.json") for change in changes):
            loop.call_soon_threadsafe(begins.set)
            assert goes_on.wait(60)
        commit(self, changes, lease=lease)

    monkeypatch.setattr(mirrored_store.MirroredStore, "commit", waits)
    async with fleet_machine.all_running(machines, issuing.asking(ca), issuing.spec("a.example.com")) as watched:
        async with asyncio.timeout(60):
            await begins.wait()
        machines[0].clock.advance(MINUTE)
        for one in watched:
            one.manager.wake()
        for _ in range(2):
            await asyncio.sleep(0.5)  # in which the others could order
        assert ca.orders == 1
        goes_on.set()
        for one in watched:
            await one.until(functools.partial(_has_failed, one))
    assert ca.orders <= 2, "one more was due, a minute after the first"


async def test_without_the_database_nothing_is_ordered_and_nothing_counts_as_a_failure(
    machines: list[fleet_machine.Machine], ca: pebble.Pebble, shared: Shared
) -> None:
    acme = issuing.asking(ca)
    for machine in machines:
        await machine.manager(acme)  # which knows the account's key
    shared.is_reachable = False
    async with fleet_machine.all_running(machines, acme, issuing.spec("a.example.com")) as watched:
        for one in watched:
            await one.until(functools.partial(_is_out_of_reach, one))
            assert one.status("a.example.com").failures == 0
        assert ca.orders == 0
        shared.is_reachable = True
        machines[0].clock.advance(MINUTE)
        for one in watched:
            one.manager.wake()
            await one.until_state("a.example.com", VALID)
    assert ca.orders == 1


@pytest.mark.parametrize("unknown", ["try-a", "order-a", "accounts/", "order.json", "certificate.json"])
async def test_a_change_without_an_answer_counts_as_no_failure(
    machines: list[fleet_machine.Machine], ca: pebble.Pebble, shared: Shared, unknown: str
) -> None:
    first = machines[0]
    certs = await first.manager(issuing.asking(ca), issuing.spec("a.example.com"))
    shared.unknown = unknown
    async with first.running(certs) as one:

        def is_over() -> bool:
            status = one.status("a.example.com")
            return status.state is VALID or "cannot know" in (status.reason or "")

        await one.until(is_over)
        assert one.status("a.example.com").failures == 0
        shared.unknown = None
        first.clock.advance(MINUTE)
        one.manager.wake()
        await one.until_state("a.example.com", VALID)
    assert ca.orders == 1


async def test_a_site_of_another_machine_gives_its_certificate_to_the_names_it_covers(
    machines: list[fleet_machine.Machine], ca: pebble.Pebble
) -> None:
    """Whoever gets the site later orders nothing."""
    first, second, _ = machines
    acme, both = issuing.asking(ca), issuing.spec("a.example.com", "b.example.com")
    async with first.running(await first.manager(acme, both)) as watched:
        await watched.until_state("a.example.com", VALID)
    second.mirror.follow_now()  # as a start does, if it can
    async with second.running(await second.manager(acme, issuing.spec("b.example.com"))) as watched:
        await watched.until_state("b.example.com", VALID)
    assert ca.orders == 1


async def test_what_another_revoked_is_replaced(machines: list[fleet_machine.Machine], ca: pebble.Pebble) -> None:
    async with fleet_machine.all_running(machines, issuing.asking(ca), issuing.spec("a.example.com")) as watched:
        for one in watched:
            await one.until_state("a.example.com", VALID)
        before = machines[0].shows("a.example.com")
        await asyncio.to_thread(watched[0].manager.served_files.note_revoked, machines[0].bundle("a.example.com"))
        await watched[0].manager.serve_stored(["a.example.com"])
        for one, machine in zip(watched, machines, strict=True):
            await one.until(functools.partial(machine.shows_another, before))
    assert ca.orders == 2


@pytest.mark.postgresql
async def test_on_a_database_whose_connections_end_again_and_again(
    tmp_path: pathlib.Path, postgresql_server: postgresql.Server
) -> None:
    names = [f"{letter}.example.com" for letter in "abcdef"]
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(fleet_store.running(postgresql_server))
        url = postgresql_server.url(fleet_store.DATABASE)
        stores = [first, *(stack.enter_context(fleet_store.another(url)) for _ in range(2))]
        machines: list[fleet_machine.Machine] = []
        for number, store in enumerate(stores):
            machines.append(fleet_machine.Machine(tmp_path / str(number), store, machines[0] if machines else None))
        ca = stack.enter_context(fleet_machine.answered_by(machines[0]))
        async with fleet_machine.all_running(machines, issuing.asking(ca), *map(issuing.spec, names)) as watched:
            for one in watched:
                for name in names:
                    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'daemun'"
                    await asyncio.to_thread(postgresql_server.execute, end, database=fleet_store.DATABASE)
                    machines[0].clock.advance(MINUTE)
                    one.manager.wake()
                    await one.until_state(name, VALID)
        assert ca.orders == len(names)
