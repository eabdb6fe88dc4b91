"""The store of a fleet beyond the contract: what lies in the database, and what becomes of it when servers and
connections end."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import errno
import os
import re
import signal
import threading
import typing

import psycopg
import pytest

from daemun import errors
from daemun.control import damaged_keys, guarded_store, stored_values
from daemun.store import fleet_key, memory_store, mirrored_store
from daemun.store.postgresql import (
    change_listener,
    database_connections,
    database_requests,
    database_schema,
    postgresql_store,
    request_texts,
    server_memory,
)
from tests.support import fleet_store, postgresql, until

pytestmark = pytest.mark.postgresql

Store = postgresql_store.PostgresqlStore
BACKENDS = "FROM pg_stat_activity WHERE application_name = 'daemun'"
HASTY = database_connections.DatabaseTimes(connect_s=2, statement_s=60.0, answer_s=3.0, take_s=3.0)
"""The client gives up, and not the server."""


@pytest.fixture
def server(postgresql_server: postgresql.Server) -> postgresql.Server:
    return postgresql_server


@pytest.fixture
def store(server: postgresql.Server) -> collections.abc.Iterator[Store]:
    with fleet_store.running(server) as made:
        yield made


def execute(server: postgresql.Server, sql: str) -> list[tuple[object, ...]]:
    return server.execute(sql, database=fleet_store.DATABASE)


def url(server: postgresql.Server) -> str:
    return server.url(fleet_store.DATABASE)


def change(key: str, value: bytes | None, expected: str | None = None) -> stored_values.KeyChange:
    return stored_values.KeyChange(key=key, value=value, expected=expected)


# --- what lies in the database -------------------------------------------------------------------------------------


def test_no_value_lies_in_clear(server: postgresql.Server, store: Store) -> None:
    store.write("accounts/key.pem", b"-----BEGIN PRIVATE KEY-----")
    assert execute(server, "SELECT value FROM daemun.item WHERE position('BEGIN' IN encode(value, 'escape')) > 0") == []
    assert store.read("accounts/key.pem") == b"-----BEGIN PRIVATE KEY-----"


def test_swapped_values_are_neither_missing_nor_each_other(server: postgresql.Server, store: Store) -> None:
    store.write_all({"certs/a": b"a", "certs/b": b"b", "certs/c": b"c"})
    swap = "UPDATE daemun.item i SET value = o.value FROM daemun.item o WHERE (i.key, o.key) IN "
    execute(server, f"{swap} (('certs/a', 'certs/b'), ('certs/b', 'certs/a'))")
    for key in ("certs/a", "certs/b"):
        with pytest.raises(errors.UnreadableValueError, match=f'cannot read "{key}"'):
            store.read(key)
        with pytest.raises(errors.UnreadableValueError):
            damaged_keys.read(store, key, lambda content: content, follows="it is ordered anew")
    read = store.read_many(under="certs")
    assert ({*read.found}, {*read.unreadable}) == ({"certs/c"}, {"certs/a", "certs/b"})
    with pytest.raises(errors.UnreadableValueError):
        read.revision("certs/a")
    assert len(store.damage.problems()) == 2
    with pytest.raises(errors.StoreConflictError):
        store.commit([change("certs/a", b"another", stored_values.ABSENT)])


def test_a_new_key_is_used_for_everything_in_the_end(server: postgresql.Server, store: Store) -> None:
    store.write_all({f"certs/{number}": str(number).encode() for number in range(520)})
    both = fleet_key.rotate(fleet_store.KEY)
    moved = dataclasses.replace(both, keys=both.keys[::-1])
    with fleet_store.another(url(server), key=moved) as later:
        later.write("certs/1", b"new")
        assert later.read("certs/2") == b"2"
        with pytest.raises(errors.UnreadableValueError, match="encrypted with key 2"):
            store.read("certs/1")
        assert later.encrypt_anew() == 519
        assert later.encrypt_anew() == 0
        assert len(later.list("certs")) == 520
    with fleet_store.another(url(server), key=dataclasses.replace(both, keys=both.keys[1:])) as last:
        assert last.read_many(under="certs").unreadable == {}


def test_an_owner_of_the_database_suffices(server: postgresql.Server) -> None:
    server.execute("DROP DATABASE IF EXISTS owned")
    server.execute("DROP ROLE IF EXISTS gate")
    server.execute("CREATE ROLE gate LOGIN")
    server.execute("CREATE DATABASE owned OWNER gate")
    with fleet_store.another(f"postgresql://gate@{server.address}/owned") as store:
        with pytest.raises(errors.StoreUnreachableError, match="has no tables of daemun"):
            store.read("a")
        for _ in range(2):
            store.create_tables()
        with store.lock("a") as lease:
            guarded_store.GuardedStore(store, lease).write("a", b"1")
        assert store.read("a") == b"1"


def test_what_was_deleted_is_forgotten_when_all_have_seen_it(server: postgresql.Server, store: Store) -> None:
    store.write_all({"a": b"1", "b": b"1"})
    before = store.read_changes("", stored_values.Cursor()).cursor
    store.delete("a")
    store.beat("node-a", "{}", before, stamp=1)
    store.clean()
    found = store.read_changes("", before)
    assert [(one.key, one.is_deleted) for one in found.keys] == [("a", True)]
    store.beat("node-a", "{}", found.cursor, stamp=1)
    store.clean()
    assert execute(server, "SELECT key FROM daemun.item") == [("b",)]
    # Who was away for that time reads everything.
    late = store.read_changes("", before)
    assert late.is_complete
    assert [one.key for one in late.keys] == ["b"]
    assert store.read_changes("", late.cursor).keys == ()


def test_a_heartbeat_waits_for_no_other_request(server: postgresql.Server, store: Store) -> None:
    patient = database_connections.DatabaseTimes(statement_s=60.0, answer_s=70.0, take_s=0.5)
    waiting = f"SELECT count(*) {BACKENDS} AND wait_event_type = 'Lock'"
    with fleet_store.another(url(server), times=patient, patience_s=0.5) as node, psycopg.connect(url(server)) as other:
        other.execute("SELECT 1 FROM daemun.meta FOR UPDATE")  # as a long change does
        writers = [
            threading.Thread(target=node.write, args=(f"busy/{number}", b"x"))
            for number in range(database_connections.MOST)
        ]
        for one in writers:
            one.start()
        until.true(lambda: execute(server, waiting) == [(len(writers),)])
        with pytest.raises(errors.StoreUnreachableError, match="wait for it already"):
            node.read_clock_s()
        node.beat("node-a", "a", stored_values.Cursor(), stamp=1)
        other.rollback()
        for one in writers:
            one.join(60)
    assert [one.name for one in store.list_nodes().nodes] == ["node-a"]
    assert len(store.list("busy")) == len(writers)


def test_nodes_know_of_each_other(server: postgresql.Server, store: Store) -> None:
    store.beat("node-a", "a", stored_values.Cursor(revision=3), stamp=1)
    store.beat("node-b", "b", stored_values.Cursor(revision=2), stamp=1)
    execute(server, "UPDATE daemun.node SET beat = beat - interval '20 seconds' WHERE id = 'node-b'")
    found = {one.name: one for one in store.list_nodes().nodes}
    assert [(one.name, one.seen_revision, one.about) for one in found.values()] == [
        ("node-a", 3, "a"),
        ("node-b", 2, "b"),
    ]
    assert found["node-b"].age_s >= 20
    store.forget_node("node-b")
    assert [one.name for one in store.list_nodes().nodes] == ["node-a"]


def test_a_row_that_no_machine_of_the_fleet_wrote_is_no_node(server: postgresql.Server, store: Store) -> None:
    other = fleet_key.FleetKey(fleet=fleet_store.KEY.fleet, keys=((1, bytes(range(32))),))
    with fleet_store.another(url(server), key=other) as stranger:
        stranger.beat("stranger", "{}", stored_values.Cursor(), stamp=5)
    for name in ("a", "b", "c", "d", "e"):
        store.beat(name, "{}", stored_values.Cursor(), stamp=5)
    insert = "INSERT INTO daemun.node (id, format, seen_rev, beat, about, about_at, proof, since)"
    now = "clock_timestamp(), '{}', clock_timestamp(), "
    execute(server, f"{insert} VALUES ('evil', 1, 0, {now} '', clock_timestamp())")
    same = "format, seen_rev, beat, about, about_at, proof, since"
    execute(server, f"{insert} SELECT 'copy', {same} FROM daemun.node WHERE id = 'a'")
    execute(server, """UPDATE daemun.node SET about = '{"addresses":["6.6.6.6"]}' WHERE id = 'b'""")
    execute(server, "UPDATE daemun.node SET proof = '9' || proof WHERE id = 'c'")  # a higher stamp
    execute(server, "UPDATE daemun.node SET seen_rev = 9 WHERE id = 'd'")
    found = store.beat("a", "{}", stored_values.Cursor(), stamp=6)
    assert [(one.name, one.stamp) for one in found.nodes] == [("a", 5), ("e", 5)]
    assert found.unproven == ("b", "c", "copy", "d", "evil", "stranger")
    assert found.names == {"a", "b", "c", "copy", "d", "e", "evil", "stranger"}
    # What b said is not sent again, and its heartbeat is one.
    found = store.beat("a", "{}", stored_values.Cursor(), stamp=7, changed_s=0.0)
    assert [(one.name, one.about) for one in found.nodes] == [("a", None), ("b", None), ("e", None)]
    store.forget_node("evil")
    assert "evil" not in store.list_nodes().names


@pytest.mark.parametrize("moment", ["infinity", "-infinity", "4700-01-01 BC", "294270-01-01"])
def test_no_time_in_a_row_of_a_node_ends_heartbeats(server: postgresql.Server, store: Store, moment: str) -> None:
    for column in ("beat", "since", "about_at"):
        for name in ("a", "b"):
            store.beat(name, "{}", stored_values.Cursor(), stamp=1)
        execute(server, f"UPDATE daemun.node SET {column} = '{moment}'")
        for changed_s in (None, 12.0):
            found = store.beat("a", "{}", stored_values.Cursor(), stamp=2, changed_s=changed_s)
            assert found.names == {"a", "b"}
        assert ("b" in found.unproven) is ("infinity" in moment and column != "about_at")
        assert "a" not in store.list_nodes().unproven  # its next heartbeat mends it
        store.forget_node("b")
        assert store.list_nodes().names == {"a"}
        store.forget_node("a")


def test_an_older_daemun_goes_on_beside_a_newer_one_until_all_are_new(server: postgresql.Server, store: Store) -> None:
    newer = (
        *database_schema.migrations(),
        database_schema.Migration(
            number=3,
            expand="ALTER TABLE daemun.node ADD COLUMN zone text; CREATE TABLE daemun.zone (name text)",
            contract="DROP FUNCTION daemun.beat_1",
        ),
    )
    store.beat("node-old", "", stored_values.Cursor(), stamp=1)
    execute(server, "UPDATE daemun.meta SET oldest_format = 2")
    with psycopg.connect(url(server), autocommit=True) as connection:
        try:
            for _ in range(2):
                database_schema.expand(connection, newer)
            assert database_schema.check(connection, newer) == (3, 2)
            assert not database_schema.contract(connection, [3, 2], newer)
            # The older one knows nothing of it.
            store.check_tables()
            store.create_tables()
            store.write("a", b"1")
            store.beat("node-old", "", stored_values.Cursor(), stamp=1)
            for _ in range(2):
                assert database_schema.contract(connection, [3], newer)
            with pytest.raises(errors.EnvironmentProblemError, match="all other machines run a newer daemun"):
                store.check_tables()
        finally:
            connection.execute("DROP SCHEMA daemun CASCADE")


_OF_VERSION_1 = """
DROP FUNCTION daemun.changes_1;
CREATE FUNCTION daemun.clean_1(kept_s float8) RETURNS void LANGUAGE sql AS '';
UPDATE daemun.meta SET format = 1, oldest_format = 1
"""


def test_tables_that_the_first_version_made_are_upgraded_wherever_they_are_reached(
    server: postgresql.Server, store: Store
) -> None:
    """At a start, or later, where the database could not be reached then."""
    store.write("a", b"1")
    versions = "SELECT format, oldest_format, to_regproc('daemun.clean_1') IS NULL FROM daemun.meta"
    for use in (store.upgrade_tables, lambda: None):
        execute(server, _OF_VERSION_1)
        use()
        found = store.read_changes("", stored_values.Cursor(epoch=1, revision=0))
        assert [one.key for one in found.keys] == ["a"]
        assert execute(server, versions) == [(2, 1, False)], "an older daemun may use it still"
        store.beat("a", "{}", stored_values.Cursor(), stamp=1)
        store.clean()
        assert execute(server, versions) == [(2, 2, True)]


def test_a_newer_daemun_adds_what_it_needs_and_drops_what_no_node_uses(
    server: postgresql.Server, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = database_schema.Migration(
        number=3, expand="CREATE TABLE daemun.zone (name text)", contract="DROP FUNCTION daemun.beat_1"
    )
    execute(server, "UPDATE daemun.meta SET oldest_format = 2")
    store.beat("old", "{}", stored_values.Cursor(), stamp=1)
    store.beat("forged", "{}", stored_values.Cursor(), stamp=1)
    execute(server, "UPDATE daemun.node SET proof = 'none' WHERE id = 'forged'")
    newer = (*database_schema.migrations(), added)
    monkeypatch.setattr(database_schema, "migrations", lambda: newer)
    formats = "SELECT format, oldest_format FROM daemun.meta"
    try:
        store.upgrade_tables()
        assert execute(server, formats) == [(3, 2)]
        store.beat("new", "{}", stored_values.Cursor(), stamp=2)
        store.clean()
        assert execute(server, formats) == [(3, 2)], "the old one lives"
        store.beat("old", "{}", stored_values.Cursor(), stamp=3)  # it was upgraded
        store.clean()
        assert execute(server, formats) == [(3, 3)]
        assert execute(server, "SELECT to_regproc('daemun.beat_1')") == [(None,)]
    finally:
        execute(server, "DROP SCHEMA daemun CASCADE")
        with pytest.raises(errors.StoreUnreachableError, match="has no tables of daemun"):
            store.upgrade_tables()


def test_no_row_without_proof_and_none_of_tomorrow_holds_up_what_all_have_seen(
    server: postgresql.Server, store: Store
) -> None:
    store.write("a", b"1")
    before = store.read_changes("", stored_values.Cursor()).cursor
    store.delete("a")
    seen = store.read_changes("", before).cursor
    store.beat("one", "{}", seen, stamp=1)
    store.beat("forged", "{}", before, stamp=1)
    store.beat("tomorrow", "{}", before, stamp=1)
    execute(server, "UPDATE daemun.node SET proof = 'none' WHERE id = 'forged'")
    execute(server, "UPDATE daemun.node SET beat = beat + interval '1 day' WHERE id = 'tomorrow'")
    found = {one.name: one.has_beaten_within(8.0) for one in store.list_nodes().nodes}
    assert found == {"one": True, "tomorrow": False}, "what lies ahead is no sign of life"
    store.clean()
    assert execute(server, "SELECT key FROM daemun.item") == []


def test_another_server_needs_a_person(server: postgresql.Server, store: Store) -> None:
    """Tables that were copied into another PostgreSQL, which may be an old one's copy."""
    store.write("a", b"1")
    with store.lock("order") as old:
        execute(server, "UPDATE daemun.meta SET sysid = '1'")
        for use in (lambda: store.read("a"), store.create_tables):
            with pytest.raises(errors.EnvironmentProblemError, match="tables lie on another PostgreSQL"):
                use()
        for witness in (("a", b"another"), ("none", b"1")):
            with pytest.raises(errors.EnvironmentProblemError, match="not this fleet's"):
                store.adopt_server(witness)
        store.adopt_server(("a", b"1"))
        with pytest.raises(errors.LeaseLostError):
            store.commit([change("a", b"2")], lease=old)
    assert store.read("a") == b"1"


