"""What is looked at before an order."""

import typing

from daemun.certs.acme import acme_accounts, request_ledger
from daemun.control import ports
from daemun.core import model
from daemun.wiring import clock

if typing.TYPE_CHECKING:
    from daemun.certs.preflight import examiner


def make(store: ports.Store) -> "examiner.Preflight":
    from daemun.certs.preflight import examiner  # noqa: PLC0415 - as `late.Late` wants it

    return examiner.Preflight(
        clock=clock.SystemClock(),
        thumbprint=lambda: acme_accounts.thumbprint(acme_accounts.load_or_create_key(store)),
        account=lambda authority: _account_url(store, authority),
        budget=lambda hosts, authority: request_ledger.find(hosts, authority.directory, store, clock.SystemClock()),
    )


def _account_url(store: ports.Store, authority: model.Authority) -> str | None:
    registration = acme_accounts.read_registration(store, authority.directory)
    return registration.url if registration is not None else None
