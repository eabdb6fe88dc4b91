"""Containers as a source of sites: look at the engine, follow its events, report when it is gone."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import datetime
import math
import time

from daemun.control import ports
from daemun.core import model
from daemun.core.options import docker_option
from daemun.errors import ConfigError, DaemunError, RetryableError
from daemun.sources.docker import (
    container_remarks,
    container_sites,
    container_streams,
    containers,
    engine_client,
    engine_events,
    engine_place,
    engine_state,
    nginx_proxy,
    nginx_proxy_sites,
    own_container,
    recent_claims,
    route_requests,
    tenants,
)

LOOK_AGAIN_S = 15.0
"""How often the engine is looked at without an event: it shows that it does not hang, and what no event reported."""
SOON_S = 1.0
"""The same, right after connecting: an event between the subscription and the first look may have been lost."""
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0
LEAVING_S = 30.0
"""How long a container that was sent its stop signal gets no requests. One that still runs then did not mean to
stop."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """since: aware UTC, when the engine answered no more. message: what happened last."""

    since: datetime.datetime
    message: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _LastTranslation:
    """A translation, and what it follows from."""

    listing: containers.ContainerListing
    terms: container_sites.TranslationTerms
    dialect: route_requests.Dialect
    translated: container_sites.Translated

    def readings(self, dialect: route_requests.Dialect) -> container_sites.Readings:
        return self.translated.readings if dialect is self.dialect else container_sites.NO_READINGS


class DockerSource:
    """Implements `control.ports.Source`. `changes` keeps what `read` returns up to date; without it `read` looks anew.

    reserved: hosts that no container may claim. traces: of the container that daemun runs in.
    listing: what an earlier daemon saw last; taken as it is until the engine answers.
    compat: how nginx-proxy's variables are read; None: not at all. policy: the owners of hosts; owners: as an
    earlier daemon knew them. stream_ports: those that containers may have. now_s: monotonic seconds.
    """

    def __init__(
        self,
        endpoint: engine_place.EngineEndpoint,
        clock: ports.Clock,
        *,
        reserved: tuple[str, ...] = (),
        traces: own_container.Traces,
        listing: containers.ContainerListing | None = None,
        compat: nginx_proxy_sites.Compat | None = None,
        policy: tenants.TenantPolicy = tenants.ONE_OWNER,
        stream_ports: tuple[docker_option.StreamPorts, ...] = (),
        owners: tenants.Owners = container_sites.NO_OWNERS,
        now_s: collections.abc.Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._traces = traces
        self._now_s = now_s
        self._reserved = reserved
        self._listing = listing
        self._looked = asyncio.Event()
        self._failure: _Failure | None = None
        self._last: _LastTranslation | None = None
        self._leaving: dict[str, float] = {}
        self._is_followed = False
        self._has_settled = False
        self._seen = engine_state.EngineState()
        self._doubted_at_s = -math.inf
        self._dialect = container_sites.LABELS
        self._prefers_ipv6 = False
        self._tenants = policy
        self._stream_ports = stream_ports
        self._inherited: tenants.Owners = dict(owners)
        self._inherited_until_s = now_s() + recent_claims.KEPT_S
        if compat is not None:
            self.set_compat(compat)
        if listing is not None:
            self.latest()  # its sites are remembered from now on

    @property
    def name(self) -> str:
        return container_remarks.SOURCE

    @property
    def listing(self) -> containers.ContainerListing | None:
        """What the engine listed last; None when it never did."""
        return self._listing

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

    async def read(self) -> model.Snapshot:
        """What the containers request. While the engine does not answer: what they requested last, and a warning.

        Raises: ConfigError while the engine never answered yet.
        """
        if not self._is_followed:
            await self._look_once()
        return self.latest()

    async def _look_once(self) -> None:
        """What `changes` saw meanwhile is newer, and nothing would replace an older failure there: it reports only
        what differs from its own last look."""
        try:
            async with engine_client.connect(self._endpoint) as engine:
                listing = await engine.fetch_listing()
        except (RetryableError, ConfigError) as error:
            if not self._is_followed:
                self._fail(error)
            return
        if not self._is_followed:
            self._listing, self._failure = listing, None
            self._looked.set()

    def latest(self) -> model.Snapshot:
        """As `read`, from what is known, without a look at the engine."""
        if self._listing is None:
            raise ConfigError(self._failure.message if self._failure is not None else self._silence())
        snapshot = self._translate(self._listing)
        if self._failure is None and self._looked.is_set():
            return snapshot
        return dataclasses.replace(snapshot, problems=(self._outage(), *snapshot.problems))

    def _translate(self, listing: containers.ContainerListing) -> model.Snapshot:
        """The last translation again as long as nothing that it follows from has changed."""
        now_s = self._now_s()
        self._leaving = {one: until_s for one, until_s in self._leaving.items() if now_s < until_s}
        terms = container_sites.TranslationTerms(
            own_id=own_container.find_own_id(self._traces, [one.id for one in listing.containers]),
            reserved=self._reserved,
            leaving=frozenset(self._leaving),
            prefers_ipv6=self._prefers_ipv6,
            policy=self._tenants,
            stream_ports=self._stream_ports,
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

    async def wait_until_looked(self) -> None:
        """Until `changes` has looked at the engine, with or without success."""
        await self._looked.wait()

    async def changes(self) -> collections.abc.AsyncGenerator[str, None]:
        before: model.Snapshot | str | None = None
        pause_s = FIRST_PAUSE_S
        try:
            while True:
                async with contextlib.aclosing(self._looks()) as looks:
                    async for _ in looks:
                        self._is_followed = True
                        pause_s = FIRST_PAUSE_S if self._has_settled else pause_s
                        if (now := self._snapshot_or_cause()) != before:
                            before = now
                            yield ""
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        finally:
            self._is_followed = False

    async def _looks(self) -> collections.abc.AsyncGenerator[None, None]:
        """Connect, and yield each time the engine was looked at; the last time when it is gone."""
        self._leaving.clear()
        self._has_settled = False
        try:
            async with (
                engine_client.connect(self._endpoint) as engine,
                contextlib.aclosing(engine.follow(self._patience_s)) as happenings,
            ):
                async for happened in happenings:
                    self._note(happened)
                    await engine.catch_up(self._seen)
                    self._listing = self._seen.listing
                    self._looked.set()
                    if engine.is_followed:  # else its refusal of events stays a failure, but it can be looked at
                        self._failure = None
                    yield
                    self._has_settled = True
        except (RetryableError, ConfigError) as error:
            self._fail(error)
            yield

    def _fail(self, error: DaemunError) -> None:
        since = self._failure.since if self._failure is not None else self._clock.now()
        self._failure = _Failure(since=since, message=str(error))
        self._looked.set()

    # --- containers that are stopping ---

    def _note(self, happened: collections.abc.Sequence[engine_events.EngineEvent]) -> None:
        """A container that was sent its stop signal gets no new requests from now on, while it still answers the old
        ones."""
        now_s = self._now_s()
        self._seen.note(happened)
        if not happened or now_s - self._doubted_at_s >= LOOK_AGAIN_S:
            self._seen.doubt_all()
            self._doubted_at_s = now_s
        signals = {one.id: one.stop_signal for one in self._listing.containers} if self._listing is not None else {}
        for event in happened:
            if event.container is None:
                continue
            if event.action == "kill" and event.signal is not None and event.signal == signals.get(event.container):
                self._leaving[event.container] = now_s + LEAVING_S
            elif event.action in {"start", "die", "died"}:
                self._leaving.pop(event.container, None)

    def _patience_s(self) -> float:
        """How long to wait for an event before looking again."""
        if not self._has_settled:
            return SOON_S
        left_s = [until_s - self._now_s() for until_s in self._leaving.values()]
        return max(0.0, min([LOOK_AGAIN_S, *left_s]))

    # --- what it comes to ---

    def _snapshot_or_cause(self) -> model.Snapshot | str:
        """The snapshot, or why there is none."""
        try:
            return self.latest()
        except ConfigError as error:
            return str(error)

    def _silence(self) -> str:
        return f"cannot see the containers of {self._endpoint} yet: it did not answer"

    def _outage(self) -> model.Problem:
        if self._failure is None:
            message = f"{self._silence()}; those that were known last are taken as unchanged"
        else:
            since = self._failure.since.strftime("%Y-%m-%d %H:%M:%S UTC")
            message = (
                f"{self._failure.message}; since {since} the containers that it listed last are taken as unchanged"
            )
        origin = model.Origin(source=container_remarks.SOURCE, place=str(self._endpoint))
        return model.Problem(origin=origin, message=message, severity=model.Severity.WARNING)
