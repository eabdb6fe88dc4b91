"""What machines share is on each one's own disk: with its shared store out of reach, at a start, and after an hour of
others' changes."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import pathlib
import subprocess
import sys
import threading
import typing

import pytest

from daemun import errors
from daemun.control import lease as lease_
from daemun.control import stored_values
from daemun.store import change_feed, file_store, memory_store, mirror_cursor, mirrored_store

CHAIN = "certs/a.test/certificate.json"
UNREAD = b'{"revision": 1, "epoch": 0, "change": null, "unread": ["../x"]}'
KEEP = [
    "discovery/known.json",
    "history/daemun.yaml",
    "history/trial.json",
    "judge/policies",
    "certs/a.test/hook.json",
    "alerts/ledger.json",
    "node/anything",
]


class Shared(memory_store.MemoryStore):
    """One that can be out of reach, and hold values that cannot be read."""

    def __init__(self) -> None:
        super().__init__()
        self.is_reachable = True
        self.breaks_after_commit = False
        self.unreadable: set[str] = set()

    def _reach(self) -> None:
        if not self.is_reachable:
            raise errors.StoreUnreachableError("cannot reach the fleet's database")

    def read_many(
        self, some: collections.abc.Iterable[str] = (), *, under: str | None = None
    ) -> stored_values.ReadValues:
        self._reach()
        read = super().read_many(some, under=under)
        broken = {key: errors.UnreadableValueError(f"cannot read {key}") for key in read.found.keys() & self.unreadable}
        return stored_values.ReadValues(
            found={key: value for key, value in read.found.items() if key not in broken}, unreadable=broken
        )

    def write_all(
        self, values: collections.abc.Mapping[str, bytes]
    ) -> collections.abc.Mapping[str, errors.EnvironmentProblemError]:
        if not self.is_reachable:
            return dict.fromkeys(values, errors.StoreUnreachableError("cannot reach the fleet's database"))
        return super().write_all(values)

    def commit(
        self, changes: collections.abc.Collection[stored_values.KeyChange], *, lease: lease_.Lease | None = None
    ) -> None:
        self._reach()
        super().commit(changes, lease=lease)
        if self.breaks_after_commit:
            raise errors.OutcomeUnknownError("the connection broke")

    def read_changes(self, prefix: str, after: stored_values.Cursor) -> stored_values.ChangedKeys:
        self._reach()
        return super().read_changes(prefix, after)

    @contextlib.contextmanager
    def lock(self, name: str, *, lease_s: float = lease_.LEASE_S) -> collections.abc.Iterator[lease_.Lease]:
        self._reach()
        with super().lock(name, lease_s=lease_s) as lease:
            yield lease


class Node:
    def __init__(self, root: pathlib.Path, shared: Shared) -> None:
        self.own = file_store.FileStore(root, rescan_s=0.2)
        self.store = mirrored_store.MirroredStore(self.own, shared)

    def has(self, key: str) -> bytes | None:
        with contextlib.suppress(errors.NotFoundInStoreError):
            return self.store.read(key)
        return None


Make = collections.abc.Callable[[str], Node]


@pytest.fixture
def shared() -> Shared:
    return Shared()


@pytest.fixture
def make(tmp_path: pathlib.Path, shared: Shared) -> Make:
    return lambda name: Node(tmp_path / name, shared)


@contextlib.asynccontextmanager
async def following(*nodes: Node) -> collections.abc.AsyncIterator[None]:
    tasks = [asyncio.create_task(node.store.run()) for node in nodes]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(is_so: collections.abc.Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not is_so():
            await asyncio.sleep(0.01)


async def test_what_one_writes_all_have(make: Make) -> None:
    one, two = make("one"), make("two")
    async with following(one, two):
        one.store.write(CHAIN, b"first")
        assert one.has(CHAIN) == b"first", "whoever wrote it has it at once"
        await until(lambda: two.has(CHAIN) == b"first")
        two.store.write(CHAIN, b"second")
        two.store.write_all({f"users/u{number}": b"x" for number in range(30)})
        await until(lambda: (one.has(CHAIN), len(one.store.list("users"))) == (b"second", 30))
        one.store.delete(CHAIN)
        await until(lambda: two.has(CHAIN) is None)
        assert one.has(CHAIN) is None


@pytest.mark.parametrize("key", KEEP)
async def test_what_is_a_machines_own_stays_there(make: Make, shared: Shared, key: str) -> None:
    one, two = make("one"), make("two")
    one.store.write(key, b"mine")
    one.store.commit(
        [stored_values.KeyChange(key=key, value=b"mine", expected=one.store.read_many([key]).revision(key))]
    )
    two.store.follow_now()
    assert shared.list("") == []
    assert (one.has(key), two.has(key)) == (b"mine", None)
    assert one.store.read_many(under="").found.keys() >= {key}
    with pytest.raises(ValueError, match="one of them is not shared"):
        one.store.commit([stored_values.KeyChange(key=key, value=b""), stored_values.KeyChange(key=CHAIN, value=b"")])
    with one.store.lock("order-a.test") as lease:
        one.store.commit([stored_values.KeyChange(key=key, value=b"under a lock")], lease=lease)
    assert one.has(key) == b"under a lock"


async def test_out_of_reach_all_is_read_and_nothing_is_written(make: Make, shared: Shared) -> None:
    one, two = make("one"), make("two")
    one.store.write(CHAIN, b"first")
    two.store.follow_now()
    shared.is_reachable = False
    again = make("two")  # a start
    assert (again.has(CHAIN), again.store.list("certs")) == (b"first", [CHAIN])
    writes: list[collections.abc.Callable[[], typing.Any]] = [
        lambda: again.store.write(CHAIN, b"second"),
        lambda: again.store.delete(CHAIN),
        lambda: again.store.read_many([CHAIN]),
        lambda: again.store.lock("order-a.test").__enter__(),
    ]
    for write in writes:
        with pytest.raises(errors.StoreUnreachableError):
            write()
    assert list(again.store.write_all({CHAIN: b"second", "discovery/own": b"written"})) == [CHAIN]
    assert (again.has(CHAIN), again.has("discovery/own")) == (b"first", b"written")
    async with following(again):
        await asyncio.sleep(0)
        shared.is_reachable = True
        one.store.write(CHAIN, b"third")
        await until(lambda: again.has(CHAIN) == b"third")


async def test_a_lock_is_taken_with_all_that_is_shared(make: Make) -> None:
    """Whoever orders looks first whether another has done it, though nothing was reported to it yet."""
    one, two = make("one"), make("two")
    with one.store.lock("order-a.test") as lease:
        one.store.commit([stored_values.KeyChange(key=CHAIN, value=b"ordered")], lease=lease)
        with pytest.raises(errors.LockHeldError), two.store.lock("order-a.test"):
            pass
    assert two.has(CHAIN) is None
    with two.store.lock("order-a.test"):
        assert two.has(CHAIN) == b"ordered"


async def test_the_first_of_two_changes_holds(make: Make) -> None:
    one, two = make("one"), make("two")
    one.store.write("users/login", b"start")
    two.store.follow_now()
    before = two.store.read_many(["users/login"]).revision("users/login")
    one.store.write("users/login", b"one")
    with pytest.raises(errors.StoreConflictError):
        two.store.commit([stored_values.KeyChange(key="users/login", value=b"two", expected=before)])
    # Whoever was second reads what the first has written.
    assert (one.has("users/login"), two.has("users/login")) == (b"one", b"one")


async def test_an_outcome_that_is_not_known_is_read_again(make: Make, shared: Shared) -> None:
    one = make("one")
    shared.breaks_after_commit = True
    with pytest.raises(errors.OutcomeUnknownError):
        one.store.write(CHAIN, b"was written")
    assert one.has(CHAIN) == b"was written"


async def test_what_cannot_be_read_stays_as_it_was_known_and_is_reported(make: Make, shared: Shared) -> None:
    one, two = make("one"), make("two")
    one.store.write(CHAIN, b"good")
    two.store.follow_now()
    one.store.write(CHAIN, b"\0 with another key")
    one.store.write("users/login", b"readable")
    shared.unreadable.add(CHAIN)
    two.store.follow_now()
    assert (two.has(CHAIN), two.has("users/login")) == (b"good", b"readable")
    assert CHAIN in str(two.store.damage.problems())
    shared.unreadable.clear()
    one.store.write(CHAIN, b"good again")
    two.store.follow_now()
    assert (two.has(CHAIN), two.store.damage.problems()) == (b"good again", ())


async def test_what_could_not_be_read_is_read_when_it_can_be(make: Make, shared: Shared) -> None:
    """A key of the fleet is copied to the machine later, and nothing changes the value. A start is between."""
    one, two = make("one"), make("two")
    one.store.write_all({CHAIN: b"good", "users/login": b"good"})
    shared.unreadable |= {CHAIN, "users/login"}
    two.store.follow_now()
    one.store.write("users/other", b"later")
    shared.unreadable -= {"users/login"}
    two = make("two")
    async with following(two):
        await until(lambda: (two.has("users/login"), two.has("users/other")) == (b"good", b"later"))
    assert two.has(CHAIN) is None
    assert CHAIN in str(two.store.damage.problems()), "also after a start"
    shared.unreadable.clear()
    with two.store.lock("order-a.test"):
        assert (two.has(CHAIN), two.store.damage.problems()) == (b"good", ())
    written = two.own.read(mirror_cursor.KEY)
    assert b'"unread": []' in written
    shared.delete(CHAIN)
    two.store.follow_now()
    assert two.has(CHAIN) is None


async def test_a_value_takes_the_place_of_those_below_it_and_the_other_way(make: Make) -> None:
    """What was there before is gone in between, which this machine has not heard of yet."""
    one, two = make("one"), make("two")
    ways: list[collections.abc.Callable[[str], object]] = [
        lambda _: two.store.follow_now(),
        lambda key: two.store.read_many([key]),
        lambda _: two.store.read_many(under=""),
        lambda key: two.store.write(key, b"new"),
        lambda key: two.store.write_all({key: b"new"}),
    ]
    for way in ways:
        for before, after in (("users", "users/login"), ("users/login", "users")):
            one.store.write(before, b"old")
            two.store.follow_now()
            one.store.delete(before)
            one.store.write(after, b"new")
            way(after)
            assert two.store.list("") == [after]
            assert two.has(after) == b"new"
            one.store.delete(after)
            two.store.follow_now()


async def test_what_lies_in_the_place_of_the_machines_own_is_reported_and_not_copied(
    make: Make, shared: Shared
) -> None:
    """A daemun of another version may share other keys. Everything else is followed."""
    one = make("one")
    one.store.write("discovery/known.json", b"own")
    shared.write_all({"discovery": b"shared", CHAIN: b"chain"})
    one.store.follow_now()
    assert one.store.list("") == [CHAIN, "discovery/known.json"]
    assert 'cannot copy "discovery"' in str(one.store.damage.problems())


async def test_what_is_read_of_many_is_what_the_copy_has(make: Make, shared: Shared) -> None:
    one = make("one")
    one.store.write_all({CHAIN: b"goes", "users/login": b"goes", "users/other": b"stays", "node/anything": b"own"})
    one.store.follow_now()
    for key in (CHAIN, "users/login"):
        shared.delete(key)
    shared.write("node/anything", b"another's")
    read = one.store.read_many([CHAIN], under="")
    assert {key: value.value for key, value in read.found.items()} == {"users/other": b"stays", "node/anything": b"own"}
    assert one.store.list("") == ["node/anything", "users/other"]


async def test_a_list_of_all_removes_what_is_gone(make: Make, shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failover, or when what was deleted is not known any more."""
    one = make("one")
    one.store.write(CHAIN, b"stays")
    one.store.write("users/login", b"goes")
    one.store.write("history/daemun.yaml", b"own")
    shared.delete("users/login")
    everything = stored_values.ChangedKeys(
        keys=(stored_values.ChangedKey(key=CHAIN, is_deleted=False),),
        cursor=stored_values.Cursor(revision=9, epoch=1),
        is_complete=True,
    )
    monkeypatch.setattr(shared, "read_changes", lambda _prefix, _after: everything)
    one.store.follow_now()
    assert one.store.list("") == [CHAIN, "history/daemun.yaml"]


