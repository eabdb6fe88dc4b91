"""What one machine of a fleet keeps in memory of the store, another changes: it holds here within a moment, and two
that write at once lose nothing."""

import asyncio
import collections.abc
import contextlib
import datetime
import pathlib
import typing

import pytest
from cryptography import x509

from daemun import errors
from daemun.banning import ban_registry
from daemun.certs.served import client_ca, client_links
from daemun.control import lease as lease_
from daemun.control import operator_port, shared_changes, stored_values
from daemun.core import layout, model
from daemun.core.access import dashboard_roles
from daemun.core.options import bans_option, catalogue, on_demand_option
from daemun.on_demand import name_registry
from daemun.operators.operators import Operators
from daemun.sources.drafts import draft, draft_store
from daemun.store import file_store, memory_store, mirrored_store
from tests.support import clock, fleet_store, issuing, postgresql, sites

HOME = "198.51.100.7"
BAD = "203.0.113.9"


class Shared(memory_store.MemoryStore):
    """In place of a database. is_reachable: or no machine of the fleet gets an answer."""

    is_reachable = True

    def _reach(self) -> None:
        if not self.is_reachable:
            raise errors.StoreUnreachableError("cannot reach the fleet's database")

    def read_many(
        self, some: collections.abc.Iterable[str] = (), *, under: str | None = None
    ) -> stored_values.ReadValues:
        self._reach()
        return super().read_many(some, under=under)

    def commit(
        self, changes: collections.abc.Collection[stored_values.KeyChange], *, lease: lease_.Lease | None = None
    ) -> None:
        self._reach()
        super().commit(changes, lease=lease)

    def read_changes(self, prefix: str, after: stored_values.Cursor) -> stored_values.ChangedKeys:
        self._reach()
        return super().read_changes(prefix, after)


