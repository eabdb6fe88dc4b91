"""`control.ports.Endpoints`: services are published, their hosts looked up, and nginx is answered from the table.

A pool comes with its endpoints, and is answered with the new ones as soon as it is published again: most often nginx
waits for that answer (`held_questions`), else it queries within a second. An endpoint that left gets no new requests
and is drained: nginx ends those it has there in peace. A pool that is empty is answered with `table.NOWHERE`, so that
nginx goes on querying as often.

A service that is not published any more is answered as long as nginx queries it: the configuration that names it runs
until the next one is confirmed, again after a failed one, and in workers that finish their connections. Its checks go
on as long.

Host names whose addresses the configuration itself holds (`access: {allow: [home.example.org]}`) are looked up with the
others; when their addresses change, the configuration is made anew.
"""

import asyncio
import collections.abc
import contextlib
import dataclasses
import datetime
import time
import types

from daemun import errors, ticks
from daemun.control import ports
from daemun.core import model
from daemun.core.access import access_levels
from daemun.core.served import server_answers
from daemun.core.services import dns_service
from daemun.core.texts import names
from daemun.discovery import (
    check_results,
    health_checks,
    host_lookup,
    known_addresses,
    named_addresses,
    resolver_places,
    responder,
    service_index,
    service_table,
)

_FIRST_LOOKUP_S = 1.0
_TICK_S = 1.0
_SLOW_LOOKUP_S = 5.0
_RETIRE_AFTER_S = 120.0
_LOOK_AT_USE_S = 10.0
"""nginx queries again what it uses within 5 s, also while its question is held (`answers`)."""
_ORIGIN = model.Origin(source="servers")


@dataclasses.dataclass(slots=True)
class _Host:
    """What is known of one host. Instants are monotonic seconds.

    started_at: of the last lookup. addresses: the last good ones. result: of the last lookup that ended.
    """

    started_at: float
    addresses: tuple[service_table.Address, ...]
    result: host_lookup.Result | None = None
    is_running: bool = True
    first: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)


