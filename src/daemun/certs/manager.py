"""`control.ports.Certificates`: what is served at once, and what is ordered and renewed beside the loop.

Memory only mirrors the disk: which certificate is served is decided by `shelf` from what is stored, what is due by
`standing` from what is known. `_settling` keeps the two together: while it is held, nobody else looks or changes.
"""

import asyncio
import collections.abc
import contextlib
import dataclasses
import datetime
import pathlib
import random
import threading
import traceback
import types

import structlog

from daemun import errors
from daemun.certs import (
    account,
    after,
    attempt,
    book,
    challenge_files,
    findings,
    local_ca,
    proofs,
    records,
    shelf,
    standing,
    watching,
)
from daemun.control import ports
from daemun.core import layout, model, names
from daemun.core.issuance import asked, budget, renewal

log: structlog.stdlib.BoundLogger = structlog.get_logger()

MOST_BEGUN_ALONE = 200
"""With more new certificates than this at once, sites share some of the local CA until each has its own."""
OWN_AT_ONCE = 40
"""So many sites in a row get one of their own instead, a tenth of a second in which no change is applied. Then others
have _SHORTEST_SLEEP_S."""
CONCURRENT_ORDERS = 16
"""An order waits for the CA nearly all of its time. More would only queue for the interpreter."""

LONGEST_SLEEP_S = 60.0
"""The owner's files are read again this often, and a clock that jumps (a suspended laptop) is noticed as soon."""

_SHORTEST_SLEEP_S = 0.1

Wait = collections.abc.Callable[[asyncio.Event, datetime.datetime | None], collections.abc.Awaitable[None]]
"""Returns when the event is set or the moment has come (None: there is none), or earlier."""