# --- connections that end ------------------------------------------------------------------------------------------


def test_killed_connections_lose_and_repeat_nothing(server: postgresql.Server, store: Store) -> None:
    """Each change is made once, whenever its connection ends."""
    is_over = False
    progressed = threading.Event()

    def kill() -> None:
        """All connections, in the middle of what comes next."""
        with psycopg.connect(server.url(), autocommit=True) as connection:
            while progressed.wait() and not is_over:
                progressed.clear()
                connection.execute(f"SELECT pg_terminate_backend(pid) {BACKENDS}")

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        for number in range(40):
            read = store.read_many(["n"])
            progressed.set()
            assert number == (int(read.found["n"].value) if read.found else 0)
            store.commit([change("n", str(number + 1).encode(), read.revision("n"))])
    finally:
        is_over = True
        progressed.set()
        killer.join()
    assert store.read("n") == b"40"


async def test_a_watch_goes_on_when_its_connection_is_killed(server: postgresql.Server, store: Store) -> None:
    async with asyncio.timeout(60):
        changes = store.watch("")
        await asyncio.to_thread(store.write, "a", b"1")
        assert [one.key for one in (await anext(changes)).keys] == ["a"]
        waiting = asyncio.ensure_future(anext(changes))
        for number in range(3):
            await asyncio.to_thread(server.execute, f"SELECT count(pg_terminate_backend(pid)) {BACKENDS}")
            await asyncio.to_thread(store.write, f"b/{number}", b"1")
            assert [one.key for one in (await waiting).keys] == [f"b/{number}"]
            waiting = asyncio.ensure_future(anext(changes))
        waiting.cancel()