class Discovery:
    """resolve: host -> addresses, blocking, called in threads; OSError: there are none. now: monotonic seconds.

    seed: what the responder's address follows from, the state directory's path. clients: see `resolver_places`.
    """

    def __init__(
        self,
        store: ports.Store,
        *,
        seed: str = "",
        clients: resolver_places.ResponderClients | None = None,
        resolve: host_lookup.Resolve = host_lookup.system_addresses,
        now: collections.abc.Callable[[], float] = time.monotonic,
        wake: collections.abc.Callable[[], None] = lambda: None,
    ) -> None:
        """wake: the addresses of a name that the configuration holds changed."""
        self._named = named_addresses.NamedAddresses(now=now, changed=wake)
        self._naming: collections.abc.Mapping[str, access_levels.NamingPlace] = {}
        self._store = store
        self._resolve = resolve
        self._now = now
        self._table = service_table.Table()
        self._responder = responder.Responder(self._table)
        self._places = resolver_places.ResolverPlaces(store, self._responder, seed=seed, clients=clients)
        self._lookups: host_lookup.Lookups | None = None
        self._services = service_index.ServiceIndex()
        self._pools: dict[str, model.Pool] = {}
        self._empty_since: dict[str, datetime.datetime] = {}
        self._published: frozenset[str] = frozenset()
        self._draining: frozenset[str] = frozenset()
        self._queried: set[str] = set()
        self._hosts: dict[str, _Host] = {}
        self._known: known_addresses.AddressesByName = {}
        self._is_saved = True
        self._store_failure: str | None = None
        self._monitor = health_checks.Monitor(self._apply_verdict)

    @property
    def address(self) -> str:
        """Where nginx sends its queries, "127.77.3.9:36": the same at every start while it is free. Only after
        `start`."""
        return self._places.address

    async def start(self) -> None:
        """Listen. Questions are answered after the first `publish`. Raises: EnvironmentProblemError."""
        self._known = await asyncio.to_thread(known_addresses.read_known, self._store)
        await self._places.start()
        self._lookups = host_lookup.Lookups(self._resolve, self._finish)

    async def stop(self) -> None:
        if self._lookups is not None:
            self._lookups.stop()
            self._lookups = None
        await self._responder.stop()

    async def publish(
        self,
        services: collections.abc.Collection[dns_service.Service],
        pools: collections.abc.Collection[model.Pool],
        named: collections.abc.Mapping[str, access_levels.NamingPlace] = types.MappingProxyType({}),
    ) -> None:
        """As `control.ports.Endpoints`; waits at most a second for new names, the rest follows by itself."""
        published = frozenset(service.name for service in services)
        self._draining = (self._draining | self._published) - published  # nginx still runs what names them
        self._published = published
        self._pools = {pool.name: pool for pool in pools}
        for service in services:
            if self._services.put(service):
                self._empty_since.pop(service.name, None)
        self._naming = named
        for name in self._named.follow(named):
            self._named.note(name, self._host(name).addresses)
        waiting: list[collections.abc.Awaitable[object]] = [
            self._host(name).first.wait() for name in (*filter(None, map(_looked_up, services)), *named)
        ]
        # Also what only an old generation still names: its pool may have other endpoints now.
        for service in self._services:
            self._fill(service)
        self._follow()
        if services:
            waiting.append(asyncio.to_thread(self._responder.prepare))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_LOOKUP_S):
                await asyncio.gather(*waiting)
        self._responder.open()

    def find_named(self) -> dict[str, tuple[str, ...]]:
        """The addresses of each name that the configuration holds."""
        return self._named.find()

    def move(self, pools: collections.abc.Iterable[model.Pool]) -> None:
        """As `control.ports.Endpoints`."""
        is_checked = False
        for pool in pools:
            before = self._pools.get(pool.name)
            if before is None or before is pool or before == pool:
                continue
            self._pools[pool.name] = pool
            for service in self._services.of_pool(pool.name):
                self._fill(service)
                is_checked |= service.check is not None
        if is_checked:
            self._follow()

    def endpoints(self, service: str) -> tuple[model.Endpoint, ...]:
        """What nginx would get now; none for a service that is not published."""
        return tuple(
            model.Endpoint(address=str(one.address), port=one.port, weight=one.weight, backup=one.backup)
            for one in self._table.known(service)
        )

    def is_out_of_reach(self, service: str) -> bool:
        """Whether nothing will answer for a service before its owner changes something."""
        known = self._services.get(service)
        pool = self._pools.get(known.pool) if known is not None and known.pool is not None else None
        return pool is not None and pool.is_out_of_reach and not pool.endpoints

    def find_health(self, service: str) -> tuple[model.ServerLook, ...]:
        """The results of checks for each endpoint of a service that has them; nothing for those that were not checked
        yet.

        Where it has no endpoint, one look has that as its trouble, without words."""
        found = self._services.get(service)
        if found is None or found.check is None:
            return ()
        if service in self._empty_since:
            return self._look_at_empty(found, self._empty_since[service])
        known = ((one, self._monitor.streak(_subject(found.check, one))) for one in self._find(found))
        return tuple(_look_of(one, streak) for one, streak in known if streak.is_well is not None)

    def _look_at_empty(self, service: dns_service.Service, since: datetime.datetime) -> tuple[model.ServerLook, ...]:
        host = self._hosts.get(service.host or "")
        if host is not None and _failure(host, self._now()) is None:
            return ()  # it is still looked up
        trouble = model.Trouble.UNRESOLVED if host is not None else model.Trouble.ABSENT
        now = datetime.datetime.now(datetime.UTC)
        return (model.ServerLook(server=str(service), at=now, trouble=trouble, since=since),)

    def problems(self) -> tuple[model.Problem, ...]:
        """Every published host whose last known addresses are used because it does not resolve now, once, sorted; the
        store. Where there is no address the sites are not served, and each has it as its trouble."""
        now = self._now()
        hosts = sorted(set(filter(None, (_looked_up(self._services[name]) for name in self._published))))
        named = ((name, _failure(self._hosts[name], now)) for name in self._named if name not in hosts)
        failures = ((name, _failure(self._hosts[name], now)) for name in hosts if self._hosts[name].addresses)
        messages = [
            named_addresses.describe(name, failure, self._hosts[name].addresses)
            for name, failure in failures
            if failure is not None
        ]
        if self._store_failure is not None:
            messages.append(self._store_failure)
        messages += self._places.problems()
        found = [
            model.Problem(origin=_ORIGIN, severity=model.Severity.WARNING, message=message) for message in messages
        ]
        found += [
            named_addresses.warn(name, failure, self._hosts[name].addresses, self._naming[name])
            for name, failure in named
            if failure is not None
        ]
        return tuple(found)

    async def check_health(self) -> None:
        """Check every endpoint of a service with a check in turn. Never ends by itself."""
        await self._monitor.run()

    async def run(self) -> None:
        """Look hosts up again and forget what is not queried. Never ends by itself; cancelled, it stops listening."""
        retire_at = self._now() + _RETIRE_AFTER_S
        look_at_use_at = self._now() + _LOOK_AT_USE_S
        try:
            while True:
                await ticks.sleep(_TICK_S)
                self.refresh()
                await self.save()
                await self._places.leave_unused(self._now())
                if self._now() >= look_at_use_at:
                    look_at_use_at = self._now() + _LOOK_AT_USE_S
                    self.look_at_use()
                if self._now() >= retire_at:
                    retire_at = self._now() + _RETIRE_AFTER_S
                    self.retire()
        except asyncio.CancelledError:
            await self.stop()
            raise

    async def save(self) -> None:
        """Keep the addresses for the next start, when they changed. What the store refuses becomes a problem."""
        if self._is_saved:
            return
        known = {name: host.addresses for name, host in self._hosts.items() if host.addresses}
        self._is_saved = True
        try:
            await asyncio.to_thread(known_addresses.write_known, self._store, known)
            self._store_failure = None
        except errors.EnvironmentProblemError as error:
            self._is_saved = False
            self._store_failure = str(error)

    def refresh(self) -> None:
        """Start the lookups that are due."""
        assert self._lookups is not None
        now = self._now()
        interval_s = host_lookup.refresh_interval_s(len(self._hosts))
        for name, host in self._hosts.items():
            if not host.is_running and now - host.started_at >= interval_s:
                host.started_at, host.is_running = now, True
                self._lookups.start(name)

    def look_at_use(self) -> None:
        """Stop checking what is neither published nor was queried since the last call."""
        queried = self._responder.take_queried()
        self._queried |= queried
        draining = frozenset(queried) & (self._services.names() - self._published)
        if draining != self._draining:
            self._draining = draining
            self._follow()

    def retire(self) -> None:
        """Forget every service that is neither published nor was queried since the last call."""
        used = self._published | self._queried | self._responder.take_queried()
        self._queried = set()
        self._draining &= used
        for name in self._services.names() - used:
            self._services.discard(name)
            self._empty_since.pop(name, None)
            self._table.discard(name)
        hosts = {*map(_looked_up, self._services), *self._named}
        for name in self._hosts.keys() - hosts:
            del self._hosts[name]
        self._follow()

    def _host(self, name: str) -> _Host:
        assert self._lookups is not None
        if name not in self._hosts:
            self._hosts[name] = _Host(started_at=self._now(), addresses=self._known.get(name, ()))
            self._lookups.start(name)
        return self._hosts[name]

    def _finish(self, name: str, result: host_lookup.Result) -> None:
        host = self._hosts.get(name)
        if host is None:
            return  # retired meanwhile
        host.result, host.is_running = result, False
        self._named.note(name, result.addresses)
        if result.addresses and result.addresses != host.addresses:
            host.addresses = result.addresses
            self._is_saved = False
            concerned = self._services.on_host(name)
            for service in concerned:
                self._fill(service)
            if any(service.check is not None for service in concerned):
                self._follow()
        host.first.set()

    def _fill(self, service: dns_service.Service) -> None:
        found = self._find(service)
        if found:
            self._empty_since.pop(service.name, None)
        else:
            self._empty_since.setdefault(service.name, datetime.datetime.now(datetime.UTC))
        check = service.check
        if check is not None:
            found = check_results.choose(found, lambda endpoint: self._monitor.streak(_subject(check, endpoint)))
        self._table.set(service.name, found)

    def _follow(self) -> None:
        """Every endpoint of every service with a check that nginx uses is checked from now on, and no other."""
        self._monitor.follow(
            _subject(check, endpoint)
            for check, services in self._services.with_checks()
            for service in services
            if service.name in self._published or service.name in self._draining
            for endpoint in self._find(service)
        )

    def _apply_verdict(self, subject: check_results.CheckedEndpoint) -> None:
        for service in self._services.with_check(subject.check):
            self._fill(service)

    def _find(self, service: dns_service.Service) -> tuple[service_table.ServiceEndpoint, ...]:
        if service.pool is not None:
            return _read_pool(self._pools.get(service.pool))
        assert service.host is not None
        assert service.port is not None
        literal = names.address_of(service.host)
        addresses = self._hosts[service.host].addresses if literal is None else (literal,)
        return tuple(service_table.ServiceEndpoint(address=one, port=service.port) for one in addresses)


