"""Who uses the dashboard: links, sessions and guesses on their event loop, with a store of files and of memory."""

import asyncio
import collections.abc
import dataclasses
import datetime
import json
import pathlib
import typing

import pytest

from daemun import errors
from daemun.control import lease as lease_
from daemun.control import operator_port, ports, stored_values
from daemun.core import layout
from daemun.core.access import api_tokens, audit_entries, dashboard_roles, operator_links, operator_sessions
from daemun.core.access.dashboard_roles import DashboardRights, Role
from daemun.operators import audit_log, login_lookup, session_store
from daemun.operators.operators import Operators
from daemun.store import file_store, memory_store
from tests.support import clock

HOME, ELSEWHERE = "198.51.100.7", "203.0.113.9"
SITE_SECRET = "s" * 43


class FailingStore(memory_store.MemoryStore):
    """refused: what it cannot do now, as on a full disk or one that cannot be written at all."""

    refused: frozenset[str] = frozenset()

    def commit(
        self, changes: collections.abc.Collection[stored_values.KeyChange], *, lease: lease_.Lease | None = None
    ) -> None:
        for change in changes:
            if change.value is None and "delete" in self.refused:
                raise errors.EnvironmentProblemError("cannot delete: read-only file system")
            if change.value is not None and "write" in self.refused:
                raise errors.EnvironmentProblemError("cannot write: the disk is full")
        super().commit(changes, lease=lease)


class House:
    """now: a clock; judge: users by the secret of their cookie, and how often they were looked up."""

    def __init__(self, folder: pathlib.Path, store: ports.Store | None = None) -> None:
        self.layout = layout.Layout(str(folder))
        pathlib.Path(self.layout.logs).mkdir()
        self.failing = FailingStore()
        self.store: ports.Store = store or self.failing
        self.clock = clock.FakeClock()
        self.judge: dict[tuple[str, str], operator_port.SignedInUser] = {}
        self.queries = 0
        self.start()

    def start(self) -> None:
        self.operators = Operators(self.store, self.layout, self.clock, self.find, self.end)

    async def find(self, secret: str, host: str) -> operator_port.SignedInUser | None:
        self.queries += 1
        return self.judge.get((secret, host))

    async def end(self, number: str) -> tuple[int, bool]:
        found = [key for key, user in self.judge.items() if user.session == number]
        for key in found:
            del self.judge[key]
        return len(found), True

    async def identify(self, credential: str, address: str = HOME) -> dashboard_roles.Operator | None:
        sent = operator_port.OperatorCredentials(authorization=f"Bearer {credential}", address=address)
        return await self.operators.identify(sent)

    async def identify_login(self, secret: str, host: str) -> dashboard_roles.Operator | None:
        sent = operator_port.OperatorCredentials(login=secret, host=host, address=HOME)
        return await self.operators.identify(sent)

    async def end_session(self, number: str) -> operator_port.EndedSessions:
        return await self.operators.end_sessions(number=number)

    def advance(self, **delta: float) -> None:
        self.clock.advance(datetime.timedelta(**delta))

    async def begin(self, agent: str = "Firefox") -> operator_port.BegunSession:
        link = await self.operators.make_link("root")
        found = await self.operators.begin(link.secret, HOME, agent)
        assert found is not None
        return found


@pytest.fixture
def house(tmp_path: pathlib.Path) -> House:
    return House(tmp_path)


async def test_a_link_lets_in_once_and_is_never_kept_itself(tmp_path: pathlib.Path) -> None:
    store = file_store.FileStore(tmp_path / "store")
    house = House(tmp_path, store)
    link = await house.operators.make_link("alice")
    assert link.ends_at == house.clock.now() + datetime.timedelta(minutes=10)
    assert link.secret.encode() not in store.read(operator_links.KEY)
    first, second = await asyncio.gather(
        house.operators.begin(link.secret, HOME, "Firefox"), house.operators.begin(link.secret, HOME, "Firefox")
    )
    assert (first is None) is not (second is None)
    begun = first or second
    assert begun is not None and begun.secret.encode() not in store.read(session_store.KEY)
    found = await house.identify(begun.secret, HOME)
    assert found == dashboard_roles.Operator(name="alice", role=Role.OWN, how="link", number=begun.number, address=HOME)
    # Nor after a start, of which the session knows nothing.
    house.start()
    assert await house.operators.begin(link.secret, HOME, "Firefox") is None
    there = await house.identify(begun.secret, ELSEWHERE)
    assert there == dataclasses.replace(found, address=ELSEWHERE)
    assert {path.stat().st_mode & 0o77 for path in (tmp_path / "store").rglob("*")} == {0}


