"""Locks of a fleet, by the database's clock."""

import collections.abc
import contextlib
import os
import socket
import threading
import uuid

from daemun import errors
from daemun.control.lease import FencingToken, Lease, monotonic_s
from daemun.store import keys, lease_renewal
from daemun.store.postgresql import database_requests


class DatabaseLeases:
    """Takes, renews and releases locks in the database. owner: who holds them, in words."""

    def __init__(
        self,
        requests: database_requests.DatabaseRequests,
        owner: str | None,
        *,
        clock: collections.abc.Callable[[], float] = monotonic_s,
        renews_by_itself: bool = True,
    ) -> None:
        self._clock = clock
        self._requests = requests
        self._owner = owner or f"process {os.getpid()} on {socket.gethostname()}"
        self._guard = threading.Lock()
        self._holders: dict[Lease, uuid.UUID] = {}
        self.renewal = lease_renewal.LeaseRenewal(self._renew, clock=clock, by_itself=renews_by_itself)

    @contextlib.contextmanager
    def lock(self, name: str, *, lease_s: float) -> collections.abc.Iterator[Lease]:
        """See `control.ports.Store`."""
        holder = uuid.uuid4()
        lease = self._take(keys.check(name), holder, lease_s)
        with self._guard:
            self._holders[lease] = holder
        try:
            with self.renewal.renewing(lease):
                yield lease
        finally:
            with self._guard:
                del self._holders[lease]
            # It ends by itself when that cannot be sent.
            with contextlib.suppress(errors.EnvironmentProblemError):
                self._requests.send("release", (name, holder), patience_s=0.0)

    def holder(self, lease: Lease) -> uuid.UUID | None:
        """None: it is not held any more."""
        with self._guard:
            return self._holders.get(lease)

    def _take(self, name: str, holder: uuid.UUID, lease_s: float) -> Lease:
        sent_at_s = self._clock()
        _, outcome, epoch, token, owner, left_s = self._requests.send("take", (name, holder, self._owner, lease_s))[0]
        if outcome == "busy":
            raise errors.LockHeldError(
                f'cannot lock "{name}": {owner} holds it, for at most {max(left_s, 0):.0f} s more; '
                "wait, or end that process"
            )
        if outcome == "quiet":
            raise errors.LockHeldError(
                f'cannot lock "{name}": the fleet\'s database was moved to another server or restored, and who held it '
                f"before may hold it for {max(left_s, 0):.0f} s more; nothing to do, it is tried again"
            )
        return Lease(
            name, FencingToken(epoch=epoch, number=token), lease_s=lease_s, sent_at_s=sent_at_s, clock=self._clock
        )

    def _renew(self, leases: collections.abc.Collection[Lease]) -> list[Lease]:
        with self._guard:
            held = {self._holders[lease]: lease for lease in leases if lease in self._holders}
        values = ([lease.name for lease in held.values()], list(held), [lease.lease_s for lease in held.values()])
        return [held[row[1]] for row in self._requests.send("renew", values)]
