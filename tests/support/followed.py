"""A source of containers that is followed as the daemon does, and what it tells."""

import asyncio
import collections.abc
import contextlib
import time

import httpx

from daemun.core import model
from daemun.core.options import docker_option
from daemun.errors import ConfigError, RetryableError
from daemun.sources.docker import docker_source, engine_client, engine_place, own_container
from tests.support import clock, container_engine
from tests.support.docker_values import endpoints, messages

LONGEST_S = 60.0
SERVE = ("httpd", "-f", "-p", "80", "-h", "/www")
"""busybox's web server. As a container's first process it ignores SIGTERM, as many applications do."""


def source_of(
    engine: container_engine.ContainerEngine, url: str | None = None, *, tls: docker_option.DockerTls | None = None
) -> docker_source.DockerSource:
    """The containers of an engine, as a daemun sees them that is in none of them. url: instead of the engine's own."""
    endpoint = engine_place.EngineEndpoint(url=url or engine.url, tls=tls)
    return docker_source.DockerSource((endpoint,), clock.FakeClock(), traces=own_container.Traces())


class Followed:
    """A source whose changes are followed, as the daemon does."""

    def __init__(self, followed: docker_source.DockerSource) -> None:
        self.source = followed
        self.changes = 0
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def running(self) -> collections.abc.AsyncIterator[None]:
        self._task = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _follow(self) -> None:
        try:
            async with contextlib.aclosing(self.source.changes()) as changes:
                async for _ in changes:
                    self.changes += 1
                    self._changed.set()
        finally:
            self._changed.set()

    async def until(self, is_so: collections.abc.Callable[[model.Snapshot], bool]) -> model.Snapshot:
        """The first snapshot that is so. It is only read again when the source says that it changed. Raises:
        AssertionError with what was found last."""
        last: model.Snapshot | str = "nothing"
        try:
            async with asyncio.timeout(LONGEST_S):
                while True:
                    self._changed.clear()
                    try:
                        last = await self.source.read()
                    except ConfigError as error:
                        last = str(error)
                    else:
                        if is_so(last):
                            return last
                    await self._changed.wait()
                    assert self._task is not None and not self._task.done(), f"followed no more: {self._task}"
        except TimeoutError:
            found = last if isinstance(last, str) else f"{last.problems} and {[site.host for site in last.sites]}"
            raise AssertionError(
                f"waited {LONGEST_S:g} s in vain; last found: {found}; a fresh look: {await self._fresh_look()}"
            ) from None

    async def _fresh_look(self) -> str:
        """Tells an engine that hangs from a source that does."""
        begin_s = time.monotonic()
        try:
            async with engine_client.connect(self.source._watches[0].endpoint) as engine:
                listing = await engine.fetch_listing()
        except (RetryableError, ConfigError) as error:
            return str(error)
        return f"{len(listing.containers)} containers after {time.monotonic() - begin_s:.1f} s"

    async def until_serving(self, *expected: str, host: str = "a.test") -> model.Snapshot:
        return await self.until(
            lambda found: any(site.host == host for site in found.sites) and endpoints(found, host) == list(expected)
        )


@contextlib.asynccontextmanager
async def following(followed: docker_source.DockerSource) -> collections.abc.AsyncIterator[Followed]:
    watched = Followed(followed)
    async with watched.running():
        yield watched


def warnings(found: model.Snapshot) -> list[str]:
    return messages(found, model.Severity.WARNING)


async def get(found: model.Snapshot, host: str = "a.test") -> str:
    """What the only server of a host answers to this machine."""
    (endpoint,) = endpoints(found, host)
    # A container that runs may need a moment until its server listens.
    transport = httpx.AsyncHTTPTransport(retries=6)
    async with httpx.AsyncClient(transport=transport, trust_env=False, timeout=60) as http:
        return (await http.get(f"http://{endpoint}/")).text