async def test_a_link_of_before_a_start_lets_in(house: House) -> None:
    link = await house.operators.make_link("root")
    house.start()
    assert await house.operators.begin(link.secret, HOME, "") is not None


@pytest.mark.parametrize("minutes", [10, 60, -60])
async def test_a_link_ends_by_the_clock(house: House, minutes: float) -> None:
    link = await house.operators.make_link("root")
    house.advance(minutes=minutes)
    assert await house.operators.begin(link.secret, HOME, "") is None
    house.advance(minutes=-minutes)
    assert await house.operators.begin(link.secret, HOME, "") is None  # it was used up by that


async def test_the_newest_link_ends_those_before(house: House) -> None:
    first = await house.operators.make_link("root")
    second = await house.operators.make_link("root")
    assert await house.operators.begin(first.secret, HOME, "") is None
    assert await house.operators.begin(second.secret, HOME, "") is not None


async def test_every_sign_in_begins_a_session_of_its_own(house: House) -> None:
    """Whatever a browser was made to send: session fixation."""
    planted = operator_sessions.PREFIX + "A" * 43
    link = await house.operators.make_link("root")
    begun = await house.operators.begin(link.secret, HOME, "", former=planted)
    assert begun is not None and begun.secret != planted
    assert await house.identify(planted, HOME) is None
    link = await house.operators.make_link("root")
    after = await house.operators.begin(link.secret, HOME, "", former=begun.secret)
    assert after is not None and after.secret != begun.secret
    assert await house.identify(begun.secret, HOME) is None
    assert [one.number for one in await house.operators.list_sessions()] == [after.number]


async def test_sessions_are_listed_and_ended(house: House) -> None:
    mine, other = await house.begin("Mine"), await house.begin("Other")
    house.advance(hours=1)
    assert await house.identify(mine.secret, HOME) is not None
    listed = await house.operators.list_sessions()
    assert [(one.number, one.agent, one.address) for one in listed] == [
        (mine.number, "Mine", HOME),
        (other.number, "Other", HOME),
    ]
    assert listed[0].seen_at == house.clock.now() == listed[0].created_at + datetime.timedelta(hours=1)
    assert listed[0].ends_at == house.clock.now() + datetime.timedelta(hours=12)
    assert await house.end_session("nobody's") == operator_port.EndedSessions(ended=0, is_saved=True)
    assert (await house.end_session(other.number)).ended == 1
    assert await house.identify(other.secret, HOME) is None
    third = await house.begin()
    assert (await house.operators.end_sessions(but=mine.number)).ended == 1
    house.start()
    assert await house.identify(third.secret, HOME) is None
    assert await house.identify(mine.secret, HOME) is not None
    house.advance(hours=12)
    assert await house.identify(mine.secret, HOME) is None


async def test_the_last_use_outlives_a_start(house: House) -> None:
    begun = await house.begin()
    running = asyncio.ensure_future(house.operators.run())
    house.advance(hours=11)
    assert await house.identify(begun.secret, HOME) is not None
    async with asyncio.timeout(60):
        while json.loads(house.store.read(session_store.KEY)).popitem()[1]["seen_s"] != house.clock.now().timestamp():
            await asyncio.sleep(0.01)
    running.cancel()
    house.start()
    house.advance(hours=11)
    assert await house.identify(begun.secret, HOME) is not None


ODD = (
    "x",
    "daemun_api_",
    "daemun_api_" + "A" * 43,
    "daemun_session_",
    operator_sessions.PREFIX + "A" * 43,
    "é\ud800",
    "\x00",
    "a" * 100_000,
    "Bearer x",
)


@pytest.mark.parametrize("credential", ["", *ODD], ids=lambda text: repr(text[:20]))
async def test_what_nobody_has_is_nobody(house: House, credential: str) -> None:
    await house.begin()
    assert await house.identify(credential, HOME) is None
    assert await house.operators.begin(credential, HOME, "") is None


