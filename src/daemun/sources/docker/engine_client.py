"""The engine's API, as far as daemun needs it: versions, containers, networks and events, of a manager of Docker Swarm
also services, tasks and nodes, only ever read.

A filtering socket proxy has to let through GET of /version, /containers/json, /containers/ID/json, /networks and
/events, and for services GET of /services, /tasks and /nodes.
 Docker's API is used in the newest version that the engine knows; Podman's compatible one does as well.
Source: docs.docker.com/reference/api/engine
"""

import asyncio
import collections
import collections.abc
import contextlib
import dataclasses
import math
import ssl
import typing

import aiodocker
import aiohttp

from daemun import regular_files
from daemun.core import value_parsers
from daemun.core.texts import engine_urls, words
from daemun.errors import ConfigError, RetryableError
from daemun.sources.docker import (
    containers,
    engine_answers,
    engine_events,
    engine_place,
    engine_state,
    ssh_connector,
    swarm_listing,
)

ANSWER_S = 5.0
"""An engine that takes longer for an answer hangs."""
QUIET_S = 0.02
"""Events come in groups: a container that starts is attached, started, and maybe healthy, at once. A group ends once
nothing that matters happened for so long ..."""
LONGEST_GROUP_S = 0.25
"""... but no later than this after it began: a container that starts and ends all the time delays no other."""
INSPECTED_AT_ONCE = 8

_UNREACHABLE = 900
"""aiodocker's own status for an engine that cannot be connected to."""
_TROUBLE = (
    *(aiodocker.DockerError, aiohttp.ClientError, OSError, TimeoutError),
    *(ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError),
)
"""What aiodocker lets through when the engine is gone, hangs, or answers with something else than expected."""