async def test_behind_a_pooler_changes_are_found_by_looking(server: postgresql.Server, store: Store) -> None:
    async with asyncio.timeout(60):
        with fleet_store.another(url(server), listens=False, look_s=0.05) as other:
            changes = other.watch("b", after=store.read_changes("b", stored_values.Cursor()).cursor)
            waiting = asyncio.ensure_future(anext(changes))
            await asyncio.to_thread(store.write_all, {"a": b"1", "b/1": b"1"})
            assert [one.key for one in (await waiting).keys] == ["b/1"]


def test_a_server_that_answers_nothing_is_given_up(server: postgresql.Server) -> None:
    """Its connections stay, so the kernel finds nothing wrong. A change that was sent may be made later."""
    with fleet_store.running(server, times=HASTY, patience_s=0.5) as store:
        store.write("a", b"1")
        stopped = {server.pid}
        with psycopg.connect(url(server)) as other, contextlib.ExitStack() as stack:
            other.execute("SELECT 1 FROM daemun.meta FOR UPDATE")
            found: list[Exception] = []
            writing = threading.Thread(target=lambda: found.append(_failure(lambda: store.write("a", b"2"))))
            writing.start()
            until.true(lambda: execute(server, f"SELECT pid {BACKENDS} AND wait_event_type = 'Lock'") != [])
            stopped |= {int(str(row[0])) for row in execute(server, f"SELECT pid {BACKENDS}")}
            for pid in stopped:
                stack.callback(os.kill, pid, signal.SIGCONT)
                os.kill(pid, signal.SIGSTOP)
            writing.join()
            assert [type(error) for error in found] == [errors.OutcomeUnknownError]
            with pytest.raises(errors.StoreUnreachableError, match="cannot reach the fleet's database"):
                store.read("a")
        with fleet_store.another(url(server)) as patient:
            assert patient.read("a") in {b"1", b"2"}


