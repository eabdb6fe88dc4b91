"""`control.account_port`: accounts and their keys. What queries a CA runs in a thread of its own."""

import asyncio
import collections.abc
import dataclasses
import functools
import threading
import typing

import structlog

from daemun import errors
from daemun.certs import certificate_manager, daemon_thread
from daemun.certs.acme import acme_accounts
from daemun.certs.importing import adopt
from daemun.certs.served import bundle, certificate_records
from daemun.control import account_port, ports, shared_changes
from daemun.core import model
from daemun.core.texts import names

if typing.TYPE_CHECKING:
    from daemun.certs.acme import account_requests

log: structlog.stdlib.BoundLogger = structlog.get_logger()

PATIENCE_S = 240.0
"""How long orders that are under way at a CA may take to end before the account there is changed."""


class AccountService:
    """Implements `account_port.AcmeAccounts` and `account_port.Adopter`.

    reload: lets nginx know the thumbprint of a new shared key; called after it is in use.
    """

    def __init__(
        self,
        store: ports.Store,
        clock: ports.Clock,
        certificates: certificate_manager.Manager,
        *,
        reload: collections.abc.Callable[[], collections.abc.Awaitable[object]],
    ) -> None:
        self._store = store
        self._clock = clock
        self._certificates = certificates
        self._reload = reload
        self._alone = asyncio.Lock()
        self._desk = _Desk(store=store, clock=clock, stop=threading.Event(), find_authority=certificates.find_authority)

    def follow(self, changes: shared_changes.SharedChanges) -> None:
        """Answer for the key that another machine of the fleet made."""
        changes.follow(acme_accounts.SHARED, take=self._take_key)

    async def _take_key(self, _: collections.abc.Sequence[str]) -> None:
        if self._certificates.thumbprint() != await asyncio.to_thread(acme_accounts.read_thumbprint, self._store):
            self._certificates.forget_thumbprint()
            await self._reload()

    # --- accounts --------------------------------------------------------------------------------------------------

    def list_accounts(self) -> account_port.AccountList:
        return list_accounts(self._store)

    async def roll_over(self, *, everything: bool) -> tuple[account_port.KeyRolloverResult, ...]:
        async with self._alone:
            try:
                turns = await self._change_keys(everything)
            finally:
                self._certificates.forget_thumbprint()
        failed = [turn.directory for turn in turns if turn.error is not None]
        log.info("the account key was changed", at=[turn.directory for turn in turns], failed=failed)
        await self._reload()
        return turns

    async def _change_keys(self, everything: bool) -> tuple[account_port.KeyRolloverResult, ...]:
        """At all CAs at once, so that one whose orders do not end keeps no other from the new key."""
        concerned = await daemon_thread.run(lambda: self._desk.list_concerned(everything), name="make an account key")
        found = await asyncio.gather(*map(self._change_key, concerned), return_exceptions=True)
        for one in found:
            if isinstance(one, BaseException):
                raise one
        turns = tuple(one for one in found if isinstance(one, account_port.KeyRolloverResult))
        if any(turn.error is not None for turn in turns):
            return turns
        # What is ordered at any other CA may be about to make an account with the old key.
        async with self._certificates.without_orders(lambda one: one not in concerned, within_s=PATIENCE_S):
            work = functools.partial(self._desk.finish, concerned, everything)
            return turns + await daemon_thread.run(work, name="use the new account key")

    async def _change_key(self, directory: str) -> account_port.KeyRolloverResult:
        try:
            async with self._certificates.without_orders(lambda one: one == directory, within_s=PATIENCE_S):
                work = functools.partial(self._desk.change_at, directory)
                return await daemon_thread.run(work, name="change the account key")
        except errors.LockHeldError as error:
            return account_port.KeyRolloverResult(directory=directory, error=str(error))

    async def deactivate(self, directory: str) -> None:
        held = self._certificates.without_orders(lambda one: one == directory, within_s=PATIENCE_S)
        async with self._alone, held:
            registration = acme_accounts.read_registration(self._store, directory)
            if (
                registration is None
                or registration.url is None
                or registration.state is acme_accounts.AccountState.DEACTIVATED
            ):
                raise errors.ConfigError(_explain_absence(self._store, directory))
            await daemon_thread.run(lambda: self._desk.deactivate(registration), name="deactivate an account")
        log.info("the account was deactivated", directory=directory, url=registration.url)

    async def revoke(self, host: str, reason: str) -> None:
        async with self._alone:
            found = await asyncio.to_thread(self._find_issued, host, self._find_shown(host))
            left = [one for one in found if not one.is_revoked]
            if not left:
                what = "it is revoked already" if found else "no CA issued one for this name that is in the store"
                raise errors.ConfigError(f'cannot revoke the certificate of "{host}": {what}')
            code = account_port.REASONS[reason]
            for issued in left:
                work = functools.partial(self._desk.revoke, issued, code)
                await daemon_thread.run(work, name=f"revoke {host}")
                await asyncio.to_thread(self._certificates.served_files.note_revoked, issued.bundle)
                log.info("certificate revoked", host=host, reason=reason, issuer=issued.bundle.issuer)
                await self._certificates.serve_stored(self._certificates.showing(issued.bundle))

    def _find_shown(self, host: str) -> tuple[bundle.Bundle, ...]:
        """The certificates of CAs that visitors of this name get: one of each type of key. Empty: they get another, or
        no site has the name."""
        specs = [spec for spec in self._certificates.specs if host == spec.host or host in spec.names]
        spec = next((one for one in specs if one.host == host), next(iter(specs), None))
        return () if spec is None else self._certificates.shown_of_ca(spec.name, host)

    def _find_issued(self, host: str, shown: tuple[bundle.Bundle, ...]) -> tuple[certificate_records.Issued, ...]:
        """What is shown for the name; where that is of no CA, what was issued for it. Never one that is not good for
        the name, for what is revoked cannot be restored.

        Raises: ConfigError when several were issued, and none of them is the name's own.
        """
        stored = self._certificates.served_files.stored
        issued, covering = stored.own(names.slug(host)), stored.covering(host, self._clock.now())
        if shown:
            fingerprints = {one.fingerprint for one in shown}
            good = (one for one in covering if one.bundle.fingerprint in fingerprints)
            return tuple({one.bundle.fingerprint: one for one in good}.values())
        if issued is not None and not issued.bundle.missing([host]):
            return (issued,)
        found = {one.bundle.fingerprint: one for one in covering}
        if len(found) > 1:
            named = "; ".join(sorted(", ".join(one.bundle.names()) for one in found.values()))
            raise errors.ConfigError(
                f'cannot revoke the certificate of "{host}": several are good for it, and none is shown for it '
                f"({named}); name the first name of the one that is meant"
            )
        return tuple(found.values())

    # --- adoption --------------------------------------------------------------------------------------------------

    async def adopt_account(self, found: account_port.ForeignAccount, *, dry: bool) -> account_port.Adoption:
        async with self._alone:
            return await asyncio.to_thread(adopt.adopt_account, self._store, found, dry=dry)

    async def adopt_certificate(self, found: account_port.ForeignCertificate, *, dry: bool) -> account_port.Adoption:
        async with self._alone:
            work = functools.partial(
                adopt.adopt_certificate,
                self._store,
                self._certificates.served_files.stored,
                found,
                specs=self._certificates.specs,
                now=self._clock.now(),
                dry=dry,
            )
            adopted = await asyncio.to_thread(work)
            if not dry:
                await self._certificates.serve_stored(adopted.certificates)
            return adopted


