"""Containers as a source of sites: look at the engines, follow their events, report when one is gone."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import time

from daemun.control import ports
from daemun.core import model
from daemun.core.options import docker_option
from daemun.core.texts import words
from daemun.errors import ConfigError
from daemun.sources.docker import (
    container_remarks,
    container_sites,
    container_streams,
    containers,
    engine_place,
    engine_watch,
    nginx_proxy,
    nginx_proxy_sites,
    own_container,
    recent_claims,
    route_requests,
    swarm_tasks,
    tenants,
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KnownEngine:
    """What was seen last of one engine. addresses: of its machine, where that is another one."""

    listing: containers.ContainerListing
    addresses: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _LastTranslation:
    """A translation with its inputs, reused while those are the same."""

    listing: containers.ContainerListing
    terms: container_sites.TranslationTerms
    dialect: route_requests.Dialect
    translated: container_sites.Translated

    def readings(self, dialect: route_requests.Dialect) -> container_sites.Readings:
        return self.translated.readings if dialect is self.dialect else container_sites.NO_READINGS


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Merged:
    """All engines' containers. parts: the listing of each engine, which it was made of. repeated: engines that list the
    containers of another one, with the name of that."""

    parts: tuple[containers.ContainerListing | None, ...]
    listing: containers.ContainerListing
    repeated: tuple[tuple[engine_place.EngineEndpoint, str], ...]


class DockerSource:
    """Implements `control.ports.Source`. `follow` keeps what `read` returns up to date; without it `read` looks anew.
    Of a single engine `changes` does the same.

    reserved: hosts that no container may claim. traces: of the container that daemun runs in.
    known: what an earlier daemon saw last, by the engine's URL; taken as it is until the engine answers.
    compat: how nginx-proxy's variables are read; None: not at all. policy: the owners of hosts; owners: as an
    earlier daemon knew them. stream_ports: those that containers may have. now_s: monotonic seconds.
    """

    def __init__(
        self,
        endpoints: collections.abc.Sequence[engine_place.EngineEndpoint],
        clock: ports.Clock,
        *,
        reserved: tuple[str, ...] = (),
        traces: own_container.Traces,
        known: collections.abc.Mapping[str, KnownEngine] | None = None,
        compat: nginx_proxy_sites.Compat | None = None,
        policy: tenants.TenantPolicy = tenants.ONE_OWNER,
        stream_ports: tuple[docker_option.StreamPorts, ...] = (),
        owners: tenants.Owners = container_sites.NO_OWNERS,
        now_s: collections.abc.Callable[[], float] = time.monotonic,
    ) -> None:
        known = known or {}
        self._watches = tuple(_make_watch(one, clock, known.get(one.url), now_s) for one in endpoints)
        self._traces = traces
        self._now_s = now_s
        self._reserved = reserved
        self._merged: _Merged | None = None
        self._announced: model.Snapshot | str | None = None
        self._last: _LastTranslation | None = None
        self._dialect = container_sites.LABELS
        self._prefers_ipv6 = False
        self._tenants = policy
        self._stream_ports = stream_ports
        self._inherited: tenants.Owners = dict(owners)
        self._inherited_until_s = now_s() + recent_claims.KEPT_S
        if compat is not None:
            self.set_compat(compat)
        if known and any(one.listing is not None for one in self._watches):
            self.latest()  # its sites are remembered from now on

    @property
    def name(self) -> str:
        return container_remarks.SOURCE

    @property
    def known(self) -> collections.abc.Mapping[engine_place.EngineEndpoint, KnownEngine]:
        """Of each engine that ever answered: what it listed last."""
        return {
            one.endpoint: KnownEngine(listing=one.listing, addresses=one.addresses)
            for one in self._watches
            if one.listing is not None
        }

    def reserve(self, hosts: tuple[str, ...]) -> None:
        """Which hosts no container may claim from now on."""
        self._reserved = hosts

    def open_ports(self, stream_ports: tuple[docker_option.StreamPorts, ...]) -> None:
        """Which ports streams of containers may have from now on."""
        self._stream_ports = stream_ports

    def divide(self, policy: tenants.TenantPolicy) -> None:
        """To which tenants hosts belong from now on."""
        self._tenants = policy

    @property
    def owners(self) -> tenants.Owners:
        """The tenant of each host.

        What an earlier daemon knew holds as long as a removed container is remembered: it may have been removed
        shortly before that daemon ended, and its next one may come after another project's."""
        inherited = self._inherited if self._tenants.is_on else {}
        return inherited if self._last is None else {**inherited, **self._last.translated.owners}

    def set_compat(self, compat: nginx_proxy_sites.Compat) -> None:
        """How nginx-proxy's variables are read from now on."""
        self._dialect = nginx_proxy.make_dialect(compat)
        self._prefers_ipv6 = compat.gate.prefers_ipv6

    # --- what the containers request ---

    async def read(self) -> model.Snapshot:
        """What the containers request. While an engine does not answer: what its own requested last, and a warning.

        Raises: ConfigError while the only engine never answered yet.
        """
        async with asyncio.TaskGroup() as group:
            for one in self._watches:
                group.create_task(one.look_once())
        return self.latest()

    def latest(self) -> model.Snapshot:
        """As `read`, from what is known, without a look at the engines."""
        if len(self._watches) == 1 and self._watches[0].listing is None:
            raise ConfigError(self._watches[0].cause)
        merged = self._merge()
        snapshot = self._translate(merged.listing)
        found = [problem for one in self._watches if (problem := one.find_problem()) is not None]
        found += [problem for one in self._watches for problem in one.swarm_problems]
        found += [_report_repetition(endpoint, other) for endpoint, other in merged.repeated]
        return dataclasses.replace(snapshot, problems=(*found, *snapshot.problems), engines=self._describe_engines())

    def explain_silence(self) -> model.Snapshot:
        """Of engines of which none was ever seen."""
        problems = tuple(problem for one in self._watches if (problem := one.find_problem()) is not None)
        return model.Snapshot(source=self.name, problems=problems, engines=self._describe_engines())

    def _describe_engines(self) -> tuple[model.EngineStatus, ...]:
        return tuple(one.describe() for one in self._watches)

    def _merge(self) -> _Merged:
        """The last one again as long as no engine lists anything else. An engine that is named twice counts once."""
        parts = tuple(one.find_marked() for one in self._watches)
        before = self._merged
        if before is not None and all(map(_is_same, parts, before.parts)):
            return before
        found: dict[str, containers.EngineContainer] = {}
        networks: list[containers.ContainerNetwork] = []
        repeated: list[tuple[engine_place.EngineEndpoint, str]] = []
        for watch, part in zip(self._watches, parts, strict=True):
            if part is None:
                continue
            twice = next((found[one.id] for one in part.containers if one.id in found and one.task is None), None)
            if twice is not None:
                repeated.append((watch.endpoint, twice.engine.name))
            for one in part.containers:
                found.setdefault(one.id, one)
            networks += part.networks
        if len(parts) == 1 and parts[0] is not None:
            listing = parts[0]
        else:
            ordered = swarm_tasks.silence_listed_twice(sorted(found.values(), key=lambda one: one.age))
            listing = containers.ContainerListing(containers=ordered, networks=tuple(networks))
        self._merged = _Merged(parts=parts, listing=listing, repeated=tuple(repeated))
        return self._merged

    def _translate(self, listing: containers.ContainerListing) -> model.Snapshot:
        """The last translation again as long as nothing that it follows from has changed."""
        now_s = self._now_s()
        terms = container_sites.TranslationTerms(
            own_id=own_container.find_own(self._traces, listing.containers),
            reserved=self._reserved,
            leaving=frozenset().union(*(one.find_leaving() for one in self._watches)),
            prefers_ipv6=self._prefers_ipv6,
            policy=self._tenants,
            stream_ports=self._stream_ports,
            reaches={one.endpoint.name: reach for one in self._watches if (reach := one.reach) is not None},
        )
        before = self._last
        has_ended = bool(self._inherited) and now_s >= self._inherited_until_s
        if has_ended:
            self._inherited = {}
        if (
            before is not None
            and not has_ended
            and (listing is before.listing and terms == before.terms and self._dialect is before.dialect)
            and now_s < recent_claims.find_next_end(before.translated.memory, before.translated.streams)
        ):
            return before.translated.snapshot
        translated = container_sites.translate(
            listing,
            terms,
            before.translated.memory if before is not None else {},
            now_s=now_s,
            dialect=self._dialect,
            readings=before.readings(self._dialect) if before is not None else container_sites.NO_READINGS,
            owners=self.owners,
            known_streams=before.translated.streams if before is not None else container_streams.NO_MEMORY,
        )
        self._last = _LastTranslation(listing=listing, terms=terms, dialect=self._dialect, translated=translated)
        return translated.snapshot

    # --- its changes ---

    async def wait_until_looked(self) -> None:
        """Until every engine was looked at by whoever follows, with or without success."""
        for one in self._watches:
            await one.wait_until_looked()

    async def changes(self) -> collections.abc.AsyncGenerator[str, None]:
        """Of the only engine."""
        (watch,) = self._watches
        self._announced = None
        async with contextlib.aclosing(watch.looks()) as looks:
            async for _ in looks:
                if self._has_changed():
                    yield ""

    async def follow(self, announce: collections.abc.Callable[[], None]) -> None:
        """Each engine apart from the others. announce: called after each change. Never returns."""
        self._announced = None
        async with asyncio.TaskGroup() as group:
            for watch in self._watches:
                group.create_task(self._follow(watch, announce))

    async def _follow(self, watch: engine_watch.EngineWatch, announce: collections.abc.Callable[[], None]) -> None:
        async with contextlib.aclosing(watch.looks()) as looks:
            async for _ in looks:
                if self._has_changed():
                    announce()

    def _has_changed(self) -> bool:
        before, self._announced = self._announced, self._snapshot_or_cause()
        return before != self._announced

    def _snapshot_or_cause(self) -> model.Snapshot | str:
        """The snapshot, or why there is none."""
        try:
            return self.latest()
        except ConfigError as error:
            return str(error)


def _make_watch(
    endpoint: engine_place.EngineEndpoint,
    clock: ports.Clock,
    known: KnownEngine | None,
    now_s: collections.abc.Callable[[], float],
) -> engine_watch.EngineWatch:
    listing, addresses = (known.listing, known.addresses) if known is not None else (None, ())
    return engine_watch.EngineWatch(endpoint, clock, listing=listing, addresses=addresses, now_s=now_s)


def _is_same(one: object, other: object) -> bool:
    return one is other


def _report_repetition(endpoint: engine_place.EngineEndpoint, other: str) -> model.Problem:
    return model.Problem(
        origin=model.Origin(source=container_remarks.SOURCE, place=endpoint.place),
        message=f"{endpoint.shown} has containers of the engine {words.quoted(other)}: it is the same one, and counts "
        "once; take one of the two out of `docker` in daemun.yaml",
        severity=model.Severity.WARNING,
    )
