"""The containers of the engine that `docker:` chooses: it may be another one tomorrow, or none, or not there yet."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import typing

import structlog

from daemun.control import ports
from daemun.core import model
from daemun.core.options import docker_option
from daemun.errors import ConfigError, EnvironmentProblemError
from daemun.sources.docker import (
    container_remarks,
    engine_place,
    listing_store,
    nginx_proxy_sites,
    own_container,
    tenants,
)

if typing.TYPE_CHECKING:
    from daemun.sources.docker import docker_source

log: structlog.stdlib.BoundLogger = structlog.get_logger()

FIRST_LOOK_S = 2.0
"""How long the first `read` waits for an engine. One that hangs is not to keep other sites from going live."""
LOOK_FOR_S = 2.0
"""How often the usual sockets are looked for while there is none."""


def find_engine(
    wanted: docker_option.Docker, environ: collections.abc.Mapping[str, str], *, like_nginx_proxy: bool
) -> engine_place.EngineEndpoint | None:
    """The engine to query; None when there is none, or none is to be queried. Queries nothing itself."""
    if not wanted.is_on:
        return None
    if wanted.endpoint is None:
        return engine_place.find_endpoint(environ, like_nginx_proxy=like_nginx_proxy)
    return engine_place.EngineEndpoint(url=wanted.endpoint, tls=wanted.tls)


def _policy(wanted: docker_option.Docker) -> tenants.TenantPolicy:
    return tenants.TenantPolicy(is_on=wanted.tenants, shared=wanted.shared)


class ChosenEngine:
    """Implements `control.ports.Source`. `run` follows the engine; without it nothing is ever seen.

    environ: of the process, for DOCKER_HOST. traces: of the container that daemun runs in.
    """

    def __init__(
        self,
        clock: ports.Clock,
        store: ports.Store,
        *,
        environ: collections.abc.Mapping[str, str],
        traces: own_container.Traces,
    ) -> None:
        self._clock = clock
        self._store = store
        self._environ = environ
        self._traces = traces
        self._wanted: docker_option.Docker | None = None
        self._compat = nginx_proxy_sites.Compat()
        self._endpoint: engine_place.EngineEndpoint | None = None
        self._source: docker_source.DockerSource | None = None
        self._stored = b""
        self._patient_until: float | None = None
        self._following: asyncio.Timeout | None = None
        self._changed = asyncio.Event()

    @property
    def name(self) -> str:
        return container_remarks.SOURCE

    def configure(self, wanted: docker_option.Docker) -> None:
        """What to query from now on. Cheap when nothing changed; else reads or forgets the listing that is kept."""
        before, self._wanted = self._wanted, wanted
        same = before and dataclasses.replace(
            before,
            reserved=wanted.reserved,
            tenants=wanted.tenants,
            shared=wanted.shared,
            stream_ports=wanted.stream_ports,
        )
        if same != wanted:
            self._choose(wanted)
            if not wanted.is_on:
                self._forget()
        if self._source is not None:
            self._source.reserve(wanted.reserved)
            self._source.divide(_policy(wanted))
            self._source.open_ports(wanted.stream_ports)

    def set_compat(self, compat: nginx_proxy_sites.Compat) -> None:
        """How nginx-proxy's variables are read from now on."""
        if compat != self._compat:
            self._compat = compat
            if self._source is not None:
                self._source.set_compat(compat)

    async def read(self) -> model.Snapshot:
        """Raises nothing: an engine that was never seen gives no sites, and a problem."""
        if self._source is None:
            return model.Snapshot(source=self.name)
        if self._patient_until is None:
            self._patient_until = asyncio.get_running_loop().time() + FIRST_LOOK_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(self._patient_until):
                await self._source.wait_until_looked()
        try:
            return self._source.latest()
        except ConfigError as error:
            return model.Snapshot(source=self.name, problems=(self._never_seen(error),))

    async def changes(self) -> collections.abc.AsyncIterator[str]:
        while True:
            await self._changed.wait()
            self._changed.clear()
            yield ""

    async def run(self) -> None:
        """Follow the engine, whichever it is. Never returns."""
        while True:
            following = self._source
            with contextlib.suppress(TimeoutError):
                # `configure` ends it.
                async with asyncio.timeout(LOOK_FOR_S if following is None else None) as self._following:
                    await (self._follow(following) if following is not None else asyncio.Event().wait())
            self._following = None
            if self._source is None and self._wanted is not None:
                self._choose(self._wanted)

    # --- which engine ---

    def _choose(self, wanted: docker_option.Docker) -> None:
        """A new choice begins with what was known before: a mistake in its URL is not to take every site down."""
        endpoint = find_engine(wanted, self._environ, like_nginx_proxy=self._compat.is_on)
        listing, owners = None, {}
        if self._source is not None:
            listing, owners = self._source.listing, dict(self._source.owners)
        elif wanted.is_on and (kept := listing_store.read_stored(self._store)) is not None:
            listing, owners = kept.listing, dict(kept.owners)
            endpoint = endpoint or engine_place.EngineEndpoint(url=kept.url, is_found=True)
        if endpoint == self._endpoint:
            return
        self._endpoint, self._source, self._patient_until = endpoint, None, None
        if endpoint is not None:
            # Here, so that those without an engine do not wait for its client (aiohttp), nor have it in memory.
            from daemun.sources.docker import docker_source  # noqa: PLC0415

            self._source = docker_source.DockerSource(
                endpoint,
                self._clock,
                reserved=wanted.reserved,
                traces=self._traces,
                listing=listing,
                compat=self._compat,
                policy=_policy(wanted),
                stream_ports=wanted.stream_ports,
                owners=owners,
            )
        self._changed.set()
        if self._following is not None:
            self._following.reschedule(asyncio.get_running_loop().time())

    def _never_seen(self, error: ConfigError) -> model.Problem:
        """Only a warning for an engine that was found but not configured: nothing that was configured is missing."""
        assert self._endpoint is not None
        cure = "does it run, and may daemun's account use it? `docker: off` in daemun.yaml asks none"
        severity = model.Severity.WARNING if self._endpoint.is_found else model.Severity.ERROR
        origin = model.Origin(source=self.name, place=str(self._endpoint))
        return model.Problem(origin=origin, message=f"{error}; {cure}", severity=severity)

    # --- its changes ---

    async def _follow(self, following: "docker_source.DockerSource") -> None:
        async with contextlib.aclosing(following.changes()) as changes:
            async for _ in changes:
                self._changed.set()
                await self._keep(following)

    async def _keep(self, following: "docker_source.DockerSource") -> None:
        """Called after the change was announced, which waits for no disk."""
        if following.listing is None or self._endpoint is None:
            return
        encoded = listing_store.encode(
            listing_store.StoredListing(
                url=self._endpoint.url, listing=following.listing, owners=tuple(sorted(following.owners.items()))
            )
        )
        if encoded == self._stored:
            return
        try:
            await asyncio.to_thread(listing_store.write_stored, self._store, encoded)
            self._stored = encoded
        except EnvironmentProblemError as error:
            log.warning("the containers are not remembered for a start without the engine", reason=str(error))

    def _forget(self) -> None:
        self._stored = b""
        try:
            listing_store.forget(self._store)
        except EnvironmentProblemError as error:
            log.warning("the containers that were known last are not forgotten", reason=str(error))