@pytest.mark.parametrize("is_complete", [False, True])
async def test_what_was_reported_gone_and_is_written_since_stays(make: Make, shared: Shared, is_complete: bool) -> None:
    """Between what a watch reads and what follows from it this machine may write the same key."""
    one = make("one")
    one.store.write(CHAIN, b"first")
    shared.delete(CHAIN)
    found = shared.read_changes("", stored_values.Cursor())
    found = dataclasses.replace(found, is_complete=True, keys=()) if is_complete else found
    one.store.write(CHAIN, b"since")
    one.store.follow_now()
    further = one.own.read(mirror_cursor.KEY)
    one.store._follow(found)
    assert (one.has(CHAIN), shared.read(CHAIN)) == (b"since", b"since")
    assert one.own.read(mirror_cursor.KEY) == further, "it had followed further"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"revision": "x"}', b'{"revision": 3}', b"\xff", UNREAD])
async def test_a_damaged_cursor_reads_everything_once(make: Make, content: bytes) -> None:
    one, two = make("one"), make("two")
    one.store.write(CHAIN, b"there")
    two.own.write(mirror_cursor.KEY, content)
    two = make("two")
    two.store.follow_now()
    assert two.has(CHAIN) == b"there"


async def test_what_did_not_change_is_not_touched(make: Make) -> None:
    """Whoever watches a file would deploy a certificate again."""
    one, two = make("one"), make("two")
    one.store.write(CHAIN, b"same")
    two.store.follow_now()
    before = pathlib.Path(two.own.locate(CHAIN)).stat()
    one.store.write(CHAIN, b"same")
    two.store.follow_now()
    two = make("two")
    two.store.follow_now()
    assert pathlib.Path(two.own.locate(CHAIN)).stat().st_ino == before.st_ino


