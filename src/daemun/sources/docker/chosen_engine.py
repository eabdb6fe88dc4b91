"""The containers of the engines that `docker:` chooses: others tomorrow, or none, or ones that are not there yet."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import threading
import typing

import structlog

from daemun import ticks
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


def _policy(docker: docker_option.Docker) -> tenants.TenantPolicy:
    return tenants.TenantPolicy(is_on=docker.tenants, shared=docker.shared)


class ChosenEngine:
    """Implements `control.ports.Source`. `run` follows the engines; without it nothing is ever seen.

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
        self._docker: docker_option.Docker | None = None
        self._compat = nginx_proxy_sites.Compat()
        self._endpoints: tuple[engine_place.EngineEndpoint, ...] = ()
        self._source: docker_source.DockerSource | None = None
        self._stored = b""
        self._storing = threading.Lock()
        self._patient_until: float | None = None
        self._rechosen = asyncio.Event()
        self._changed = asyncio.Event()
        self._unstored = asyncio.Event()

    @property
    def name(self) -> str:
        return container_remarks.SOURCE

    def configure(self, docker: docker_option.Docker) -> None:
        """What to query from now on. Cheap when nothing changed; else reads or forgets the listing that is kept."""
        before, self._docker = self._docker, docker
        same = before and dataclasses.replace(
            before,
            reserved=docker.reserved,
            tenants=docker.tenants,
            shared=docker.shared,
            stream_ports=docker.stream_ports,
        )
        if same != docker:
            was_named = before is not None and bool(before.engines or before.endpoint)
            self._choose(docker)
            if not docker.is_on or (was_named and not self._endpoints):
                self._forget()
        if self._source is not None:
            self._source.reserve(docker.reserved)
            self._source.divide(_policy(docker))
            self._source.open_ports(docker.stream_ports)

    def set_compat(self, compat: nginx_proxy_sites.Compat) -> None:
        """How nginx-proxy's variables are read from now on."""
        if compat != self._compat:
            self._compat = compat
            if self._source is not None:
                self._source.set_compat(compat)

    async def read(self) -> model.Snapshot:
        """Raises nothing: an engine that was never seen gives no sites, and a problem. All of them together may take
        no longer than one."""
        if self._source is None:
            return model.Snapshot(source=self.name)
        if self._patient_until is None:
            self._patient_until = asyncio.get_running_loop().time() + FIRST_LOOK_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(self._patient_until):
                await self._source.wait_until_looked()
        try:
            return self._source.latest()
        except ConfigError:
            return self._source.explain_silence()

    async def changes(self) -> collections.abc.AsyncIterator[str]:
        while True:
            await self._changed.wait()
            self._changed.clear()
            yield ""

    async def run(self) -> None:
        """Follow the engines, whichever they are. Never returns."""
        while True:
            following = self._source
            self._rechosen.clear()
            if following is not None:
                await self._follow(following)
                continue
            with contextlib.suppress(TimeoutError):
                async with ticks.timeout(LOOK_FOR_S):
                    await self._rechosen.wait()
            if self._source is None and self._docker is not None:
                self._choose(self._docker)

    # --- which engines ---

    def _choose(self, docker: docker_option.Docker) -> None:
        """A new choice begins with what was known before: a mistake in its URL is not to take every site down. An
        engine whose socket is away stays chosen where it was found, not where it was named."""
        endpoints = engine_place.find_endpoints(docker, self._environ, like_nginx_proxy=self._compat.is_on)
        stored = self._find_last(docker)
        if not endpoints and stored is not None and docker.is_on:
            urls = [one.url for one in stored.engines]
            found = engine_place.find_again(urls, like_nginx_proxy=self._compat.is_on)
            endpoints = () if found is None else (engine_place.complete(found, docker),)
        if endpoints == self._endpoints:
            return
        self._endpoints, self._source, self._patient_until = endpoints, None, None
        if endpoints:
            # Here, so that those without an engine do not wait for its client (aiohttp), nor have it in memory.
            from daemun.sources.docker import docker_source  # noqa: PLC0415

            known = _inherit(endpoints, stored.engines) if stored is not None else {}
            self._source = docker_source.DockerSource(
                endpoints,
                self._clock,
                reserved=docker.reserved,
                traces=self._traces,
                known={
                    url: docker_source.KnownEngine(listing=one.listing, addresses=one.addresses)
                    for url, one in known.items()
                },
                compat=self._compat,
                policy=_policy(docker),
                stream_ports=docker.stream_ports,
                owners=dict(stored.owners) if stored is not None else {},
            )
        self._changed.set()
        self._rechosen.set()

    # --- its changes ---

    async def _follow(self, following: "docker_source.DockerSource") -> None:
        """Until others are chosen. What ends slowly, such as an ssh, may take until the next ones are chosen, too."""
        self._unstored.clear()
        async with asyncio.TaskGroup() as group:
            tasks = (
                group.create_task(following.follow(self._announce)),
                group.create_task(self._keep_stored(following)),
            )
            await self._rechosen.wait()
            for one in tasks:
                one.cancel()

    def _announce(self) -> None:
        """Waits for no disk."""
        self._changed.set()
        self._unstored.set()

    async def _keep_stored(self, following: "docker_source.DockerSource") -> None:
        while True:
            await self._unstored.wait()
            self._unstored.clear()
            await self._keep(following)

    def _find_last(self, docker: docker_option.Docker) -> listing_store.StoredListing | None:
        """What was seen last of the engines; None when none was."""
        if self._source is not None:
            return _describe(self._source)
        return listing_store.read_stored(self._store) if docker.is_on else None

    async def _keep(self, following: "docker_source.DockerSource") -> None:
        seen = _describe(following)
        if seen is None:
            return
        encoded = listing_store.encode(seen)
        if encoded == self._stored:
            return
        try:
            if await asyncio.to_thread(self._write_stored, following, encoded):
                self._stored = encoded
        except EnvironmentProblemError as error:
            log.warning("the containers are not remembered for a start without the engine", reason=str(error))

    def _write_stored(self, following: "docker_source.DockerSource", encoded: bytes) -> bool:
        """Not once other engines are chosen, or none: who follows is cancelled then, but not this thread. Raises:
        EnvironmentProblemError."""
        with self._storing:
            is_kept = following is self._source
            if is_kept:
                listing_store.write_stored(self._store, encoded)
            return is_kept

    def _forget(self) -> None:
        self._stored = b""
        try:
            with self._storing:
                listing_store.forget(self._store)
        except EnvironmentProblemError as error:
            log.warning("the containers that were known last are not forgotten", reason=str(error))


