"""Queries between orders: when CAs want certificates renewed (RFC 9773), and whether a person repaired in DNS what made
an order fail.

Neither holds up an order, and neither is one: what cannot be found out now is looked at later.
"""

import asyncio
import collections
import collections.abc
import dataclasses
import datetime
import functools
import random
import threading
import traceback

import structlog

from daemun import errors
from daemun.certs import daemon_thread
from daemun.certs.managed import certificate_index, schedule
from daemun.certs.orders import dns_looks
from daemun.certs.served import certificate_records
from daemun.control import certificate_port, ports
from daemun.core import model
from daemun.core.issuance import renewal_advice, renewal_time

log: structlog.stdlib.BoundLogger = structlog.get_logger()

MOST_SEEN = 8
"""Fingerprints of DNS that are remembered: an answer that changes to and fro is no repair."""

LOOK_EVERY = datetime.timedelta(minutes=5)
_AT_ONCE = 50
"""Certificates that a CA is queried about in a row, before its answers are used."""

_LOOKS_AT_ONCE = 4


class Watch:
    """Queries CAs for renewal information and DNS for repaired names, for one `Manager`. Not thread-safe. changed:
    called when something new was found."""

    def __init__(
        self,
        index: certificate_index.CertificateIndex,
        store: ports.Store,
        clock: ports.Clock,
        *,
        rng: random.Random,
        examiner: certificate_port.Examiner | None,
        changed: collections.abc.Callable[[], None],
    ) -> None:
        self._index = index
        self._store = store
        self._clock = clock
        self._rng = rng
        self._examiner = examiner
        self._changed = changed
        self._looked: dict[str, datetime.datetime] = {}
        self._polling: set[str | None] = set()
        """The directories of the CAs that are being queried, each by itself: one that is slow holds up no other."""
        self._looking: set[str] = set()

    @property
    def busy(self) -> int:
        return len(self._polling) + len(self._looking)

    def start(self, tasks: asyncio.TaskGroup, stop: threading.Event) -> None:
        """Begin what is due, for certificates whose sites are served. stop: set when it is to end."""
        now = self._clock.now()
        self._looked = {name: at for name, at in self._looked.items() if name in self._index.entries}
        due = collections.defaultdict[str | None, list[str]](list)
        for name, at in self._polls():
            if at <= now:
                due[self._index.entries[name].served.directory].append(name)
        for directory, names in due.items():
            self._polling.add(directory)
            tasks.create_task(self._poll(directory, names[:_AT_ONCE], stop), name=f"renewal info of {directory}")
        for name, at in self._looks(now):
            if at <= now and len(self._looking) < _LOOKS_AT_ONCE:
                self._looking.add(name)
                tasks.create_task(self._look(name), name=f"look at {name}")

    def next_moment(self, now: datetime.datetime) -> datetime.datetime | None:
        """When `start` has something to begin; the end of what is under way wakes by itself."""
        due_times = [at for _, at in self._polls()]
        if len(self._looking) < _LOOKS_AT_ONCE:
            due_times += [at for _, at in self._looks(now)]
        return min(due_times, default=None)

    # --- renewal info ----------------------------------------------------------------------------------------------

    def _polls(self) -> collections.abc.Iterator[tuple[str, datetime.datetime]]:
        """Of CAs that are not being queried now."""
        for name, plan in self._index.plans(self._clock.now()).items():
            if plan.poll_at is None or name not in self._index.confirmed:
                continue
            if not self._polling or self._index.entries[name].served.directory not in self._polling:
                yield name, plan.poll_at

    async def _poll(self, directory: str | None, names: list[str], stop: threading.Event) -> None:
        """Query one CA about certificates. Never raises but when cancelled."""
        try:
            for authority, entries in self._by_authority(names):
                work = functools.partial(self._fetch, authority, entries, stop)
                new = await daemon_thread.run(work, name="renewal info")
                async with self._index.settling:
                    for name, (queried, found) in new.items():
                        entry = self._index.entries.get(name)
                        if entry is not None and entry.served is queried.served:
                            self._index.put(name, dataclasses.replace(entry, advice=found))
        except errors.DaemunError as error:
            log.warning("the renewal information of a CA could not be kept", error=str(error))
        except Exception:
            log.error("a CA could not be queried when to renew", stack=traceback.format_exc())  # noqa: TRY400
        finally:
            self._polling.discard(directory)
            self._changed()

    def _by_authority(
        self, names: list[str]
    ) -> collections.abc.Iterator[tuple[model.Authority, dict[str, schedule.ManagedCertificate]]]:
        """Of each way to trust their CA the certificates that it issued."""
        found: dict[model.Authority, dict[str, schedule.ManagedCertificate]] = {}
        for name in names:
            entry = self._index.entries.get(name)
            for authority in (entry and self._index.authorities(entry.spec)) or ():
                if entry is not None and authority.directory == entry.served.directory:
                    found.setdefault(authority, {})[name] = entry
        yield from found.items()

    def _fetch(
        self, authority: model.Authority, entries: dict[str, schedule.ManagedCertificate], stop: threading.Event
    ) -> dict[str, tuple[schedule.ManagedCertificate, renewal_advice.RenewalAdvice]]:
        """In a thread. Raises: DaemunError: the answers could not be stored."""
        # Here, so that `daemun up` serves before these slow imports (acme, requests) are made.
        from daemun.certs.acme import renewal_info  # noqa: PLC0415

        leaves = {name: entry.served.bundle.leaf for name, entry in entries.items()}
        answers = renewal_info.fetch(authority, leaves, clock=self._clock, stop=stop)
        result = {}
        for name, answer in answers.items():
            entry, now = entries[name], self._clock.now()
            serial = schedule.serial_of(entry)
            if answer.is_known:
                found = renewal_advice.update(
                    entry.advice, serial, answer.window, now=now, poll_s=answer.poll_s, at=self._rng.random()
                )
            else:
                found = renewal_advice.postpone(entry.advice, serial, now=now, poll_s=answer.poll_s)
            certificate_records.write_advice(self._store, name, found)
            result[name] = (entry, found)
        return result

    # --- DNS -------------------------------------------------------------------------------------------------------

    def _looks(self, now: datetime.datetime) -> collections.abc.Iterator[tuple[str, datetime.datetime]]:
        """Certificates that fail and whose next try is far enough away for a look to be worth it."""
        if self._examiner is None:
            return
        for name, plan in self._index.plans(now).items():
            if not plan.status.failures or plan.order_at is None:
                continue
            if name not in self._index.confirmed or name in self._looking:
                continue
            at = self._looked.get(name, plan.status.failing_since or now) + LOOK_EVERY
            if at < plan.order_at:
                yield name, at

    async def _look(self, name: str) -> None:
        """Try at once when DNS answers differently than at the failures. Never raises but when cancelled."""
        try:
            entry = self._index.entries.get(name)
            authorities = self._index.authorities(entry.spec) if entry is not None else None
            attempts = schedule.valid_attempts(entry, authorities) if entry is not None and authorities else None
            if entry is None or not authorities or attempts is None or self._examiner is None:
                return
            hosts = renewal_time.hosts_to_order(entry.spec)
            found = await self._examiner.examine(hosts, authorities[0], entry.spec.ordering)
            seen = dns_looks.fingerprint(found)
            if seen in attempts.seen:
                return
            new = dataclasses.replace(attempts, seen=(*attempts.seen, seen)[-MOST_SEEN:])
            if attempts.seen:  # else this is the first look, and nothing is known to compare with
                new = dataclasses.replace(new, failures=0, next_attempt=self._clock.now())
                log.info("DNS changed, the certificate is tried for again", host=entry.spec.host)
            async with self._index.settling:
                if self._index.entries.get(name) is entry:
                    self._index.put(name, dataclasses.replace(entry, attempts=new))
                    await asyncio.to_thread(certificate_records.write_attempts, self._store, name, new)
        except errors.DaemunError as error:
            log.warning("the answers of DNS could not be kept", error=str(error))
        except Exception:
            log.error("DNS could not be looked at", stack=traceback.format_exc())  # noqa: TRY400
        finally:
            self._looking.discard(name)
            self._looked[name] = self._clock.now()
            self._changed()