async def test_guesses_are_limited_by_network_and_lock_nobody_out(house: House) -> None:
    begun = await house.begin()
    link = await house.operators.make_link("root")
    for number in range(20):
        assert await house.identify(f"{operator_sessions.PREFIX}{number:043}", HOME) is None
    for guess in (house.identify("other", HOME), house.operators.begin("A" * 43, HOME, "")):
        with pytest.raises(operator_port.TooManyGuessesError) as refused:
            await guess
        assert refused.value.retry_after_s == 1
    assert list(await house.operators.guesses.fetch_waits()) == [HOME]
    # Neither another network, nor who is behind the same address with a session or a link.
    assert await house.identify("other", ELSEWHERE) is None
    assert await house.identify(begun.secret, HOME) is not None
    assert await house.operators.begin(link.secret, HOME, "") is not None
    await house.operators.guesses.forget(HOME)
    assert await house.identify("another", HOME) is None


async def test_the_same_ended_session_again_is_no_further_guess(house: House) -> None:
    begun = await house.begin()
    await house.operators.end_sessions()
    for _ in range(100):
        assert await house.identify(begun.secret, HOME) is None
    assert await house.operators.guesses.fetch_waits() == {}


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"a": {"number": "1"}}', b"[" * 100_000])
async def test_a_damaged_file_lets_nobody_in_and_is_reported(house: House, content: bytes) -> None:
    begun = await house.begin()
    link = await house.operators.make_link("root")
    for key in (session_store.KEY, operator_links.KEY):
        house.store.write(key, content)
    house.start()
    assert await house.identify(begun.secret, HOME) is None
    assert await house.operators.begin(link.secret, HOME, "") is None
    found = [one.message for one in house.store.damage.problems()]
    assert len(found) == 2 and all("`daemun dashboard` makes" in text or "makes another" in text for text in found)
    # The cure works, and the report is over.
    again = await house.begin()
    assert await house.identify(again.secret, HOME) is not None
    assert [one for one in house.store.damage.problems() if "sessions" in one.message] == []


async def test_a_missing_file_lets_nobody_in(house: House) -> None:
    begun = await house.begin()
    link = await house.operators.make_link("root")
    for key in (session_store.KEY, operator_links.KEY):
        house.store.delete(key)
    house.start()
    assert await house.identify(begun.secret, HOME) is None
    assert await house.operators.begin(link.secret, HOME, "") is None


async def test_on_a_full_disk_the_owner_comes_in_and_ends_sessions(house: House) -> None:
    before = await house.begin()
    replaced = await house.operators.make_link("root")
    house.failing.refused = frozenset({"write"})
    link = await house.operators.make_link("root")
    assert await house.operators.begin(replaced.secret, HOME, "") is None
    begun = await house.operators.begin(link.secret, HOME, "")
    assert begun is not None and await house.operators.begin(link.secret, HOME, "") is None
    assert await house.identify(begun.secret, HOME) is not None
    assert await house.end_session(before.number) == operator_port.EndedSessions(ended=1, is_saved=False)
    assert await house.identify(before.secret, HOME) is None
    # After a start neither link is good; of the sessions those that could be written are.
    house.start()
    for secret in (replaced.secret, link.secret):
        assert await house.operators.begin(secret, HOME, "") is None
    assert await house.identify(begun.secret, HOME) is None


async def test_what_could_not_be_written_is_tried_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_store, "RETRY_S", 0.01)
    before = await house.begin()
    running = asyncio.ensure_future(house.operators.run())
    house.failing.refused = frozenset({"write"})
    assert not (await house.end_session(before.number)).is_saved
    house.failing.refused = frozenset()
    async with asyncio.timeout(60):
        while json.loads(house.store.read(session_store.KEY)):
            await asyncio.sleep(0.01)
    running.cancel()
    house.start()
    assert await house.identify(before.secret, HOME) is None