class Engine:
    """An engine that is connected to. Every method raises RetryableError when it does not answer as it should."""

    def __init__(self, docker: aiodocker.Docker, endpoint: engine_place.EngineEndpoint) -> None:
        self._docker = docker
        self._events: typing.Any = docker.events  # aiodocker gives it no types
        self._endpoint = endpoint

    async def fetch_listing(self) -> containers.ContainerListing:
        """All containers, also those that do not run, and all networks."""
        seen = engine_state.EngineState()
        await self.catch_up(seen)
        return seen.listing

    async def catch_up(self, seen: engine_state.EngineState) -> None:
        """Queries what is in doubt. What the engine did not answer stays in doubt."""
        with self._as_retryable("list its containers"):
            if seen.doubts_all:
                found = await self._docker.containers.list(all=True)
                seen.take_rows([containers.parse_row(one._container) for one in found])
            doubted = collections.deque(seen.doubted)
            failures: list[Exception] = []
            async with asyncio.TaskGroup() as group:
                for _ in range(min(INSPECTED_AT_ONCE, len(doubted))):
                    group.create_task(self._inspect(doubted, seen, failures))
            if failures:
                raise failures[0]
            if seen.doubts_networks:
                seen.take_networks([containers.parse_network(raw) for raw in await self._docker.networks.list()])

    async def _inspect(
        self, doubted: collections.deque[str], seen: engine_state.EngineState, failures: list[Exception]
    ) -> None:
        """One container after another, until none is left.

        A failure is kept, not raised: before Python 3.13 a task group whose tasks failed as it was cancelled raises
        their errors alone, and who goes on after them never ends (github.com/python/cpython/issues/116720).
        """
        while doubted:
            id_ = doubted.popleft()
            try:
                found = containers.parse_container(await self._docker.containers.container(id_).show())
            except Exception as error:
                if not (isinstance(error, aiodocker.DockerError) and error.status == 404):
                    failures.append(error)
                    doubted.clear()
                    return
                found = None  # it went away meanwhile
            seen.take(id_, found)

    async def fetch_swarm(self) -> swarm_listing.SwarmListing | swarm_listing.Absence:
        """Services, their tasks that are meant to run, and nodes. Of a service without such tasks the others, too."""
        with self._as_retryable("list the services of its swarm"):
            try:
                found = await self._docker.services.list()
            except aiodocker.DockerError as error:
                absence = swarm_listing.find_absence(error.status, error.message)
                if absence is None:
                    raise
                return absence
            services = tuple(swarm_listing.parse_service(raw) for raw in found)
            tasks = await self._docker.tasks.list(filters={"desired-state": [swarm_listing.RUNNING]}) if found else []
            nodes = await self._docker.nodes.list() if found else []
            listing = swarm_listing.SwarmListing(
                services=services,
                tasks=tuple(swarm_listing.parse_task(raw) for raw in tasks),
                nodes=tuple(swarm_listing.parse_node(raw) for raw in nodes),
            )
            if not listing.without_tasks:
                return listing
            others = await self._docker.tasks.list(filters={"service": [*listing.without_tasks]})
            more = tuple(swarm_listing.parse_task(raw) for raw in others)
            return dataclasses.replace(listing, tasks=listing.tasks + more)

    @property
    def is_followed(self) -> bool:
        """Whether the engine sends its events now."""
        return self._events.task is not None and not self._events.task.done()

    async def follow(
        self, patience_s: collections.abc.Callable[[], float]
    ) -> collections.abc.AsyncGenerator[tuple[engine_events.EngineEvent, ...], None]:
        """Yields at once, and then each time something that matters happened, or for `patience_s()` seconds nothing
        did. Never ends but by raising."""
        subscription = self._events.subscribe(filters='{"type":["container","network","service","node"]}')
        await self._wait_until_subscribed()
        yield ()
        while True:
            yield await self._next_events(subscription, patience_s())

    async def _wait_until_subscribed(self) -> None:
        """Until the engine began its answer. Podman may begin it with the first event only, hence not for long."""
        for _ in range(_SUBSCRIBED_WITHIN):
            if self._events.json_stream is not None or not self.is_followed:
                return
            await asyncio.sleep(_SUBSCRIBED_STEP_S)

    async def _next_events(self, subscription: typing.Any, patience_s: float) -> tuple[engine_events.EngineEvent, ...]:
        """What happens next and right after it; nothing when nothing happens for so long."""
        now_s = asyncio.get_running_loop().time
        group: list[engine_events.EngineEvent] = []
        until_s, latest_s = now_s() + patience_s, math.inf
        with contextlib.suppress(TimeoutError):
            while now_s() < min(until_s, latest_s):
                async with asyncio.timeout_at(min(until_s, latest_s)):
                    event = await self._next_event(subscription)
                if not event.is_relevant:
                    continue
                if not group:
                    latest_s = now_s() + LONGEST_GROUP_S
                until_s = now_s() + QUIET_S
                group.append(event)
        return tuple(group)

    async def _next_event(self, subscription: typing.Any) -> engine_events.EngineEvent:
        raw = await subscription.get()
        if raw is not None:
            return engine_events.parse_event(raw)
        await asyncio.wait({self._events.task})
        with self._as_retryable("tell its events"):
            self._events.task.result()  # raises what ended it
        raise RetryableError(f"cannot follow {self._endpoint.shown}: it ended the stream of events")

    @contextlib.contextmanager
    def _as_retryable(self, what: str) -> collections.abc.Iterator[None]:
        try:
            yield
        except _TROUBLE as error:
            # The library names the URL in its errors, as it was given.
            cause = words.without_credentials(_cause(error))
            raise RetryableError(f"cannot make {self._endpoint.shown} {what}: {cause}") from error


_SUBSCRIBED_STEP_S = 0.005
_SUBSCRIBED_WITHIN = 200
"""Steps: one second."""


@contextlib.asynccontextmanager
async def connect(endpoint: engine_place.EngineEndpoint) -> collections.abc.AsyncIterator[Engine]:
    """The engine; its API version is negotiated with the first request. Raises: ConfigError when the endpoint is no
    good."""
    if endpoint.url.startswith("ssh:"):
        async with _connect_through_ssh(endpoint) as engine:
            yield engine
        return
    context = _tls_context(endpoint)
    docker = _make_docker(
        url=_url(endpoint, encrypted=context is not None),
        ssl_context=context,
        timeout=aiohttp.ClientTimeout(total=ANSWER_S, sock_connect=ANSWER_S),
    )
    try:
        yield Engine(docker, endpoint)
    finally:
        await _close(docker)


