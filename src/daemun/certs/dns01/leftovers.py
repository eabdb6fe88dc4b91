"""Removes from DNS what an order made and did not remove: the process was killed, or the provider was out of reach.

Each round looks at the journal. A record is left alone while an order of this process needs it, and as long as an order
for its name waits in the store to be gone on with: the CA may look at it at any moment.
"""

import asyncio
import collections.abc
import contextlib
import datetime
import functools

import structlog

from daemun import errors
from daemun.certs import daemon_thread
from daemun.certs.dns01 import dns_prover, record_journal, record_users
from daemun.certs.served import certificate_records
from daemun.control import ports
from daemun.core import model

log: structlog.stdlib.BoundLogger = structlog.get_logger()

EVERY_S = 300.0
IN_FLIGHT = datetime.timedelta(minutes=10)
"""What a killed process had requested may still be done: a program goes on by itself, a provider works off its queue.
So what was made just now is removed, and once more when this time is over."""
LONGEST_ORDER = datetime.timedelta(hours=1)
"""An order that was not gone on with for so long is not gone on with any more, whatever is in the store."""


class Leftovers:
    """specs, acme: what is configured now, with who makes records. Not thread-safe: one per event loop."""

    def __init__(
        self,
        store: ports.Store,
        clock: ports.Clock,
        held: record_users.RecordUsers,
        specs: collections.abc.Callable[[], collections.abc.Iterable[model.CertificateSpec]],
        acme: collections.abc.Callable[[], model.Acme],
    ) -> None:
        self._store = store
        self._clock = clock
        self._held = held
        self._specs = specs
        self._acme = acme
        self._started = asyncio.Event()
        self._wake = asyncio.Event()
        self._reported: set[str] = set()
        self._removed: set[str] = set()

    def start(self) -> None:
        """The configuration is known."""
        self._started.set()

    def wake(self) -> None:
        """The configuration changed."""
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled: once it is started, when it is woken, and every few minutes."""
        await self._started.wait()
        while True:
            self._wake.clear()
            work = functools.partial(self.remove_all, tuple(self._specs()), self._acme())
            await daemon_thread.run(work, name="dns leftovers")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await self._wake.wait()

    def remove_all(self, specs: collections.abc.Sequence[model.CertificateSpec], acme: model.Acme) -> None:
        """One round. Blocking, minutes at the longest. Raises: EnvironmentProblemError: the store fails."""
        notes = record_journal.read_all(self._store)
        if not notes:
            return
        waiting = self._waiting_hosts(specs) | self._under_way_elsewhere(specs)
        for note in notes:
            is_recent = self._clock.now() - note.made_at < LONGEST_ORDER
            if note.host in waiting and is_recent:
                continue
            if not self._remove(note, _makers_of(note, specs, acme.dns)) and not is_recent and _is_gone(note, acme):
                record_journal.delete(self._store, note.record)

    def _waiting_hosts(self, specs: collections.abc.Iterable[model.CertificateSpec]) -> set[str]:
        """Names of the orders that are gone on with, because their certificates are still wanted."""
        orders = (certificate_records.read_order(self._store, spec.name) for spec in specs)
        return {host.removeprefix("*.") for order in orders if order is not None for host in order.hosts}

    def _under_way_elsewhere(self, specs: collections.abc.Iterable[model.CertificateSpec]) -> set[str]:
        """Names of orders that another machine of the fleet works on, for a site that this one does not have yet."""
        found = set[str]()
        keys = (key for key in self._store.list("certs") if key.endswith("/order.json"))
        for name in {key.split("/")[1] for key in keys} - {spec.name for spec in specs}:
            try:
                with self._store.lock(f"order-{name}"):
                    continue
            except errors.LockHeldError:
                order = certificate_records.read_order(self._store, name)
                found.update(host.removeprefix("*.") for host in (order.hosts if order is not None else ()))
        return found

    def _remove(self, note: record_journal.MadeRecord, makers: list[model.Dns]) -> bool:
        """Returns: whether nothing is left to do now."""
        if not makers:
            self._report(note, f"{note.provider} is no longer configured")
        for index, dns in enumerate(makers):
            try:
                is_over = self._clock.now() - note.made_at >= IN_FLIGHT
                is_removed = dns_prover.remove(self._store, self._held, note.record, dns, forget=is_over)
            except Exception as error:  # the next round tries again; unknown errors may hold secrets in their text
                if index == len(makers) - 1:
                    self._report(note, str(error) if isinstance(error, errors.DaemunError) else type(error).__name__)
            else:
                if is_removed and str(note.record) not in self._removed:
                    self._removed.add(str(note.record))
                    log.info("a DNS record of an earlier order was removed", record=str(note.record))
                return True
        return False

    def _report(self, note: record_journal.MadeRecord, cause: str) -> None:
        """Once for each record and cause."""
        if (message := f"{note.record}: {cause}") not in self._reported:
            self._reported.add(message)
            cure = "it is tried again; or remove it by hand"
            log.warning(
                "a DNS record of an earlier order is still there", record=str(note.record), cause=cause, do=cure
            )


def _is_gone(note: record_journal.MadeRecord, acme: model.Acme) -> bool:
    """Whether all servers of the zone answer that there is no such record: it was never made, or a hand removed it."""
    from daemun.certs import dns_lookup  # noqa: PLC0415 - a megabyte that most gates do not need
    from daemun.certs.dns01 import propagation  # noqa: PLC0415 - a megabyte that most gates do not need

    try:
        place = dns_lookup.Lookup(acme.resolvers).place_in(note.record.name, note.record.zone)
        looks = propagation.query_servers(
            propagation.ExpectedRecord(host=note.host, place=place, is_good=lambda texts: note.record.value in texts)
        )
    except errors.DaemunError:
        return False
    return bool(looks) and all(one.silence is None and not one.is_good for one in looks)


def _makers_of(
    note: record_journal.MadeRecord, specs: collections.abc.Iterable[model.CertificateSpec], gate: model.Dns | None
) -> list[model.Dns]:
    """Those that could have made it: of the same provider, first of a certificate with this name."""
    own, others = list[model.Dns | None](), list[model.Dns | None]([gate])
    for spec in specs:
        is_own = note.host in {name.removeprefix("*.") for name in spec.names}
        (own if is_own else others).append(spec.ordering.dns)
    return [dns for dns in dict.fromkeys([*own, *others]) if dns is not None and dns.provider == note.provider]