async def test_watchers_are_told_in_the_process_that_copies(make: Make, shared: Shared) -> None:
    """Also of what another process of this machine has copied before."""
    one = make("one")
    async with asyncio.timeout(60):
        changes = one.store.watch("certs")
        shared.write(CHAIN, b"of another machine")
        beside = mirrored_store.MirroredStore(one.own, shared)
        await asyncio.to_thread(beside.follow_now)
        assert one.has(CHAIN) == b"of another machine"
        await asyncio.to_thread(one.store.follow_now)
        found = await anext(changes)
        assert [(key.key, key.is_deleted) for key in found.keys] == [(CHAIN, False)]
        await asyncio.to_thread(one.store.delete, CHAIN)
        await asyncio.to_thread(one.store.follow_now)  # the shared store reports the same once more
        await asyncio.to_thread(one.store.write, "certs/b", b"next")
        found = await anext(changes)
        reported = [(key.key, key.is_deleted) for key in found.keys]
        if reported == [(CHAIN, True)]:
            reported += [(key.key, key.is_deleted) for key in (await anext(changes)).keys]
        assert reported == [(CHAIN, True), ("certs/b", False)]
        # A cursor of another process: what there is, all of it.
        everything = await anext(one.store.watch("", after=stored_values.Cursor(revision=3, epoch=1)))
        assert everything.is_complete
        assert "certs/b" in {key.key for key in everything.keys}