@pytest.mark.parametrize(
    "look",
    [
        lambda store: store.read("a"),
        lambda store: store.list(""),
        lambda store: store.read_changes("", stored_values.Cursor()),
        lambda store: store.list_nodes(),
        lambda store: store.encrypt_anew(),
    ],
)
def test_what_only_looks_has_changed_nothing(
    server: postgresql.Server, look: collections.abc.Callable[[Store], object]
) -> None:
    with fleet_store.running(server, times=dataclasses.replace(HASTY, answer_s=0.3), patience_s=0.0) as store:
        _wait_answer(store)
        pids = [int(str(pid)) for (pid,) in execute(server, f"SELECT pid {BACKENDS}")]
        try:
            _signal(pids, signal.SIGSTOP)
            with pytest.raises(errors.StoreUnreachableError):
                look(store)
        finally:
            _signal(pids, signal.SIGCONT)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # of a connection that was given up
            os.kill(pid, number)


def _wait_answer(store: Store) -> None:
    """However long a machine with much to do takes to begin a connection, which is kept then."""

    def answers() -> bool:
        with contextlib.suppress(errors.StoreUnreachableError):
            store.list("")
            return True
        return False

    until.true(answers)


def test_ten_thousand_values_are_stored_and_what_changed_is_found(store: Store) -> None:
    """For each key each row was looked at, which took longer than a request may."""
    values = {f"certs/site-{number:05}.test/certificate.json": b"x" for number in range(10_000)}
    assert not store.write_all(values)
    before = store.read_changes("", stored_values.Cursor(epoch=0)).cursor
    store.write("certs/site-00007.test/certificate.json", b"y")
    assert [one.key for one in store.read_changes("", before).keys] == ["certs/site-00007.test/certificate.json"]
    for wrong in ("certs/site-00007.test", "certs/site-00007.test/certificate.json/below"):
        with pytest.raises(ValueError, match="site-00007"):
            store.write(wrong, b"z")


