"""Records in DNS that follow the nodes that live, made by whichever node holds the lease `fleet-dns`."""

import asyncio
import collections.abc
import contextlib
import dataclasses

import structlog

from daemun import errors
from daemun.certs import dns_lookup
from daemun.certs.dns01 import dns_prover, record_journal, txt_records
from daemun.control import damaged_keys, fleet_port, ports
from daemun.core.fleet import node_records
from daemun.core.options import fleet_option

log: structlog.stdlib.BoundLogger = structlog.get_logger()

KEY = "fleet/records.json"
_NOTED = f"{KEY}, DNS"
LOCK = "fleet-dns"
_LOOK_S = 2.0
_AGAIN_S = 30.0

Changing = collections.abc.Callable[[str], contextlib.AbstractContextManager[None]]
"""Of a zone: held while it is changed, so that changes of one do not overlap."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RecordKeeper:
    """resolvers: DNS servers that find zones; none: the machine's."""

    store: ports.Store
    nodes: fleet_port.FleetView
    option: fleet_option.FleetDns
    changing: Changing
    find_resolvers: collections.abc.Callable[[], tuple[str, ...]]

    async def run(self) -> None:
        """Never returns."""
        while True:
            pause_s = _LOOK_S
            try:
                if await asyncio.to_thread(self._is_due):
                    await asyncio.to_thread(self.update)
                    self.store.damage.clear(_NOTED)
            except errors.LockHeldError:
                pass  # another node does it
            except errors.DaemunError as error:
                self.store.damage.note(_NOTED, f"records of the fleet in DNS do not follow its machines: {error}")
                pause_s = _AGAIN_S
            await asyncio.sleep(pause_s)

    def _is_due(self) -> bool:
        return bool(node_records.find_changes(self.option.names, self.nodes.status(), self._read()))

    def update(self) -> None:
        """Blocking, for as long as the provider takes. Raises: DaemunError."""
        with self.store.lock(LOCK) as lease:
            known = self._read()
            for change in node_records.find_changes(self.option.names, self.nodes.status(), known):
                lease.check()
                self._make(change)
                known = node_records.with_change(known, change)
                self.store.write(KEY, node_records.encode(known))
                log.info(
                    "a record in DNS was made" if change.is_there else "a record in DNS was removed", record=str(change)
                )

    def _make(self, change: node_records.RecordChange) -> None:
        place = dns_lookup.Lookup(self.find_resolvers()).locate(change.name)
        record = txt_records.Record(name=change.name, zone=place.zone, value=change.address, kind=change.kind)
        maker = dns_prover.find_maker(self.option.made_by)
        with self.changing(record.zone), record_journal.changing(self.store, record.zone):
            (maker.create if change.is_there else maker.remove)(record)

    def _read(self) -> node_records.Known:
        follows = "all records of machines that live are made anew"
        return damaged_keys.read(self.store, KEY, node_records.decode, follows=follows) or {}