def _looked_up(service: dns_service.Service) -> str | None:
    """The name behind a service; None for a pool and for an address."""
    return service.host if service.host is not None and names.address_of(service.host) is None else None


def _look_of(endpoint: service_table.ServiceEndpoint, streak: check_results.CheckStreak) -> model.ServerLook:
    shown = f"[{endpoint.address}]" if endpoint.address.version == 6 else str(endpoint.address)
    server, now = f"{shown}:{endpoint.port}", datetime.datetime.now(datetime.UTC)
    if streak.is_well:
        return model.ServerLook(server=server, at=now, history=streak.history)
    found = server_answers.unwell(server, streak.reason)
    return model.ServerLook(
        server=server,
        at=now,
        trouble=found.trouble,
        cause=found.cause,
        cure=found.cure,
        since=streak.since,
        history=streak.history,
    )


def _subject(check: dns_service.Check, endpoint: service_table.ServiceEndpoint) -> check_results.CheckedEndpoint:
    return check_results.CheckedEndpoint(check=check, address=endpoint.address, port=endpoint.port)


def _read_pool(pool: model.Pool | None) -> tuple[service_table.ServiceEndpoint, ...]:
    """What a pool holds, without what is no address: a source's mistake must not end the daemon."""
    if pool is None:
        return ()
    found = ((names.address_of(one.address), one) for one in pool.endpoints)
    return tuple(
        service_table.ServiceEndpoint(address=address, port=one.port, weight=one.weight, backup=one.backup)
        for address, one in found
        if address is not None
    )


def _failure(host: _Host, now: float) -> str | None:
    if host.is_running and now - host.started_at >= _SLOW_LOOKUP_S:
        return f"no answer within {_SLOW_LOOKUP_S:.0f} s"
    return host.result.failure if host.result is not None else None
