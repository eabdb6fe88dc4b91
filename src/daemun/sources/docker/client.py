"""The engine's API, as far as daemun needs it: versions, containers, networks and events, only ever read.

A filtering socket proxy has to let through GET of /version, /containers/json, /containers/ID/json, /networks and
/events. Docker's API is spoken in the newest version that the engine knows; Podman's compatible one does as well.
Source: docs.docker.com/reference/api/engine
"""

import asyncio
import collections.abc
import contextlib
import dataclasses
import ssl
import typing

import aiodocker
import aiohttp

from daemun.errors import ConfigError, RetryableError
from daemun.sources import values
from daemun.sources.docker import containers, place

ANSWER_S = 5.0
"""An engine that takes longer for an answer hangs."""
SETTLE_S = 0.02
"""Events come in groups: a container that starts is attached, started, and maybe healthy, at once."""
INSPECTED_AT_ONCE = 8

_UNREACHABLE = 900
"""aiodocker's own status for an engine that cannot be connected to."""
_TROUBLE = (aiodocker.DockerError, aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError, TypeError)
"""What aiodocker lets through when the engine is gone, hangs, or answers with something else than expected."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something happened. container: its id; None when it was not about one. signal: the number, of a `kill`."""

    action: str
    container: str | None = None
    signal: int | None = None


class Engine:
    """An engine that is connected to. Every method raises RetryableError when it does not answer as it should."""

    def __init__(self, docker: aiodocker.Docker, endpoint: place.Endpoint) -> None:
        self._docker = docker
        self._events: typing.Any = docker.events  # aiodocker gives it no types
        self._endpoint = endpoint

    async def fetch_listing(self) -> containers.Listing:
        """All containers, also those that do not run, and all networks."""
        with self._told("list its containers"):
            async with asyncio.timeout(4 * ANSWER_S):
                found = await self._docker.containers.list(all=True)
                gate = asyncio.Semaphore(INSPECTED_AT_ONCE)
                inspected = await asyncio.gather(*(_inspect(container, gate) for container in found))
                networks = await self._docker.networks.list()
        return containers.Listing(
            containers=tuple(containers.parse_container(raw) for raw in inspected if raw is not None),
            networks=tuple(containers.parse_network(raw) for raw in networks),
        )

    @property
    def is_followed(self) -> bool:
        """Whether the engine tells its events now."""
        return self._events.task is not None and not self._events.task.done()

    async def follow(
        self, patience_s: collections.abc.Callable[[], float]
    ) -> collections.abc.AsyncGenerator[tuple[Event, ...], None]:
        """Yields at once, and then each time something happened or nothing did for `patience_s()` seconds. Never ends
        but by raising."""
        subscription = self._events.subscribe(filters='{"type":["container","network"]}')
        await self._wait_until_subscribed()
        yield ()
        while True:
            happened = await self._next_events(subscription, patience_s())
            if happened is None:
                yield ()
            elif relevant := tuple(event for event in happened if _is_relevant(event)):
                yield relevant

    async def _wait_until_subscribed(self) -> None:
        """Until the engine began its answer. Podman may begin it with the first event only, hence not for long."""
        for _ in range(_SUBSCRIBED_WITHIN):
            if self._events.json_stream is not None or not self.is_followed:
                return
            await asyncio.sleep(_SUBSCRIBED_STEP_S)

    async def _next_events(self, subscription: typing.Any, patience_s: float) -> list[Event] | None:
        """What happens next and right after it; None when nothing happens for so long."""
        raws: list[object] = []
        try:
            async with asyncio.timeout(patience_s):
                raws.append(await subscription.get())
        except TimeoutError:
            return None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S):
                while raws[-1] is not None:
                    raws.append(await subscription.get())
        if raws[-1] is None:
            await asyncio.wait({self._events.task})
            with self._told("tell its events"):
                self._events.task.result()  # raises what ended it
            raise RetryableError(f"cannot follow the engine at {self._endpoint}: it ended the stream of events")
        return [_parse_event(raw) for raw in raws]

    @contextlib.contextmanager
    def _told(self, what: str) -> collections.abc.Iterator[None]:
        try:
            yield
        except _TROUBLE as error:
            raise RetryableError(f"cannot make the engine at {self._endpoint} {what}: {_cause(error)}") from error


