"""Foreign accounts and certificates into the store. Blocking, milliseconds; without a request to any CA."""

import collections.abc
import datetime
import urllib.parse

from daemun.certs.acme import acme_accounts
from daemun.certs.served import bundle, certificate_records, certificate_store, key_types
from daemun.control import account_port, ports
from daemun.core import model
from daemun.core.issuance import renewal_time
from daemun.core.texts import url_rules

_TAKEN, _KNOWN, _REFUSED = (
    account_port.ImportVerdict.TAKEN,
    account_port.ImportVerdict.KNOWN,
    account_port.ImportVerdict.REFUSED,
)


class OfflineAdopter:
    """As `account_port.Adopter`, for a store that no daemon uses. specs: what the sites of the next one need."""

    def __init__(
        self, store: ports.Store, specs: collections.abc.Sequence[model.CertificateSpec], clock: ports.Clock
    ) -> None:
        self._store = store
        self._specs = key_types.with_seconds(specs)
        self._clock = clock
        self._pool = certificate_store.CertificateStore(store)

    def adopt_account(self, found: account_port.ForeignAccount, *, dry: bool) -> account_port.Adoption:
        return adopt_account(self._store, found, dry=dry)

    def adopt_certificate(self, found: account_port.ForeignCertificate, *, dry: bool) -> account_port.Adoption:
        now = self._clock.now()
        return adopt_certificate(self._store, self._pool, found, specs=self._specs, now=now, dry=dry)


def adopt_account(store: ports.Store, found: account_port.ForeignAccount, *, dry: bool) -> account_port.Adoption:
    """A CA knows one account of us: one that is in use stays. Raises: EnvironmentProblemError."""
    if url_rules.check_directory(found.directory) is not None:
        return _refuse(f'"{found.directory}" is not the URL of an ACME directory; expected an https URL')
    try:
        key = acme_accounts.parse_key(found.key_pem)
    except ValueError as error:
        return _refuse(str(error))
    known = acme_accounts.read_registration(store, found.directory)
    if known is not None and known.state is not acme_accounts.AccountState.DEACTIVATED:
        if acme_accounts.thumbprint(acme_accounts.load_key(store, found.directory)) == acme_accounts.thumbprint(key):
            return account_port.Adoption(verdict=_KNOWN, text="is used already")
        cure = "to use the one that was found, deactivate that one first (`daemun accounts deactivate`)"
        return _refuse(
            f"daemun has another account at this CA ({known.url or 'not yet registered'}), which stays; {cure}"
        )
    shared = acme_accounts.read_thumbprint(store)
    own = None if shared == acme_accounts.thumbprint(key) else found.key_pem
    if not dry:
        url = found.url if found.url is not None and _is_of(found.directory, found.url) else None
        new = acme_accounts.Registration(url=url, email=found.email, key_pem=own)
        acme_accounts.write_registration(store, found.directory, new)
    return account_port.Adoption(verdict=_TAKEN, text="is used for this CA, with its own key" if own else "is used")


def adopt_certificate(
    store: ports.Store,
    pool: certificate_store.CertificateStore,
    found: account_port.ForeignCertificate,
    *,
    specs: collections.abc.Sequence[model.CertificateSpec],
    now: datetime.datetime,
    dry: bool,
) -> account_port.Adoption:
    """specs: what the sites need, as far as it is known. Raises: EnvironmentProblemError."""
    if url_rules.check_directory(found.directory) is not None:
        return _refuse(f'"{found.directory}" is not the URL of an ACME directory; expected an https URL')
    try:
        chain = bundle.parse(found.fullchain_pem, found.key_pem)
    except bundle.BundleError as error:
        return _refuse(str(error))
    if now >= chain.not_after:
        return _refuse(f"it expired on {chain.not_after:%Y-%m-%d}")
    if chain.leaf.issuer == chain.leaf.subject:
        return _refuse("it is signed by itself, not by a CA")
    served = list(dict.fromkeys(spec.host for spec in specs if _is_served_to(pool, spec, chain)))
    takers = {spec.name: spec.host for spec in specs if _takes(pool, spec, chain, now)}
    is_known = pool.holds(chain)
    if not dry and not is_known:
        pool.adopt(certificate_records.Issued(directory=found.directory, bundle=chain))
    if (is_known or served) and not takers:
        text = f"is served for {', '.join(served)} already" if served else f"is kept already, {_for_later(chain)}"
        return account_port.Adoption(verdict=_KNOWN, text=text)
    text = f"is served for {', '.join(dict.fromkeys(takers.values()))}" if takers else f"is kept {_for_later(chain)}"
    return account_port.Adoption(verdict=_TAKEN, text=text, certificates=tuple(takers))


def _takes(
    pool: certificate_store.CertificateStore, spec: model.CertificateSpec, chain: bundle.Bundle, now: datetime.datetime
) -> bool:
    """As `CertificateFiles` decides: a name that has a good certificate keeps it."""
    if spec.mode is not model.TlsMode.ACME or _is_served_to(pool, spec, chain):
        return False
    if not key_types.is_of_its_type(chain, spec):  # of two types; it is taken for the other one
        return False

    def is_bare(name: str) -> bool:
        known = (one for one in pool.covering(name, now) if key_types.is_of_its_type(one.bundle, spec))
        return all(one.is_revoked for one in known)

    bare = [name for name in spec.names if is_bare(name)]
    own, hosts = pool.own(spec.name), renewal_time.hosts_to_order(spec)
    is_complete = (
        own is not None and not own.is_revoked and now < own.bundle.not_after and not own.bundle.missing(hosts)
    )
    return len(chain.missing(bare)) < len(bare) or (bool(hosts) and not is_complete and not chain.missing(hosts))


def _is_served_to(pool: certificate_store.CertificateStore, spec: model.CertificateSpec, chain: bundle.Bundle) -> bool:
    own = pool.own(spec.name)
    return own is not None and own.bundle.fingerprint == chain.fingerprint


def _for_later(chain: bundle.Bundle) -> str:
    return f"until {chain.not_after:%Y-%m-%d} for sites with names that it covers"


def _is_of(directory: str, url: str) -> bool:
    """Whether an account's URL leads to the CA itself; requests that we sign go nowhere else."""
    try:
        mine, other = urllib.parse.urlsplit(directory), urllib.parse.urlsplit(url)
    except ValueError:
        return False
    return url_rules.check_directory(url) is None and mine.netloc == other.netloc


def _refuse(text: str) -> account_port.Adoption:
    return account_port.Adoption(verdict=_REFUSED, text=text)