def test_every_request_that_only_looks_is_known_as_one() -> None:
    harmless = r"daemun\.(?:seen|changes)_1\("
    texts = {name: re.sub(harmless, "", request_texts.read(name)) for name in request_texts.names()}
    looks = {name for name, text in texts.items() if not re.search(r"daemun\.\w+_1\(|INSERT|UPDATE|DELETE", text)}
    assert looks == database_requests.READS


IDENTITY = "fleet/identity", fleet_store.KEY.fleet.encode()
KNOWN = {IDENTITY[0]: IDENTITY[1], "certs/a": b"1", "configuration/current": b"1"}


@pytest.mark.parametrize("is_others", [False, True], ids=["emptied", "another fleet's"])
def test_a_database_that_is_not_the_fleets_any_more_takes_nothing_away_and_gets_nothing(
    server: postgresql.Server, store: Store, is_others: bool
) -> None:
    own = memory_store.MemoryStore()
    mirror = mirrored_store.MirroredStore(own, store, witness=IDENTITY)
    store.write_all(KNOWN)
    mirror.follow_now()
    for emptied in ("DELETE FROM daemun.item", "UPDATE daemun.meta SET epoch = epoch + 1"):
        execute(server, emptied)
    if is_others:
        other = fleet_key.make()
        with fleet_store.another(url(server), key=other) as theirs:
            theirs.write_all({IDENTITY[0]: other.fleet.encode(), "certs/b": b"theirs"})
    shared = store.list("")
    change = stored_values.KeyChange(key="certs/a", value=b"2")
    uses: list[collections.abc.Callable[[], object]] = [
        lambda: mirror.read_many(["configuration/current", "certs/a"]),
        lambda: mirror.read_many(under="certs"),
        lambda: mirror.commit([change]),
        lambda: mirror.write("certs/a", b"2"),
        mirror.follow_now,
        mirror.follow_now,
    ]
    for use in uses:
        with pytest.raises(errors.StoreUnreachableError, match="another fleet's" if is_others else "holds nothing of"):
            use()
    assert list(mirror.write_all({"certs/a": b"2"})) == ["certs/a"]
    assert {key: own.read(key) for key in KNOWN} == KNOWN
    assert store.list("") == shared
    assert ["cannot follow the fleet's database" in one.message for one in mirror.damage.problems()] == [True]
    execute(server, "DELETE FROM daemun.item")
    store.write_all({IDENTITY[0]: IDENTITY[1], "certs/b": b"1"})
    mirror.follow_now()
    assert (own.list("certs"), mirror.damage.problems()) == (["certs/b"], ())
    assert mirror.read_many(["certs/b"]).found.keys() == {"certs/b"}
    assert mirror.read_many(under="").found.keys() == {"certs/b", IDENTITY[0]}


