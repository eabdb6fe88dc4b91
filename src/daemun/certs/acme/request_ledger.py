"""Requests that were sent to each CA, in the store, so that no restart forgets it.

    budget/DIGEST.json   of one directory: what `core.issuance.budget` counts

An order is counted before it is sent, so a crash at any moment never makes daemun send more than it may. Blocking,
milliseconds; several threads may call it.
"""

import collections.abc
import contextlib
import datetime
import hashlib
import json
import threading
import time

from daemun import errors
from daemun.certs.acme import rate_limit_domains
from daemun.control import damaged_keys, guarded_store, ports
from daemun.core import model, new_findings
from daemun.core.issuance import budget

TOPIC = "budget"
"""Of findings."""

_changing = threading.Lock()
_LOCK_TRIES, _LOCK_PAUSE_S = 50, 0.1
"""Another process holds the lock for milliseconds."""


class OverBudgetError(errors.RetryableError):
    """An order would exceed a limit of the CA: nothing was sent. refusal: which, and until when."""

    def __init__(self, message: str, refusal: budget.OverLimit) -> None:
        super().__init__(message)
        self.refusal = refusal


class RequestLedger:
    """Of one CA. With no limits nothing is counted or written."""

    def __init__(self, store: ports.Store, clock: ports.Clock, directory: str, limits: budget.Limits) -> None:
        self._store = store
        self._clock = clock
        self._directory = directory
        self._limits = limits

    def reserve(self, order: budget.OrderCost) -> None:
        """Count an order that is sent next. Raises: OverBudgetError; EnvironmentProblemError."""
        if not self._limits:
            return
        with self._held() as (now, store):
            ledger = self._read(now)
            refusal = budget.find_refusal(ledger, order, self._limits, now)
            if refusal is not None:
                raise OverBudgetError(explain(order.hosts, self._directory, refusal), refusal)
            self._write(store, budget.reserve(ledger, order, self._limits, now))

    def reserve_failures(self, by: str, hosts: tuple[str, ...]) -> None:
        """The next request makes the CA validate these names."""
        self._change(lambda ledger, now: budget.reserve_failures(ledger, by, hosts, self._limits, now))

    def close_order(self, by: str, *, is_issued: bool, failed: frozenset[str] = frozenset()) -> None:
        """The order for the certificate `by` ended; failed: the names that the CA could not validate."""
        self._change(lambda ledger, now: budget.close_order(ledger, by, now, is_issued=is_issued, failed=failed))

    def find_refusal(self, order: budget.OrderCost) -> budget.OverLimit | None:
        """Why an order would have to wait now; None: it need not."""
        now = self._clock.now()
        return budget.find_refusal(self._read(now), order, self._limits, now) if self._limits else None

    def _change(self, change: collections.abc.Callable[[budget.Ledger, datetime.datetime], budget.Ledger]) -> None:
        if self._limits:
            with self._held() as (now, store):
                before = self._read(now)
                after = change(before, now)
                if after != before:
                    self._write(store, after)

    @contextlib.contextmanager
    def _held(self) -> collections.abc.Iterator[tuple[datetime.datetime, ports.Store]]:
        with _changing, contextlib.ExitStack() as stack:
            for left in reversed(range(_LOCK_TRIES)):
                try:
                    lease = stack.enter_context(self._store.lock(f"budget-{self._digest}"))
                    break
                except errors.LockHeldError:
                    if not left:
                        raise
                    time.sleep(_LOCK_PAUSE_S)
            yield self._clock.now(), guarded_store.GuardedStore(self._store, lease)

    def _read(self, now: datetime.datetime) -> budget.Ledger:
        """A ledger that cannot be read is begun anew: not knowing what was spent must not end renewal."""
        follows = "what was ordered of this CA lately is counted anew, nothing is to do"
        spends = damaged_keys.read(self._store, self._key, _parse_spends, follows=follows)
        return budget.prune(spends or (), self._limits, now)

    def _write(self, store: ports.Store, ledger: budget.Ledger) -> None:
        rows = [[spend.counted.name, spend.key, spend.at.timestamp(), spend.by] for spend in ledger]
        store.write(self._key, json.dumps({"directory": self._directory, "spent": rows}).encode())

    @property
    def _digest(self) -> str:
        return hashlib.sha256(self._directory.encode()).hexdigest()[:16]

    @property
    def _key(self) -> str:
        return f"budget/{self._digest}.json"


def _parse_spends(content: bytes) -> budget.Ledger:
    return tuple(
        budget.Spend(
            counted=budget.CaLimitKind[counted], key=key, at=datetime.datetime.fromtimestamp(at, datetime.UTC), by=by
        )
        for counted, key, at, by in json.loads(content)["spent"]
    )


def find(
    hosts: collections.abc.Sequence[str], directory: str, store: ports.Store, clock: ports.Clock
) -> model.Finding | None:
    """Whether the limits that are known of the CA let a new order for these hosts be made now; None: none are known."""
    limits = budget.limits_of(directory)
    if not limits:
        return None
    cost = budget.OrderCost(by="", hosts=tuple(hosts), domains=rate_limit_domains.domains_of(hosts))
    refusal = RequestLedger(store, clock, directory, limits).find_refusal(cost)
    if refusal is None:
        return new_findings.good(TOPIC, "the CA's limits let an order be made now")
    message, cure = explain(cost.hosts, directory, refusal), "a further CA in `acme.directory` is asked meanwhile"
    return new_findings.blocks(TOPIC, message, cure)


def explain(hosts: tuple[str, ...], directory: str, refusal: budget.OverLimit) -> str:
    """Which limit an order would exceed, and until when it waits."""
    quoted = ", ".join(f'"{host}"' for host in hosts)
    return (
        f"no certificate is asked for {quoted} at the CA at {directory} before {refusal.until:%Y-%m-%d %H:%M} UTC: its "
        f"limit is {refusal}, and as many were asked for; daemun goes on by itself then"
    )
