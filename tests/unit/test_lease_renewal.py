"""Locks are renewed whatever happens to one try."""

import collections.abc
import errno
import threading

import pytest

from daemun import errors
from daemun.control.lease import FencingToken, Lease, monotonic_s
from daemun.store import lease_renewal

TOKEN = FencingToken(epoch=0, number=1)


def due_lease() -> Lease:
    """Its first renewal is due, and another try half a second after one that failed."""
    return Lease("order", TOKEN, lease_s=5.0, sent_at_s=monotonic_s() - 2.0)


@pytest.mark.parametrize(
    "failure", [errors.StoreUnreachableError("gone"), OSError(errno.EMFILE, ""), RuntimeError(), KeyError()]
)
def test_a_renewal_that_fails_is_tried_again(failure: Exception) -> None:
    failures = [failure]
    renewed = threading.Event()

    def renew(leases: collections.abc.Collection[Lease]) -> collections.abc.Collection[Lease]:
        if failures:
            raise failures.pop()
        renewed.set()
        return leases

    renewal = lease_renewal.LeaseRenewal(renew)
    with renewal.renewing(due_lease()):
        assert renewed.wait(60)


def test_a_thread_that_cannot_be_started_is_started_for_the_next_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    renewed = threading.Event()

    def renew(leases: collections.abc.Collection[Lease]) -> collections.abc.Collection[Lease]:
        renewed.set()
        return leases

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    renewal = lease_renewal.LeaseRenewal(renew)
    lease = due_lease()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError), renewal.renewing(lease):
            pass
    assert not lease.is_held
    with renewal.renewing(due_lease()):
        assert renewed.wait(60)
