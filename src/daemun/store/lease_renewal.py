"""Renews what a process holds, a third of a lease after the last time, in one thread that ends with the last lease."""

import collections.abc
import contextlib
import threading

import structlog

from daemun.control.lease import Lease, monotonic_s

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_AGAIN = 10
"""After a failure the next try comes a tenth of a lease later."""

Renew = collections.abc.Callable[[collections.abc.Collection[Lease]], collections.abc.Container[Lease]]
"""Renews these; returns those that are still held. Raises: EnvironmentProblemError: not known."""


class LeaseRenewal:
    """Renews the leases that this process holds in one store. Thread-safe."""

    def __init__(
        self, renew: Renew, *, clock: collections.abc.Callable[[], float] = monotonic_s, by_itself: bool = True
    ) -> None:
        """by_itself: false in tests that decide when."""
        self._renew = renew
        self._clock = clock
        self._changed = threading.Condition()
        self._due: dict[Lease, float] = {}
        self._is_running = not by_itself

    @contextlib.contextmanager
    def renewing(self, lease: Lease) -> collections.abc.Iterator[None]:
        """While the block runs."""
        try:
            with self._changed:
                self._due[lease] = lease.ends_at_s - lease.lease_s * 2 / 3
                self._changed.notify_all()
                if not self._is_running:
                    # It waits for this guard before it looks.
                    threading.Thread(target=self._run, name="leases", daemon=True).start()
                    self._is_running = True
            yield
        finally:
            with self._changed:
                self._due.pop(lease, None)
                self._changed.notify_all()
            lease.release()

    def renew_now(self) -> None:
        """Those that are held, whether due or not. For tests, and after the store was out of reach."""
        with self._changed:
            held = list(self._due)
        self._try(held)

    def _run(self) -> None:
        while due := self._wait():
            self._try(due)

    def _wait(self) -> list[Lease]:
        """Until some are due. Empty: none is held any more."""
        with self._changed:
            while self._due:
                for lost in [lease for lease in self._due if not lease.is_held]:
                    del self._due[lost]
                now = self._clock()
                if due := [lease for lease, at in self._due.items() if at <= now]:
                    return due
                if self._due:
                    self._changed.wait(min(min(at, lease.ends_at_s) for lease, at in self._due.items()) - now)
            self._is_running = False
            return []

    def _try(self, leases: list[Lease]) -> None:
        sent_at_s = self._clock()
        kept: collections.abc.Container[Lease] | None = None
        try:
            kept = self._renew(leases)
        except Exception as error:  # whatever it is, it is tried again while they last
            log.debug("locks were not renewed; it is tried again", reason=str(error))
        for lease in leases:
            if kept is not None and lease not in kept:
                lease.lose()
            elif kept is not None:
                lease.prolong(sent_at_s=sent_at_s)
        with self._changed:
            for lease in leases:
                if lease in self._due:
                    self._due[lease] = sent_at_s + lease.lease_s / (3 if kept is not None else _AGAIN)
