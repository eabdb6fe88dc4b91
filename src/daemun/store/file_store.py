"""A store in a directory: one file per key, private to its owner.

A value is written to a temporary file of the same directory, synced, renamed over the old one, and the directory is
synced: a reader sees the old value or the new one, and after a power cut one of the two is there. Names that start with
`~` are never keys: they are the temporary files and the locks. A temporary file is locked (flock) as long as its writer
lives, so what an interrupted write left behind is distinguished from a write that goes on right now, in whatever
process.
"""

import collections
import collections.abc
import concurrent.futures
import contextlib
import errno
import fcntl
import hashlib
import os
import pathlib
import secrets
import stat
import time

from daemun import causes, durable, errors, folders, regular_files
from daemun.control import damage_report, stored_values
from daemun.control.lease import LEASE_S, Lease
from daemun.store import file_commits, file_leases, keys, process_lock
from daemun.store.file_problems import PlaceTakenError, explained, unknown_when_it_fails

_TEMPORARY = "~new-"
_ATTEMPTS = 100
_WAITING_AT_ONCE = 16
_NOT_SYNCED = "the change is there, and a power cut may undo it"


class FileStore:
    """`control.ports.Store` in the directory root (0700; made when it is missing; files 0600).

    now: seconds since the epoch, shared by all processes that lock.
    rescan_s: how often a watch compares the directory with what it saw last, besides when the kernel reports a change.
    Raises: EnvironmentProblemError, here and in every method, when the file system refuses; old values stay whole.
    """

    def __init__(
        self, root: pathlib.Path, *, now: collections.abc.Callable[[], float] = time.time, rescan_s: float = 5.0
    ) -> None:
        self._root = root.absolute()
        self._leases = file_leases.FileLeases(self._root, now=now)
        self._commits = file_commits.FileCommits(self._root, self)
        self._rescan_s = rescan_s
        self.damage = damage_report.DamageReport()
        self.alone = process_lock.ProcessLock(self._root / process_lock.FOLDER)
        """For what a process does in several steps; nothing of this store itself waits for it."""
        with explained("open the store", self._root):
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Nothing is changed that is right already: a file system that cannot be written can be read.
            if stat.S_IMODE(self._root.stat().st_mode) != 0o700:
                self._root.chmod(0o700)
        with contextlib.suppress(OSError, errors.EnvironmentProblemError):
            self._remove_leftovers()
            self._commits.complete()

    def locate(self, key: str) -> str:
        return str(self._path(key))

    def read(self, key: str) -> bytes:
        try:
            # Without pathlib: a hundred thousand are read at a start.
            with regular_files.open_for_reading(f"{self._root}/{keys.check(key)}") as file:
                return file.read()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise errors.NotFoundInStoreError(f'cannot read "{key}": it is not in {self._root}') from None
        except OSError:
            with explained("read", self._path(key)):
                raise

    def read_many(
        self, some: collections.abc.Iterable[str] = (), *, under: str | None = None
    ) -> stored_values.ReadValues:
        found: dict[str, stored_values.VersionedValue] = {}
        unreadable: dict[str, errors.EnvironmentProblemError] = {}
        with self._commits.none_halfway():
            for key in dict.fromkeys((*some, *(() if under is None else self.list(under)))):
                try:
                    value = self.read(key)
                except errors.NotFoundInStoreError:
                    continue
                except errors.EnvironmentProblemError as error:
                    unreadable[key] = error
                else:
                    found[key] = stored_values.VersionedValue(value=value, revision=_revision(value))
        return stored_values.ReadValues(found=found, unreadable=unreadable)

    def write(self, key: str, value: bytes) -> None:
        with self._commits.none_halfway():
            self._put_synced(key, value)

    def write_all(
        self, values: collections.abc.Mapping[str, bytes]
    ) -> collections.abc.Mapping[str, errors.EnvironmentProblemError]:
        failed: dict[str, errors.EnvironmentProblemError] = {}

        def put(key: str) -> None:
            try:
                self._put(key, values[key])
            except errors.EnvironmentProblemError as error:
                failed[key] = error

        # What waits for the disk at the same time waits once: a file system has one journal.
        with self._commits.none_halfway(), concurrent.futures.ThreadPoolExecutor(_WAITING_AT_ONCE) as pool:
            collections.deque(pool.map(put, values), maxlen=0)
        for folder in {self._path(key).parent for key in values.keys() - failed.keys()}:
            try:
                with explained("write", folder), contextlib.suppress(FileNotFoundError):
                    durable.sync_directory(folder)
            except errors.EnvironmentProblemError as error:
                failed |= {key: error for key in values if self._path(key).parent == folder}
        return failed

    def _put_synced(self, key: str, value: bytes) -> None:
        self._put(key, value)
        with (
            unknown_when_it_fails(_NOT_SYNCED),
            explained("write", self._path(key)),
            contextlib.suppress(FileNotFoundError),
        ):
            durable.sync_directory(self._path(key).parent)

    def _put(self, key: str, value: bytes) -> None:
        """Everything but the wait for the directory, which may be gone again with what was put there."""
        path = self._path(key)
        self._refuse_conflict(key)
        with explained("write", path):
            for _ in range(_ATTEMPTS):
                # A delete may remove the directory that just became empty, and a store that is opened right now may
                # take the new temporary file, not yet locked, for a leftover. Either way: once more.
                with contextlib.suppress(FileNotFoundError):
                    self._make_directory(path.parent)
                    _replace(path, value)
                    return
            raise FileNotFoundError(errno.ENOENT, "its directory disappears again and again")

    def commit(
        self, changes: collections.abc.Collection[stored_values.KeyChange], *, lease: Lease | None = None
    ) -> None:
        keys.check_changes(changes)
        with explained("write", self._root):
            self._make_directory(self._root)
            with self._commits.alone(), self._leases.holding(lease):
                for change in changes:
                    self._refuse_unexpected(change)
                deleted = {change.key for change in changes if change.value is None}
                for change in changes:
                    if change.value is not None:
                        self._refuse_conflict(change.key, deleted)
                self._make(changes)

    def _make(self, changes: collections.abc.Collection[stored_values.KeyChange]) -> None:
        if len(changes) > 1:
            self._commits.make(changes)
            return
        for change in changes:
            if change.value is None:
                self.remove(change.key)
            else:
                self._put_synced(change.key, change.value)

    def delete(self, key: str) -> None:
        with self._commits.none_halfway():
            self.remove(key)

    def remove(self, key: str) -> None:
        """For `file_commits`: without its lock."""
        path = self._path(key)
        with explained("delete", path):
            try:
                path.unlink()
            except (FileNotFoundError, NotADirectoryError):
                return
            except (IsADirectoryError, PermissionError):  # Linux raises the first for a directory, POSIX the second
                if path.is_dir():
                    return
                raise
        with unknown_when_it_fails(_NOT_SYNCED), explained("delete", path):
            self._prune(path.parent)

    def list(self, prefix: str) -> list[str]:
        return sorted(key for key, _ in self._walk(keys.check_prefix(prefix)))

    def lock(self, name: str, *, lease_s: float = LEASE_S) -> contextlib.AbstractContextManager[Lease]:
        return self._leases.lock(name, lease_s=lease_s)

    def renew_now(self) -> None:
        """Every lock that this process holds, whether it is due or not."""
        self._leases.renewal.renew_now()

    def watch(
        self, prefix: str, *, after: stored_values.Cursor | None = None
    ) -> collections.abc.AsyncIterator[stored_values.ChangedKeys]:
        # The snapshot is taken now, so that nothing is missed until the iteration starts.
        return self._changes(prefix, self._scan(keys.check_prefix(prefix)) if after is None else after.seen)

    # --- keys and files ------------------------------------------------------------------------------------------

    def _path(self, key: str) -> pathlib.Path:
        return self._root / keys.check(key)

    def _refuse_unexpected(self, change: stored_values.KeyChange) -> None:
        if change.expected is None:
            return
        try:
            is_expected = _revision(self.read(change.key)) == change.expected
        except errors.NotFoundInStoreError:
            is_expected = change.expected == stored_values.ABSENT
        if not is_expected:
            raise keys.conflict(change.key)

    def _refuse_conflict(self, key: str, deleted: collections.abc.Container[str] = ()) -> None:
        for parent in keys.parents(key):
            if parent not in deleted and self._path(parent).is_file():
                raise self._place_taken(key, parent)
        for other in self._scan(key):
            if other not in deleted:
                raise self._place_taken(key, other)

    def _place_taken(self, key: str, other: str) -> PlaceTakenError:
        cure = f"move {self._path(other)} away, or delete it"
        return PlaceTakenError(f'cannot write "{key}": "{other}" holds a value; {cure}')

    def _scan(self, prefix: str) -> dict[str, tuple[int, int]]:
        """Every key under the prefix with what distinguishes one version of its file from the next (inode, time)."""
        found: dict[str, tuple[int, int]] = {}
        for key, row in self._walk(prefix):
            with contextlib.suppress(FileNotFoundError):
                seen = row.stat()
                found[key] = (seen.st_ino, seen.st_mtime_ns)
        return found

    def _walk(self, prefix: str) -> collections.abc.Iterator[tuple[str, os.DirEntry[str]]]:
        """Every key under the prefix."""
        pending = [prefix]
        while pending:
            directory = pending.pop()
            folder = self._root / directory
            with self._noted(directory, folder), os.scandir(folder) as rows:
                for row in rows:
                    key = f"{directory}/{row.name}" if directory else row.name
                    if not keys.is_key(row.name):
                        continue
                    if row.is_dir(follow_symlinks=False):
                        pending.append(key)
                    else:
                        yield key, row

    @contextlib.contextmanager
    def _noted(self, directory: str, folder: pathlib.Path) -> collections.abc.Iterator[None]:
        """A folder that cannot be read hides what is in it, and nothing else."""
        try:
            yield
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            cause = causes.describe(error)
            self.damage.note(directory, f'cannot read "{folder}": {cause}; correct its owner and rights')
        else:
            self.damage.clear(directory)

    def make_folder(self, key: str) -> pathlib.Path:
        """For `file_commits`: of the key's file, which it returns. Raises: OSError."""
        path = self._path(key)
        self._make_directory(path.parent)
        return path

    def _make_directory(self, directory: pathlib.Path) -> None:
        if directory.is_dir():
            return
        self._make_directory(directory.parent)
        # What the store lies in was deleted, too: nginx's workers pass through it.
        directory.mkdir(mode=0o700 if directory.is_relative_to(self._root) else 0o755, exist_ok=True)
        durable.sync_directory(directory.parent)

    def _prune(self, directory: pathlib.Path) -> None:
        """Remove directories that hold nothing any more, so that their names can become keys."""
        while directory != self._root:
            try:
                directory.rmdir()
            except OSError:
                break
            directory = directory.parent
        with contextlib.suppress(FileNotFoundError):  # a neighbour was pruned by another process meanwhile
            durable.sync_directory(directory)

    def _remove_leftovers(self) -> None:
        for folder, _, files in os.walk(self._root):
            for path in (pathlib.Path(folder, name) for name in files if name.startswith(_TEMPORARY)):
                with contextlib.suppress(OSError), regular_files.open_for_reading(path) as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()

    # --- changes -------------------------------------------------------------------------------------------------

    async def _changes(
        self, prefix: str, before: collections.abc.Mapping[str, object]
    ) -> collections.abc.AsyncGenerator[stored_values.ChangedKeys, None]:
        """Events are only the moment to look; what changed follows from comparing with the last look. That also finds
        what no event had: changes before the first one, or while the kernel's queue was full. A key that was written
        and deleted between two looks counts as unchanged."""
        watch = folders.watch(lambda: self._folders(prefix), look_again_s=self._rescan_s)
        async with contextlib.aclosing(watch) as ticks:
            async for _ in ticks:
                now = self._scan(prefix)
                changed = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
                before = now
                if changed:
                    found = tuple(stored_values.ChangedKey(key=key, is_deleted=key not in now) for key in changed)
                    yield stored_values.ChangedKeys(keys=found, cursor=stored_values.Cursor(seen=now))

    def _folders(self, prefix: str) -> collections.abc.Iterator[pathlib.Path]:
        """Where something happens when a key under the prefix changes, or comes to be."""
        yield from (self._root / parent for parent in ("", *keys.parents(prefix)))
        for folder, inner, _ in os.walk(self._root / prefix):
            inner[:] = filter(keys.is_key, inner)
            yield pathlib.Path(folder)


def _revision(value: bytes) -> str:
    """Of a value, not of a write: one that came back is as before."""
    return hashlib.sha256(value).hexdigest()


def _replace(path: pathlib.Path, value: bytes) -> None:
    """Put the value in the file's place in one step. Raises: OSError; then the old file is as it was."""
    temporary = path.parent / f"{_TEMPORARY}{secrets.token_hex(8)}"
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(value)
            file.flush()
            os.fsync(file.fileno())
            temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
