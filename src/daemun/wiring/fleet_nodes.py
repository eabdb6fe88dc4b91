"""What this node says of itself to its fleet, and the keeper of its heartbeat, put together."""

import collections.abc
import datetime
import time
import typing

import daemun
from daemun.certs.dns01 import dns_proofs
from daemun.control import reconciler
from daemun.core import model
from daemun.core.fleet import node_about
from daemun.core.options import fleet_option
from daemun.fleet import node_keeper
from daemun.wiring import clock, opened_fleet

if typing.TYPE_CHECKING:
    from daemun.fleet import record_keeper

_ADDRESSES_S = 10.0

FindLast = collections.abc.Callable[[], reconciler.Outcome | None]
FindRevision = collections.abc.Callable[[], int | None]


class NodeFacts:
    """find_last: the last round of the gate. find_revision: of the configuration; None: not known."""

    def __init__(self, option: fleet_option.Fleet, find_last: FindLast, find_revision: FindRevision) -> None:
        self._records = option.records
        self._find_last = find_last
        self._find_revision = find_revision
        self._started_at = datetime.datetime.now(datetime.UTC)
        self._addresses: tuple[str, ...] = ()
        self._looked_s: float | None = None

    def describe(self) -> node_about.NodeAbout:
        """Takes a millisecond at most."""
        last = self._find_last()
        listen = None if last is None else last.desired.globals.listen
        errors = [one for one in last.problems if one.severity is model.Severity.ERROR] if last is not None else []
        return node_about.NodeAbout(
            addresses=self._find_addresses(),
            listen=() if listen is None else tuple(str(one) for one in (*listen.http, *listen.https)),
            revision=self._find_revision(),
            problems=len(errors),
            started_at=self._started_at,
        )

    def _find_addresses(self) -> tuple[str, ...]:
        """Those that the file names, else what the interfaces have that everybody can reach."""
        if self._records is not None and self._records.addresses:
            return self._records.addresses
        now_s = time.monotonic()
        if self._looked_s is None or now_s - self._looked_s >= _ADDRESSES_S:
            from daemun.certs.preflight import examiner  # noqa: PLC0415 - slow to import

            self._looked_s = now_s
            found = sorted(
                (one for one in examiner.own_addresses() if one.is_global), key=lambda one: (one.version, one)
            )
            self._addresses = tuple(map(str, found))
        return self._addresses


def make_keeper(
    fleet: opened_fleet.OpenedFleet,
    find_last: FindLast,
    find_revision: FindRevision,
    changed: collections.abc.Callable[[], None],
) -> node_keeper.NodeKeeper:
    """changed: called when a node, or the database, is gone or back."""
    return node_keeper.NodeKeeper(
        fleet.shared,
        fleet.node,
        version=daemun.__version__,
        describe=NodeFacts(fleet.option, find_last, find_revision).describe,
        find_seen=lambda: fleet.store.cursor,
        clock=clock.SystemClock(),
        damage=fleet.store.damage,
        changed=changed,
    )


def make_records(
    fleet: opened_fleet.OpenedFleet, nodes: node_keeper.NodeKeeper, proofs: dns_proofs.DnsProofs
) -> "record_keeper.RecordKeeper | None":
    """None: no names follow the nodes. proofs: which change zones, too."""
    if fleet.option.records is None:
        return None
    from daemun.fleet import record_keeper  # noqa: PLC0415 - where there are such names only

    return record_keeper.RecordKeeper(
        store=fleet.store,
        nodes=nodes,
        option=fleet.option.records,
        changing=proofs.changing,
        find_resolvers=lambda: proofs.resolvers,
    )