class Manager:
    """Not thread-safe: one per event loop. `configure` before CAs are asked, and `run` must be running.

    worker_gid: the group of nginx's workers, the only one that may read the keys; None: the owner alone.
    provers: who makes proofs visible that nginx does not. examiner: looks at names before an order; None: nobody.
    limits_of: what is asked of a CA at most, by the URL of its directory. chance: moments that are chosen at random.
    wait, pause: how time passes between orders and within them; None: by itself.
    """

    def __init__(
        self,
        store: ports.Store,
        paths: layout.Layout,
        clock: ports.Clock,
        *,
        worker_gid: int | None = None,
        provers: proofs.Provers = types.MappingProxyType({}),
        examiner: findings.Examiner | None = None,
        limits_of: collections.abc.Callable[[str], budget.Limits] = budget.limits_of,
        chance: random.Random | None = None,
        wait: Wait | None = None,
        pause: collections.abc.Callable[[float, threading.Event], bool] | None = None,
    ) -> None:
        self.on_change: collections.abc.Callable[[], None] = lambda: None
        """Called after `status` may have changed, in the event loop."""
        self._store = store
        self._clock = clock
        self._files = challenge_files.ChallengeFiles(
            pathlib.Path(paths.challenges), lambda: self._answered, worker_gid=worker_gid
        )
        self._means = attempt.Means(
            store=store,
            clock=clock,
            provers={**provers, model.Challenge.HTTP_01: self._files},
            examiner=examiner,
            limits_of=limits_of,
            pause=pause,
        )
        self.after = after.After(store, paths)
        self._chance = chance or random.Random()  # noqa: S311 - spreads load, guards nothing
        self._wait = wait or self._wait_really
        self._shelf = shelf.Shelf(store, paths, clock, worker_gid=worker_gid)
        self._book = book.Book()
        self._watch = watching.Watch(self._book, store, clock, self._chance, examiner)
        self._ordering: set[str] = set()
        self._forced: set[str] = set()
        self._confirmed: frozenset[str] = frozenset()
        self._settling = asyncio.Lock()
        self._wake = asyncio.Event()
        self._goes_on = False
        self._reads_files = True
        self._files_read_at = clock.now()
        self._thumbprint: str | None = None
        self._answered: str | None = None
        self._held = 0
        self._order_ended = asyncio.Event()

    # --- control.ports.Certificates --------------------------------------------------------------------------------

    def thumbprint(self) -> str:
        if self._thumbprint is None:
            self._thumbprint = account.thumbprint(account.load_or_create_key(self._store))
        return self._thumbprint

    async def prepare(self, specs: collections.abc.Sequence[model.CertificateSpec]) -> tuple[model.Problem, ...]:
        async with self._settling:
            made_for = self._book.acme
            entries = await asyncio.to_thread(self._prepare, specs, dict(self._book.entries))
            plans = await asyncio.to_thread(self._book.make_plans, entries, self._clock.now())
            self._book.replace(entries, plans, made_for)
        self._forced &= self._book.entries.keys()
        self._changed()
        return tuple(problem for entry in self._book.entries.values() for problem in entry.served.problems)

    def status(self) -> tuple[model.CertificateStatus, ...]:
        plans = self._book.plans(self._clock.now())
        return tuple(self._with_failed_hook(plans[name].status) for name in self._book.entries)

    def renew(self, host: str) -> bool:
        found = False
        for name, entry in self._book.entries.items():
            is_shared = name != names.slug(entry.spec.host) and host in entry.spec.names
            if (entry.spec.host != host and not is_shared) or entry.spec.mode is model.TlsMode.FILES:
                continue
            found = True
            if name not in self._ordering:
                self._book.put(name, dataclasses.replace(entry, attempts=None))
                self._forced.add(name)
        self._changed()
        return found

    async def add(self, spec: model.CertificateSpec) -> None:
        async with self._settling:
            for name, entry in (await asyncio.to_thread(self._prepare, (spec,), dict(self._book.entries))).items():
                if self._book.entries.get(name) is not entry:
                    self._book.put(name, entry)
            self._confirmed |= {spec.name}
        self._changed()

    async def remove(self, name: str) -> None:
        async with self._settling:
            self._book.remove(name)
            self._confirmed -= {name}
            self._forced.discard(name)
            await asyncio.to_thread(self._shelf.remove, name)
        self._changed()

    # --- for the wiring --------------------------------------------------------------------------------------------

    def configure(self, acme: model.Acme) -> None:
        """Ask these CAs from now on. Certificates of others are replaced; failures so far are forgotten."""
        self.after.configure(acme.hook)
        if self._book.configure(acme):
            self._changed()

    @property
    def specs(self) -> tuple[model.CertificateSpec, ...]:
        """What certificates are kept for now."""
        return tuple(entry.spec for entry in self._book.entries.values())

    def wake(self) -> None:
        """Look now at what is due, as after a change of the clock."""
        self._reads_files = True
        self._wake.set()

    async def confirm(self) -> None:
        async with self._settling:
            await asyncio.to_thread(self._shelf.remove_except, frozenset(self._book.entries))
            self._confirmed = frozenset(self._book.entries)
        self._answered = self._thumbprint
        self._changed()

    @property
    def busy(self) -> int:
        """How much is under way now: orders, and questions to CAs and DNS."""
        return len(self._ordering) + self._watch.busy

    async def run(self) -> None:
        """Order, renew and refresh until cancelled. Orders under way go on with the next call, or the next start."""
        stop = threading.Event()
        await asyncio.to_thread(self._sweep)
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    self._wake.clear()
                    await self._refresh()
                    for name in self._due()[: CONCURRENT_ORDERS - len(self._ordering)]:
                        self._start(name, tasks, stop)
                    self._watch.start(tasks, stop, self._confirmed, self._settling, self._changed)
                    await self._wait(self._wake, self._next_moment())
        finally:
            stop.set()

    # --- for `certs.clerk` -----------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def without_orders(self, *, within_s: float) -> collections.abc.AsyncIterator[None]:
        """No order is under way, and none begins, while the block runs.

        Raises: LockHeldError when those that are under way do not end in time.
        """
        self._held += 1
        try:
            await self._wait_for_orders(within_s)
            yield
        finally:
            self._held -= 1
            self._changed()

    def forget_thumbprint(self) -> None:
        """The shared key is another now; nginx learns of it with the next round."""
        self._thumbprint = None

    def find_specs(self) -> tuple[model.CertificateSpec, ...]:
        """What the sites need now."""
        return tuple(entry.spec for entry in self._book.entries.values())

    def find_authority(self, directory: str) -> model.Authority:
        """How the CA with this directory is reached: as daemun.yaml says, when it does."""
        named = self._book.acme.authorities if self._book.acme is not None else ()
        own = tuple(one for spec in self.find_specs() if (one := spec.ordering.authority) is not None)
        for one in (*named, *own):
            if directory in {one.directory, one.staging}:
                return dataclasses.replace(one, directory=directory)
        return model.Authority(directory=directory)

    @property
    def shelf(self) -> shelf.Shelf:
        return self._shelf

    async def settle_again(self, names_: collections.abc.Collection[str]) -> None:
        """Serve what the store holds now for these certificates, and forget earlier failures of theirs."""
        async with self._settling:
            for name in names_:
                entry = self._book.entries.get(name)
                if entry is not None:
                    served = await asyncio.to_thread(self._shelf.settle, entry.spec)
                    await asyncio.to_thread(records.delete_attempts, self._store, name)
                    self._book.put(name, dataclasses.replace(entry, served=served, attempts=None))
        self._changed()

    async def _wait_for_orders(self, within_s: float) -> None:
        try:
            async with asyncio.timeout(within_s):
                while self._ordering:
                    self._order_ended.clear()
                    await self._order_ended.wait()
        except TimeoutError:
            under_way = ", ".join(sorted(self._ordering))
            raise errors.LockHeldError(
                f"cannot change accounts now: certificates are being ordered ({under_way}); try again in a few minutes"
            ) from None

    def _with_failed_hook(self, told: model.CertificateStatus) -> model.CertificateStatus:
        """A certificate that nothing else is said of is not all that its owner asked for."""
        failure = self.after.failure(told.name)
        if failure is None:
            return told
        return dataclasses.replace(told, reason=f"{told.reason}; {failure}" if told.reason else failure)

    def _sweep(self) -> None:
        """No order is under way yet, so proofs that are there are left from before."""
        with contextlib.suppress(errors.DaemunError):  # the account key is damaged: told by whoever needs it
            known = [one.key_pem for one in account.list_registrations(self._store)]
            own = [account.thumbprint(account.parse_key(pem)) for pem in known if pem is not None]
            shared = account.read_thumbprint(self._store)
            self._files.sweep({*own, *([shared] if shared else [])})

    # --- what needs no CA ------------------------------------------------------------------------------------------

    def _prepare(
        self, specs: collections.abc.Sequence[model.CertificateSpec], known: dict[str, standing.Entry]
    ) -> dict[str, standing.Entry]:
        ca = self._shelf.load_ca()
        recorded: frozenset[str] | None = None
        shared = self._share(specs, known, ca)
        entries = {}
        for spec in specs:
            if spec.name in shared:
                entries[spec.name] = shared[spec.name]
                continue
            entry = known.get(spec.name)
            is_settled = (
                entry is not None
                and (entry.spec is spec or entry.spec == spec)
                and self._shelf.holds(spec.name)
                # A new root (the old one was near its end, or deleted) signs anew what the old one did.
                and (entry.served.kind is not shelf.Kind.LOCAL or ca.is_named_by(entry.served.bundle.leaf))
            )
            if entry is None or not is_settled or spec.mode is model.TlsMode.FILES:
                if recorded is None:  # one look instead of several for each of perhaps thousands
                    recorded = records.names(self._store)
                entry = self._look_up(spec, entry, ca, has_records=spec.name in recorded)
            entries[spec.name] = entry
        return entries

    def _share(
        self,
        specs: collections.abc.Sequence[model.CertificateSpec],
        known: dict[str, standing.Entry],
        ca: local_ca.LocalCa,
    ) -> dict[str, standing.Entry]:
        """Of very many new certificates, those that begin as shared ones of the local CA."""
        new = [spec for spec in specs if spec.name not in known]
        if len(new) <= MOST_BEGUN_ALONE:
            return {}
        recorded = records.names(self._store)
        new = [spec for spec in new if spec.name not in recorded and not self._shelf.holds(spec.name)]
        if len(new) <= MOST_BEGUN_ALONE:
            return {}
        served = self._shelf.share(new, ca)
        return {spec.name: standing.Entry(spec=spec, served=served[spec.name]) for spec in new if spec.name in served}

    def _look_up(
        self, spec: model.CertificateSpec, before: standing.Entry | None, ca: local_ca.LocalCa, *, has_records: bool
    ) -> standing.Entry:
        served = self._shelf.settle(spec, ca=ca, has_records=has_records)
        if before is None:
            attempts, advice = records.read_attempts(self._store, spec.name) if has_records else None, None
            if served.kind is shelf.Kind.PUBLIC:
                advice = records.read_advice(self._store, spec.name)
            return standing.Entry(spec=spec, served=served, attempts=attempts, advice=advice)
        # Who changes how it is ordered (a password, say) wants it tried now.
        attempts = before.attempts if before.spec.ordering == spec.ordering else None
        return standing.Entry(spec=spec, served=served, attempts=attempts, advice=before.advice)

    async def _refresh(self) -> None:
        """Renew what the local CA signed and read the owner's files again. A failure waits for the next look."""
        async with self._settling:
            now = self._clock.now()
            is_long_ago = abs((now - self._files_read_at).total_seconds()) >= LONGEST_SLEEP_S
            reads_files, self._reads_files = self._reads_files or is_long_ago, False
            self._files_read_at = now if reads_files else self._files_read_at
            own_left, is_more_left, was_any_replaced = OWN_AT_ONCE, False, False
            for name, plan in list(self._book.plans(now).items()):
                entry = self._book.entries[name]
                is_forced = name in self._forced and not plan.is_ordered
                is_due = plan.settles_at is not None and now >= plan.settles_at
                if not is_forced and not is_due and not (reads_files and entry.spec.mode is model.TlsMode.FILES):
                    continue
                if entry.served.is_shared:
                    if not own_left:
                        is_more_left = True
                        continue
                    own_left -= 1
                self._forced -= {name} if is_forced else set()
                is_fresh = is_forced or entry.served.is_shared
                try:
                    served = await asyncio.to_thread(self._shelf.settle, entry.spec, fresh=is_fresh)
                except errors.DaemunError as error:
                    log.warning("a certificate was not refreshed", host=entry.spec.host, error=str(error))
                    continue
                was_any_replaced |= entry.served.is_shared
                if served != entry.served:
                    self._book.put(name, dataclasses.replace(self._book.entries[name], served=served))
                    self.on_change()
            # Where none could be written, as on a full disk, the next look is as far away as after any failure.
            self._goes_on = is_more_left and was_any_replaced

    # --- what a CA is asked for ------------------------------------------------------------------------------------

    def _due(self) -> list[str]:
        """The certificates to order now, the longest due first."""
        now = self._clock.now()
        at = ((self._order_at(name, plan, now), name) for name, plan in self._book.plans(now).items())
        return [name for _, name in sorted((when, name) for when, name in at if when is not None and when <= now)]

    def _order_at(self, name: str, plan: standing.Plan, now: datetime.datetime) -> datetime.datetime | None:
        if plan.order_at is None or self._held or name in self._ordering or name not in self._confirmed:
            return None
        return now if name in self._forced else plan.order_at

    def _start(self, name: str, tasks: asyncio.TaskGroup, stop: threading.Event) -> None:
        entry = self._book.entries[name]
        authorities = self._book.authorities(entry.spec)
        assert authorities is not None
        self._ordering.add(name)
        self._forced.discard(name)
        is_public = entry.served.kind is shelf.Kind.PUBLIC and entry.served.directory is not None
        wanted = attempt.Wanted(
            spec=entry.spec,
            authorities=authorities,
            before=standing.valid_attempts(entry, authorities),
            replaced=records.Issued(directory=entry.served.directory or "", bundle=entry.served.bundle)
            if is_public
            else None,
        )
        tasks.create_task(self._order(wanted, stop), name=f"order {name}")

    async def _order(self, wanted: attempt.Wanted, stop: threading.Event) -> None:
        """One try. Never raises but when cancelled: the others go on."""
        spec = wanted.spec
        try:
            issued = await attempt.obtain(wanted, self._means, stop)
            await self._succeed(wanted, issued)
            log.info("certificate obtained", host=spec.host, issuer=issued.bundle.issuer, until=issued.bundle.not_after)
        except attempt.FailedError as error:
            await self._fail(wanted, error)
        except errors.DaemunError as error:
            await self._fail(wanted, self._failure(wanted, str(error)))
        except Exception as error:
            # Formatted here, because loggers that show local variables would show keys.
            stack = traceback.format_exc()
            log.error("an order failed for an unknown reason", host=spec.host, stack=stack)  # noqa: TRY400
            reason = f'cannot get a certificate for "{spec.host}": {type(error).__name__}; see the log, and report it'
            await self._fail(wanted, self._failure(wanted, reason))
        finally:
            self._ordering.discard(spec.name)
            self._order_ended.set()
            self._changed()

    def _failure(self, wanted: attempt.Wanted, reason: str) -> attempt.FailedError:
        is_rehearsing = wanted.before is not None and wanted.before.rehearse
        return attempt.FailedError(reason, is_failure=True, holds={}, rehearse=is_rehearsing, seen=None)

    async def _succeed(self, wanted: attempt.Wanted, issued: records.Issued) -> None:
        """Raises: RetryableError when the new certificate is due at once, so that orders never follow each other."""
        spec = wanted.spec
        async with self._settling:
            hosts = renewal.hosts_to_order(spec)
            await asyncio.to_thread(self.after.note, spec.name, hosts, issued.bundle)
            await asyncio.to_thread(self._shelf.put_issued, spec.name, issued)
            entry = self._book.entries.get(spec.name)  # the site may have changed, or gone, meanwhile
            is_due_again = False
            if entry is not None:
                served = await asyncio.to_thread(self._shelf.settle, entry.spec)
                new = standing.Entry(spec=entry.spec, served=served, advice=entry.advice)
                now = self._clock.now()
                at = standing.order_at(new, wanted.authorities, now)
                is_due_again = entry.spec == spec and at is not None and at <= now
                # Then the failures so far count on, and the ladder goes up.
                self._book.put(spec.name, dataclasses.replace(entry, served=served) if is_due_again else new)
            if not is_due_again:
                await asyncio.to_thread(records.delete_attempts, self._store, spec.name)
        if entry is not None:
            self.after.tell(spec.name)
        if is_due_again:
            raise errors.RetryableError(
                f'cannot rely on the new certificate of "{spec.host}": it is valid from {issued.bundle.not_before} to '
                f"{issued.bundle.not_after}, and this machine's clock says {self._clock.now()}; set the clock"
            )

    async def _fail(self, wanted: attempt.Wanted, failed: attempt.FailedError) -> None:
        spec, before, now = wanted.spec, wanted.before, self._clock.now()
        failures = (before.failures if before else 0) + failed.is_failure
        at = now
        if failed.is_failure:
            expires_at = wanted.replaced.bundle.not_after if wanted.replaced is not None else None
            at = renewal.next_attempt(failures, now, jitter=self._chance.random(), expires_at=expires_at)
        waits = [failed.holds.get(authority.directory, now) for authority in wanted.authorities]
        at = max(at, min(waits))
        seen = before.seen if before is not None else ()
        if failed.seen is not None and failed.seen not in seen:
            seen = (*seen, failed.seen)[-watching.MOST_SEEN :]
        attempts = records.Attempts(
            asked=asked.fingerprint(spec, wanted.authorities),
            failures=failures,
            next_attempt=at,
            reason=failed.reason,
            since=(before.since if before is not None else None) or (now if failed.is_failure else None),
            holds=tuple(sorted(failed.holds.items())),
            rehearse=failed.rehearse,
            seen=seen,
        )
        async with self._settling:
            entry = self._book.entries.get(spec.name)
            if entry is None:
                return
            self._book.put(spec.name, dataclasses.replace(entry, attempts=attempts))
            log.warning(
                "certificate not obtained", host=spec.host, reason=failed.reason, failures=failures, next_attempt=at
            )
            try:
                await asyncio.to_thread(records.write_attempts, self._store, spec.name, attempts)
            except errors.DaemunError as error:  # a restart would then try earlier: no harm
                log.warning("the failure could not be stored", host=spec.host, error=str(error))

    # --- waiting ---------------------------------------------------------------------------------------------------

    def _next_moment(self) -> datetime.datetime | None:
        """When something is due next, as far as is known now."""
        now = self._clock.now()
        if self._goes_on:
            return now
        plans = self._book.plans(now)
        # What could not be refreshed just now waits for the next look.
        moments = [plan.settles_at for plan in plans.values() if plan.settles_at is not None and plan.settles_at > now]
        if len(self._ordering) < CONCURRENT_ORDERS:  # else the end of an order wakes us
            orders = (self._order_at(name, plan, now) for name, plan in plans.items())
            moments += [at for at in orders if at is not None]
        watched = self._watch.next_moment(self._confirmed, now)
        return min([*moments, *([watched] if watched is not None else [])], default=None)

    async def _wait_really(self, woken: asyncio.Event, until: datetime.datetime | None) -> None:
        """For a minute at most: the clock may jump, and the owner's files change."""
        seconds = LONGEST_SLEEP_S if until is None else (until - self._clock.now()).total_seconds()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(max(seconds, _SHORTEST_SLEEP_S), LONGEST_SLEEP_S)):
                await woken.wait()

    def _changed(self) -> None:
        self._wake.set()
        self.on_change()
