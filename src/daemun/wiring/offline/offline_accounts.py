"""The accounts, and taking over what other ACME clients have."""

import collections.abc
import contextlib
import pathlib

from daemun import settings
from daemun.certs import account_service
from daemun.certs.importing import adopt
from daemun.control import account_port
from daemun.core import model
from daemun.core.rounds import merge
from daemun.errors import DaemunError
from daemun.store import instance, memory_store
from daemun.wiring import clock, opened_fleet
from daemun.wiring.offline import configuration


def list_accounts(chosen: settings.Settings) -> account_port.AccountList:
    """As the store of an earlier `up` has them."""
    store = configuration.find_store(chosen)
    return account_service.list_accounts(store) if store else account_port.AccountList(accounts=())


@contextlib.contextmanager
def adopting(chosen: settings.Settings, *, dry: bool) -> collections.abc.Iterator[adopt.OfflineAdopter]:
    """Takes over what others had, into the store of the next `up`. No daemon can start meanwhile. dry: only report.

    Raises: LockHeldError when one is starting; EnvironmentProblemError.
    """
    specs: tuple[model.CertificateSpec, ...] = ()
    with contextlib.suppress(DaemunError):  # without a file, or with a bad one: for sites to come
        specs = merge.certificate_specs(configuration.read(chosen))
    if dry:
        yield adopt.OfflineAdopter(
            configuration.find_store(chosen) or memory_store.MemoryStore(), specs, clock.SystemClock()
        )
        return
    with instance.held_alone(pathlib.Path(chosen.layout.lock)):
        yield adopt.OfflineAdopter(opened_fleet.open_store(chosen), specs, clock.SystemClock())
