"""Notices that something of the state directory was deleted while daemun runs, and makes it again: without its lock a
second daemun would start beside this one, without its sockets nothing can be requested, without its files nginx serves
no site after the next reload.
"""

import asyncio
import collections.abc
import contextlib
import os
import pathlib

import structlog

from daemun import errors, folders
from daemun.control import gate, lifecycle
from daemun.core import layout, worker_generations
from daemun.nginx import answers_folder, process
from daemun.store import instance

log: structlog.stdlib.BoundLogger = structlog.get_logger()


_REPLACED_WITHIN_S = 0.2


class StateGuard:
    """prepare: makes folders and files that are missing; blocking. sockets: task -> the path that it listens on."""

    def __init__(
        self,
        *,
        layout: layout.Layout,
        lock: instance.HeldLock,
        prepare: collections.abc.Callable[[], None],
        gate: gate.Gate,
        sockets: collections.abc.Mapping[str, str],
    ) -> None:
        self._layout = layout
        self._lock = lock
        self._prepare = prepare
        self._gate = gate
        self._sockets = sockets
        self._failure: str | None = None
        self._logged: list[str] = []

    async def run(self, restart: lifecycle.Restart) -> None:
        """Never returns. restart: starts the task again that has lost its socket."""
        async with contextlib.aclosing(folders.watch(self._watched)) as events:
            async for _ in events:
                missing = await self._find_lasting()
                if missing:
                    await self._mend(missing, restart)
                else:
                    self._logged = []

    def _watched(self) -> tuple[pathlib.Path, ...]:
        """Where a deletion shows. What is in other folders is certificates' and generations', and has its own watch."""
        return (pathlib.Path(self._layout.state), pathlib.Path(self._layout.run), pathlib.Path(self._layout.nginx))

    async def _find_lasting(self) -> list[str]:
        """What is missing, and not just being replaced. The lock never is, and waits for nothing."""
        missing = self._find_missing()
        if missing and self._lock.is_there():
            await asyncio.sleep(_REPLACED_WITHIN_S)
            again = await asyncio.to_thread(self._find_missing)
            return [path for path in missing if path in again]
        return missing

    def _find_missing(self) -> list[str]:
        paths = self._layout
        needed = [
            paths.store,
            paths.live,
            paths.pairs,
            paths.challenges,
            paths.logs,
            paths.run,
            paths.temp,
            paths.current,
        ]
        # Where nothing can be written nothing was deleted: daemun could not make them.
        is_writable = os.access(paths.run, os.W_OK) or not pathlib.Path(paths.run).exists()
        sockets = self._sockets.values() if is_writable else ()
        missing = [path for path in (*needed, *sockets) if not pathlib.Path(path).exists()]
        if not any(pathlib.Path(path).exists() for path in paths.confirm_sockets) and process.find_master(paths):
            missing.append(paths.confirm_socket)
        if answers_folder.is_missing(paths):
            missing.append(paths.answers)
        if not self._lock.is_there():
            missing.append(paths.lock)
        return missing

    async def _mend(self, missing: list[str], restart: lifecycle.Restart) -> None:
        try:
            if not self._lock.is_there():
                self._lock.take()
            await asyncio.to_thread(self._prepare)
        except errors.LockHeldError:
            log.error("the state directory was deleted, and another daemun has taken it; this one ends")  # noqa: TRY400
            self._gate.request_stop(keep_traffic=True)
            return
        except errors.EnvironmentProblemError as error:
            self._log_failure(str(error))
            return
        self._failure = None
        is_removed = pathlib.Path(self._layout.store) in map(pathlib.Path, missing)
        lost = "; accounts and certificates of CAs were in it: restore a backup if there is one" if is_removed else ""
        if missing != self._logged:
            log.error(f"deleted under the running daemun, and made again: {', '.join(missing)}{lost}")
        self._logged = missing
        for name, path in self._sockets.items():
            if path in missing:
                await restart(name)
        await self._gate.apply(worker_generations.Urgency.NEEDED)

    def _log_failure(self, failure: str) -> None:
        """Once for each cause: it is looked at every few seconds."""
        if failure != self._failure:
            log.error("the state directory was deleted, and cannot be made again", reason=failure)
        self._failure = failure
