"""The names that were added, kept in the store one by one.

domains/SLUG.json   {"host": "shop.example.com", "added_at": "2026-01-02T03:04:05+00:00"}
"""

import asyncio
import collections.abc
import contextlib
import dataclasses
import datetime
import json

import structlog

from daemun import errors
from daemun.control import certificate_port, damaged_keys, ports, shared_changes
from daemun.core import model
from daemun.core.certificates import on_demand_names
from daemun.core.options import on_demand_option
from daemun.core.texts import names, rules, words
from daemun.on_demand import network_budget

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_PREFIX = "domains"
MOST_TOGETHER = 64
"""Names that are added at once. Far more would begin with shared certificates (`certs.managed.first_certificates`)."""
_MOST_NAMED = 5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """added_at: aware UTC."""

    host: str
    added_at: datetime.datetime


class Registry:
    """Implements `control.certificate_port.Domains`. All methods are called on one event loop."""

    def __init__(
        self, store: ports.Store, certificates: certificate_port.SingleCertificates, clock: ports.Clock
    ) -> None:
        self._store = store
        self._certificates = certificates
        self._clock = clock
        self._domains: dict[str, Domain] | None = None
        self._desired = model.Desired(globals=model.Globals())
        self._site: model.Site | None = None
        self._owners = on_demand_names.Owners(())
        self._specs: dict[str, model.CertificateSpec] = {}
        self._specs_made_for: tuple[object, ...] = ()
        self._changing = asyncio.Lock()
        self._waiting: dict[str, asyncio.Future[on_demand_names.RefusedName | None]] = {}
        self.turns = network_budget.NetworkBudget()

    @property
    def site(self) -> model.Site | None:
        """The one that takes names now."""
        return self._site

    def hosts(self) -> tuple[str, ...]:
        return tuple(sorted(self._domains or ()))

    def has(self, host: str) -> bool:
        return host in (self._domains or ())

    async def publish(self, desired: model.Desired) -> tuple[model.CertificateSpec, ...]:
        self._desired, self._site = desired, on_demand_names.find_site(desired)
        self._owners = on_demand_names.Owners(desired.sites)
        if self._domains is None:
            self._domains = await asyncio.to_thread(self._load)
        site, made_for = self._site, self._specs_are_for()
        if site is None:
            return ()
        if self._specs_made_for != made_for:
            specs = await asyncio.to_thread(_make_specs, tuple(self._domains), site, desired.globals.acme)
            self._specs_made_for, self._specs = made_for, specs
        # Nothing is waited for from here on until the certificates' manager has these: a name that was added meanwhile
        # would be taken for one that was removed.
        # One that a site claims by now belongs to that site; it comes back when it is free again.
        return tuple(self._spec_of(host, site) for host in self._domains if self._owners.find(host) is None)

    def _specs_are_for(self) -> tuple[object, ...]:
        return (self._site.tls if self._site is not None else None, self._desired.globals.acme)

    def _spec_of(self, host: str, site: model.Site) -> model.CertificateSpec:
        """The same object as long as nothing else is wanted, so that a hundred thousand are compared in no time."""
        made_for = self._specs_are_for()
        if made_for is not self._specs_made_for and made_for != self._specs_made_for:
            self._specs_made_for, self._specs = made_for, {}
        if host not in self._specs:
            self._specs[host] = on_demand_names.make_spec(host, site, self._desired.globals.acme)
        return self._specs[host]

    def problems(self) -> tuple[model.Problem, ...]:
        site = self.site
        wanted = None if site is None else on_demand_option.OPTION.of(site)
        if site is None or wanted is None:
            return ()
        per_minute, now_s = wanted.per_minute, asyncio.get_running_loop().time()
        return tuple(
            model.Problem(
                origin=site.origin,
                severity=model.Severity.WARNING,
                host=site.host,
                message=f"{words.quoted(one.host)} was not asked about: {explain_turned_away(one, per_minute)}",
            )
            for one in self.turns.turned_away(now_s)[-_MOST_NAMED:]
        )

    async def add(self, host: str) -> on_demand_names.RefusedName | None:
        """Names that come while others are added are added together: a wait for the disk, and a look of the
        certificates' manager at all of them, is then for many."""
        if self.has(host):
            return None
        added = self._waiting.setdefault(host, asyncio.get_running_loop().create_future())
        async with self._changing:
            while not added.done():
                await self._add_waiting()
        return await added

    async def _add_waiting(self) -> None:
        batch = dict(list(self._waiting.items())[:MOST_TOGETHER])
        try:
            outcomes = await self._add_all(list(batch))
        except errors.DaemunError as error:
            outcomes = dict.fromkeys(batch, error)
        for host, outcome in outcomes.items():
            added = self._waiting.pop(host)
            if isinstance(outcome, errors.DaemunError):
                added.set_exception(outcome)
                added.exception()  # who waited for it may have gone
            else:
                added.set_result(outcome)

    async def _add_all(self, hosts: list[str]) -> dict[str, on_demand_names.RefusedName | errors.DaemunError | None]:
        outcomes: dict[str, on_demand_names.RefusedName | errors.DaemunError | None] = {}
        new: list[Domain] = []
        for host in hosts:
            outcomes[host] = refused = None if self.has(host) else self.find_refusal(host, more=len(new))
            if refused is None and not self.has(host):
                new.append(Domain(host=host, added_at=self._clock.now()))
        site = self.site
        if site is None or not new:
            return outcomes
        failed = await asyncio.to_thread(self._write, new)
        outcomes |= failed
        kept = [domain for domain in new if domain.host not in failed]
        self._known().update({domain.host: domain for domain in kept})
        await self._certificates.add(*(self._spec_of(domain.host, site) for domain in kept))
        for domain in kept:
            log.info("a name was added", host=domain.host, site=site.host)
        return outcomes

    def _write(self, new: collections.abc.Sequence[Domain]) -> dict[str, errors.DaemunError]:
        """Returns: why those failed that did."""
        hosts = {_key(domain.host): domain.host for domain in new}
        failed = self._store.write_all({_key(domain.host): _encode(domain) for domain in new})
        return {hosts[key]: error for key, error in failed.items()}

    async def remove(self, host: str) -> bool:
        async with self._changing:
            if not self.has(host):
                return False
            await asyncio.to_thread(self._store.delete, _key(host))
            await self._forget(host)
        log.info("a name was removed", host=host)
        return True

    async def _forget(self, host: str) -> None:
        del self._known()[host]
        self._specs.pop(host, None)
        if self._owners.find(host) is None:
            await self._certificates.remove(names.slug(host))

    def follow(self, changes: shared_changes.SharedChanges) -> None:
        """What other machines of a fleet add or remove is served, or not, here, too."""
        changes.follow(_PREFIX, take=self._take)

    async def _take(self, keys: collections.abc.Sequence[str]) -> None:
        async with self._changing:
            if self._domains is None:  # they are all read with the first round
                return
            stored = await asyncio.to_thread(self._read_there, keys)
            gone = [host for key in keys if key not in stored and self.has(host := _host_of(key))]
            found = {domain.host: domain for domain in stored.values() if domain is not None}
            new = [host for host in found if host not in self._domains]
            self._domains |= found
            for host in gone:
                await self._forget(host)
            if (site := self._site) is not None:
                free = (host for host in new if self._owners.find(host) is None)
                await self._certificates.add(*(self._spec_of(host, site) for host in free))

    def _read_there(self, keys: collections.abc.Iterable[str]) -> dict[str, Domain | None]:
        """Of those that are stored."""
        found = {}
        for key in keys:
            with contextlib.suppress(errors.NotFoundInStoreError):
                self._store.read(key)
                found[key] = self._read(key)
        return found

    def find_refusal(self, host: str, *, more: int = 0) -> on_demand_names.RefusedName | None:
        """Why a name cannot be added, before a program is queried for it. more: names that are being added."""
        count = len(self._domains or ()) + more
        return on_demand_names.find_denial(host, self._site, self._owners, count=count)

    def _known(self) -> dict[str, Domain]:
        if self._domains is None:
            self._domains = self._load()
        return self._domains

    def _load(self) -> dict[str, Domain]:
        found = (self._read(key) for key in self._store.list(_PREFIX))
        return {domain.host: domain for domain in found if domain is not None}

    def _read(self, key: str) -> Domain | None:
        """A damaged one is of the name that its file is called after, unless that was too long for a file."""
        host = _host_of(key)
        is_known = names.slug(host) == host and rules.check_host(host) is None
        follows = "the name is not served: add it again with `daemun domains add`, or delete the file"
        if is_known:
            follows = "the name is served all the same, as the file is called after it"
        domain = damaged_keys.read(self._store, key, _parse, follows=follows, severity=model.Severity.ERROR)
        return Domain(host=host, added_at=self._clock.now()) if domain is None and is_known else domain