@pytest.mark.parametrize("key", ["../../../x", "A", "a b", "certs/../x", "", "x" * 5000])
def test_a_row_that_is_none_of_ours_ends_nothing(server: postgresql.Server, key: str) -> None:
    with fleet_store.running(server) as writer:
        own = memory_store.MemoryStore()
        with fleet_store.another(url(server), own=own) as store:
            mirror = mirrored_store.MirroredStore(own, store)
            mirror.follow_now()
            writer.write("certs/a", b"1")
            with psycopg.connect(url(server)) as other:
                other.execute("UPDATE daemun.item SET key = %s WHERE key = 'certs/a'", (key,))
            writer.write("certs/b", b"1")
            mirror.follow_now()
            assert own.read("certs/b") == b"1"
            assert store.read_many(under="certs").found.keys() == {"certs/b"}
            assert store.list("") == ["certs/b"]
            assert ["none of daemun's" in one.message for one in own.damage.problems()] == [True]
            rotated = fleet_key.rotate(fleet_store.KEY)
            with fleet_store.another(url(server), key=dataclasses.replace(rotated, keys=rotated.keys[::-1])) as later:
                assert later.encrypt_anew() == 1


def test_nobody_waits_for_another_while_the_server_answers_nothing(server: postgresql.Server) -> None:
    """Whoever waits holds a lock of the machine's copy, or a thread that rounds and sign-ins need, too."""
    times = dataclasses.replace(HASTY, answer_s=60.0, connect_s=60)
    with fleet_store.running(server, times=dataclasses.replace(HASTY, answer_s=0.5), patience_s=0.5) as store:
        store.write("a", b"1")
        stopped = [server.pid, *(int(str(row[0])) for row in execute(server, f"SELECT pid {BACKENDS}"))]
        with contextlib.ExitStack() as stack:
            for pid in stopped:
                stack.callback(os.kill, pid, signal.SIGCONT)
                os.kill(pid, signal.SIGSTOP)
            with pytest.raises(errors.StoreUnreachableError):
                store.read("a")
            store._requests._next_try_s = 0.0
            store._connections._times = times  # the next one waits for as long as this test needs
            store._connections._url = database_connections.complete(url(server), times)
            found: list[bytes] = []
            waiting = threading.Thread(target=lambda: found.append(store.read("a")))
            waiting.start()
            until.true(store._requests._trying.locked)
            for _ in range(20):
                with pytest.raises(errors.StoreUnreachableError):
                    store.write("a", b"2")
            assert waiting.is_alive()
        waiting.join()
        assert found == [b"1"]
        store.write("a", b"3")
        assert store.read("a") == b"3"