async def test_where_nothing_can_be_deleted_no_link_is_good_twice(house: House) -> None:
    link = await house.operators.make_link("root")
    house.failing.refused = frozenset({"write", "delete"})
    with pytest.raises(errors.EnvironmentProblemError, match="read-only"):
        await house.operators.begin(link.secret, HOME, "")
    with pytest.raises(errors.EnvironmentProblemError, match="read-only"):
        await house.operators.make_link("root")
    house.failing.refused = frozenset()
    assert await house.operators.begin(link.secret, HOME, "") is not None


async def test_what_is_requested_is_noted(house: House) -> None:
    begun = await house.begin()
    operator = await house.identify(begun.secret)
    assert operator is not None
    noted = operator_port.NotedRequest(
        operator=operator, method="POST", path="/api/v1/bans", summary="Ban an address", status=201, target="192.0.2.1"
    )
    await house.operators.note(noted)
    entry = next(one for one in audit_log.read(house.layout) if one.path == "/api/v1/bans")
    assert entry == audit_entries.AuditEntry(
        at=house.clock.now(),
        who="root",
        role="own",
        how="link",
        address=HOME,
        method="POST",
        path="/api/v1/bans",
        summary="Ban an address",
        target="192.0.2.1",
        status=201,
    )


# --- programs --------------------------------------------------------------------------------------------------------


async def test_a_token_has_its_role_until_its_end(house: House) -> None:
    made = await house.operators.add_token("deploy", Role.CHANGE, lifetime_s=3600, by="root")
    assert made.secret.startswith(api_tokens.PREFIX)
    assert made.secret.encode() not in house.store.read(api_tokens.KEY)
    expected = dashboard_roles.Operator(name="deploy", role=Role.CHANGE, how="token", number="deploy", address=HOME)
    assert await house.identify(made.secret) == expected
    house.start()
    assert await house.identify(made.secret) == expected
    (listed,) = await house.operators.list_tokens()
    assert (listed.seen_at, listed.is_over) == (house.clock.now(), False)
    house.advance(hours=1)
    assert await house.identify(made.secret) is None
    (listed,) = await house.operators.list_tokens()
    assert listed.is_over and made.secret not in repr(made) and "digest" not in repr(listed)


async def test_a_token_without_an_end_is_good_until_it_is_withdrawn(house: House) -> None:
    made = await house.operators.add_token("grafana", Role.LOOK, lifetime_s=None, by="root")
    other = await house.operators.add_token("other", Role.LOOK, lifetime_s=None, by="root")
    house.advance(days=10_000)
    assert await house.identify(made.secret) is not None
    gone = await house.operators.remove_token("grafana")
    assert gone is not None and gone.name == "grafana"
    assert await house.operators.remove_token("grafana") is None
    assert await house.identify(made.secret) is None
    house.start()
    assert await house.identify(made.secret) is None
    assert await house.identify(other.secret) is not None


@pytest.mark.parametrize(
    ("address", "is_good"),
    [
        ("192.0.2.9", True),
        ("::ffff:192.0.2.9", True),
        ("[2001:db8::7]", True),
        ("192.0.3.9", False),
        ("2001:db8:1::7", False),
        ("", False),
        ("unix:", False),
    ],
)
async def test_a_token_is_good_from_its_networks_alone(house: House, address: str, is_good: bool) -> None:
    networks = ("192.0.2.7/24", "2001:db8::/48")
    made = await house.operators.add_token("deploy", Role.OWN, lifetime_s=None, networks=networks, by="root")
    assert made.token.networks == ("192.0.2.0/24", "2001:db8::/48")
    assert (await house.identify(made.secret, address) is not None) is is_good


async def test_a_token_that_is_over_is_no_guess(house: House) -> None:
    for number in range(30):
        made = await house.operators.add_token(str(number), Role.LOOK, lifetime_s=1, by="root")
        house.advance(seconds=2)
        assert await house.identify(made.secret) is None
    assert await house.operators.guesses.fetch_waits() == {}


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 65, "../x", "é"])
async def test_a_token_has_a_name_that_can_be_written(house: House, name: str) -> None:
    with pytest.raises(errors.ConfigError, match="cannot name a token"):
        await house.operators.add_token(name, Role.LOOK, lifetime_s=None, by="root")


