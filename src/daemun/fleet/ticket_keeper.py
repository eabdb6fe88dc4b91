"""The keys of TLS session tickets on this machine: files that nginx's master reads, and what is due of them.

    tickets/keys          the keys (`ticket_rotation`), changed under the lock `tickets`
    tickets/loaded/NODE   the numbers of those that NODE's nginx has

With no database in reach the last ones go on.
"""

import asyncio
import collections.abc
import contextlib
import datetime
import json
import os
import pathlib
import re
import secrets

import structlog

from daemun import causes, errors, regular_files, ticks
from daemun.control import damaged_keys, guarded_store, held_lock, ports, shared_changes
from daemun.core import layout
from daemun.fleet import ticket_rotation

log: structlog.stdlib.BoundLogger = structlog.get_logger()

KEY, LOADED = "tickets/keys", "tickets/loaded"
LOOK_S = 10.0
_MOST_BYTES = 1 << 20
_LINE = re.compile(rb"^\s*ssl_session_ticket_key\s+\S*/([0-9a-f]{16})\.key;", re.MULTILINE)


class TicketKeeper:
    """Called on one event loop. node: this machine's name. find_living: names of the machines that live, from the
    database; may raise EnvironmentProblemError. read_shared_clock: the database's time, likewise: two machines whose
    clocks differ by a day would turn the keys at each look. wake: nginx is to have other keys. Blocking: reads the
    store."""

    def __init__(
        self,
        store: ports.Store,
        paths: layout.Layout,
        clock: ports.Clock,
        *,
        node: str,
        find_living: collections.abc.Callable[[], collections.abc.Iterable[str]],
        read_shared_clock: collections.abc.Callable[[], datetime.datetime],
        wake: collections.abc.Callable[[], None],
    ) -> None:
        self._store = store
        self._layout = paths
        self._clock = clock
        self._node = node
        self._find_living = find_living
        self._read_shared_clock = read_shared_clock
        self._wake = wake
        self._loaded: tuple[str, ...] = ()
        self._keys = self._read()

    def follow(self, changes: shared_changes.SharedChanges) -> None:
        """What other machines decide is so here, too."""
        changes.follow(KEY, take=self._take)

    async def _take(self, _: collections.abc.Sequence[str]) -> None:
        before, self._keys = self._keys, await asyncio.to_thread(self._read)
        if self._keys != before:
            self._wake()

    def write_files(self) -> tuple[str, ...]:
        """The files for nginx, the one whose key encrypts first; none: nginx makes keys of its own. Blocking,
        microseconds."""
        keys = self._keys.keys if self._keys is not None else ()
        try:
            found = tuple(self._write(one) for one in keys)
        except OSError as error:
            cause = f"{self._layout.tickets}: {causes.describe(error)}"
            follows = "until then visitors who come from other machines of the fleet have whole handshakes"
            message = f"cannot write the keys of TLS session tickets: {cause}; {follows}"
            self._store.damage.note(self._layout.tickets, message)
            return ()
        self._store.damage.clear(self._layout.tickets)
        return found

    async def run(self) -> None:
        """Never returns."""
        while True:
            try:
                await self._look()
            except (errors.EnvironmentProblemError, errors.LockHeldError, errors.LeaseLostError) as error:
                log.debug("the keys of TLS session tickets stay as they are", reason=str(error))
            await ticks.sleep(LOOK_S)

    async def _look(self) -> None:
        await asyncio.to_thread(self._report)
        if await asyncio.to_thread(self._is_due):
            async with held_lock.held(self._store, "tickets") as lease:
                store = guarded_store.GuardedStore(self._store, lease)
                await asyncio.to_thread(self._turn, store)
            await self._take(())

    # --- blocking --------------------------------------------------------------------------------------------------

    def _read(self) -> ticket_rotation.TicketKeys | None:
        follows = "nginx makes keys of its own until a machine of the fleet makes others"
        return damaged_keys.read(self._store, KEY, ticket_rotation.decode, follows=follows)

    def _report(self) -> None:
        """Let others know which keys nginx here has: those that its files named at the last look, too."""
        with contextlib.suppress(OSError):
            content = regular_files.read(f"{self._layout.current}/nginx.conf", _MOST_BYTES)
            before, self._loaded = self._loaded, tuple(dict.fromkeys(one.decode() for one in _LINE.findall(content)))
            key, value = f"{LOADED}/{self._node}", json.dumps(self._loaded).encode()
            if before == self._loaded and value != self._read_value(key):
                self._store.write(key, value)
        self._remove_old()

    def _read_value(self, key: str) -> bytes | None:
        with contextlib.suppress(errors.NotFoundInStoreError):
            return self._store.read(key)
        return None

    def _is_due(self) -> bool:
        before = self._read()
        if self._rotate(before, self._clock.now()) is before:
            return False
        return self._rotate(before, self._read_shared_clock()) is not before

    def _turn(self, store: ports.Store) -> None:
        before = self._read()
        after = self._rotate(before, self._read_shared_clock())
        if after is not before:
            store.write(KEY, ticket_rotation.encode(after))

    def _rotate(self, before: ticket_rotation.TicketKeys | None, now: datetime.datetime) -> ticket_rotation.TicketKeys:
        is_waiting = before is not None and before.is_next_last
        return ticket_rotation.rotate(
            before,
            now,
            loaded=self._read_loaded(),
            living={self._node, *(self._find_living() if is_waiting else ())},
            draw=_draw,
        )

    def _read_loaded(self) -> dict[str, frozenset[str]]:
        found = {}
        for key in self._store.list(LOADED):
            with contextlib.suppress(ValueError, TypeError, RecursionError, errors.NotFoundInStoreError):
                found[key.removeprefix(f"{LOADED}/")] = frozenset(map(str, json.loads(self._store.read(key))))
        return found

    # --- files -----------------------------------------------------------------------------------------------------

    def _write(self, one: ticket_rotation.TicketKey) -> str:
        """For root alone. Raises: OSError."""
        folder = pathlib.Path(self._layout.tickets)
        path = folder / f"{one.number}.key"
        with contextlib.suppress(OSError):
            if regular_files.read(path, ticket_rotation.SECRET_BYTES) == one.secret:
                return str(path)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = folder / f"~{one.number}"
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.write(one.secret)
        new.rename(path)
        return str(path)

    def _remove_old(self) -> None:
        """What neither nginx's files nor the fleet names any more. A file stays an hour for a round that goes back."""
        known = {*self._loaded, *(one.number for one in (self._keys.keys if self._keys is not None else ()))}
        latest = self._clock.now() - datetime.timedelta(hours=1)
        with contextlib.suppress(OSError):
            for path in pathlib.Path(self._layout.tickets).iterdir():
                written_at = datetime.datetime.fromtimestamp(path.lstat().st_mtime, datetime.UTC)
                if path.stem not in known and written_at < latest:
                    path.unlink()


def _draw() -> ticket_rotation.TicketKey:
    secret = secrets.token_bytes(ticket_rotation.SECRET_BYTES)
    return ticket_rotation.TicketKey(number=secrets.token_hex(8), secret=secret)