async def test_keys_that_are_gone_are_not_remembered_for_ever(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_feed, "MOST_GONE", 3)
    one = make("one")
    async with asyncio.timeout(60):
        first, changes = one.store.mark(), one.store.watch("")
        for number in range(20):
            await asyncio.to_thread(one.store.write, f"once/{number}", b"x")
            await asyncio.to_thread(one.store.delete, f"once/{number}")
        gone = set[str]()
        while len(gone) < 20:  # who watches learns of all, however late
            found = await anext(changes)
            assert not found.is_complete
            gone |= {key.key for key in found.keys if key.is_deleted}
        await asyncio.to_thread(one.store.write, "drafts/one", b"x")
        await asyncio.to_thread(one.store.delete, "drafts/one")
        assert len(one.store._feed._changed) == 3
        assert len(one.store._feed._reported) + len(one.store._feed._reported_gone) == 3
        # Who comes with a cursor of before is told of all that there is.
        assert (await anext(one.store.watch("", after=first))).is_complete


def test_a_copy_is_made_by_one_process_at_a_time(tmp_path: pathlib.Path) -> None:
    """Else what one read earlier would lie over what another wrote since."""
    own = file_store.FileStore(tmp_path / "own")
    program = (
        "import pathlib, sys\n"
        "from daemun.store import file_store\n"
        "with file_store.FileStore(pathlib.Path(sys.argv[1])).alone:\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "own")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == b"held\n"
        entered = threading.Event()

        def enter() -> None:
            with own.alone, own.alone:
                entered.set()

        thread = threading.Thread(target=enter)
        thread.start()
        assert not entered.is_set()
        other.stdin.close()
        thread.join(60)
        assert entered.is_set()


class _Stuck(file_store.FileStore):
    """Some keys cannot be written or deleted."""

    stuck: frozenset[str] = frozenset()

    def write_all(
        self, values: collections.abc.Mapping[str, bytes]
    ) -> collections.abc.Mapping[str, errors.EnvironmentProblemError]:
        left = {key: errors.EnvironmentProblemError("no space left on device") for key in values.keys() & self.stuck}
        return {**left, **super().write_all({key: one for key, one in values.items() if key not in left})}

    def delete(self, key: str) -> None:
        if key in self.stuck:
            raise errors.EnvironmentProblemError("no space left on device")
        super().delete(key)


@pytest.mark.parametrize("is_deleted", [False, True])
async def test_one_that_cannot_be_copied_keeps_no_other_from_being_known(
    tmp_path: pathlib.Path, shared: Shared, make: Make, is_deleted: bool
) -> None:
    one = make("one")
    own = _Stuck(tmp_path / "two")
    two = mirrored_store.MirroredStore(own, shared)
    one.store.write("a/stuck", b"0")
    two.follow_now()
    own.stuck = frozenset({"a/stuck"})
    watch = two.watch("")
    task = asyncio.create_task(two.run())
    try:
        if is_deleted:
            one.store.delete("a/stuck")
        else:
            one.store.write("a/stuck", b"1")
        one.store.write("bans/x", b"1")
        async with asyncio.timeout(60):
            while "bans/x" not in {one.key for one in (await anext(watch)).keys}:
                pass
        assert own.read("bans/x") == b"1"
        assert ["cannot copy" in one.message for one in two.damage.problems()] == [True]
        own.stuck = frozenset()
        await until(lambda: not two.damage.problems())
        if is_deleted:
            assert "a/stuck" not in own.list("")
        else:
            assert own.read("a/stuck") == b"1"
    finally:
        task.cancel()