def _describe(source: "docker_source.DockerSource") -> listing_store.StoredListing | None:
    """None: none of its engines ever answered."""
    engines = [
        listing_store.StoredEngine(
            url=endpoint.url, name=endpoint.name, listing=known.listing, addresses=known.addresses
        )
        for endpoint, known in source.known.items()
    ]
    if not engines:
        return None
    first = engines[0]
    return listing_store.StoredListing(
        url=first.url,
        name=first.name,
        listing=first.listing,
        addresses=first.addresses,
        owners=tuple(sorted(source.owners.items())),
        others=tuple(engines[1:]),
    )


def _inherit(
    endpoints: collections.abc.Sequence[engine_place.EngineEndpoint],
    stored: collections.abc.Sequence[listing_store.StoredEngine],
) -> dict[str, listing_store.StoredEngine]:
    """By the URL of each engine: what was seen last of it. A name goes before a URL. An engine that is the only one
    of this machine, before and now, is taken for the same."""
    by_name = {one.name: one for one in stored if one.name}
    by_url = {one.url: one for one in stored}
    found = {one.url: by_name.get(one.name) or by_url.get(one.url) for one in endpoints}
    if len(endpoints) == len(stored) == 1 and endpoints[0].machine is None and not stored[0].addresses:
        found[endpoints[0].url] = stored[0]
    return {url: one for url, one in found.items() if one is not None}
