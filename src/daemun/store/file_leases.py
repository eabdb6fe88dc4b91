"""Locks of a store of files: a file for each, which the kernel locks for as long as the process lives that holds it.

Besides an expired lease, one whose process has ended is taken over, at once.
"""

import collections.abc
import contextlib
import fcntl
import json
import math
import os
import pathlib
import socket
import typing

from daemun import errors, regular_files
from daemun.control.lease import FencingToken, Lease, monotonic_s
from daemun.store import keys, lease_renewal
from daemun.store.file_problems import explained

FOLDER = "~locks"
_LONGEST = 250
"""Signs of what a lock's file has."""


class FileLeases:
    """Takes and releases locks of a store of files. now: seconds since the epoch, shared by all processes that lock."""

    def __init__(self, root: pathlib.Path, *, now: collections.abc.Callable[[], float]) -> None:
        self._folder = root / FOLDER
        self._now = now
        self._held: dict[Lease, tuple[pathlib.Path, int]] = {}
        self.renewal = lease_renewal.LeaseRenewal(self._renew)

    @contextlib.contextmanager
    def lock(self, name: str, *, lease_s: float) -> collections.abc.Iterator[Lease]:
        """See `control.ports.Store`."""
        path = self._folder / keys.check(name).replace("/", "+")
        with explained("lock", path):
            lease, descriptor = self._take(name, path, lease_s)
        self._held[lease] = path, descriptor
        try:
            with self.renewal.renewing(lease):
                yield lease
        finally:
            with contextlib.ExitStack() as stack:
                # Whatever fails, the kernel's lock ends: else this process would be refused until it ends.
                stack.callback(self._forget, lease)
                stack.enter_context(explained("unlock", path))
                stack.enter_context(self._guarded())
                stack.callback(self._forget, lease)
                # After the lease ended another process may have put its own file in the place of ours.
                if _is_same(path, descriptor):
                    path.unlink()

    @contextlib.contextmanager
    def holding(self, lease: Lease | None) -> collections.abc.Iterator[None]:
        """While the block runs none is taken, and it runs for one at a time. Raises: LeaseLostError; OSError."""
        if lease is not None:
            lease.check()
        with self._guarded():
            if lease is not None and self._find_ours(lease) is None:
                lease.lose()
                lease.check()
            yield

    def _forget(self, lease: Lease) -> None:
        """Once, also where it is called twice."""
        if (held := self._held.pop(lease, None)) is not None:
            os.close(held[1])

    def _find_ours(self, lease: Lease) -> int | None:
        """The descriptor; None: it is held no more."""
        if (held := self._held.get(lease)) is None:
            return None
        path, descriptor = held
        is_ours = _is_same(path, descriptor) and _read_lease(descriptor)[1] > self._now()
        return descriptor if is_ours else None

    def _renew(self, leases: collections.abc.Collection[Lease]) -> list[Lease]:
        with explained("renew the locks in", self._folder), self._guarded():
            found = [(lease, self._find_ours(lease)) for lease in leases]
            kept = [(lease, descriptor) for lease, descriptor in found if descriptor is not None]
            for lease, descriptor in kept:
                self._write(descriptor, lease.lease_s)
            return [lease for lease, _ in kept]

    @contextlib.contextmanager
    def _guarded(self) -> collections.abc.Iterator[None]:
        """One at a time, of all processes, looks at the locks and changes them, or makes a change under one
        (`holding`): for as long as the disk takes for that."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._folder / "~guard"
        with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600), "ab") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            yield

    def _take(self, name: str, path: pathlib.Path, lease_s: float) -> tuple[Lease, int]:
        """Returns: with the descriptor, whose lock of the kernel ends with the process that holds it."""
        with self._guarded():
            self._refuse_held(name, path)
            path.unlink(missing_ok=True)
            sent_at_s = monotonic_s()
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._write(descriptor, lease_s)
                token = FencingToken(epoch=0, number=self._next_number())
            except OSError:  # a full disk: a lock without its lease would be held until this process ends
                os.close(descriptor)
                path.unlink()
                raise
            return Lease(name, token, lease_s=lease_s, sent_at_s=sent_at_s), descriptor

    def _write(self, descriptor: int, lease_s: float) -> None:
        owner = f"process {os.getpid()} on {socket.gethostname()}"
        text = json.dumps({"owner": owner, "expires_at": self._now() + lease_s})
        # Of one length each time: on a full disk nothing can be added.
        os.pwrite(descriptor, text.ljust(_LONGEST).encode(), 0)

    def _next_number(self) -> int:
        """Not synced: after a power cut there is no holder of before whose writes could come late."""
        descriptor = os.open(self._folder / "~token", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            with contextlib.suppress(ValueError):
                number = int(os.pread(descriptor, _LONGEST, 0)) + 1
                os.pwrite(descriptor, b"%020d" % number, 0)
                return number
            os.pwrite(descriptor, b"%020d" % 1, 0)
            return 1
        finally:
            os.close(descriptor)

    def _refuse_held(self, name: str, path: pathlib.Path) -> None:
        with contextlib.suppress(FileNotFoundError), regular_files.open_for_reading(path) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner, expires_at = _read_lease(file.fileno())
                if (left_s := expires_at - self._now()) > 0:
                    raise errors.LockHeldError(
                        f'cannot lock "{name}": {owner} holds it, for at most {left_s:.0f} s more; '
                        "wait, or end that process"
                    ) from None


def _read_lease(descriptor: int) -> tuple[str, float]:
    """Who holds a lock, and until when at most. One whose lease is damaged ends with its process."""
    try:
        lease: typing.Any = json.loads(os.pread(descriptor, 2 * _LONGEST, 0))
        return str(lease["owner"]), float(lease["expires_at"])
    except (ValueError, KeyError, TypeError):
        return "another process", math.inf


def _is_same(path: pathlib.Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