class Way:
    """Of one machine to what all share. is_open: or it gets no answer."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self.is_open = True

    def __getattr__(self, name: str) -> typing.Any:
        if not self.is_open:
            raise errors.StoreUnreachableError("cannot reach the fleet's database")
        return getattr(self._shared, name)


class Guesses:
    def __init__(self) -> None:
        self.waits: dict[str, tuple[int, float]] = {}

    async def fetch_waits(self) -> collections.abc.Mapping[str, tuple[int, float]]:
        return self.waits

    async def forget(self, network: str) -> None:
        self.waits.pop(network, None)


class Node:
    """A machine with all that keeps shared values in memory and needs no nginx."""

    def __init__(self, state: pathlib.Path, shared: mirrored_store.SharedStore, now: clock.FakeClock) -> None:
        self.paths = layout.Layout(str(state))
        for folder in (self.paths.bans, self.paths.logs):
            pathlib.Path(folder).mkdir(parents=True)
        own = file_store.FileStore(pathlib.Path(self.paths.store))
        self.store = mirrored_store.MirroredStore(own, shared)
        self.changes = shared_changes.SharedChanges(self.store, after=self.store.mark())
        self.clock, self.guesses = now, Guesses()
        self.bans = ban_registry.BanRegistry(
            self.store, self.paths, now, (self.guesses,), version="1", wake=lambda: None
        )
        self.bans.configure(model.Globals(options=catalogue.values(bans_option.OPTION.set(True))))
        self.operators = Operators(self.store, self.paths, now, self._find, self._end)
        self.bans.follow(self.changes)
        self.operators.follow(self.changes)

    async def _find(self, _: str, __: str) -> operator_port.SignedInUser | None:
        return None

    async def _end(self, _: str) -> tuple[int, bool]:
        return 0, True

    async def identify(self, credential: str) -> dashboard_roles.Operator | None:
        sent = operator_port.OperatorCredentials(authorization=f"Bearer {credential}", address=HOME)
        return await self.operators.identify(sent)

    async def sign_in(self) -> operator_port.BegunSession:
        link = await self.operators.make_link("root")
        begun = await self.operators.begin(link.secret, HOME, "Firefox")
        assert begun is not None
        return begun

    @property
    def banned(self) -> set[str]:
        return {one.name for one in pathlib.Path(self.paths.bans).iterdir()}

    @contextlib.asynccontextmanager
    async def running(self) -> collections.abc.AsyncIterator[None]:
        parts = (self.store.run(), self.changes.run(), self.bans.run(), self.operators.run())
        tasks = [asyncio.ensure_future(one) for one in parts]
        try:
            yield
        finally:
            assert not [task for task in tasks if task.done()], tasks
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def until(is_so: collections.abc.Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not is_so():
            await asyncio.sleep(0.01)


async def until_known(node: Node, credential: str, *, is_in: bool) -> None:
    async with asyncio.timeout(60):
        while (await node.identify(credential) is not None) is not is_in:
            await asyncio.sleep(0.01)


@pytest.fixture
def shared() -> Shared:
    return Shared()


@contextlib.asynccontextmanager
async def two(
    tmp_path: pathlib.Path, one: mirrored_store.SharedStore, other: mirrored_store.SharedStore | None = None
) -> collections.abc.AsyncIterator[tuple[Node, Node]]:
    now = clock.FakeClock()
    nodes = Node(tmp_path / "a", one, now), Node(tmp_path / "b", other or one, now)
    async with nodes[0].running(), nodes[1].running():
        yield nodes


async def test_a_ban_of_one_holds_on_the_other(tmp_path: pathlib.Path, shared: Shared) -> None:
    async with two(tmp_path, shared) as (a, b):
        await a.bans.ban(BAD, None)
        await until(lambda: BAD in b.banned)
        await asyncio.gather(a.bans.ban("192.0.2.1", None), b.bans.ban("192.0.2.2", None), b.bans.unban(BAD))
        await until(lambda: a.banned == b.banned == {"192.0.2.1", "192.0.2.2"})


async def test_who_guesses_waits_everywhere_and_is_let_in_again_everywhere(
    tmp_path: pathlib.Path, shared: Shared
) -> None:
    async with two(tmp_path, shared) as (a, b):
        a.guesses.waits[BAD] = (30, 600.0)
        await until(lambda: BAD in b.banned)
        await b.bans.unban(BAD)
        await until(lambda: not a.guesses.waits and not a.banned and not b.banned)


async def test_bans_that_could_not_be_shared_are_when_they_can(tmp_path: pathlib.Path, shared: Shared) -> None:
    async with two(tmp_path, shared) as (a, b):
        shared.is_reachable = False
        await a.bans.ban("192.0.2.1", None)
        await b.bans.ban("192.0.2.2", None)
        await until(lambda: (a.banned, b.banned) == ({"192.0.2.1"}, {"192.0.2.2"}))
        shared.is_reachable = True
        await until(lambda: a.banned == b.banned == {"192.0.2.1", "192.0.2.2"})


async def test_a_ban_that_ended_where_nothing_newer_was_known_ends_no_other(
    tmp_path: pathlib.Path, shared: Shared
) -> None:
    now, way = clock.FakeClock(), Way(shared)
    a, b = Node(tmp_path / "a", shared, now), Node(tmp_path / "b", typing.cast(Shared, way), now)
    async with a.running(), b.running():
        await a.bans.ban(BAD, datetime.timedelta(hours=1))
        await until(lambda: BAD in b.banned)
        way.is_open = False
        await a.bans.ban(BAD, None)
        now.advance(datetime.timedelta(hours=2))
        await b.bans.ban("192.0.2.2", None)  # so it has something to share
        await until(lambda: BAD not in b.banned)
        way.is_open = True
        await until(lambda: a.banned == b.banned == {BAD, "192.0.2.2"})


async def test_who_came_by_a_link_is_known_everywhere_and_signs_out_everywhere(
    tmp_path: pathlib.Path, shared: Shared
) -> None:
    async with two(tmp_path, shared) as (a, b):
        begun = await a.sign_in()
        await until_known(b, begun.secret, is_in=True)
        await b.operators.end_sessions(number=begun.number)
        await until_known(a, begun.secret, is_in=False)


async def test_sessions_that_begin_and_end_at_once_are_not_lost(tmp_path: pathlib.Path, shared: Shared) -> None:
    async with two(tmp_path, shared) as (a, b):
        sessions = [await node.sign_in() for node in (a, b, a, b)]
        for node in (a, b):
            for one in sessions:
                await until_known(node, one.secret, is_in=True)
        await asyncio.gather(
            a.operators.end_sessions(number=sessions[1].number), b.operators.end_sessions(number=sessions[0].number)
        )
        for node in (a, b):
            for number, one in enumerate(sessions):
                await until_known(node, one.secret, is_in=number > 1)


async def test_sign_out_without_the_database_holds_here_and_later_everywhere(
    tmp_path: pathlib.Path, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemun.operators.session_store.RETRY_S", 0.05)
    async with two(tmp_path, shared) as (a, b):
        begun = await a.sign_in()
        await until_known(b, begun.secret, is_in=True)
        shared.is_reachable = False
        assert not (await a.operators.end_sessions(number=begun.number)).is_saved
        assert await a.identify(begun.secret) is None
        assert await b.identify(begun.secret) is not None
        here = await b.sign_in()  # its link is in memory alone
        shared.is_reachable = True
        await until_known(b, begun.secret, is_in=False)
        await until_known(a, here.secret, is_in=True)


async def test_a_link_opens_once_in_the_fleet(tmp_path: pathlib.Path, shared: Shared) -> None:
    async with two(tmp_path, shared) as (a, b):
        for _ in range(5):
            link = await a.operators.make_link("root")
            await until(lambda: b.store.list("dashboard"))
            found = await asyncio.gather(*(one.operators.begin(link.secret, HOME, "x") for one in (a, b)))
            # The other may not know of it yet; but never both.
            assert len([one for one in found if one is not None]) == 1


async def test_a_link_that_was_replaced_without_the_database_opens_nowhere_when_it_is_back(
    tmp_path: pathlib.Path, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemun.operators.link_store.RETRY_S", 0.05)
    async with two(tmp_path, shared) as (a, b):
        before = await a.operators.make_link("root")
        await until(lambda: b.store.list("dashboard"))
        shared.is_reachable = False
        after = await a.operators.make_link("root")
        shared.is_reachable = True
        await until(lambda: not shared.list("dashboard"))
        assert await b.operators.begin(before.secret, HOME, "x") is None
        assert await b.operators.begin(after.secret, HOME, "x") is None  # it is a's alone
        assert await a.operators.begin(after.secret, HOME, "x") is not None


async def test_tokens_of_two_machines_are_all_kept(tmp_path: pathlib.Path, shared: Shared) -> None:
    async with two(tmp_path, shared) as (a, b):
        made = await asyncio.gather(
            *(
                node.operators.add_token(f"t{number}", dashboard_roles.Role.OWN, lifetime_s=None, by="root")
                for number, node in enumerate((a, b, a, b))
            )
        )
        for node in (a, b):
            for one in made:
                await until_known(node, one.secret, is_in=True)
        with pytest.raises(errors.ConflictError):
            await b.operators.add_token("t0", dashboard_roles.Role.OWN, lifetime_s=None, by="root")
        await b.operators.remove_token("t0")
        await until_known(a, made[0].secret, is_in=False)
        assert [one.name for one in await a.operators.list_tokens()] == ["t1", "t2", "t3"]


async def test_a_draft_of_one_is_the_others(tmp_path: pathlib.Path, shared: Shared) -> None:
    async with two(tmp_path, shared) as (a, b):
        one = draft.Draft(operator="alice", began_at=a.clock.now(), changed_at=a.clock.now())
        draft_store.DraftStore(a.store).write(one)
        await until(lambda: draft_store.DraftStore(b.store).read("alice") == one)
        draft_store.DraftStore(b.store).delete("alice")
        await until(lambda: draft_store.DraftStore(a.store).read("alice") is None)


async def test_a_client_certificate_is_handed_over_once(tmp_path: pathlib.Path, shared: Shared) -> None:
    async with two(tmp_path, shared) as (a, b):
        ca = client_ca.ClientCa(a.store, a.paths)
        issued = await asyncio.to_thread(ca.add, "phone", days=30, now=a.clock.now())
        links = [client_links.ClientLinks(one.store, one.clock) for one in (a, b)]
        secret, _ = links[0].offer(issued, lifetime_s=3600.0)
        await until(lambda: links[1].find(secret) is not None)
        found = await asyncio.gather(*(asyncio.to_thread(one.take, secret) for one in links))
        assert len([one for one in found if one is not None]) == 1


async def test_a_certificate_that_was_withdrawn_meanwhile_is_refused_as_soon_as_that_can_be_written(
    tmp_path: pathlib.Path, shared: Shared
) -> None:
    async with two(tmp_path, shared) as (a, _):
        pathlib.Path(a.paths.clients_revoked).parent.mkdir(parents=True, exist_ok=True)
        ca = client_ca.ClientCa(a.store, a.paths)
        issued = await asyncio.to_thread(ca.add, "phone", days=30, now=a.clock.now())
        await asyncio.to_thread(ca.revoke, "phone", a.clock.now())
        late = Node(tmp_path / "late", shared, a.clock)
        await asyncio.to_thread(late.store.follow_now)
        revoked = pathlib.Path(late.paths.clients_revoked)
        in_the_way = revoked.with_name(f"~{revoked.name}")
        in_the_way.mkdir(parents=True)
        client_ca.ClientCa(late.store, late.paths).follow(late.changes)
        async with late.running():
            in_the_way.rmdir()
            await until(revoked.exists)
            listed = x509.load_pem_x509_crl(revoked.read_bytes())
            assert [one.serial_number for one in listed] == [int(issued.client.serial, 16)]


@pytest.mark.postgresql
async def test_on_a_database(tmp_path: pathlib.Path, postgresql_server: postgresql.Server) -> None:
    with (
        fleet_store.running(postgresql_server) as one,
        fleet_store.another(postgresql_server.url(fleet_store.DATABASE)) as other,
    ):
        async with two(tmp_path, one, other) as (a, b):
            begun, _, _ = await asyncio.gather(
                a.sign_in(), a.bans.ban("192.0.2.1", datetime.timedelta(hours=1)), b.bans.ban("192.0.2.2", None)
            )
            await until(lambda: a.banned == b.banned == {"192.0.2.1", "192.0.2.2"})
            await until_known(b, begun.secret, is_in=True)
            await b.operators.end_sessions(number=begun.number)
            await until_known(a, begun.secret, is_in=False)


async def test_a_client_that_one_withdraws_opens_nothing_at_the_other(tmp_path: pathlib.Path, shared: Shared) -> None:
    async with two(tmp_path, shared) as (a, b):
        cas = [client_ca.ClientCa(one.store, one.paths) for one in (a, b)]
        cas[1].follow(b.changes)  # before there is any CA

        def withdrawn() -> set[str]:
            path = pathlib.Path(b.paths.clients_revoked)
            return {f"{one.serial_number:x}" for one in x509.load_pem_x509_crl(path.read_bytes())}

        issued = await asyncio.to_thread(cas[0].add, "phone", days=30, now=a.clock.now())
        authority = pathlib.Path(a.paths.clients_certificate).read_bytes()
        await until(lambda: pathlib.Path(b.paths.clients_certificate).exists())
        assert pathlib.Path(b.paths.clients_certificate).read_bytes() == authority
        assert withdrawn() == set()
        await asyncio.to_thread(cas[0].revoke, "phone", a.clock.now())
        await until(lambda: withdrawn() == {issued.client.serial})
        # What happened while it was away is there when it starts.
        pathlib.Path(b.paths.clients_revoked).unlink()
        client_ca.ClientCa(b.store, b.paths).follow(shared_changes.SharedChanges(b.store))
        assert withdrawn() == {issued.client.serial}


class Names(Node):
    """One with a site for names on demand."""

    async def prepare(self) -> name_registry.Registry:
        gate = issuing.StateDirectory(pathlib.Path(self.paths.state))
        self.registry = name_registry.Registry(self.store, await gate.manager(model.Acme()), gate.clock)
        self.gate = gate
        wanted = on_demand_option.OPTION.set(on_demand_option.OnDemand(most=100))
        routes = (sites.route("/", "http://10.0.0.1"),)
        site = model.Site(host="app.test", routes=routes, options=catalogue.values(wanted))
        await self.registry.publish(model.Desired(globals=model.Globals(), sites=(site,)))
        return self.registry


async def test_names_on_demand_of_one_are_served_by_the_other(tmp_path: pathlib.Path, shared: Shared) -> None:
    now = clock.FakeClock()
    a, b = (Names(tmp_path / name, shared, now) for name in "ab")
    names = [await one.prepare() for one in (a, b)]
    for one, registry in zip((a, b), names, strict=True):
        registry.follow(one.changes)
    long = f"{'x' * 60}.{'y' * 26}.example.com"
    async with a.running(), b.running():
        await names[0].add("shop.example.com")
        await names[0].add(long)
        await until(lambda: names[1].hosts() == tuple(sorted(("shop.example.com", long))))
        await until((pathlib.Path(b.paths.live) / "shop.example.com" / "fullchain.pem").exists)
        assert await names[1].remove("shop.example.com") and await names[1].remove(long)
        await until(lambda: names[0].hosts() == ())
        await until(lambda: not (pathlib.Path(a.paths.live) / "shop.example.com").exists())


async def test_what_one_follower_cannot_write_ends_no_other(tmp_path: pathlib.Path, shared: Shared) -> None:
    async with two(tmp_path, shared) as (a, b):
        in_the_way = [
            path.with_name(f"~{path.name}")
            for path in (pathlib.Path(b.paths.clients_revoked), pathlib.Path(b.paths.clients_certificate))
        ]
        for one in in_the_way:
            one.mkdir()
        client_ca.ClientCa(b.store, b.paths).follow(b.changes)
        calls = []

        async def take(keys: collections.abc.Sequence[str]) -> None:
            calls.append(keys)
            if len(calls) < 3:
                raise OSError(28, "No space left on device")

        b.changes.follow("bans", take=take)
        await asyncio.to_thread(client_ca.ClientCa(a.store, a.paths).add, "phone", days=30, now=a.clock.now())
        await a.bans.ban(BAD, None)
        await until(lambda: BAD in b.banned)
        await until(lambda: len(calls) >= 3)  # and it is tried again
        # The daemon starts so, too.
        client_ca.ClientCa(b.store, b.paths).follow(shared_changes.SharedChanges(b.store))
        for one in in_the_way:
            one.rmdir()
        await until(pathlib.Path(b.paths.clients_certificate).exists)