_SUBSCRIBED_STEP_S = 0.005
_SUBSCRIBED_WITHIN = 200
"""Steps: one second."""


@contextlib.asynccontextmanager
async def connect(endpoint: place.Endpoint) -> collections.abc.AsyncIterator[Engine]:
    """The engine; its API version is asked with the first request. Raises: ConfigError when the endpoint is no good."""
    context = _tls_context(endpoint)
    docker = aiodocker.Docker(
        url=_url(endpoint, encrypted=context is not None),
        ssl_context=context,
        timeout=aiohttp.ClientTimeout(total=ANSWER_S, sock_connect=ANSWER_S),
    )
    try:
        yield Engine(docker, endpoint)
    finally:
        await _close(docker)


async def _close(docker: aiodocker.Docker) -> None:
    """aiodocker takes a cancellation of the task that closes it for one of its own task of events, and swallows it; so
    that one has to end first."""
    events: typing.Any = docker.events
    try:
        if events.task is not None:
            events.task.cancel()
            await asyncio.wait({events.task})
    finally:
        with contextlib.suppress(*_TROUBLE):
            await events.stop()  # raises what ended the stream, if anything did
        await docker.close()


async def _inspect(container: typing.Any, gate: asyncio.Semaphore) -> object:
    """None for a container that went away meanwhile."""
    async with gate:
        try:
            return await container.show()
        except aiodocker.DockerError as error:
            if error.status == 404:
                return None
            raise


def _parse_event(raw: object) -> Event:
    found = raw if isinstance(raw, dict) else {}
    actor = found.get("Actor")
    actor = actor if isinstance(actor, dict) else {}
    attributes = actor.get("Attributes")
    signal = attributes.get("signal") if isinstance(attributes, dict) else None
    return Event(
        action=str(found.get("Action") or found.get("status") or ""),
        container=str(actor.get("ID")) if found.get("Type") == "container" else None,
        signal=containers.parse_signal(signal) if signal is not None else None,
    )


_IRRELEVANT = ("exec", "attach", "commit", "copy", "detach", "export", "extract", "archive", "resize", "top")
"""Actions that change nothing daemun looks at. Health checks are `exec_...` events (Podman's `exec`, too), every few
seconds; their outcome is one of its own.
Source: docs.docker.com/reference/cli/docker/system/events, docs.podman.io/en/latest/markdown/podman-events.1.html"""


def _is_relevant(event: Event) -> bool:
    return not event.action.startswith(_IRRELEVANT)


def _cause(error: BaseException) -> str:
    match error:
        case TimeoutError():
            return "it did not answer in time"
        case aiodocker.DockerError(status=403):
            return (
                f"{error.message.strip()} (403); a socket proxy must allow GET of containers, networks, version, events"
            )
        case aiodocker.DockerError(status=status) if status == _UNREACHABLE:
            return error.message
        case aiodocker.DockerError():
            return f"{error.message.strip()} ({error.status})"
        case _:
            return str(error) or type(error).__name__


def _url(endpoint: place.Endpoint, *, encrypted: bool) -> str:
    """As aiodocker wants it. Raises: ConfigError."""
    try:
        scheme, _, rest = values.parse_engine(endpoint.url).partition("://")
    except ValueError as error:
        raise ConfigError(f"cannot use the engine: {error}") from error
    return endpoint.url if scheme == "unix" else f"{'https' if encrypted else 'http'}://{rest}"


def _tls_context(endpoint: place.Endpoint) -> ssl.SSLContext | None:
    """Both sides prove who they are. Raises: ConfigError."""
    files = endpoint.tls
    if files is None:
        return None
    try:
        context = ssl.create_default_context(cafile=files.ca)
        context.load_cert_chain(files.certificate, files.key)
    except OSError as error:  # it does not say of which file
        cause = error.strerror or str(error)
        expected = f"expected {files.ca}, {files.certificate} and {files.key}"
        raise ConfigError(f"cannot speak TLS with the engine: {cause}; {expected}") from error
    return context