@contextlib.asynccontextmanager
async def _connect_through_ssh(endpoint: engine_place.EngineEndpoint) -> collections.abc.AsyncIterator[Engine]:
    """As `connect`. A failure is reported in the words of ssh, where it has some."""
    connector = ssh_connector.SshConnector(_parse_ssh(endpoint))
    docker = _make_docker(
        url="unix://localhost", connector=connector, timeout=aiohttp.ClientTimeout(total=ssh_connector.ANSWER_S)
    )
    try:
        yield Engine(docker, endpoint)
    except RetryableError as error:
        cause = await connector.explain()
        if cause is None:
            raise
        raise RetryableError(f"cannot reach {endpoint.shown}: {cause}") from error
    finally:
        try:
            await _close(docker)
        finally:
            await connector.end()


def _make_docker(**how: typing.Any) -> aiodocker.Docker:
    """With a session of our own: aiodocker's follows redirects and reads answers of any length."""
    docker = aiodocker.Docker(**how)
    docker.session.detach()
    docker.session = aiohttp.ClientSession(connector=docker.connector, response_class=engine_answers.EngineAnswer)
    return docker


async def _close(docker: aiodocker.Docker) -> None:
    """aiodocker takes a cancellation of the task that closes it for one of its own task of events, and swallows it; so
    that one has to end first."""
    followed: typing.Any = docker.events
    try:
        if followed.task is not None:
            followed.task.cancel()
            await asyncio.wait({followed.task})
    finally:
        with contextlib.suppress(*_TROUBLE):
            await followed.stop()  # raises what ended the stream, if anything did
        await docker.close()


def _cause(error: BaseException) -> str:
    match error:
        case TimeoutError():
            return "it did not answer in time"
        case aiodocker.DockerError(status=403):
            return f"{_said(error)} (403); a socket proxy must allow GET of containers, networks, version, events"
        case aiodocker.DockerError(status=status) if status == _UNREACHABLE:
            return error.message
        case aiodocker.DockerError():
            return f"{_said(error)} ({error.status})"
        case RecursionError():
            return "its answer is nested too deep"
        case _:
            return str(error) or type(error).__name__


def _said(error: aiodocker.DockerError) -> str:
    return containers.parse_line(str(error.message))


def _parse_ssh(endpoint: engine_place.EngineEndpoint) -> engine_urls.SshUrl:
    """Raises: ConfigError."""
    try:
        return engine_urls.parse_ssh(endpoint.url)
    except ValueError as error:
        raise ConfigError(f"cannot use the engine: {error}") from error


def _url(endpoint: engine_place.EngineEndpoint, *, encrypted: bool) -> str:
    """As aiodocker wants it. Raises: ConfigError."""
    try:
        scheme, _, rest = value_parsers.parse_engine(endpoint.url).partition("://")
    except ValueError as error:
        raise ConfigError(f"cannot use the engine: {error}") from error
    return endpoint.url if scheme == "unix" else f"{'https' if encrypted else 'http'}://{rest}"


def _tls_context(endpoint: engine_place.EngineEndpoint) -> ssl.SSLContext | None:
    """Both sides prove who they are. Raises: ConfigError."""
    files = endpoint.tls
    if files is None:
        return None
    try:
        for path in (files.ca, files.certificate, files.key):
            regular_files.check(path)
        context = ssl.create_default_context(cafile=files.ca)
        context.load_cert_chain(files.certificate, files.key)
    except OSError as error:  # it does not name the file
        cause = error.strerror or str(error)
        expected = f"expected {files.ca}, {files.certificate} and {files.key}"
        raise ConfigError(f"cannot speak TLS with the engine: {cause}; {expected}") from error
    return context
