"""Hashed passwords, verified in a few threads: argon2 and bcrypt take tens of milliseconds, and let others run.

Blocking inside; nothing of what is verified is logged, nor is it in errors.
"""

import asyncio
import collections.abc
import concurrent.futures.thread
import os
import typing

import argon2
from passlib import hash as passlib_hash

from daemun.core import password_hashes

THREADS = min(2, os.cpu_count() or 1)
"""Each may take as much memory as a hash demands (`password_hashes`)."""
MOST_WAITING = 200
_BCRYPT_BYTES = 72
"""bcrypt looks at no more (htpasswd and crypt(3) cut silently, the library refuses)."""


class BusyError(Exception):
    """The queue of verifications is full."""


def verify(password: str, hashed: str) -> bool:
    """Blocking: as long as the hash costs. A hash that cannot be read matches nothing."""
    kind = password_hashes.find_kind(hashed)
    if kind is None:
        return False
    secret = password.encode()
    if kind is password_hashes.HashKind.BCRYPT:
        secret = secret[:_BCRYPT_BYTES]
    try:
        return bool(getattr(passlib_hash, kind.value).verify(secret, hashed))
    except (ValueError, TypeError, MemoryError):
        return False


def make_hash(password: str) -> str:
    """Blocking, some 30 ms."""
    return argon2.PasswordHasher(
        time_cost=password_hashes.PASSES,
        memory_cost=password_hashes.KIBIBYTES,
        parallelism=password_hashes.LANES,
    ).hash(password)


T = typing.TypeVar("T")


class Verifier:
    """Verifies hashed passwords in threads. Called on one event loop. verified: the number so far, for tests and the
    status."""

    def __init__(self, check: collections.abc.Callable[[str, str], bool] = verify) -> None:
        self._check = check
        self._threads = concurrent.futures.ThreadPoolExecutor(THREADS, thread_name_prefix="verify")
        self._waiting = 0
        self.verified = 0

    async def verify(self, password: str, hashed: str) -> bool:
        """Raises: BusyError."""
        try:
            return await self._run(self._check, password, hashed)
        finally:
            self.verified += 1

    async def hash(self, password: str) -> str:
        """Of a new password. Raises: BusyError."""
        return await self._run(make_hash, password)

    async def _run(self, function: collections.abc.Callable[..., T], *arguments: str) -> T:
        if self._waiting >= MOST_WAITING:
            raise BusyError
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, function, *arguments)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def warm_up() -> None:
    """Verify one hash of each form: what is imported late is imported now, and the process may not read it later."""
    for kind in password_hashes.HashKind:
        handler = getattr(passlib_hash, kind.value)
        made = handler.using(**_CHEAP[kind]).hash("warm-up") if kind in _CHEAP else handler.hash("warm-up")
        if not verify("warm-up", made):
            raise RuntimeError(f"{kind.value} does not verify what it made")


_CHEAP: dict[password_hashes.HashKind, dict[str, int | str]] = {
    password_hashes.HashKind.ARGON2: {"type": "ID", "memory_cost": 64, "time_cost": 1, "parallelism": 1},
    password_hashes.HashKind.BCRYPT: {"rounds": 4},
    password_hashes.HashKind.SHA512_CRYPT: {"rounds": 1000},
    password_hashes.HashKind.SHA256_CRYPT: {"rounds": 1000},
}