@pytest.mark.parametrize("network", ["", "example.com", "192.0.2.0/33", "::ffff:192.0.2.1", "0x7f000001", "1"])
async def test_what_is_no_network_is_refused(house: House, network: str) -> None:
    with pytest.raises(errors.ConfigError, match="expected an address or a network"):
        await house.operators.add_token("x", Role.LOOK, lifetime_s=None, networks=(network,), by="root")
    assert await house.operators.list_tokens() == ()


async def test_there_is_one_token_of_a_name_and_a_number_of_them(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_tokens, "MOST", 2)
    first = await house.operators.add_token("a", Role.LOOK, lifetime_s=None, by="root")
    with pytest.raises(errors.ConfigError, match="`daemun dashboard tokens rm a`"):
        await house.operators.add_token("a", Role.OWN, lifetime_s=None, by="root")
    found = await house.identify(first.secret)
    assert found is not None and found.role is Role.LOOK
    await house.operators.add_token("b", Role.LOOK, lifetime_s=None, by="root")
    with pytest.raises(errors.ConfigError, match="as many as there may be"):
        await house.operators.add_token("c", Role.LOOK, lifetime_s=None, by="root")


async def test_a_token_that_cannot_be_written_is_not_made_and_one_withdrawn_is_over(house: House) -> None:
    before = await house.operators.add_token("before", Role.LOOK, lifetime_s=None, by="root")
    house.failing.refused = frozenset({"write"})
    with pytest.raises(errors.EnvironmentProblemError, match="full"):
        await house.operators.add_token("new", Role.LOOK, lifetime_s=None, by="root")
    assert [one.name for one in await house.operators.list_tokens()] == ["before"]
    with pytest.raises(errors.EnvironmentProblemError, match="is back when daemun starts again"):
        await house.operators.remove_token("before")
    assert await house.identify(before.secret) is None


_DAMAGED = (b"", b"{", b"[1]", b'[{"name": "x"}]', b'[{"role": "owner"}]')


@pytest.mark.parametrize("content", _DAMAGED)
async def test_damaged_tokens_let_nobody_in_and_are_not_written_over(house: House, content: bytes) -> None:
    made = await house.operators.add_token("deploy", Role.OWN, lifetime_s=None, by="root")
    whole = house.store.read(api_tokens.KEY)
    house.store.write(api_tokens.KEY, content)
    house.start()
    assert await house.identify(made.secret) is None
    (problem,) = house.store.damage.problems()
    assert "delete it and make them again" in problem.message
    with pytest.raises(errors.EnvironmentProblemError, match="put back a copy"):
        await house.operators.add_token("new", Role.LOOK, lifetime_s=None, by="root")
    with pytest.raises(errors.EnvironmentProblemError, match="put back a copy"):
        await house.operators.remove_token("deploy")
    assert house.store.read(api_tokens.KEY) == content
    # Both cures work while daemun runs.
    house.store.write(api_tokens.KEY, whole)
    assert [one.name for one in await house.operators.list_tokens()] == ["deploy"]
    assert await house.identify(made.secret) is not None
    assert house.store.damage.problems() == ()
    house.store.write(api_tokens.KEY, content)
    house.start()
    assert await house.identify(made.secret) is None
    house.store.delete(api_tokens.KEY)
    again = await house.operators.add_token("deploy", Role.LOOK, lifetime_s=None, by="root")
    assert await house.identify(again.secret) is not None
    assert await house.identify(made.secret) is None


# --- users of `login` ------------------------------------------------------------------------------------------------

RIGHTS = DashboardRights(host="gate.test", look=("@family",), own=("alice",))


