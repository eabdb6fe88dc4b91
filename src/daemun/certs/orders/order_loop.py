"""Orders: which certificates are due, one try after the other for each, and what follows from it."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import datetime
import functools
import random
import threading
import traceback

import structlog

from daemun import errors
from daemun.certs.managed import certificate_index, schedule
from daemun.certs.orders import attempt_values, ca_places, failed_attempt, order_attempt
from daemun.certs.served import certificate_files, certificate_records, deploy_hook, shown_certificates
from daemun.control import held_lock, ports
from daemun.core import model
from daemun.core.issuance import renewal_time
from daemun.core.texts import words

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Orders:
    """Starts the due orders of one manager. changed: called at the end of each, and when orders may begin again."""

    def __init__(
        self,
        index: certificate_index.CertificateIndex,
        served_files: certificate_files.CertificateFiles,
        needs: attempt_values.AttemptNeeds,
        hook: deploy_hook.DeployHook,
        *,
        rng: random.Random,
        changed: collections.abc.Callable[[], None],
    ) -> None:
        self._index = index
        self._served_files = served_files
        self._needs = needs
        self._hook = hook
        self._rng = rng
        self._changed = changed
        self._places = ca_places.CaPlaces(freed=changed)
        self._under_way: dict[str, ca_places.OrderPlace] = {}
        self._settled: set[str] = set()
        """Of those under way, how it went is known already."""

    @property
    def under_way(self) -> collections.abc.Set[str]:
        """The names of the certificates that are being ordered."""
        return self._under_way.keys()

    def is_ordering(self, name: str) -> bool:
        """Whether a request for it is that which is under way: one whose outcome is known is not any more."""
        return name in self._under_way and name not in self._settled

    async def start(self, tasks: asyncio.TaskGroup, stop: threading.Event) -> None:
        """Begin what is due, the longest due first, where its CA has a place. Waits for nothing. stop: set when the
        orders are to end."""
        now = self._needs.clock.now()
        for _, name, first in sorted(turn for turn in self._turns(now) if turn[0] <= now):
            if not self._places.has_free(first):
                continue
            down = frozenset[str]()
            if name not in self._index.forced:
                directories = self._index.directories(self._index.entries[name].spec)
                down = frozenset(one for one in directories if not self._needs.outages.admit(one, now))
                if len(down) == len(directories):
                    continue
            self._start(name, tasks, stop, down, await self._places.take(first))

    def with_outage(
        self, status: model.CertificateStatus, spec: model.CertificateSpec, now: datetime.datetime
    ) -> model.CertificateStatus:
        """The status of what waits for a CA that is down names that, also before it was tried itself."""
        is_waiting = status.state is model.CertificateState.PENDING or status.failures
        if (
            not is_waiting
            or spec.name in self._under_way
            or (status.next_attempt is not None and status.next_attempt > now)
        ):
            return status
        directories = self._index.directories(spec)
        until = self._needs.outages.until(directories, now)
        if until is None:
            return status
        why = f"the CA at {words.listed(directories, last='and')} is down and will be asked again by itself"
        return dataclasses.replace(
            status, next_attempt=until, reason=(status.reason or "").replace(schedule.IN_PROGRESS, why)
        )

    def due_times(self, now: datetime.datetime) -> list[datetime.datetime]:
        """When `start` has something to begin; the end of what is under way wakes by itself."""
        return [at for at, _, _ in self._turns(now)]

    @contextlib.asynccontextmanager
    async def held(self, which: ca_places.Which, *, within_s: float) -> collections.abc.AsyncIterator[None]:
        """No order is under way at these CAs, and none begins there, while the block runs.

        Raises: LockHeldError when those that are under way do not end in time.
        """
        with self._places.closed(which):
            await self._wait_for_orders(which, within_s)
            yield

    async def _wait_for_orders(self, which: ca_places.Which, within_s: float) -> None:
        try:
            async with asyncio.timeout(within_s):
                while self._places.is_any_at(which):
                    await self._places.wait_for_change()
        except TimeoutError:
            there = {name: place.at for name, place in self._under_way.items() if place.at and which(place.at)}
            raise errors.LockHeldError(
                f"cannot change the account now: certificates are being ordered at "
                f"{words.listed(sorted(set(filter(None, there.values()))), last='and')} "
                f"({', '.join(sorted(there))}); try again in a few minutes"
            ) from None

    def _turns(self, now: datetime.datetime) -> collections.abc.Iterator[tuple[datetime.datetime, str, str]]:
        """When each certificate is to be ordered, its name, and the CA at which its order begins, as far as is known
        now. Without those that wait for a place at a CA: the end of another order there wakes."""
        for name, plan in self._index.plans(now).items():
            if plan.order_at is None or name in self._under_way or name not in self._index.confirmed:
                continue
            is_forced = name in self._index.forced
            if plan.order_at > now and not is_forced:
                yield plan.order_at, name, ""
                continue
            entry = self._index.entries[name]
            directories = self._index.directories(entry.spec)
            outage = None if is_forced else self._needs.outages.until(directories, now)
            if outage is not None:
                yield outage, name, ""
                continue
            first = self._first_ca(entry, directories, now)
            if self._places.has_free(first):
                yield (now if is_forced else plan.order_at), name, first

    def _first_ca(
        self, entry: schedule.ManagedCertificate, directories: tuple[str, ...], now: datetime.datetime
    ) -> str:
        holds = dict(entry.attempts.holds) if entry.attempts is not None else {}
        for directory in directories:
            if holds.get(directory, now) <= now and self._needs.outages.until((directory,), now) is None:
                return directory
        return directories[0]

    # --- one certificate -------------------------------------------------------------------------------------------

    def _start(
        self,
        name: str,
        tasks: asyncio.TaskGroup,
        stop: threading.Event,
        down: frozenset[str],
        place: ca_places.OrderPlace,
    ) -> None:
        entry = self._index.entries[name]
        authorities = self._index.authorities(entry.spec)
        assert authorities is not None
        self._under_way[name] = place
        is_forced = name in self._index.forced
        self._index.forced.discard(name)
        is_public = (
            entry.served.kind is shown_certificates.CertificateSource.PUBLIC and entry.served.directory is not None
        )
        attempt = attempt_values.AttemptInput(
            spec=entry.spec,
            authorities=authorities,
            before=schedule.valid_attempts(entry, authorities),
            replaced=certificate_records.Issued(
                directory=entry.served.directory or certificate_records.UNKNOWN, bundle=entry.served.bundle
            )
            if is_public
            else None,
            known=self._needs.stored.own(name),
            down=down,
        )
        if not is_forced and self._has_better(entry, authorities):
            for directory in {authority.directory for authority in authorities} - down:
                self._needs.outages.withdraw(directory, self._needs.clock.now())
            work, kind = self._take_stored(attempt), "take"
        else:
            work, kind = self._order(attempt, stop, place, is_forced=is_forced), "order"
        task = tasks.create_task(work, name=f"{kind} {name}")
        task.add_done_callback(lambda _: self._end(name, place))

    def _end(self, name: str, place: ca_places.OrderPlace) -> None:
        """However it ended, also when it was cancelled before it began."""
        place.leave()
        self._under_way.pop(name, None)
        self._settled.discard(name)
        self._changed()

    def _has_better(self, entry: schedule.ManagedCertificate, authorities: schedule.Authorities) -> bool:
        """Whether the store holds what would be ordered, as when names went from one site to another."""
        now, served, hosts = self._needs.clock.now(), entry.served, renewal_time.hosts_to_order(entry.spec)
        directories = {authority.directory for authority in authorities}
        found = self._needs.stored.find(hosts, now, directories, of=entry.spec)
        is_good = (
            served.kind is shown_certificates.CertificateSource.PUBLIC
            and served.directory in directories
            and now < renewal_time.renew_at(served.bundle.not_before, served.bundle.not_after)
            and not served.bundle.missing(hosts)
        )
        return found is not None and not is_good

    async def _take_stored(self, attempt: attempt_values.AttemptInput) -> None:
        """Never raises but when cancelled."""
        name = attempt.spec.name
        try:
            async with self._index.settling:
                entry = self._index.entries.get(name)
                if entry is not None:
                    served = await asyncio.to_thread(self._served_files.update_live, entry.spec)
                    self._index.put(name, dataclasses.replace(entry, served=served, attempts=None))
                    await self._update_live(self._index.beside(name))
                    await asyncio.to_thread(certificate_records.delete_attempts, self._needs.store, name)
        except errors.DaemunError as error:
            await self._fail(attempt, self._failure(attempt, str(error)))

    async def _order(
        self,
        attempt: attempt_values.AttemptInput,
        stop: threading.Event,
        place: ca_places.OrderPlace,
        *,
        is_forced: bool,
    ) -> None:
        """One try. Never raises but when cancelled: the others go on."""
        spec = attempt.spec
        try:
            # Until it is stored how it went: else another machine of a fleet would repeat what just failed.
            async with held_lock.held(self._needs.store, f"try-{spec.name}"):
                if is_forced or not await self._take_other_try(attempt):
                    await self._try(attempt, stop, place)
        except (errors.LockHeldError, errors.StoreUnreachableError, errors.OutcomeUnknownError) as error:
            failed = attempt_values.Failed(reason=str(error), is_failure=False, is_elsewhere=True)
            await self._fail(attempt, failed)
        except errors.DaemunError as error:
            await self._fail(attempt, self._failure(attempt, str(error)))

    async def _take_other_try(self, attempt: attempt_values.AttemptInput) -> bool:
        """Whether another machine's try ended since this one was due, so that it is not any more."""
        name = attempt.spec.name
        found = await asyncio.to_thread(certificate_records.read_attempts, self._needs.store, name)
        async with self._index.settling:
            entry, now = self._index.entries.get(name), self._needs.clock.now()
            if entry is None or found == entry.attempts:
                return False
            entry = dataclasses.replace(entry, attempts=found)
            order_at = schedule.plan_certificate(entry, attempt.authorities, now).order_at
            if order_at is not None and order_at <= now:
                return False
            self._index.put(name, entry)
            return True

    async def _try(
        self, attempt: attempt_values.AttemptInput, stop: threading.Event, place: ca_places.OrderPlace
    ) -> None:
        spec = attempt.spec
        try:
            keep = functools.partial(self._keep, spec)
            obtained = await order_attempt.obtain(attempt, self._needs, stop, place, keep)
            issued = obtained.issued
            if issued is not None:
                await self._succeed(attempt, issued, is_complete=obtained.failed is None)
                log.info(
                    "certificate obtained",
                    host=spec.host,
                    names=issued.bundle.names(),
                    issuer=issued.bundle.issuer,
                    until=issued.bundle.not_after,
                )
            if obtained.failed is not None:
                await self._fail(attempt, obtained.failed)
        except errors.DaemunError as error:
            await self._fail(attempt, self._failure(attempt, str(error)))
        except Exception as error:
            # Formatted here, because loggers that show local variables would show keys.
            stack = traceback.format_exc()
            log.error("an order failed for an unknown reason", host=spec.host, stack=stack)  # noqa: TRY400
            reason = f'cannot get a certificate for "{spec.host}": {type(error).__name__}; see the log, and report it'
            await self._fail(attempt, self._failure(attempt, reason))

    def _failure(self, attempt: attempt_values.AttemptInput, reason: str) -> attempt_values.Failed:
        is_rehearsing = attempt.before is not None and attempt.before.rehearse
        return attempt_values.Failed(reason=reason, is_failure=True, rehearse=is_rehearsing)

    def _keep(self, spec: model.CertificateSpec, issued: certificate_records.Issued, records: ports.Store) -> None:
        """As long as no other process may order it. Blocking."""
        hosts = tuple(host for host in renewal_time.hosts_to_order(spec) if not issued.bundle.missing((host,)))
        self._hook.note(spec.name, hosts, issued.bundle)
        self._served_files.put_issued(spec.name, issued, records)

    async def _succeed(
        self, attempt: attempt_values.AttemptInput, issued: certificate_records.Issued, *, is_complete: bool
    ) -> None:
        """is_complete: it is for all names that were ordered.

        Raises: RetryableError when the new certificate is due at once, so that orders never follow each other.
        """
        spec = attempt.spec
        async with self._index.settling:
            entry = self._index.entries.get(spec.name)  # the site may have changed, or gone, meanwhile
            is_due_again = False
            if entry is not None:
                served = await asyncio.to_thread(self._served_files.update_live, entry.spec)
                new = schedule.ManagedCertificate(spec=entry.spec, served=served, advice=entry.advice)
                now = self._needs.clock.now()
                at = schedule.order_at(new, attempt.authorities, now)
                is_due_again = is_complete and entry.spec == spec and at is not None and at <= now
                # Then the failures so far count on, and the ladder goes up.
                counts_on = is_due_again or not is_complete
                self._settled.add(spec.name)
                self._index.put(spec.name, dataclasses.replace(entry, served=served) if counts_on else new)
            await self._show_to_others(spec, issued)
            if is_complete and not is_due_again:
                await asyncio.to_thread(certificate_records.delete_attempts, self._needs.store, spec.name)
        if entry is not None:
            self._hook.notify(spec.name)
        if is_due_again:
            raise errors.RetryableError(
                f'cannot rely on the new certificate of "{spec.host}": it is valid from {issued.bundle.not_before} to '
                f"{issued.bundle.not_after}, and this machine's clock says {self._needs.clock.now()}; set the clock"
            )

    async def show_issued(self, name: str) -> None:
        """Serve what another machine of the fleet got for a certificate, or withdrew."""
        async with self._index.settling:
            issued = await asyncio.to_thread(self._needs.stored.own, name)
            entry = self._index.entries.get(name)
            if entry is not None and issued is not None:
                hosts = tuple(host for host in entry.spec.names if not issued.bundle.missing((host,)))
                await asyncio.to_thread(self._hook.note, name, hosts, issued.bundle)
                served = await asyncio.to_thread(self._served_files.update_live, entry.spec)
                self._index.put(name, schedule.ManagedCertificate(spec=entry.spec, served=served, advice=entry.advice))
                await self._show_to_others(entry.spec, issued)
            else:
                await self._update_live(self._index.entries.keys() & {name, *self._index.beside(name)})
        if entry is not None and issued is not None:
            self._hook.notify(name)
        self._changed()

    async def _show_to_others(self, spec: model.CertificateSpec, issued: certificate_records.Issued) -> None:
        """A wildcard, or names that another site has by now: the new certificate may be the best there is for them."""
        beside = self._index.beside(spec.name)
        others = set(spec.names)
        if not any(host.startswith("*.") for host in issued.bundle.names()) and spec.name in self._index.entries:
            others -= set(self._index.entries[spec.name].spec.names)
            if not others:
                await self._update_live(beside)
                return
        await self._update_live(
            name
            for name, entry in list(self._index.entries.items())
            if name != spec.name
            and entry.spec.mode is model.TlsMode.ACME
            and len(issued.bundle.missing(entry.spec.names)) < len(entry.spec.names)
        )

    async def _update_live(self, names: collections.abc.Iterable[str]) -> None:
        for name in names:
            entry = self._index.entries[name]
            served = await asyncio.to_thread(self._served_files.update_live, entry.spec)
            if served != entry.served:
                self._index.put(name, dataclasses.replace(entry, served=served))

    async def _fail(self, attempt: attempt_values.AttemptInput, failed: attempt_values.Failed) -> None:
        spec = attempt.spec
        attempts = failed_attempt.note(attempt, failed, self._needs.clock.now(), jitter=self._rng.random())
        at, failures = attempts.next_attempt, attempts.failures
        async with self._index.settling:
            entry = self._index.entries.get(spec.name)
            if entry is None or (failed.is_elsewhere and self._needs.stored.own(spec.name) != attempt.known):
                return  # the site is gone, or another process has got the certificate
            self._settled.add(spec.name)
            self._index.put(spec.name, dataclasses.replace(entry, attempts=attempts))
            if failed.is_elsewhere:  # whoever orders it stores how it went
                log.info(
                    "certificate left to another process",
                    host=spec.host,
                    reason=failed.reason,
                    next_attempt=at,
                )
                return
            log.warning(
                "certificate not obtained",
                host=spec.host,
                reason=failed.reason,
                failures=failures,
                next_attempt=at,
            )
            try:
                await asyncio.to_thread(certificate_records.write_attempts, self._needs.store, spec.name, attempts)
            except errors.DaemunError as error:  # a restart would then try earlier: no harm
                log.warning("the failure could not be stored", host=spec.host, error=str(error))
