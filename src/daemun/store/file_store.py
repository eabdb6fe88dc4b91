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
import json
import math
import os
import pathlib
import secrets
import socket
import stat
import time
import typing

from daemun import causes, durable, errors, folders, regular_files
from daemun.control import damage_report
from daemun.store import keys

_TEMPORARY = "~new-"
_LOCKS = "~locks"
_FULL = {errno.ENOSPC, errno.EDQUOT}
_ATTEMPTS = 100
_WAITING_AT_ONCE = 16


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
        self._now = now
        self._rescan_s = rescan_s
        self.damage = damage_report.DamageReport()
        with _explained("open the store", self._root):
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Nothing is changed that is right already: a file system that cannot be written can be read.
            if stat.S_IMODE(self._root.stat().st_mode) != 0o700:
                self._root.chmod(0o700)
        with contextlib.suppress(OSError):
            self._remove_leftovers()

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
            with _explained("read", self._path(key)):
                raise

    def write(self, key: str, value: bytes) -> None:
        self._put(key, value)
        with _explained("write", self._path(key)), contextlib.suppress(FileNotFoundError):
            durable.sync_directory(self._path(key).parent)

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
        with concurrent.futures.ThreadPoolExecutor(_WAITING_AT_ONCE) as pool:
            collections.deque(pool.map(put, values), maxlen=0)
        for folder in {self._path(key).parent for key in values.keys() - failed.keys()}:
            try:
                with _explained("write", folder), contextlib.suppress(FileNotFoundError):
                    durable.sync_directory(folder)
            except errors.EnvironmentProblemError as error:
                failed |= {key: error for key in values if self._path(key).parent == folder}
        return failed

    def _put(self, key: str, value: bytes) -> None:
        """Everything but the wait for the directory, which may be gone again with what was put there."""
        path = self._path(key)
        self._refuse_conflict(key)
        with _explained("write", path):
            for _ in range(_ATTEMPTS):
                # A delete may remove the directory that just became empty, and a store that is opened right now may
                # take the new temporary file, not yet locked, for a leftover. Either way: once more.
                with contextlib.suppress(FileNotFoundError):
                    self._make_directory(path.parent)
                    _replace(path, value)
                    return
            raise FileNotFoundError(errno.ENOENT, "its directory disappears again and again")

    def delete(self, key: str) -> None:
        path = self._path(key)
        with _explained("delete", path):
            try:
                path.unlink()
            except (FileNotFoundError, NotADirectoryError):
                return
            except (IsADirectoryError, PermissionError):  # Linux raises the first for a directory, POSIX the second
                if path.is_dir():
                    return
                raise
            self._prune(path.parent)

    def list(self, prefix: str) -> list[str]:
        return sorted(key for key, _ in self._walk(keys.check_prefix(prefix)))

    @contextlib.contextmanager
    def lock(self, name: str, *, lease_s: float) -> collections.abc.Iterator[None]:
        """Hold `name`. Besides an expired lease, one whose process has ended is taken over, at once."""
        path = self._root / _LOCKS / keys.check(name).replace("/", "+")
        with _explained("lock", path):
            held = self._take(name, path, lease_s)
        try:
            yield
        finally:
            with _explained("unlock", path), self._guarded():
                # After the lease ended another process may have put its own file in the place of ours.
                if _is_same(path, held):
                    path.unlink()
                os.close(held)

    def watch(self, prefix: str) -> collections.abc.AsyncIterator[str]:
        # The snapshot is taken now, so that nothing is missed until the iteration starts.
        return self._changes(prefix, self._scan(keys.check_prefix(prefix)))

    # --- keys and files ------------------------------------------------------------------------------------------

    def _path(self, key: str) -> pathlib.Path:
        return self._root / keys.check(key)

    def _refuse_conflict(self, key: str) -> None:
        for parent in keys.parents(key):
            if self._path(parent).is_file():
                raise ValueError(f'cannot write "{key}": "{parent}" holds a value')
        for other in self._scan(key):
            raise ValueError(f'cannot write "{key}": "{other}" holds a value')

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

    # --- locks ---------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _guarded(self) -> collections.abc.Iterator[None]:
        """One at a time looks at the locks and changes them; held for microseconds."""
        directory = self._root / _LOCKS
        directory.mkdir(mode=0o700, exist_ok=True)
        with (directory / "~guard").open("ab") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            yield

    def _take(self, name: str, path: pathlib.Path, lease_s: float) -> int:
        """Returns: the descriptor of the lease. The kernel's lock on it ends with the process that holds it."""
        with self._guarded():
            self._refuse_held(name, path)
            path.unlink(missing_ok=True)
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                owner = f"process {os.getpid()} on {socket.gethostname()}"
                lease = {"owner": owner, "expires_at": self._now() + lease_s}
                os.write(descriptor, json.dumps(lease).encode())
            except OSError:  # a full disk: a lock without its lease would be held until this process ends
                os.close(descriptor)
                path.unlink(missing_ok=True)
                raise
            return descriptor

    def _refuse_held(self, name: str, path: pathlib.Path) -> None:
        with contextlib.suppress(FileNotFoundError), regular_files.open_for_reading(path) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner, left_s = self._read_lease(file)
                if left_s > 0:
                    raise errors.LockHeldError(
                        f'cannot lock "{name}": {owner} holds it, for at most {left_s:.0f} s more; '
                        "wait, or end that process"
                    ) from None

    def _read_lease(self, file: typing.BinaryIO) -> tuple[str, float]:
        """Who holds a lock, and for how many seconds at most. One whose lease is damaged ends with its process."""
        try:
            lease = json.load(file)
            return str(lease["owner"]), float(lease["expires_at"]) - self._now()
        except (ValueError, KeyError, TypeError):
            return "another process", math.inf

    # --- changes -------------------------------------------------------------------------------------------------

    async def _changes(
        self, prefix: str, before: dict[str, tuple[int, int]]
    ) -> collections.abc.AsyncGenerator[str, None]:
        """Events are only the moment to look; what changed follows from comparing with the last look. That also finds
        what no event had: changes before the first one, or while the kernel's queue was full. A key that was written
        and deleted between two looks counts as unchanged."""
        watch = folders.watch(lambda: self._folders(prefix), look_again_s=self._rescan_s)
        async with contextlib.aclosing(watch) as ticks:
            async for _ in ticks:
                now = self._scan(prefix)
                changed = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
                before = now
                for key in changed:
                    yield key

    def _folders(self, prefix: str) -> collections.abc.Iterator[pathlib.Path]:
        """Where something happens when a key under the prefix changes, or comes to be."""
        yield from (self._root / parent for parent in ("", *keys.parents(prefix)))
        for folder, inner, _ in os.walk(self._root / prefix):
            inner[:] = filter(keys.is_key, inner)
            yield pathlib.Path(folder)


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


def _is_same(path: pathlib.Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _explained(verb: str, path: pathlib.Path) -> collections.abc.Iterator[None]:
    """Raise what the file system refused, and what a person can do about it."""
    try:
        yield
    except OSError as error:
        cause = causes.describe(error)
        if error.errno in _FULL:
            advice = "the disk is full; free some space, then it goes on by itself"
        elif isinstance(error, PermissionError):
            advice = f"{cause}; run daemun as the owner of the state directory, or choose another with --state"
        else:
            advice = f"{cause}; look at the file system that holds the state directory"
        raise errors.EnvironmentProblemError(f'cannot {verb} "{path}": {advice}') from error
