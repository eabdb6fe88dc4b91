"""One node of a fleet that is simulated, as a process: the store, heartbeat and configuration that its daemon has.

Left out is what a node does beside the database: nginx, reading the YAML of what it is to serve, and certificates.
"""

import asyncio
import collections.abc
import concurrent.futures
import contextlib
import dataclasses
import datetime
import multiprocessing.connection
import os
import pathlib
import threading
import time
import typing

import daemun
from daemun.control import gate_port, history_port, ports, shared_changes, stored_values
from daemun.core.fleet import node_about
from daemun.fleet import (
    agreed_files,
    configuration_files,
    configuration_keeper,
    configuration_member,
    configuration_values,
    followed_record,
    membership,
    node_keeper,
)
from daemun.store import file_store, memory_store, mirrored_store
from daemun.store.postgresql import postgresql_store
from daemun.wiring import clock
from tests.support import fleet_store

_THREADS = 32
"""As of the daemon (`wiring.fleet_parts`)."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """what: "loaded", "up", "served", "written", "settled", "stored", "certificate". at_s: monotonic, one
    clock for all processes."""

    node: str
    what: str
    at_s: float


class Disk(memory_store.MemoryStore):
    """What a node has on its disk. A hundred machines have as many disks, and this one has one."""

    def _refuse_conflict(self, key: str, deleted: collections.abc.Container[str]) -> None:
        """A file system knows it at once; to look through all that is there would be most of the work."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Of a node. folder: of its daemun.yaml. own: what it has on its disk; None: nothing yet, and a real disk."""

    name: str
    url: str
    folder: pathlib.Path
    own: ports.Store | None


def run(plot: Plot, parent: multiprocessing.connection.Connection) -> None:
    """The whole process. parent: gets events, and sends commands: the name of a method of `Node`, and what it gets."""
    try:
        asyncio.run(Node(plot, parent).live())
    finally:
        os._exit(0)


class Node:
    def __init__(self, plot: Plot, parent: multiprocessing.connection.Connection) -> None:
        self._plot = plot
        self._parent = parent
        self._guard = threading.Lock()
        own = file_store.FileStore(plot.folder / "store") if plot.own is None else plot.own
        self._shared = postgresql_store.PostgresqlStore(plot.url, fleet_store.KEY, own=own, owner=plot.name)
        witness = membership.KEY_IDENTITY, fleet_store.KEY.fleet.encode()
        order = own.alone if isinstance(own, file_store.FileStore) else None
        self._store = mirrored_store.MirroredStore(own, self._shared, order=order, witness=witness)
        self._config = plot.folder / "daemun.yaml"
        files = _Files(self._config, lambda: self._tell("written"))
        self._texts = agreed_files.AgreedTexts(files, followed_record.FollowedRecord(self._store))
        self._started_at = datetime.datetime.now(datetime.UTC)
        self._nodes = node_keeper.NodeKeeper(
            self._shared,
            plot.name,
            version=daemun.__version__,
            describe=self._describe,
            find_seen=lambda: self._store.cursor,
            clock=clock.SystemClock(),
            damage=self._store.damage,
        )
        self._member = configuration_member.ConfigurationMember(
            self._store, plot.name, files, self._nodes.wait_living, now=clock.SystemClock().now
        )
        self._texts.target = self._member.start()
        front = typing.cast("configuration_keeper.Front", self)
        self._keeper = configuration_keeper.ConfigurationKeeper(self._texts, front, lambda _: None, self._member)

    def _describe(self) -> node_about.NodeAbout:
        current = self._member.current
        return node_about.NodeAbout(
            addresses=("203.0.113.7", "2001:db8::7"),
            listen=("*:80", "*:443"),
            revision=None if current is None else current.number,
            started_at=self._started_at,
        )

    def _tell(self, what: str) -> None:
        with self._guard, contextlib.suppress(OSError):
            self._parent.send(Event(node=self._plot.name, what=what, at_s=time.monotonic()))

    async def live(self) -> None:
        """Until it is told to end."""
        threads = concurrent.futures.ThreadPoolExecutor(_THREADS, thread_name_prefix="asyncio")
        asyncio.get_running_loop().set_default_executor(threads)
        await asyncio.to_thread(self._shared.check_tables)
        await asyncio.to_thread(self._store.follow_now)
        self._tell("loaded")
        changes = shared_changes.SharedChanges(self._store, after=self._store.mark())
        self._keeper.follow(changes)
        changes.follow("certs", take=self._take_certificates)
        runs = (self._keeper.run, changes.run, self._store.run, self._nodes.run, self._nodes.watch)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one()) for one in runs]
            await self._keeper.settle(None)
            self._tell("up")
            while True:
                name, *given = await asyncio.to_thread(self._read_command)
                if name == "end":
                    break
                await getattr(self, name)(*given)
            for one in tasks:
                one.cancel()
        self._shared.close()

    def _read_command(self) -> tuple[typing.Any, ...]:
        try:
            return typing.cast("tuple[typing.Any, ...]", self._parent.recv())
        except EOFError:
            os._exit(1)  # whoever measures is gone

    async def _take_certificates(self, _: collections.abc.Sequence[str]) -> None:
        self._tell("certificate")

    # --- commands --------------------------------------------------------------------------------------------------

    async def edit(self, old: str, new: str) -> None:
        """Change the file, as an editor does, and apply it."""
        text = self._config.read_text()
        made = self._config.with_suffix(".new")
        made.write_text(text.replace(old, new, 1))
        made.replace(self._config)
        await self._keeper.settle(history_port.Caller(command="edit of daemun.yaml"))
        self._tell("settled")

    async def store_certificate(self, host: str, value: bytes) -> None:
        """As an order does that was filled."""
        await asyncio.to_thread(self._store_certificate, host, value)

    def _store_certificate(self, host: str, value: bytes) -> None:
        with self._store.lock(f"order-{host}") as lease:
            change = stored_values.KeyChange(key=f"certs/{host}/certificate.json", value=value)
            self._tell("stored")
            self._store.commit([change], lease=lease)

    # --- what the gate is to the keeper, without nginx --------------------------------------------------------------

    def status(self, *, added: bool = True, host: str | None = None) -> gate_port.GateStatus:
        return gate_port.GateStatus(
            version=daemun.__version__,
            pid=os.getpid(),
            generation=1,
            nginx_version="",
            nginx_pid=None,
            reloads=0,
            workers=0,
            draining_workers=0,
            sites=(),
            certificates=(),
            problems=(),
            config_path="",
            state_dir="",
            started_at=self._started_at,
        )

    def wake(self) -> None:
        """Nothing is to be served anew."""

    async def apply_here(self, caller: history_port.Caller | None) -> gate_port.ApplyReport:
        await asyncio.to_thread(self._texts.find)  # as a round does that reads the file
        self._tell("served")
        return gate_port.ApplyReport(ok=True, generation=1)


class _Files(configuration_files.ConfigurationFiles):
    def __init__(self, main: pathlib.Path, written: collections.abc.Callable[[], None]) -> None:
        super().__init__(main)
        self._written = written

    def write(self, files: configuration_values.Files, expected: configuration_values.Files) -> None:
        super().write(files, expected)
        self._written()
