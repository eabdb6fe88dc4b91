"""`control.certificate_port.Certificates`: what is served at once, and what is ordered and renewed beside the loop.

Memory (`certificate_index`) only mirrors the disk: which certificate is served is decided by
`certificate_selection` from what is stored, and what is due by `schedule` from what is known.
"""

import asyncio
import collections.abc
import contextlib
import dataclasses
import datetime
import functools
import pathlib
import random
import threading
import time
import types

from daemun import errors, ticks
from daemun.certs.acme import acme_accounts, challenge_files, prover_port
from daemun.certs.managed import certificate_index, first_certificates, live_repair, local_renewal, schedule
from daemun.certs.orders import attempt_values, order_loop, other_machines, renewal_watch
from daemun.certs.served import (
    bundle,
    certificate_files,
    certificate_records,
    deploy_hook,
    key_types,
    shown_certificates,
)
from daemun.control import certificate_port, ports, shared_changes
from daemun.core import layout, model
from daemun.core.issuance import budget

LONGEST_SLEEP_S = local_renewal.FILES_READ_EVERY_S
_SHORTEST_SLEEP_S = 0.1
_QUICK_S, _REST, _LONGEST_REST_S = 0.01, 4, 2.0
_CLOCK_READ_EVERY_S = 1.0
_JUMP_S = 5.0
"""More than a clock is corrected by in a minute while it runs (a slew is at most 0.1 %)."""

Wait = collections.abc.Callable[[asyncio.Event, datetime.datetime | None], collections.abc.Awaitable[None]]
"""Returns when the event is set or the moment has come (None: there is none), or earlier."""


