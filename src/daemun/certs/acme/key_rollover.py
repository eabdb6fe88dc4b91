"""A new shared key, at every CA that knows the old one. Blocking.

Meanwhile no order may be under way at the CA that gets it, and at the end at none that has not got it.

The new key is stored before any CA gets it, and the state at each CA is stored before and after its request: an account
that was changed has the new key as its own, another one goes on with the old one, so everything works however far it
came. When all are changed, the new key becomes the shared one. Doing it again goes on from there, after a kill too.
"""

import collections.abc
import contextlib
import dataclasses

from cryptography.hazmat.primitives.asymmetric import ec

from daemun import errors
from daemun.certs.acme import account_requests, acme_accounts
from daemun.certs.served import local_ca
from daemun.control import account_port, ports, stored_values

Reach = collections.abc.Callable[[str], account_requests.CaAccess]
"""How the CA with a directory URL is reached."""


def list_concerned(store: ports.Store, *, everything: bool = False) -> tuple[str, ...]:
    """The directories of the CAs whose accounts get the new key; it is made, where no change is under way.

    everything: accounts with keys of their own get the new shared one, too.
    Raises: EnvironmentProblemError when the store cannot be written.
    """
    new_pem = _next_key(store)
    return tuple(
        registration.directory
        for registration in acme_accounts.list_registrations(store)
        if _is_concerned(store, registration, new_pem, everything=everything)
    )


def change_at(store: ports.Store, directory: str, reach: Reach) -> account_port.KeyRolloverResult:
    """Change the key at one CA. Raises: as `list_concerned`."""
    registration = acme_accounts.read_registration(store, directory)
    return (
        _turn(store, registration, _next_key(store), reach(directory))
        if registration
        else account_port.KeyRolloverResult(directory=directory)
    )


def finish(
    store: ports.Store, changed: collections.abc.Container[str], reach: Reach, *, everything: bool = False
) -> tuple[account_port.KeyRolloverResult, ...]:
    """Change the key where an account was made meanwhile, and make it the shared one where all CAs accepted it.

    changed: the CAs that have it. Returns: how it went at the others.
    """
    late = [one for one in list_concerned(store, everything=everything) if one not in changed]
    turns = tuple(change_at(store, directory, reach) for directory in late)
    if all(turn.error is None for turn in turns):
        _share(store, _next_key(store))
    return turns


def _next_key(store: ports.Store) -> bytes:
    acme_accounts.load_or_create_key(store)
    try:
        pem = store.read(acme_accounts.NEXT)
        acme_accounts.parse_key(pem)
    except errors.NotFoundInStoreError:
        pass
    except ValueError as error:
        raise errors.EnvironmentProblemError(
            f'cannot go on with the change of the key: "{acme_accounts.NEXT}" in the store is '
            f"damaged ({error}); restore it "
            "from a backup, or delete it to begin anew (accounts at CAs that know it are then lost)"
        ) from error
    else:
        return pem
    new = local_ca.private_pem(ec.generate_private_key(ec.SECP256R1()))
    with contextlib.suppress(errors.StoreConflictError):  # another process was first
        store.commit([stored_values.KeyChange(key=acme_accounts.NEXT, value=new, expected=stored_values.ABSENT)])
    return store.read(acme_accounts.NEXT)


def _is_concerned(
    store: ports.Store, registration: acme_accounts.Registration, new_pem: bytes, *, everything: bool
) -> bool:
    if registration.state is acme_accounts.AccountState.DEACTIVATED or registration.url is None:
        return False
    return everything or registration.key_pem == new_pem or not acme_accounts.is_own(store, registration)


def _turn(
    store: ports.Store, registration: acme_accounts.Registration, new_pem: bytes, ca: account_requests.CaAccess
) -> account_port.KeyRolloverResult:
    directory = registration.directory
    try:
        if registration.state is acme_accounts.AccountState.CHANGING:
            account_requests.resolve_key(store, ca)
            registration = acme_accounts.read_registration(store, directory) or registration
        if registration.key_pem != new_pem:
            assert registration.url is not None
            acme_accounts.write_registration(
                store, directory, dataclasses.replace(registration, state=acme_accounts.AccountState.CHANGING)
            )
            old, new = acme_accounts.load_key(store, directory), acme_accounts.parse_key(new_pem)
            account_requests.change_key(old, new, registration.url, ca)
            active = dataclasses.replace(registration, state=acme_accounts.AccountState.ACTIVE, key_pem=new_pem)
            acme_accounts.write_registration(store, directory, active)
    except errors.RetryableError as error:
        return account_port.KeyRolloverResult(directory=directory, error=str(error))
    return account_port.KeyRolloverResult(directory=directory)


def _share(store: ports.Store, new_pem: bytes) -> None:
    """The next key becomes the shared one."""
    own = [registration for registration in acme_accounts.list_registrations(store) if registration.key_pem == new_pem]
    shared = [
        acme_accounts.change_registration(dataclasses.replace(registration, key_pem=None)) for registration in own
    ]
    key = stored_values.KeyChange(key=acme_accounts.SHARED, value=new_pem)
    store.commit([key, *shared, stored_values.KeyChange(key=acme_accounts.NEXT, value=None)])
