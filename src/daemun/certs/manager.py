"""`control.ports.Certificates`: what is served at once, and what is ordered and renewed beside the loop.

Memory only mirrors the disk: which certificate is served is decided by `shelf` from what is stored, what is due by
`standing` from what is known. `_settling` keeps the two together: while it is held, nobody else looks or changes.
"""

import asyncio
import collections.abc
import contextlib
import dataclasses
import datetime
import functools
import threading
import traceback

import structlog

from daemun import errors
from daemun.certs import account, daemon_thread, records, shelf, standing
from daemun.control import ports
from daemun.core import layout, model, names
from daemun.core.issuance import renewal

log: structlog.stdlib.BoundLogger = structlog.get_logger()

CONCURRENT_ORDERS = 4
LONGEST_SLEEP_S = 60.0
"""The owner's files are read again this often, and a clock that jumps (a suspended laptop) is noticed as soon."""

_SHORTEST_SLEEP_S = 0.1


class Manager:
    """Not thread-safe: one per event loop. `configure` before CAs are asked, and `run` must be running.

    worker_gid: the group of nginx's workers, the only one that may read the keys; None: the owner alone.
    """

    def __init__(
        self, store: ports.Store, paths: layout.Layout, clock: ports.Clock, *, worker_gid: int | None = None
    ) -> None:
        self.on_change: collections.abc.Callable[[], None] = lambda: None
        """Called after `status` may have changed, in the event loop."""
        self._store = store
        self._clock = clock
        self._shelf = shelf.Shelf(store, paths, clock, worker_gid=worker_gid)
        self._acme: model.Acme | None = None
        self._entries: dict[str, standing.Entry] = {}
        self._ordering: set[str] = set()
        self._forced: set[str] = set()
        self._confirmed: frozenset[str] = frozenset()
        self._settling = asyncio.Lock()
        self._wake = asyncio.Event()
        self._thumbprint: str | None = None

    # --- control.ports.Certificates --------------------------------------------------------------------------------

    def thumbprint(self) -> str:
        if self._thumbprint is None:
            self._thumbprint = account.thumbprint(account.load_or_create_key(self._store))
        return self._thumbprint

    async def prepare(self, specs: collections.abc.Sequence[model.CertificateSpec]) -> tuple[model.Problem, ...]:
        async with self._settling:
            self._entries = await asyncio.to_thread(self._prepare, specs, dict(self._entries))
        self._forced &= self._entries.keys()
        self._changed()
        return tuple(problem for entry in self._entries.values() for problem in entry.served.problems)

    def status(self) -> tuple[model.CertificateStatus, ...]:
        return tuple(standing.describe(entry, self._directory(entry.spec)) for entry in self._entries.values())

    def renew(self, host: str) -> bool:
        found = False
        for name, entry in self._entries.items():
            is_shared = name != names.slug(entry.spec.host) and host in entry.spec.names
            if (entry.spec.host != host and not is_shared) or entry.spec.mode is model.TlsMode.FILES:
                continue
            found = True
            if name not in self._ordering:
                self._entries[name] = dataclasses.replace(entry, attempts=None)
                self._forced.add(name)
        self._changed()
        return found

    async def add(self, spec: model.CertificateSpec) -> None:
        async with self._settling:
            entry = await asyncio.to_thread(self._prepare, (spec,), dict(self._entries))
            self._entries |= entry
            self._confirmed |= entry.keys()
        self._changed()

    async def remove(self, name: str) -> None:
        async with self._settling:
            self._entries.pop(name, None)
            self._confirmed -= {name}
            self._forced.discard(name)
            await asyncio.to_thread(self._shelf.remove, name)
        self._changed()

    # --- for the wiring --------------------------------------------------------------------------------------------

    def configure(self, acme: model.Acme) -> None:
        """Ask this CA from now on. Certificates of another directory are replaced; failures there are forgotten."""
        if acme != self._acme:
            self._acme = acme
            self._changed()

    def wake(self) -> None:
        """Look now at what is due, as after a change of the clock."""
        self._wake.set()

    async def confirm(self) -> None:
        async with self._settling:
            await asyncio.to_thread(self._shelf.remove_except, frozenset(self._entries))
            self._confirmed = frozenset(self._entries)
        self._changed()

    async def run(self) -> None:
        """Order, renew and refresh until cancelled. Orders under way go on with the next call, or the next start."""
        stop = threading.Event()
        try:
            async with asyncio.TaskGroup() as orders:
                while True:
                    self._wake.clear()
                    await self._refresh()
                    for entry in self._due()[: CONCURRENT_ORDERS - len(self._ordering)]:
                        self._start(entry, orders, stop)
                    await self._sleep()
        finally:
            stop.set()

    def _directory(self, spec: model.CertificateSpec) -> str | None:
        """Of the CA that is asked; None: not known yet."""
        return None if self._acme is None else _authority(spec, self._acme).directory

    # --- what needs no CA ------------------------------------------------------------------------------------------

    def _prepare(
        self, specs: collections.abc.Sequence[model.CertificateSpec], known: dict[str, standing.Entry]
    ) -> dict[str, standing.Entry]:
        ca = self._shelf.load_ca()
        entries = {}
        for spec in specs:
            entry = known.get(spec.name)
            is_settled = (
                entry is not None
                and entry.spec == spec
                and self._shelf.holds(spec.name)
                # A new root (the old one was near its end, or deleted) signs anew what the old one did.
                and (entry.served.kind is not shelf.Kind.LOCAL or ca.is_named_by(entry.served.bundle.leaf))
            )
            if entry is None or not is_settled or spec.mode is model.TlsMode.FILES:
                attempts = entry.attempts if entry else records.read_attempts(self._store, spec.name)
                entry = standing.Entry(spec=spec, served=self._shelf.settle(spec), attempts=attempts)
            entries[spec.name] = entry
        return entries

    async def _refresh(self) -> None:
        """Renew what the local CA signed and read the owner's files again. A failure waits for the next look."""
        async with self._settling:
            now = self._clock.now()
            for name, entry in list(self._entries.items()):
                at = standing.settles_at(entry)
                is_forced = name in self._forced and not renewal.hosts_to_order(entry.spec)
                if not is_forced and entry.spec.mode is not model.TlsMode.FILES and (at is None or now < at):
                    continue
                self._forced -= {name} if is_forced else set()
                try:
                    served = await asyncio.to_thread(self._shelf.settle, entry.spec, fresh=is_forced)
                except errors.DaemunError as error:
                    log.warning("a certificate was not refreshed", host=entry.spec.host, error=str(error))
                    continue
                if served != entry.served:
                    self._entries[name] = dataclasses.replace(self._entries[name], served=served)
                    self.on_change()

    # --- what a CA is asked for ------------------------------------------------------------------------------------

    def _due(self) -> list[standing.Entry]:
        """The certificates to order now, the longest due first."""
        now = self._clock.now()
        at = {name: self._order_at(entry, now) for name, entry in self._entries.items()}
        due = sorted((when, name) for name, when in at.items() if when is not None and when <= now)
        return [self._entries[name] for _, name in due]

    def _order_at(self, entry: standing.Entry, now: datetime.datetime) -> datetime.datetime | None:
        name = entry.spec.name
        if self._acme is None or name not in self._confirmed or name in self._ordering:
            return None
        if not renewal.hosts_to_order(entry.spec):
            return None
        directory = _authority(entry.spec, self._acme).directory
        return now if name in self._forced else standing.order_at(entry, directory, now)

    def _start(self, entry: standing.Entry, orders: asyncio.TaskGroup, stop: threading.Event) -> None:
        assert self._acme is not None
        name = entry.spec.name
        self._ordering.add(name)
        self._forced.discard(name)
        order = self._order(entry.spec, _authority(entry.spec, self._acme), stop)
        orders.create_task(order, name=f"order {name}")

    async def _order(self, spec: model.CertificateSpec, authority: model.Authority, stop: threading.Event) -> None:
        """One try. Never raises but when cancelled: the others go on."""
        try:
            obtain = functools.partial(_obtain, spec, authority, store=self._store, clock=self._clock, stop=stop)
            issued = await daemon_thread.run(obtain, name=f"order {spec.name}")
            await self._succeed(spec, authority, issued)
            log.info("certificate obtained", host=spec.host, issuer=issued.bundle.issuer, until=issued.bundle.not_after)
        except errors.DaemunError as error:
            await self._fail(spec, authority, str(error), getattr(error, "retry_after_s", None))
        except Exception as error:
            # Formatted here, because loggers that show local variables would show keys.
            stack = traceback.format_exc()
            log.error("an order failed for an unknown reason", host=spec.host, stack=stack)  # noqa: TRY400
            reason = f'cannot get a certificate for "{spec.host}": {type(error).__name__}; see the log, and report it'
            await self._fail(spec, authority, reason, None)
        finally:
            self._ordering.discard(spec.name)
            self._changed()

    async def _succeed(self, spec: model.CertificateSpec, authority: model.Authority, issued: records.Issued) -> None:
        """Raises: RetryableError when the new certificate is due at once, so that orders never follow each other."""
        async with self._settling:
            await asyncio.to_thread(self._shelf.put_issued, spec.name, issued)
            entry = self._entries.get(spec.name)  # the site may have changed, or gone, meanwhile
            is_due_again = False
            if entry is not None:
                served = await asyncio.to_thread(self._shelf.settle, entry.spec)
                new, now = standing.Entry(spec=entry.spec, served=served), self._clock.now()
                at = standing.order_at(new, authority.directory, now)
                is_due_again = entry.spec == spec and at is not None and at <= now
                # Then the failures so far count on, and the ladder goes up.
                self._entries[spec.name] = dataclasses.replace(entry, served=served) if is_due_again else new
            if not is_due_again:
                await asyncio.to_thread(records.delete_attempts, self._store, spec.name)
        if is_due_again:
            raise errors.RetryableError(
                f'cannot rely on the new certificate of "{spec.host}": it is valid from {issued.bundle.not_before} to '
                f"{issued.bundle.not_after}, and this machine's clock says {self._clock.now()}; set the clock"
            )

    async def _fail(
        self, spec: model.CertificateSpec, authority: model.Authority, reason: str, retry_after_s: float | None
    ) -> None:
        hosts = renewal.hosts_to_order(spec)
        async with self._settling:
            entry = self._entries.get(spec.name)
            if entry is None:
                return
            before = entry.attempts if entry.attempts and entry.attempts.is_for(authority.directory, hosts) else None
            failures = (before.failures if before else 0) + 1
            at = renewal.next_attempt(failures, self._clock.now(), retry_after_s)
            attempts = records.Attempts(
                directory=authority.directory, hosts=hosts, failures=failures, next_attempt=at, reason=reason
            )
            self._entries[spec.name] = dataclasses.replace(entry, attempts=attempts)
            log.warning("certificate not obtained", host=spec.host, reason=reason, failures=failures, next_attempt=at)
            try:
                await asyncio.to_thread(records.write_attempts, self._store, spec.name, attempts)
            except errors.DaemunError as error:  # a restart would then try earlier: no harm
                log.warning("the failure could not be stored", host=spec.host, error=str(error))

    # --- waiting ---------------------------------------------------------------------------------------------------

    async def _sleep(self) -> None:
        """Until something is due, something changes, or a minute passed."""
        now = self._clock.now()
        refreshes = (standing.settles_at(entry) for entry in self._entries.values())
        moments = [at for at in refreshes if at is not None and at > now]  # what failed just now waits a minute
        if len(self._ordering) < CONCURRENT_ORDERS:  # else the end of an order wakes us
            orders = (self._order_at(entry, now) for entry in self._entries.values())
            moments += [at for at in orders if at is not None]
        seconds = min(((at - now).total_seconds() for at in moments), default=LONGEST_SLEEP_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(max(seconds, _SHORTEST_SLEEP_S), LONGEST_SLEEP_S)):
                await self._wake.wait()

    def _changed(self) -> None:
        self._wake.set()
        self.on_change()


def _authority(spec: model.CertificateSpec, acme: model.Acme) -> model.Authority:
    """Where and as whom one certificate is ordered. A CA knows one address of us: the gate's, if it has one."""
    usual = acme.authorities[0]
    own = spec.ordering.authority
    if own is None or own.directory == usual.directory:
        own = usual
    return dataclasses.replace(own, email=own.email or usual.email or spec.ordering.email)


def _obtain(
    spec: model.CertificateSpec,
    authority: model.Authority,
    *,
    store: ports.Store,
    clock: ports.Clock,
    stop: threading.Event,
) -> records.Issued:
    # Here, in the order's thread, so that `daemun up` serves before these slow imports (acme, requests) are made.
    from daemun.certs import acme_issuer  # noqa: PLC0415

    request = acme_issuer.Request(
        name=spec.name, hosts=renewal.hosts_to_order(spec), authority=authority, ordering=spec.ordering
    )
    return acme_issuer.obtain(request, store=store, clock=clock, stop=stop)