def list_accounts(store: ports.Store) -> account_port.AccountList:
    """Also without a daemon. Raises: EnvironmentProblemError."""
    registrations = acme_accounts.list_registrations(store)
    accounts = tuple(
        account_port.KnownAccount(
            directory=one.directory,
            url=one.url,
            email=one.email,
            is_own=acme_accounts.is_own(store, one),
            state=one.state.value,
        )
        for one in registrations
    )
    return account_port.AccountList(accounts=accounts, is_rolling=acme_accounts.NEXT in store.list("accounts"))


def _explain_absence(store: ports.Store, directory: str) -> str:
    others = [
        one.directory
        for one in acme_accounts.list_registrations(store)
        if one.state is acme_accounts.AccountState.ACTIVE
    ]
    found = f"there are accounts at {', '.join(others)}" if others else "there is none at any CA"
    return f'cannot deactivate the account at "{directory}": daemun has none there ({found})'


# --- in threads, because importing acme and requests takes some hundred milliseconds --------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    """Sends requests about accounts to CAs. Its methods block and are run in threads."""

    store: ports.Store
    clock: ports.Clock
    stop: threading.Event
    find_authority: collections.abc.Callable[[str], model.Authority]

    def reach(self, directory: str) -> "account_requests.CaAccess":
        from daemun.certs.acme import account_requests  # noqa: PLC0415

        return account_requests.CaAccess(authority=self.find_authority(directory), clock=self.clock, stop=self.stop)

    def list_concerned(self, everything: bool) -> tuple[str, ...]:
        from daemun.certs.acme import key_rollover  # noqa: PLC0415

        return key_rollover.list_concerned(self.store, everything=everything)

    def change_at(self, directory: str) -> account_port.KeyRolloverResult:
        from daemun.certs.acme import key_rollover  # noqa: PLC0415

        return key_rollover.change_at(self.store, directory, self.reach)

    def finish(self, changed: tuple[str, ...], everything: bool) -> tuple[account_port.KeyRolloverResult, ...]:
        from daemun.certs.acme import key_rollover  # noqa: PLC0415

        return key_rollover.finish(self.store, changed, self.reach, everything=everything)

    def deactivate(self, registration: acme_accounts.Registration) -> None:
        from daemun.certs.acme import account_requests  # noqa: PLC0415

        ca = self.reach(registration.directory)
        account_requests.resolve_key(self.store, ca)
        key = acme_accounts.load_key(self.store, registration.directory)
        assert registration.url is not None
        account_requests.deactivate(key, registration.url, ca)
        retired = acme_accounts.thumbprint(key)
        gone = acme_accounts.Registration(
            url=registration.url,
            email=registration.email,
            state=acme_accounts.AccountState.DEACTIVATED,
            retired=retired,
        )
        acme_accounts.write_registration(self.store, registration.directory, gone)

    def revoke(self, issued: certificate_records.Issued, reason: int) -> None:
        from daemun.certs.acme import account_requests  # noqa: PLC0415

        ca = self.reach(issued.directory)
        account_requests.resolve_key(self.store, ca)
        registration = acme_accounts.read_registration(self.store, issued.directory)
        signer = None
        if (
            registration is not None
            and registration.url is not None
            and registration.state is acme_accounts.AccountState.ACTIVE
        ):
            signer = acme_accounts.load_key(self.store, issued.directory), registration.url
        account_requests.revoke(issued.bundle, reason, signer, ca)
