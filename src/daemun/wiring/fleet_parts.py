"""What the daemon of a machine in a fleet has beside others: the store that they share, and the room `fleet`.

One whose database, key or driver is missing serves by what it knew (`closed_fleet`), and changes nothing of what all
share. A single machine loads nothing of it, and its file is not read for it.
"""

import asyncio
import collections.abc
import concurrent.futures
import contextlib
import datetime
import pathlib
import typing

import structlog

from daemun import errors, settings
from daemun.certs.served import client_ca
from daemun.control import fleet_port, gate, lifecycle, ports, reconciler, shared_changes
from daemun.core import model
from daemun.core.options import fleet_option
from daemun.fleet import fleet_signs
from daemun.sources import last_good_file, yaml_file
from daemun.sources.docker import nginx_proxy_mode
from daemun.store import file_store
from daemun.wiring import clock

if typing.TYPE_CHECKING:
    from daemun.certs.dns01 import dns_proofs
    from daemun.fleet import (
        fleet_traffic,
        key_rotation,
        node_keeper,
        node_traffic,
        record_keeper,
        shared_traffic,
        ticket_keeper,
    )
    from daemun.wiring import closed_fleet, configuration_parts, opened_fleet

log: structlog.stdlib.BoundLogger = structlog.get_logger()


_THREADS = 32
"""While a database does not answer, each that writes what is shared occupies one; rounds and sign-ins need some too."""


class Following(typing.Protocol):
    """What has values of the store in memory."""

    def follow(self, changes: shared_changes.SharedChanges) -> None: ...


