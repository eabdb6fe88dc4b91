"""What `control.ports.Store` promises, shown for every backend; then what only the files can show."""

import asyncio
import collections.abc
import contextlib
import errno
import fcntl
import os
import pathlib
import random
import stat
import subprocess
import sys
import threading
import typing

import pytest

from daemun import durable, errors
from daemun.control import guarded_store, ports, stored_values
from daemun.store import file_store, memory_store, mirrored_store
from daemun.store.postgresql import postgresql_store
from tests.support import fleet_store, store_writer


class Now:
    """The time as the test sets it."""

    def __init__(self) -> None:
        self.value = 1000.0

    def __call__(self) -> float:
        return self.value


class Renewed(ports.Store, typing.Protocol):
    def renew_now(self) -> None: ...


Wait = collections.abc.Callable[[float], None]


@pytest.fixture
def now() -> Now:
    return Now()


class Mirrored(mirrored_store.MirroredStore):
    def __init__(self, own: file_store.FileStore, shared: memory_store.MemoryStore) -> None:
        super().__init__(own, shared)
        self.renew_now = shared.renew_now


@pytest.fixture(params=["file", "memory", "mirrored", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def store(request: pytest.FixtureRequest, tmp_path: pathlib.Path, now: Now) -> collections.abc.Iterator[Renewed]:
    if request.param == "file":
        yield file_store.FileStore(tmp_path / "store", now=now, rescan_s=0.2)
    elif request.param == "memory":
        yield memory_store.MemoryStore(now=now)
    elif request.param == "mirrored":
        own = file_store.FileStore(tmp_path / "store", now=now, rescan_s=0.2)
        yield Mirrored(own, memory_store.MemoryStore(now=now))
    else:
        with fleet_store.running(request.getfixturevalue("postgresql_server")) as made:
            yield made


@pytest.fixture
def wait_s(store: ports.Store, now: Now, request: pytest.FixtureRequest) -> Wait:
    """Let time pass for leases."""

    def wait(seconds: float) -> None:
        now.value += seconds
        if isinstance(store, postgresql_store.PostgresqlStore):
            fleet_store.pass_time(request.getfixturevalue("postgresql_server"), seconds)

    return wait


# --- keys and values -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [b"", b"x", bytes(range(256)) * 4000], ids=["empty", "short", "a megabyte"])
def test_a_written_value_is_read_back(store: ports.Store, value: bytes) -> None:
    store.write("accounts/lets-encrypt_1.org/key.pem", value)
    assert store.read("accounts/lets-encrypt_1.org/key.pem") == value


def test_a_second_write_replaces_the_first(store: ports.Store) -> None:
    store.write("a", b"a longer value")
    store.write("a", b"short")
    assert store.read("a") == b"short"


def test_many_values_are_written_together(store: ports.Store) -> None:
    values = {f"{folder}/{number}": f"{folder} {number}".encode() for folder in ("a", "b/c") for number in range(20)}
    store.write("a/3", b"before")
    assert store.write_all(values) == {}
    assert store.write_all({}) == {}
    assert {key: store.read(key) for key in store.list("")} == values
    with contextlib.suppress(ValueError):
        assert "holds a value" in str(store.write_all({"x": b"", "a": b""})["a"])
    assert "a/3" in store.list("a")


def test_a_missing_key_is_named(store: ports.Store) -> None:
    store.write("dir/there", b"")
    store.write("value", b"")
    for key in ("missing", "dir", "dir/missing", "value/below"):
        with pytest.raises(errors.NotFoundInStoreError, match=f'cannot read "{key}"'):
            store.read(key)


def test_delete_removes_and_may_be_repeated(store: ports.Store) -> None:
    store.write("a/b", b"1")
    store.delete("a")
    assert store.read("a/b") == b"1"
    for _ in range(2):
        store.delete("a/b")
    store.delete("never/was")
    assert store.list("") == []
    with pytest.raises(errors.NotFoundInStoreError):
        store.read("a/b")


def test_list_is_sorted_and_knows_whole_parts_only(store: ports.Store) -> None:
    for key in ("b", "a/2", "a/1/x", "ab/1", "a.b"):
        store.write(key, b"")
    assert store.list("") == ["a.b", "a/1/x", "a/2", "ab/1", "b"]
    assert store.list("a") == ["a/1/x", "a/2"]
    assert store.list("a/1") == ["a/1/x"]
    assert store.list("b") == []
    assert store.list("nothing") == []


BAD_KEYS = ["", "/", "/a", "a/", "a//b", "..", "a/../b", "./a", "A", "a b", "ä", "a\n", "~new-1", "a\0", "x" * 201]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_a_bad_key_is_refused_with_what_was_expected(store: ports.Store, key: str) -> None:
    calls: list[collections.abc.Callable[[], object]] = [
        lambda: store.read(key),
        lambda: store.write(key, b""),
        lambda: store.delete(key),
    ]
    if key:
        calls.append(lambda: store.list(key))
    calls += [lambda: store.commit([stored_values.KeyChange(key=key, value=b"")]), lambda: store.read_many([key])]
    for call in calls:
        with pytest.raises(ValueError, match="as a key: expected parts of a-z"):
            call()
    with pytest.raises(ValueError, match="as a key: expected parts of a-z"), store.lock(key, lease_s=1):
        pass


def test_a_key_cannot_be_a_value_and_a_folder(store: ports.Store) -> None:
    store.write("a/b", b"kept")
    with pytest.raises(ValueError, match='cannot write "a": "a/b" holds a value'):
        store.write("a", b"")
    with pytest.raises(ValueError, match='cannot write "a/b/c": "a/b" holds a value'):
        store.write("a/b/c", b"")
    assert store.list("") == ["a/b"]
    store.delete("a/b")
    store.write("a", b"now it can")
    assert store.read("a") == b"now it can"


def test_readers_in_other_threads_see_whole_values(store: ports.Store) -> None:
    store.write("a", b"0" * 100_000)
    done = threading.Event()

    def write() -> None:
        for turn in range(12):
            store.write("a", str(turn % 10).encode() * 100_000)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        value = store.read("a")
        assert len(value) == 100_000
        assert len(set(value)) == 1
    writer.join()


def test_writers_and_deleters_of_one_folder_do_not_hinder_each_other(store: ports.Store) -> None:
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for _ in range(10):
                store.write(f"folder/{name}/x", b"1")
                store.delete(f"folder/{name}/x")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.list("") == []


# --- changes that depend on something ------------------------------------------------------------------------------


def change(key: str, value: bytes | None, expected: str | None = None) -> stored_values.KeyChange:
    return stored_values.KeyChange(key=key, value=value, expected=expected)


def revision(store: ports.Store, key: str) -> str:
    return store.read_many([key]).revision(key)


def test_many_are_read_at_once(store: ports.Store) -> None:
    values = {"a/1": b"1", "a/b/2": b"", "c": b"3"}
    store.write_all(values)
    read = store.read_many(["c", "missing", "c"], under="a")
    assert {key: one.value for key, one in read.found.items()} == values
    assert read.unreadable == {}
    assert {key: one.value for key, one in store.read_many(under="").found.items()} == values
    assert store.read_many().found == {}
    assert store.read_many(["a", "c/d"], under="missing").found == {}


def test_a_key_is_created_once(store: ports.Store) -> None:
    assert revision(store, "a/key") == stored_values.ABSENT
    store.commit([change("a/key", b"first", stored_values.ABSENT)])
    with pytest.raises(errors.StoreConflictError, match='cannot write "a/key": it was changed by another') as refused:
        store.commit([change("a/key", b"second", stored_values.ABSENT)])
    assert refused.value.key == "a/key"
    assert store.read("a/key") == b"first"


def test_a_value_is_replaced_only_as_it_was_read(store: ports.Store) -> None:
    store.write("a", b"1")
    read = revision(store, "a")
    store.commit([change("a", b"2", read)])
    for late in (b"3", None):
        with pytest.raises(errors.StoreConflictError):
            store.commit([change("a", late, read)])
    assert store.read("a") == b"2"
    store.commit([change("a", None, revision(store, "a"))])
    assert store.list("") == []
    with pytest.raises(errors.StoreConflictError):
        store.commit([change("a", b"4", read)])


def test_several_keys_change_together_or_not_at_all(store: ports.Store) -> None:
    store.write_all({"a/old": b"old", "b": b"1", "folder/x": b"x"})
    with pytest.raises(errors.StoreConflictError):
        store.commit([change("a/old", None), change("b", b"2", "another"), change("c/d", b"3")])
    with pytest.raises(ValueError, match='cannot write "folder": "folder/x" holds a value'):
        store.commit([change("b", b"2"), change("folder", b"3")])
    with pytest.raises(ValueError, match='cannot write "n/1": "n" holds a value'):
        store.commit([change("n/1", b""), change("n", b"")])
    with pytest.raises(ValueError, match="twice"):
        store.commit([change("b", b"2"), change("b", b"3")])
    assert {key: store.read(key) for key in store.list("")} == {"a/old": b"old", "b": b"1", "folder/x": b"x"}
    # What one of them deletes makes room for another.
    store.commit([change("folder", b"value"), change("folder/x", None), change("b", b"2", revision(store, "b"))])
    store.commit([])
    assert {key: store.read(key) for key in store.list("")} == {"a/old": b"old", "b": b"2", "folder": b"value"}


def test_of_several_that_count_none_is_lost(store: ports.Store) -> None:
    def count() -> None:
        for _ in range(10):
            while True:
                read = store.read_many(["n"])
                number = int(read.found["n"].value) if "n" in read.found else 0
                with contextlib.suppress(errors.StoreConflictError):
                    store.commit([change("n", str(number + 1).encode(), read.revision("n"))])
                    break

    threads = [threading.Thread(target=count) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.read("n") == b"30"


# --- locks -----------------------------------------------------------------------------------------------------


def test_a_lock_is_held_by_one_and_free_afterwards(store: ports.Store) -> None:
    with (
        store.lock("orders/shop", lease_s=60),
        store.lock("orders/other", lease_s=60),
        pytest.raises(errors.LockHeldError, match=r'cannot lock "orders/shop": .+ holds it'),
        store.lock("orders/shop", lease_s=60),
    ):
        pass
    with store.lock("orders/shop", lease_s=60):
        pass
    assert store.list("") == []


def test_a_lock_is_released_by_an_error(store: ports.Store) -> None:
    with pytest.raises(KeyError), store.lock("a", lease_s=60):
        raise KeyError
    with store.lock("a", lease_s=60):
        pass


def test_tokens_rise(store: ports.Store) -> None:
    tokens = []
    for name in ("a", "b", "a", "a"):
        with store.lock(name) as held:
            assert (held.name, held.is_held) == (name, True)
            tokens.append(held.token)
        assert not held.is_held
    assert tokens[0] < tokens[2] < tokens[3]


def test_an_expired_lease_is_taken_over_and_its_old_owner_releases_nothing(store: ports.Store, wait_s: Wait) -> None:
    with contextlib.ExitStack() as second:
        with store.lock("a", lease_s=60):
            wait_s(59)
            with pytest.raises(errors.LockHeldError), store.lock("a", lease_s=60):
                pass
            wait_s(1)
            second.enter_context(store.lock("a", lease_s=60))
        with pytest.raises(errors.LockHeldError), store.lock("a", lease_s=60):
            pass
    with store.lock("a", lease_s=60):
        pass


def test_who_lost_a_lease_writes_nothing_more(store: ports.Store, wait_s: Wait) -> None:
    with store.lock("order") as old:
        guarded = guarded_store.GuardedStore(store, old)
        guarded.write("certs/order", b"old")
        wait_s(60)
        # Nobody has it yet.
        with pytest.raises(errors.LeaseLostError, match='cannot go on with "order"'):
            guarded.write("certs/order", b"late")
        with store.lock("order") as new:
            assert new.token > old.token
            guarded_store.GuardedStore(store, new).write("certs/order", b"new")
            with pytest.raises(errors.LeaseLostError):
                guarded.write("certs/order", b"late")
            with pytest.raises(errors.LeaseLostError):
                guarded.delete("certs/order")
            with pytest.raises(errors.LeaseLostError):
                guarded.write_all({"certs/order": b"late"})
        assert not old.is_held
        with pytest.raises(errors.LeaseLostError):
            guarded_store.GuardedStore(store, new).write("certs/order", b"later")
    assert store.read("certs/order") == b"new"


def test_a_lease_that_is_renewed_stays(store: Renewed, wait_s: Wait) -> None:
    with store.lock("a") as held:
        for _ in range(3):
            wait_s(40)
            store.renew_now()
        with pytest.raises(errors.LockHeldError), store.lock("a"):
            pass
        store.commit([change("n", b"1")], lease=held)
        wait_s(60)
        with store.lock("a"):
            store.renew_now()
            assert not held.is_held
            with pytest.raises(errors.LeaseLostError):
                held.check()


# --- changes ---------------------------------------------------------------------------------------------------


class Watched:
    """What a watch reports, one key after the other."""

    def __init__(self, changes: collections.abc.AsyncIterator[stored_values.ChangedKeys]) -> None:
        self._changes = changes
        self._keys: list[stored_values.ChangedKey] = []
        self.cursor: stored_values.Cursor | None = None

    async def next(self) -> str:
        while not self._keys:
            found = await anext(self._changes)
            self._keys, self.cursor = list(found.keys), found.cursor
        one = self._keys.pop(0)
        return f"-{one.key}" if one.is_deleted else one.key


async def test_watch_reports_everything_since_it_was_called(store: ports.Store) -> None:
    store.write("certs/old", b"1")
    store.write("certs/gone", b"1")
    async with asyncio.timeout(60):
        changes = Watched(store.watch("certs"))
        await asyncio.to_thread(store.write, "certs/new", b"1")
        await asyncio.to_thread(store.write, "other/new", b"1")
        assert await changes.next() == "certs/new"
        await asyncio.to_thread(store.write, "certs/old", b"2")
        assert await changes.next() == "certs/old"
        await asyncio.to_thread(store.delete, "certs/gone")
        await asyncio.to_thread(store.delete, "certs/gone")
        assert await changes.next() == "-certs/gone"
        await asyncio.to_thread(store.write, "certs/last", b"2")
        assert await changes.next() == "certs/last"


async def test_a_watch_goes_on_where_another_ended(store: ports.Store) -> None:
    async with asyncio.timeout(60):
        first = Watched(store.watch(""))
        await asyncio.to_thread(store.write_all, {"a": b"1", "b": b"1"})
        assert await first.next() in {"a", "b"}
        while first.cursor is None or store.list("") != ["a", "b"]:
            await first.next()
        seen = first.cursor
        await asyncio.to_thread(store.delete, "a")
        await asyncio.to_thread(store.write, "c", b"1")
        second = Watched(store.watch("", after=seen))
        reported: set[str] = set()
        while not {"-a", "c"} <= reported:
            reported.add(await second.next())
        assert "a" not in reported


async def test_two_watchers_do_not_hinder_each_other(store: ports.Store) -> None:
    async with asyncio.timeout(60):
        everything, certificates = Watched(store.watch("")), Watched(store.watch("certs"))
        await asyncio.to_thread(store.write, "a", b"1")
        assert await everything.next() == "a"
        await asyncio.to_thread(store.write, "certs/a", b"1")
        assert await everything.next() == "certs/a"
        assert await certificates.next() == "certs/a"


# --- files only ------------------------------------------------------------------------------------------------


def test_files_are_private_and_found_again(tmp_path: pathlib.Path) -> None:
    root = tmp_path / "state" / "store"
    file_store.FileStore(root).write("accounts/a/key.pem", b"secret")
    assert file_store.FileStore(root).read("accounts/a/key.pem") == b"secret"
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (root, *root.rglob("*"))}
    assert modes == {
        root: 0o700,
        root / "accounts": 0o700,
        root / "accounts/a": 0o700,
        root / "accounts/a/key.pem": 0o600,
    }


def test_a_store_with_open_doors_is_closed(tmp_path: pathlib.Path) -> None:
    tmp_path.chmod(0o755)
    file_store.FileStore(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_what_it_lies_in_is_made_again_open_to_those_who_pass_through(tmp_path: pathlib.Path) -> None:
    """A state directory that was deleted: nginx's workers could not enter it, and it was never made whole again."""
    state = tmp_path / "state"
    store = file_store.FileStore(state / "store")
    (state / "store").rmdir()
    state.rmdir()
    store.write("a/b", b"whole")
    assert stat.S_IMODE((state / "store").stat().st_mode) == 0o700
    assert stat.S_IMODE(state.stat().st_mode) & 0o011 == 0o011


def test_a_store_that_cannot_be_made_says_why(tmp_path: pathlib.Path) -> None:
    (tmp_path / "store").write_bytes(b"")
    with pytest.raises(errors.EnvironmentProblemError, match=r'cannot open the store ".+/store": file exists'):
        file_store.FileStore(tmp_path / "store")


def test_leftovers_of_interrupted_writes_are_invisible_and_removed(tmp_path: pathlib.Path) -> None:
    store = file_store.FileStore(tmp_path)
    store.write("a/b", b"whole")
    leftovers = [tmp_path / "~new-0123", tmp_path / "a" / "~new-4567"]
    for leftover in leftovers:
        leftover.write_bytes(b"ha")
    assert store.list("") == ["a/b"]
    assert file_store.FileStore(tmp_path).read("a/b") == b"whole"
    assert not any(leftover.exists() for leftover in leftovers)


def test_a_killed_writer_leaves_whole_values(tmp_path: pathlib.Path) -> None:
    """Every turn ends a process somewhere in a write, by SIGKILL."""
    rng = random.Random(7)
    store = file_store.FileStore(tmp_path)
    store.write("a/value", b"0" * store_writer.SIZE)
    for _ in range(8):
        with _process(str(tmp_path), "a/value") as writer:
            for _ in range(rng.randrange(1, 60)):
                with contextlib.suppress(errors.NotFoundInStoreError):
                    _assert_whole(store.read("a/value"))
            writer.kill()
            writer.wait()
        _assert_whole(store.read("a/value"))
        assert store.list("") == ["a/value"]
        file_store.FileStore(tmp_path)
        assert [path.name for path in (tmp_path / "a").iterdir()] == ["value"]


INTERRUPTED = """
import os, pathlib, sys
from daemun.control import stored_values
from daemun.store import file_store

left = int(sys.argv[2])

def stop_at(event, arguments):
    global left
    if event == "os.rename":
        left -= 1
        if left < 0:
            os._exit(9)

store = file_store.FileStore(pathlib.Path(sys.argv[1]))
sys.addaudithook(stop_at)
changes = [("a/1", b"new"), ("b", None), ("c/d", b"new"), ("b/2", b"new")]
store.commit([stored_values.KeyChange(key=key, value=value) for key, value in changes])
os._exit(0)
"""


def test_what_belongs_together_is_whole_wherever_its_writer_ends(tmp_path: pathlib.Path) -> None:
    before = {"a/1": b"old", "b": b"old"}
    after = {"a/1": b"new", "b/2": b"new", "c/d": b"new"}
    found = []
    for renames in range(6):
        store = file_store.FileStore(tmp_path / str(renames))
        store.write_all(before)
        run = subprocess.run([sys.executable, "-c", INTERRUPTED, tmp_path / str(renames), str(renames)], check=False)
        # By an opened store and by one that was open before, and only files that belong there are left.
        for reader in (store, file_store.FileStore(tmp_path / str(renames))):
            found.append({key: one.value for key, one in reader.read_many(under="").found.items()})
            store.write("later", b"")
            store.delete("later")
        files = {str(path.relative_to(tmp_path / str(renames))) for path in (tmp_path / str(renames)).rglob("*")}
        assert not [name for name in files if "~" in name and not name.startswith("~locks")]
        if run.returncode == 0:
            break
    assert run.returncode == 0
    assert [before, before] == found[:2]
    assert all(one == after for one in found[2:])


def _list_ways_to_commit() -> list[list[stored_values.KeyChange]]:
    return [
        [change("a/1", b"new"), change("c/d", b"new")],
        [change("a/1", b"new"), change("b", None), change("b/2", b"new")],
        [change("a/1", b"new")],
        [change("a/1", None)],
        [change("c/d", b"new")],
    ]


def _fail_once_after(working: int) -> collections.abc.Callable[[pathlib.Path], None]:
    sync, calls = durable.sync_directory, iter(range(100))

    def sync_or_fail(path: pathlib.Path) -> None:
        if next(calls) == working:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        sync(path)

    return sync_or_fail


@pytest.mark.parametrize("changes", _list_ways_to_commit())
def test_a_change_that_may_be_made_is_not_said_to_be_none(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, changes: list[stored_values.KeyChange]
) -> None:
    """Whichever step the disk refuses to keep: without OutcomeUnknownError all is as before, else as either."""
    before = {"a/1": b"old", "b": b"old"}
    after = {**before, **{one.key: one.value for one in changes if one.value is not None}}
    after = {key: value for key, value in after.items() if key not in {one.key for one in changes if one.value is None}}
    unknown = 0
    for working in range(20):
        store = file_store.FileStore(tmp_path / str(working))
        store.write_all(before)
        with monkeypatch.context() as failing:
            failing.setattr(durable, "sync_directory", _fail_once_after(working))
            try:
                store.commit(changes)
                break
            except errors.OutcomeUnknownError:
                unknown += 1
                allowed = [before, after]
            except errors.EnvironmentProblemError:
                allowed = [before]
        for reader in (store, file_store.FileStore(tmp_path / str(working))):
            assert {key: one.value for key, one in reader.read_many(under="").found.items()} in allowed
    assert working > unknown > 0 or len(changes) == 1
    assert {key: one.value for key, one in store.read_many(under="").found.items()} == after


def test_no_value_of_several_is_lost_where_a_folder_disappears(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleted by a hand, or by a process that cannot lock."""
    store = file_store.FileStore(tmp_path)
    make_folder, left = store.make_folder, [1, 2]

    def lose(key: str) -> pathlib.Path:
        path = make_folder(key)
        if key == "c/d" and left:
            left.pop()
            path.parent.rmdir()
        return path

    monkeypatch.setattr(store, "make_folder", lose)
    store.commit([change("c/d", b"1"), change("e/f", b"2")])
    assert {key: one.value for key, one in store.read_many(under="").found.items()} == {"c/d": b"1", "e/f": b"2"}
    left[:] = range(1000)
    (tmp_path / "c/d").unlink()
    with pytest.raises(errors.OutcomeUnknownError, match="again and again"):
        store.commit([change("c/d", b"3"), change("g/h", b"4")])
    left.clear()
    assert {key: one.value for key, one in store.read_many(under="").found.items()} == {
        "c/d": b"3",
        "e/f": b"2",
        "g/h": b"4",
    }


def test_opening_a_store_leaves_the_writes_of_others_alone(tmp_path: pathlib.Path) -> None:
    with _process(str(tmp_path), "value") as writer:
        for _ in range(200):
            file_store.FileStore(tmp_path)
        assert writer.poll() is None


async def test_watch_sees_other_processes(tmp_path: pathlib.Path) -> None:
    async with asyncio.timeout(60):
        changes = file_store.FileStore(tmp_path).watch("")
        with _process(str(tmp_path), "from/another"):
            assert [one.key for one in (await anext(changes)).keys] == ["from/another"]


def test_the_lock_of_a_killed_process_is_free_at_once(tmp_path: pathlib.Path) -> None:
    store = file_store.FileStore(tmp_path)
    code = (
        "import pathlib, sys\nfrom daemun.store import file_store\n"
        "with file_store.FileStore(pathlib.Path(sys.argv[1])).lock('a', lease_s=86400):\n"
        "    print('ready', flush=True)\n    sys.stdin.read()\n"
    )
    with _running([sys.executable, "-c", code, str(tmp_path)]) as holder:
        with (
            pytest.raises(
                errors.LockHeldError, match=rf"process {holder.pid} on .+ holds it, for at most 86\d+ s more"
            ),
            store.lock("a", lease_s=1),
        ):
            pass
        holder.kill()
        holder.wait()
        with store.lock("a", lease_s=1):
            pass


def test_a_lock_whose_lease_is_damaged_is_held_until_its_process_lets_go(tmp_path: pathlib.Path) -> None:
    store = file_store.FileStore(tmp_path)
    with store.lock("a", lease_s=60):
        (tmp_path / "~locks" / "a").write_bytes(b"{")
        held = pytest.raises(errors.LockHeldError, match='cannot lock "a": another process holds it')
        with held, store.lock("a", lease_s=60):
            pass
    with store.lock("a", lease_s=60):
        pass


@pytest.mark.parametrize(("owner", "step"), [(pathlib.Path, "unlink"), (fcntl, "flock")])
def test_a_lock_whose_end_fails_is_free_all_the_same(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, owner: object, step: str
) -> None:
    store = file_store.FileStore(tmp_path)

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def count_open() -> int:
        links = (one.readlink() for one in pathlib.Path("/proc/self/fd").iterdir() if one.is_symlink())
        return sum(one.is_relative_to(tmp_path) for one in links)

    with pytest.raises(errors.EnvironmentProblemError, match="cannot unlock"), store.lock("a", lease_s=60):
        assert count_open() == 1
        monkeypatch.setattr(owner, step, fail)
    monkeypatch.undo()
    assert count_open() == 0
    with store.lock("a", lease_s=60) as lease:
        store.commit([change("n", b"1")], lease=lease)


FULL_DISK = """
import pathlib, subprocess, sys
from daemun import errors
from daemun.store import file_store

root = pathlib.Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "daemun-test", root], check=True)
store = file_store.FileStore(root)
store.write("a", b"old")
try:
    store.write("a", b"x" * 1_000_000)
except errors.EnvironmentProblemError as error:
    print(error)
print(store.read("a"), store.list(""), [path.name for path in root.iterdir()])
store.write("a", b"new")
print(store.read("a"))
with store.lock("first", lease_s=60):
    pass
(root / "~rest").write_bytes(b"x" * 4096)
try:
    with (root / "~rest").open("ab", buffering=0) as rest:
        while True:
            rest.write(b"x" * 4096)
except OSError:
    pass
for _ in range(2):
    try:
        with store.lock("a", lease_s=60):
            pass
    except errors.EnvironmentProblemError as error:
        print(error)
(root / "~rest").unlink()
with store.lock("a", lease_s=60):
    print("locked")
"""


def test_a_full_disk_is_said_in_words_and_the_old_value_stays(tmp_path: pathlib.Path) -> None:
    command = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-c", FULL_DISK, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unshare failed" in run.stderr or "mount:" in run.stderr:
        pytest.skip(f"no mount in a user namespace here: {run.stderr.strip()}")
    assert run.stderr == ""
    assert run.stdout.splitlines() == [
        f'cannot write "{tmp_path}/a": the disk is full; free some space, then it goes on by itself',
        "b'old' ['a'] ['a']",
        "b'new'",
        *[f'cannot lock "{tmp_path}/~locks/a": the disk is full; free some space, then it goes on by itself'] * 2,
        "locked",
    ]


def _assert_whole(value: bytes) -> None:
    assert len(value) == store_writer.SIZE
    assert len(set(value)) == 1


def _process(*arguments: str) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
    return _running([sys.executable, store_writer.__file__, *arguments])


@contextlib.contextmanager
def _running(command: list[str]) -> collections.abc.Iterator[subprocess.Popen[str]]:
    """A process that has said "ready"; killed at the end."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
