"""In the daemon of a machine in a fleet: who signed in here is known to the others' judges, and who signed out is.

sign-ins/DIGEST   what is shared of one user's (`shared_sign_ins`), changed by comparing and swapping
"""

import asyncio
import collections.abc
import contextlib
import json
import os
import time
import typing

import structlog

from daemun.control import ports, shared_changes, value_change
from daemun.core import layout
from daemun.errors import DaemunError, EnvironmentProblemError, NotFoundInStoreError
from daemun.judge import judge_process, shared_sign_ins

log: structlog.stdlib.BoundLogger = structlog.get_logger()

RETRY_S = 1.0
_REPORT_S = 10.0
_TIDY_S = 3600.0
_AT_ONCE = 100


class SignInSharing:
    """take_over: what users changed of their accounts, into the store."""

    def __init__(
        self,
        store: ports.Store,
        paths: layout.Layout,
        *,
        take_over: collections.abc.Callable[[], collections.abc.Awaitable[None]],
    ) -> None:
        self._store = store
        self._layout = paths
        self._take_over = take_over
        self._instance, self._number = "", 0
        self._missed: dict[str, None] = {}
        """Keys whose values did not reach the judge."""
        self._failed_since_s: float | None = None
        self._is_reported = False
        self._tidied_s = time.monotonic()
        self._bringing = asyncio.Lock()

    def follow(self, changes: shared_changes.SharedChanges) -> None:
        changes.follow(shared_sign_ins.FOLDER, take=self._take)

    async def run(self) -> None:
        """Never returns."""
        while True:
            try:
                await self._exchange()
                await self._tidy()
                self._failed_since_s, self._is_reported = None, False
            except (DaemunError, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
                # No judge runs, or it ends, or the database is out of reach: nothing is lost in the judge.
                self._report(type(error).__name__)
                await asyncio.sleep(RETRY_S)

    def _report(self, reason: str) -> None:
        """Once, and neither of a judge that starts nor where none is needed."""
        if not os.path.lexists(self._layout.judge_control_socket):
            self._failed_since_s = None
            return
        now_s = time.monotonic()
        if self._failed_since_s is None:
            self._failed_since_s = now_s
        if not self._is_reported and now_s - self._failed_since_s >= _REPORT_S:
            self._is_reported = True
            log.warning("sign-ins are not shared with the fleet now; it is tried again", reason=reason)

    async def _exchange(self) -> None:
        """What is new in the judge, when there is anything."""
        found = await self._request("changes", {"after": self._number, "instance": self._instance})
        if found["instance"] != self._instance:
            self._missed |= dict.fromkeys(await asyncio.to_thread(self._store.list, shared_sign_ins.FOLDER))
        await self._bring_missed()
        records = [shared_sign_ins.check(one) for one in found["records"]]
        merged = await asyncio.to_thread(self._keep, records)
        if merged:
            await self._bring(merged)
        self._instance, self._number = str(found["instance"]), int(found["number"])
        if found["has_changes"]:
            await self._take_over()
            if not records:  # they could not be taken over
                await asyncio.sleep(RETRY_S)

    async def _tidy(self) -> None:
        if time.monotonic() - self._tidied_s >= _TIDY_S:
            self._tidied_s = time.monotonic()
            await asyncio.to_thread(self.remove_over)

    def remove_over(self) -> None:
        """What is stored of users of whose sign-ins nothing counts any more. Blocking. Raises:
        EnvironmentProblemError."""
        now_s = time.time()
        for key in self._store.list(shared_sign_ins.FOLDER):
            with contextlib.suppress(NotFoundInStoreError):
                if shared_sign_ins.end(self._store.read(key), now_s) is None:
                    value_change.change(self._store, key, lambda content: shared_sign_ins.end(content, now_s))

    def _keep(self, records: collections.abc.Iterable[shared_sign_ins.Record]) -> list[shared_sign_ins.Record]:
        """Blocking. Returns: of whom others know more. Raises: EnvironmentProblemError."""
        merged = []
        for one in records:
            now_s, key = time.time(), shared_sign_ins.key_of(one["user"])

            def alter(content: bytes | None, one: shared_sign_ins.Record = one, now_s: float = now_s) -> bytes:
                return shared_sign_ins.alter(content, one, now_s)

            stored = value_change.change(self._store, key, alter)
            if stored is not None and stored != shared_sign_ins.alter(None, one, now_s):
                merged.append(shared_sign_ins.decode(stored))
        return merged

    async def _take(self, keys: collections.abc.Sequence[str]) -> None:
        """Bring what other machines know to the judge, where one runs: it gets everything when it starts."""
        self._missed |= dict.fromkeys(keys)
        with contextlib.suppress(EnvironmentProblemError):  # `run` tries it again
            await self._bring_missed()

    async def _bring_missed(self) -> None:
        """Raises: EnvironmentProblemError; what did not reach the judge is kept for the next try."""
        async with self._bringing:
            while keys := list(self._missed)[:_AT_ONCE]:
                self._missed = {key: None for key in self._missed if key not in keys}
                try:
                    await self._bring(shared_sign_ins.read_all(await asyncio.to_thread(self._read, keys)))
                except BaseException:
                    self._missed |= dict.fromkeys(keys)
                    raise

    async def _bring(self, records: list[shared_sign_ins.Record]) -> None:
        for begin in range(0, len(records), _AT_ONCE):
            await self._request("take", {"records": records[begin : begin + _AT_ONCE]})

    def _read(self, keys: collections.abc.Sequence[str]) -> list[bytes]:
        found = []
        for key in keys:
            with contextlib.suppress(NotFoundInStoreError):
                found.append(self._store.read(key))
        return found

    async def _request(self, what: str, value: dict[str, typing.Any]) -> dict[str, typing.Any]:
        """Raises: EnvironmentProblemError."""
        content = json.dumps(value).encode()
        return await judge_process.request(self._layout, "POST", f"/sign-ins/{what}", content)