class FleetParts:
    """Of the daemon. store: what it uses, in a fleet or not. fleet: None: there is none, or it cannot be used.

    Whatever else the room `fleet` has is made here, of `fleet`, and runs as a task of `list_tasks`.
    """

    def __init__(
        self,
        chosen: settings.Settings,
        own: file_store.FileStore,
        source: yaml_file.YamlFile,
        known: model.Snapshot | None,
        *,
        wake: collections.abc.Callable[[], None],
    ) -> None:
        """known: of `last_good_file.recall`. wake: nginx is to have something else. Blocking: milliseconds, or as long
        as the database takes to answer."""
        self._own = own
        self._closed: closed_fleet.ClosedFleet | None = None
        self._layout = chosen.layout
        self._wanted: fleet_option.Fleet | None = None
        self.fleet: opened_fleet.OpenedFleet | None = None
        self.nodes: node_keeper.NodeKeeper | None = None
        self._records: record_keeper.RecordKeeper | None = None
        self.store: ports.Store = own
        if fleet_signs.may_be_node(own, chosen.config):
            self._open(chosen, source, known)
        if self._closed is not None:
            self.store = self._closed.store
        self._changes: shared_changes.SharedChanges | None = None
        self._tickets: ticket_keeper.TicketKeeper | None = None
        self._traffic: fleet_traffic.FleetTraffic | None = None
        self._followers: list[Following] = []
        if self.fleet is not None:
            self.store = self.fleet.store
            _catch_up(self.fleet)
            self._changes = shared_changes.SharedChanges(self.store, after=self.fleet.store.mark())
            self._tickets = self._make_tickets(chosen, self.fleet, wake)
            self._followers = [self._tickets, _take_keys(self.fleet), client_ca.ClientCa(self.store, chosen.layout)]
        self._configuration = None if self.store is own else self._make_configuration(chosen, source)

    def _open(self, chosen: settings.Settings, source: yaml_file.YamlFile, known: model.Snapshot | None) -> None:
        from daemun.wiring import closed_fleet, opened_fleet  # noqa: PLC0415 - in a fleet only

        self._wanted = opened_fleet.find_option(self._own, source, known)
        try:
            self.fleet = opened_fleet.open_fleet(chosen, self._own, self._wanted, is_daemon=True)
        except errors.DaemunError as error:
            self._closed = closed_fleet.ClosedFleet(chosen, self._own, str(error))

    def _make_tickets(
        self, chosen: settings.Settings, fleet: "opened_fleet.OpenedFleet", wake: collections.abc.Callable[[], None]
    ) -> "ticket_keeper.TicketKeeper":
        from daemun.fleet import ticket_keeper  # noqa: PLC0415 - in a fleet only

        return ticket_keeper.TicketKeeper(
            self.store,
            chosen.layout,
            clock.SystemClock(),
            node=fleet.node,
            find_living=self._wait_living,
            read_shared_clock=lambda: datetime.datetime.fromtimestamp(fleet.shared.read_clock_s(), datetime.UTC),
            wake=wake,
        )

    def _make_configuration(
        self, chosen: settings.Settings, source: yaml_file.YamlFile
    ) -> "configuration_parts.ConfigurationParts":
        from daemun.wiring import configuration_parts, opened_fleet  # noqa: PLC0415 - in a fleet only

        node = opened_fleet.name_node(self._wanted)
        return configuration_parts.ConfigurationParts(
            chosen, self.store, node, source, list_living=self._list_living, wait_living=self._wait_living
        )

    def _list_living(self) -> frozenset[str]:
        """Raises: EnvironmentProblemError."""
        if self.nodes is None:
            raise errors.StoreUnreachableError("cannot tell which machines of the fleet live: it is not looked at yet")
        return self.nodes.list_living()

    def _wait_living(self) -> frozenset[str]:
        """Raises: EnvironmentProblemError. Blocking."""
        return self._list_living() if self.nodes is None else self.nodes.wait_living()

    @property
    def gate_class(self) -> type[gate.Gate]:
        """What is applied by it is applied in the whole fleet, once `join` was called."""
        if self._configuration is None:
            return gate.Gate
        from daemun.fleet import fleet_gate  # noqa: PLC0415 - in a fleet only

        return fleet_gate.FleetGate

    def wrap(self, file: ports.Source) -> ports.Source:
        """The source of daemun.yaml, with what of the fleet's configuration deserves a look."""
        return file if self._configuration is None else self._configuration.wrap(file)

    def join(
        self, front: gate.Gate, known: last_good_file.Remembering, compatible: nginx_proxy_mode.Compatible
    ) -> gate.Gate:
        """front: of `gate_class`, which is returned. known, compatible: the daemon's own, of which nothing changes."""
        if self._configuration is not None:
            self._configuration.join(front, known, compatible)
        if self._closed is not None:
            self._closed.join(front)
        return front

    def follow(self, *parts: Following) -> None:
        """Let these follow what other machines change: all that keep shared values in memory."""
        if self._changes is not None:
            for one in (*parts, *self._followers, *([] if self._configuration is None else [self._configuration])):
                one.follow(self._changes)

    def watch_nodes(
        self,
        find_last: collections.abc.Callable[[], reconciler.Outcome | None],
        changed: collections.abc.Callable[[], None],
        proofs: "dns_proofs.DnsProofs",
    ) -> "node_keeper.NodeKeeper | None":
        """find_last: the last round. changed: called when a node, or the database, is gone or back. proofs: which
        change zones, too."""
        if self.fleet is not None:
            from daemun.wiring import fleet_nodes  # noqa: PLC0415 - in a fleet only

            configuration = self._configuration
            self.nodes = fleet_nodes.make_keeper(
                self.fleet, find_last, lambda: None if configuration is None else configuration.number, changed
            )
            self._records = fleet_nodes.make_records(self.fleet, self.nodes, proofs)
        return self.nodes

    def prepare(self) -> None:
        """On the event loop, before it does anything else."""
        if self.fleet is not None:
            threads = concurrent.futures.ThreadPoolExecutor(_THREADS, thread_name_prefix="asyncio")
            asyncio.get_running_loop().set_default_executor(threads)

    def list_tasks(self) -> dict[str, lifecycle.Task]:
        """By their names; none without a fleet."""
        tasks = {} if self._configuration is None else self._configuration.list_tasks()
        if self._closed is not None:
            tasks["fleet, opened later"] = self._closed.run
        if self.fleet is None or self._changes is None or self._tickets is None:
            return tasks
        return {
            **tasks,
            "changes of the fleet": self._changes.run,
            "fleet": self.fleet.store.run,
            "session tickets": self._tickets.run,
            "traffic of the fleet": self._make_traffic(self.fleet).run,
            **({} if self.nodes is None else {"heartbeat": self.nodes.run, "nodes": self.nodes.watch}),
            **({} if self._records is None else {"records of nodes": self._records.run}),
        }

    def _make_traffic(self, fleet: "opened_fleet.OpenedFleet") -> "shared_traffic.TrafficSharer":
        from daemun.fleet import shared_traffic  # noqa: PLC0415 - in a fleet only

        def read_hour(start: int) -> "node_traffic.Found":
            if not pathlib.Path(self._layout.traffic_store).exists():
                return ()  # nothing was ever counted, and SQLite is not loaded for it
            from daemun.traffic import traffic_report  # noqa: PLC0415

            return traffic_report.read_hour(self._layout, start)

        return shared_traffic.TrafficSharer(
            fleet.shared,
            self._own,
            fleet.node,
            read_hour=read_hour,
            find_living=self._wait_living,
            read_shared_clock_s=fleet.shared.read_clock_s,
            clock=clock.SystemClock(),
        )

    def read_traffic(self, site: str | None) -> fleet_port.NodesTraffic | None:
        """See `fleet_port.ReadTraffic`."""
        if self.fleet is not None and self._traffic is None:
            from daemun.fleet import fleet_traffic  # noqa: PLC0415 - in a fleet only

            self._traffic = fleet_traffic.FleetTraffic(self.fleet.shared, self.fleet.node, clock.SystemClock())
        return None if self._traffic is None else self._traffic.read(site)

    def write_tickets(self) -> tuple[str, ...]:
        """See `TicketKeeper.write_files`."""
        return () if self._tickets is None else self._tickets.write_files()

    def configure(self, found: model.Globals) -> None:
        """After each round."""
        key = f"{fleet_signs.KEY}, option"
        if self._closed is not None or fleet_option.OPTION.of(found) == self._wanted:
            self._own.damage.clear(key)
        else:
            message = f"fleet: was changed, and is read at a start alone; {fleet_signs.START_AGAIN}"
            self._own.damage.note(key, message)

    def close(self) -> None:
        if self.fleet is not None:
            from daemun.fleet import membership  # noqa: PLC0415 - in a fleet only

            with contextlib.suppress(errors.DaemunError):  # the database may be gone for good
                if membership.read_intent(self._own) == membership.LEAVE:
                    self.fleet.shared.forget_node(self.fleet.node)
            self.fleet.shared.close()


def _take_keys(fleet: "opened_fleet.OpenedFleet") -> "key_rotation.KeyHolder":
    """Also those that the fleet agreed on while this machine was away."""
    holder = fleet.make_key_holder(tells=True)
    try:
        holder.update()
    except errors.DaemunError as error:
        log.warning("the fleet's newest keys are not used yet", reason=str(error))
    return holder


def _catch_up(fleet: "opened_fleet.OpenedFleet") -> None:
    """At a start, where the database can be reached: else a single try, and what is known is used."""
    fleet.tell_kept()
    try:
        fleet.shared.upgrade_tables()
        fleet.store.follow_now()
    except errors.EnvironmentProblemError as error:
        log.warning("this machine starts with what it knew of its fleet", reason=str(error))