def test_a_line_of_writers_ends_with_the_first_that_gets_no_answer(
    server: postgresql.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each waits for the machine's copy, which the one before holds while it tries."""
    with fleet_store.running(server, times=HASTY, patience_s=0.5) as store:
        mirror = mirrored_store.MirroredStore(memory_store.MemoryStore(), store)
        mirror.write("a", b"1")
        tries = 0
        listen = store._connections.listen

        def count() -> database_connections.Connection:
            nonlocal tries
            tries += 1
            return listen()

        monkeypatch.setattr(store._connections, "listen", count)
        store._connections.drop()
        found: list[Exception] = []
        with contextlib.ExitStack() as stack:
            stack.callback(os.kill, server.pid, signal.SIGCONT)
            os.kill(server.pid, signal.SIGSTOP)
            line = [
                threading.Thread(target=lambda: found.append(_failure(lambda: mirror.write("a", b"2"))))
                for _ in range(20)
            ]
            for one in line:
                one.start()
            for one in line:
                one.join()
        assert [type(error) for error in found] == [errors.StoreUnreachableError] * 20
        assert tries < 10
        until.true(lambda: _writes(mirror, b"3"))
        assert mirror.read("a") == b"3"


def _writes(mirror: mirrored_store.MirroredStore, value: bytes) -> bool:
    with contextlib.suppress(errors.StoreUnreachableError):
        mirror.write("a", value)
        return True
    return False


@pytest.mark.parametrize("password", ["pa%ss", "pass word", "x@[::1]y"])
def test_an_odd_url_is_not_quoted(password: str) -> None:
    with pytest.raises(errors.ConfigError) as caught:
        database_connections.complete(f"postgresql://daemun:{password}@[::1]x/db", HASTY)
    assert password not in str(caught.value)
    assert "libpq does not understand the URL" in str(caught.value)


def test_a_machine_without_descriptors_does_not_reach_the_database(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write("a", b"1")
    with monkeypatch.context() as patch:
        patch.setattr(os, "dup", _refuse)
        with pytest.raises(errors.StoreUnreachableError, match="too many open files"):
            store.read("a")
    assert store.read("a") == b"1"


def _refuse(*_: object) -> typing.NoReturn:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def test_a_dead_connection_is_not_kept(
    server: postgresql.Server, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_connections, "_FRESH_S", 0.0)
    store.list("")
    for _ in range(3):
        execute(server, f"SELECT pg_terminate_backend(pid, 10000) {BACKENDS}")
        store.list("")
    assert store._connections._in_use == set()


def test_a_connection_that_cannot_be_prepared_is_closed(server: postgresql.Server) -> None:
    times = database_connections.DatabaseTimes(statement_s=1e12)
    with pytest.raises(psycopg.Error, match="Value exceeds integer range") as found:
        database_connections.DatabaseConnections(server.url(), times).listen()
    until.true(lambda: server.execute(f"SELECT pid {BACKENDS}") == [])
    assert found.value is not None  # it holds what was made


def test_who_waited_for_connections_that_were_ended_gets_none(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    connections = store._connections

    class Closing(threading.BoundedSemaphore):
        def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
            connections.close()
            return super().acquire(blocking, timeout)

    monkeypatch.setattr(connections, "_free", Closing(1))
    with pytest.raises(errors.StoreUnreachableError, match="this process ended its connections"):
        store.list("")
    assert connections._idle == []


@pytest.mark.parametrize(
    "failure", [psycopg.OperationalError(), OSError(errno.EMFILE, ""), RuntimeError(), ValueError()]
)
async def test_whatever_ends_the_connection_that_listens_it_is_made_again(
    server: postgresql.Server, store: Store, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    monkeypatch.setattr(change_listener, "_CONNECT_AGAIN_S", 0.0)
    connections = database_connections.DatabaseConnections(url(server), HASTY)
    failures = [failure]

    def listen() -> database_connections.Connection:
        if failures:
            raise failures.pop()
        return database_connections.DatabaseConnections.listen(connections)

    monkeypatch.setattr(connections, "listen", listen)
    listener = change_listener.ChangeListener(connections)
    waiter = change_listener.Waiter()
    with listener.waking(waiter):
        async with asyncio.timeout(60):
            await waiter.wait(120)
    assert failures == []
    listener.close()


def test_a_revision_is_noted_of_the_server_that_is_known_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread may learn of a new server at the same time."""
    memory = server_memory.ServerMemory(None)
    memory.note(server_memory.SeenServer(sysid="1", tli=1, epoch=1, rev=5))
    new = server_memory.SeenServer(sysid="2", tli=1, epoch=2, rev=5)

    class Guard:
        def __enter__(self) -> None:
            if memory.seen.epoch < new.epoch:
                memory._seen = new

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(memory, "_guard", Guard())
    memory.note_revision(2, 6, None)
    monkeypatch.undo()
    assert memory.seen == dataclasses.replace(new, rev=6)


def _failure(call: collections.abc.Callable[[], None]) -> Exception:
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("it did not fail")


# --- servers that end ----------------------------------------------------------------------------------------------


@dataclasses.dataclass
class House:
    """Two servers, and what a node of the fleet remembers."""

    primary: postgresql.Server
    standby: postgresql.Server
    own: memory_store.MemoryStore

    @contextlib.contextmanager
    def node(
        self,
        *servers: postgresql.Server,
        own: memory_store.MemoryStore | None = None,
        quiet_s: float = 0.0,
        patience_s: float = 60.0,
    ) -> collections.abc.Iterator[Store]:
        addresses = ",".join(server.address for server in servers or (self.primary, self.standby))
        address = f"postgresql://{postgresql.SUPERUSER}@{addresses}/postgres"
        with fleet_store.another(
            address, own=own or self.own, quiet_s=quiet_s, times=HASTY, patience_s=patience_s
        ) as store:
            yield store


@pytest.fixture
def house() -> collections.abc.Iterator[House]:
    with postgresql.folder() as folder:
        made = House(
            primary=postgresql.Server(folder, "primary"),
            standby=postgresql.Server(folder, "standby"),
            own=memory_store.MemoryStore(),
        )
        made.primary.make()
        made.primary.start()
        try:
            with made.node(made.primary) as store:
                store.create_tables()
                store.write("a", b"1")
            made.standby.copy(made.primary)
            yield made
        finally:
            made.standby.stop()
            made.primary.stop()


def test_a_standby_is_found_and_tokens_rise_though_it_lost_changes(house: House) -> None:
    with house.node(quiet_s=3600.0) as holder, holder.lock("order", lease_s=3600) as old:
        # The standby does not run, so it never hears of these.
        holder.commit([change("order", b"lost")], lease=old)
        with holder.lock("ledger"):
            house.primary.crash()
            house.standby.start()
            house.standby.execute("SELECT pg_promote()")
            with house.node(own=memory_store.MemoryStore(), quiet_s=3600.0) as other:
                assert other.read("a") == b"1"
                assert other.list("") == ["a"]
                # Holders of before notice it before others can follow them.
                with pytest.raises(errors.LockHeldError, match="was moved to another server"), holder.lock("order"):
                    pass
                with pytest.raises(errors.LeaseLostError):
                    holder.commit([change("order", b"late")], lease=old)
                house.standby.execute("UPDATE daemun.meta SET quiet_until = '-infinity'")
                with other.lock("order") as new:
                    assert new.token.epoch > old.token.epoch
                    other.commit([change("order", b"new")], lease=new)
                assert holder.read("order") == b"new"
        # The old server is back, and takes writes: who has seen the new one does not use it.
        house.primary.start()
        with house.node(house.primary, patience_s=0.0) as back:
            for use in (lambda: back.write("a", b"2"), lambda: back.read("a")):
                with pytest.raises(errors.StoreUnreachableError, match="a server that was replaced answers"):
                    use()
        assert house.primary.execute("SELECT count(*) FROM daemun.change") == [(2,)]
        with house.node() as again:
            assert again.read("order") == b"new"


def test_an_older_copy_is_noticed(house: House) -> None:
    """Restored by a person, with the same timeline."""
    (house.standby.files / "standby.signal").unlink()
    with house.node(house.primary) as store:
        cursor = store.read_changes("", stored_values.Cursor()).cursor
        with store.lock("order") as old:
            store.write_all({"b": b"1", "c": b"1"})
            cursor = store.read_changes("", cursor).cursor
            house.primary.crash()
            house.standby.port = house.primary.port
            house.standby.start()
            found = store.read_changes("", cursor)
            assert found.is_complete
            assert [one.key for one in found.keys] == ["a"]
            assert found.cursor.epoch > cursor.epoch
            with pytest.raises(errors.LeaseLostError):
                store.commit([change("a", b"2")], lease=old)
    assert house.own.list("") == ["node/seen.json"]