@pytest.fixture
def login_house(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    house.operators.configure(RIGHTS)
    monkeypatch.setattr(
        house.operators, "_logins", login_lookup.LoginLookup(house.find, lambda: house.clock.now().timestamp())
    )
    house.judge[SITE_SECRET, "gate.test"] = operator_port.SignedInUser(name="bob", groups=("family",), session="abc")
    return house


async def test_who_signed_in_has_the_role_of_today(login_house: House) -> None:
    found = await login_house.identify_login(SITE_SECRET, "gate.test")
    assert found == dashboard_roles.Operator(name="bob", role=Role.LOOK, how="login", number="abc", address=HOME)
    login_house.operators.configure(DashboardRights(host="gate.test", own=("bob",)))
    found = await login_house.identify_login(SITE_SECRET, "GATE.test:8443")
    assert found is not None and found.role is Role.OWN
    login_house.operators.configure(DashboardRights(host="gate.test", own=("alice",)))
    assert await login_house.identify_login(SITE_SECRET, "gate.test") is None
    assert login_house.queries == 1


async def test_a_sign_out_holds_within_ten_seconds(login_house: House) -> None:
    assert await login_house.identify_login(SITE_SECRET, "gate.test") is not None
    login_house.judge.clear()
    login_house.advance(seconds=9)
    assert await login_house.identify_login(SITE_SECRET, "gate.test") is not None
    login_house.advance(seconds=1)
    assert await login_house.identify_login(SITE_SECRET, "gate.test") is None
    assert login_house.queries == 2


async def test_who_signs_out_is_out_at_the_judge_at_once(login_house: House) -> None:
    """On every site, as by the sign-in's own page; whoever took the cookie is out, too."""
    assert await login_house.identify_login(SITE_SECRET, "gate.test") is not None
    sent = operator_port.OperatorCredentials(login=SITE_SECRET, host="gate.test", address=HOME)
    found = await login_house.operators.sign_out(sent)
    assert (found.ended, found.is_saved, found.operator and found.operator.name) == (1, True, "bob")
    assert login_house.judge == {}
    assert await login_house.identify_login(SITE_SECRET, "gate.test") is None
    assert (await login_house.operators.sign_out(sent)).ended == 0


async def test_who_has_no_role_signs_out_too(login_house: House) -> None:
    login_house.operators.configure(DashboardRights(host="gate.test"))
    sent = operator_port.OperatorCredentials(login=SITE_SECRET, host="gate.test", address=HOME)
    assert await login_house.operators.sign_out(sent) == operator_port.SignedOut(ended=1)


async def test_both_sessions_of_a_browser_end_and_no_token(login_house: House) -> None:
    begun = await login_house.begin()
    both = operator_port.OperatorCredentials(
        authorization=f"Bearer {begun.secret}", login=SITE_SECRET, host="gate.test", address=HOME
    )
    assert (await login_house.operators.sign_out(both)).ended == 2
    assert await login_house.identify(begun.secret) is None
    made = await login_house.operators.add_token("t", Role.LOOK, lifetime_s=None, by="root")
    token = operator_port.OperatorCredentials(authorization=f"Bearer {made.secret}", address=HOME)
    assert (await login_house.operators.sign_out(token)).ended == 0
    assert await login_house.identify(made.secret) is not None
    elsewhere = operator_port.OperatorCredentials(login=SITE_SECRET, host="shop.test", address=HOME)
    assert (await login_house.operators.sign_out(elsewhere)).ended == 0


async def test_the_cookie_of_another_site_is_no_credential(login_house: House) -> None:
    other = operator_port.SignedInUser(name="alice", groups=(), session="x")
    login_house.judge[SITE_SECRET, "blog.test"] = other
    for host in ("blog.test", "", "gate.test.", "blog.test:gate.test"):
        assert await login_house.identify_login(SITE_SECRET, host) is None
    login_house.operators.configure(DashboardRights())
    assert await login_house.identify_login(SITE_SECRET, "gate.test") is None
    assert login_house.queries == 0


@pytest.mark.parametrize("secret", ["", "x", "s" * 43 + "\n", "é" * 43, "s" * 10_000, '"}' * 20])
async def test_what_cannot_be_a_secret_is_not_looked_up(login_house: House, secret: str) -> None:
    assert await login_house.identify_login(secret, "gate.test") is None
    assert login_house.queries == 0


async def test_a_judge_that_does_not_answer_lets_nobody_in_and_is_asked_again(login_house: House) -> None:
    found = dict(login_house.judge)

    class Silent(dict[tuple[str, str], operator_port.SignedInUser]):
        def get(self, *_: object) -> typing.Never:
            raise errors.EnvironmentProblemError("it does not answer")

    login_house.judge = Silent()
    with pytest.raises(errors.EnvironmentProblemError):
        await login_house.identify_login(SITE_SECRET, "gate.test")
    login_house.judge = found
    assert await login_house.identify_login(SITE_SECRET, "gate.test") is not None