def explain_turned_away(one: network_budget.TurnedAway, per_minute: int) -> str:
    """What was too much, and what to do when the name is a customer's."""
    what = f"the network {one.network} brought" if one.network is not None else "visitors together brought"
    most = per_minute if one.network is not None else per_minute * network_budget.TOGETHER
    return (
        f"{what} more than {most} new names within a minute ({one.count} were turned away); a customer's is added at "
        f"once by `daemun domains add {one.host}`, and `on_demand.per_minute` says how many are asked about"
    )


def _make_specs(
    hosts: collections.abc.Iterable[str], site: model.Site, acme: model.Acme
) -> dict[str, model.CertificateSpec]:
    return {host: on_demand_names.make_spec(host, site, acme) for host in hosts}


def _key(host: str) -> str:
    return f"{_PREFIX}/{names.slug(host)}.json"


def _host_of(key: str) -> str:
    """Of a name that is not too long to be a part of its key: no longer one can be added."""
    return key.removeprefix(f"{_PREFIX}/").removesuffix(".json")


def _parse(content: bytes) -> Domain:
    value = json.loads(content)
    return Domain(host=str(value["host"]), added_at=datetime.datetime.fromisoformat(value["added_at"]))


def _encode(domain: Domain) -> bytes:
    return json.dumps({"host": domain.host, "added_at": domain.added_at.isoformat()}).encode()