class Manager:
    """Not thread-safe: one per event loop. `configure` before CAs are used, and `run` must be running.

    worker_gid: the group of nginx's workers, the only one that may read the keys; None: the owner alone.
    provers: make proofs visible that nginx does not. examiner: looks at names before an order; None: no look.
    limits_of: how many requests a CA gets at most, by the URL of its directory. chance: moments that are chosen at
    random.
    wait, pause: how time passes between orders and within them; None: by itself. has_time: whether no change is on its
    way; else shared certificates are replaced later.
    """

    def __init__(
        self,
        store: ports.Store,
        paths: layout.Layout,
        clock: ports.Clock,
        *,
        worker_gid: int | None = None,
        provers: prover_port.Provers = types.MappingProxyType({}),
        examiner: certificate_port.Examiner | None = None,
        limits_of: collections.abc.Callable[[str], budget.Limits] = budget.limits_of,
        rng: random.Random | None = None,
        wait: Wait | None = None,
        pause: collections.abc.Callable[[float, threading.Event], bool] | None = None,
        has_time: collections.abc.Callable[[], bool] = lambda: True,
    ) -> None:
        self._subscribed: collections.abc.Callable[[], None] = lambda: None
        self.hook = deploy_hook.DeployHook(store, paths)
        self._store = store
        self._clock = clock
        self._wait = wait or self._wait_really
        self._files = challenge_files.ChallengeFiles(
            pathlib.Path(paths.challenges), lambda: self._answered, worker_gid=worker_gid
        )
        self._index = certificate_index.CertificateIndex()
        self._served_files = certificate_files.CertificateFiles(
            store, paths, clock, worker_gid=worker_gid, directories_of=self._index.directories
        )
        needs = attempt_values.AttemptNeeds(
            store=store,
            stored=self._served_files.stored,
            clock=clock,
            provers={**provers, model.Challenge.HTTP_01: self._files},
            examiner=examiner,
            limits_of=limits_of,
            pause=pause,
        )
        rng = rng or random.Random()  # noqa: S311 - spreads load, guards nothing
        self._preparer = first_certificates.Preparer(store=store, served_files=self._served_files)
        self._refresher = local_renewal.Refresher(
            self._index, self._served_files, clock, changed=self._announce, has_time=has_time
        )
        self.live_repair = live_repair.LiveRepair(self._index, self._served_files, changed=self._changed)
        self._orders = order_loop.Orders(
            self._index, self._served_files, needs, self.hook, rng=rng, changed=self._changed
        )
        self.other_machines = other_machines.OtherMachines(
            self._index, store, self._served_files.stored, self._orders, changed=self._changed
        )
        self._watch = renewal_watch.Watch(self._index, store, clock, rng=rng, examiner=examiner, changed=self._changed)
        self._wake = asyncio.Event()
        self._thumbprint: str | None = None
        self._answered: str | None = None
        self._prepared_for: tuple[model.Authority, ...] | None = None

    # --- control.certificate_port.Certificates -----------------------------------------------------------------------

    def thumbprint(self) -> str | None:
        if self._thumbprint is None:
            try:
                self._thumbprint = acme_accounts.thumbprint(acme_accounts.load_or_create_key(self._store))
            except errors.DaemunError as error:
                message = f"{error}; until then no CA is asked, and the certificates that are there are served"
                self._store.damage.note(acme_accounts.SHARED, message, severity=model.Severity.ERROR)
                return None
            self._store.damage.clear(acme_accounts.SHARED)
        return self._thumbprint

    async def prepare(self, specs: collections.abc.Sequence[model.CertificateSpec]) -> tuple[model.Problem, ...]:
        specs = key_types.with_seconds(specs)
        async with self._index.settling:
            made_for = self._index.acme
            authorities = made_for.authorities if made_for is not None else None
            prepare = functools.partial(self._preparer.prepare, is_anew=authorities != self._prepared_for)
            entries = await asyncio.to_thread(prepare, specs, dict(self._index.entries))
            self._prepared_for = authorities
            plans = await asyncio.to_thread(self._index.make_plans, entries, self._clock.now())
            self._index.replace(entries, plans, made_for)
        self._changed()
        return self.problems()

    def wake(self) -> None:
        self._refresher.request_files()
        self._wake.set()

    async def wait_for_files(self) -> None:
        await self._refresher.looked_at_files.wait()

    def status(self, *, added: bool = True) -> tuple[model.CertificateStatus, ...]:
        now = self._clock.now()
        plans = self._index.plans(now)
        statuses = (
            self._orders.with_outage(plans[name].status, entry.spec, now)
            for name, entry in self._index.entries.items()
            if added or not entry.spec.is_added
        )
        return tuple(map(self._with_failed_hook, statuses))

    def problems(self) -> tuple[model.Problem, ...]:
        return tuple(problem for entry in self._index.entries.values() for problem in entry.served.problems)

    def renew(self, host: str, *, force: bool = False) -> bool:
        now = self._clock.now()
        found = {
            name: entry
            for name, entry in self._index.entries.items()
            if (host == entry.spec.host or host in entry.spec.names) and entry.spec.mode is not model.TlsMode.FILES
        }
        for name, entry in found.items():  # all or none: who is refused has changed nothing
            status = self._index.plans(now)[name].status
            if status.held_until is not None and now < status.held_until and not force:
                until = f"{status.held_until:%Y-%m-%d %H:%M} UTC"
                raise errors.RetryableError(
                    f'cannot renew the certificate of "{entry.spec.host}" before {until}, as the CA asked or its '
                    "limits say: who comes sooner may be locked out for longer; nothing to do, daemun tries "
                    f"again by itself then (`--force` asks now). {status.reason or ''}",
                    retry_after_s=(status.held_until - now).total_seconds(),
                )
        for name, entry in found.items():
            if not self._orders.is_ordering(name):
                self._index.put(name, dataclasses.replace(entry, attempts=_keep_holds(entry, now, force=force)))
                self._index.forced.add(name)
        self._changed()
        return bool(found)

    async def add(self, *specs: model.CertificateSpec) -> None:
        specs = key_types.with_seconds(specs)
        async with self._index.settling:
            known = {one.name: entry for one in specs if (entry := self._index.entries.get(one.name)) is not None}
            prepared = await asyncio.to_thread(self._preparer.prepare, specs, known)
            for name, entry in prepared.items():
                if known.get(name) is not entry:
                    self._index.put(name, entry)
            self._index.confirmed.update(prepared)
        self._changed()

    async def remove(self, name: str) -> None:
        async with self._index.settling:
            for one in (name, *self._index.beside(name)):
                self._index.remove(one)
            await asyncio.to_thread(self._served_files.remove, name)
        self._changed()

    # --- for the wiring --------------------------------------------------------------------------------------------

    def subscribe(self, changed: collections.abc.Callable[[], None]) -> None:
        """changed: called from now on after `status` may have changed, in the event loop."""
        self._subscribed = changed

    def configure(self, acme: model.Acme) -> None:
        """Use these CAs from now on. Certificates of others are replaced; failures so far are forgotten."""
        self.hook.configure(acme.hook)
        if self._index.configure(acme):
            self._changed()

    @property
    def specs(self) -> tuple[model.CertificateSpec, ...]:
        """What certificates are kept for now."""
        return self._index.specs()

    async def confirm(self) -> None:
        async with self._index.settling:
            await asyncio.to_thread(self._served_files.remove_except, self._index.specs())
            self._index.confirm_all()
        self._answered = self._thumbprint
        self._changed()

    @property
    def busy(self) -> int:
        """How much is under way now: orders, and questions to CAs and DNS."""
        return len(self._orders.under_way) + self._watch.busy

    async def run(self) -> None:
        """Order, renew and refresh until cancelled. Orders under way go on with the next call, or the next start."""
        stop = threading.Event()
        await asyncio.to_thread(self._sweep)
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    self._wake.clear()
                    begun = time.monotonic()
                    await self._refresher.refresh()
                    await self._orders.start(tasks, stop)
                    self._watch.start(tasks, stop)
                    moment = self._next_moment()
                    await _rest(time.monotonic() - begun)
                    await self._wait(self._wake, moment)
        finally:
            stop.set()
            self._served_files.flush()

    def follow(self, changes: shared_changes.SharedChanges) -> None:
        """What other machines of a fleet get of CAs is served here, too."""
        self.other_machines.follow(changes)

    # --- for `certs.account_service` -------------------------------------------------------------------------------

    def forget_thumbprint(self) -> None:
        """The shared key is another now; nginx learns of it with the next round."""
        self._thumbprint = None

    def find_authority(self, directory: str) -> model.Authority:
        """How the CA with this directory is reached."""
        return self._index.find_authority(directory)

    def without_orders(
        self, which: collections.abc.Callable[[str], bool], *, within_s: float
    ) -> contextlib.AbstractAsyncContextManager[None]:
        """No order is under way, and none begins, at these CAs (by their directories) while the block runs.

        Raises: LockHeldError when those that are under way do not end in time.
        """
        return self._orders.held(which, within_s=within_s)

    @property
    def served_files(self) -> certificate_files.CertificateFiles:
        return self._served_files

    def showing(self, found: bundle.Bundle) -> list[str]:
        """The certificates in whose place this one is shown to visitors of some name."""
        return [name for name, entry in self._index.entries.items() if entry.served.shows(found)]

    def shown_of_ca(self, name: str, host: str) -> tuple[bundle.Bundle, ...]:
        """The certificates of CAs that are shown for one name of a site: of each type of key one."""
        known = (self._index.entries.get(one) for one in (name, *self._index.beside(name)))
        parts = [entry.served.shown_for(host) for entry in known if entry is not None]
        return tuple(
            {
                one.bundle.fingerprint: one.bundle
                for one in parts
                if one.kind is shown_certificates.CertificateSource.PUBLIC
            }.values()
        )

    async def serve_stored(self, names_: collections.abc.Collection[str]) -> None:
        """Serve what the store holds now for these certificates, and forget earlier failures of theirs."""
        async with self._index.settling:
            # One may be shown in the place of the other, of two for the same names.
            for name in dict.fromkeys(each for one in names_ for each in (one, *self._index.beside(one))):
                entry = self._index.entries.get(name)
                if entry is not None:
                    served = await asyncio.to_thread(self._served_files.update_live, entry.spec)
                    await asyncio.to_thread(certificate_records.delete_attempts, self._store, name)
                    self._index.put(name, dataclasses.replace(entry, served=served, attempts=None))
        self._changed()

    def _with_failed_hook(self, status: model.CertificateStatus) -> model.CertificateStatus:
        """Without another reason the failed hook is the reason why the certificate is not as its owner wants it."""
        failure = self.hook.failure(status.name)
        if failure is None:
            return status
        return dataclasses.replace(status, reason=f"{status.reason}; {failure}" if status.reason else failure)

    def _sweep(self) -> None:
        """No order is under way yet, so proofs that are there are left from before."""
        with contextlib.suppress(errors.DaemunError):  # the account key is damaged: whatever needs it reports that
            known = [one.key_pem for one in acme_accounts.list_registrations(self._store)]
            own = [acme_accounts.thumbprint(acme_accounts.parse_key(pem)) for pem in known if pem is not None]
            shared = acme_accounts.read_thumbprint(self._store)
            self._files.sweep({*own, *([shared] if shared else [])})

    # --- waiting ---------------------------------------------------------------------------------------------------

    def _next_moment(self) -> datetime.datetime | None:
        """When something is due next, as far as is known now."""
        now = self._clock.now()
        if self._refresher.has_more:
            return now
        watched = self._watch.next_moment(now)
        due_times = [*self._refresher.due_times(now), *self._orders.due_times(now)]
        return min([*due_times, *([watched] if watched is not None else [])], default=None)

    async def _wait_really(self, woken: asyncio.Event, until: datetime.datetime | None) -> None:
        """For a minute at most, because the owner's files change, and not on when the clock jumps: what is served may
        have expired by that."""
        loop, began = asyncio.get_running_loop(), self._clock.now()
        seconds = LONGEST_SLEEP_S if until is None else (until - began).total_seconds()
        began_s = loop.time()
        until_s = began_s + min(max(seconds, _SHORTEST_SLEEP_S), LONGEST_SLEEP_S)
        while not woken.is_set() and loop.time() < until_s:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(min(until_s, ticks.find_end(loop.time(), _CLOCK_READ_EVERY_S))):
                    await woken.wait()
            passed_s = (self._clock.now() - began).total_seconds()
            if abs(passed_s - (loop.time() - began_s)) > _JUMP_S:
                return

    def _changed(self) -> None:
        self._wake.set()
        self._announce()

    def _announce(self) -> None:
        self._subscribed()


async def _rest(busy_s: float) -> None:
    """A round looks at all certificates. Where they are so many that it takes a while, what comes meanwhile shares the
    next one: a name that is added costs the same however many there are."""
    if busy_s > _QUICK_S:
        await asyncio.sleep(min(busy_s * _REST, _LONGEST_REST_S))


def _keep_holds(
    entry: schedule.ManagedCertificate, now: datetime.datetime, *, force: bool
) -> certificate_records.Attempts | None:
    """Failures so far are forgotten, but not the waits that single CAs demand: the others are used."""
    before = entry.attempts
    holds = tuple(one for one in before.holds if now < one[1]) if before is not None and not force else ()
    return certificate_records.Attempts(asked=before.asked, holds=holds) if before is not None and holds else None
