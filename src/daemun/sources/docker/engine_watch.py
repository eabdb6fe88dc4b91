"""One engine that is followed: what it listed last, which of its containers are stopping, and whether it answers."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import datetime
import math
import time

import structlog

from daemun.control import ports
from daemun.core import model
from daemun.core.texts import words
from daemun.errors import DaemunError
from daemun.sources.docker import (
    container_remarks,
    containers,
    engine_client,
    engine_events,
    engine_place,
    engine_reach,
    engine_state,
    machine_lookup,
    swarm_follower,
)

log: structlog.stdlib.BoundLogger = structlog.get_logger()

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


class EngineWatch:
    """`looks` keeps the listing up to date; without it `look_once` does.

    listing, addresses: what an earlier daemon saw last; taken as they are until the engine answers.
    now_s: monotonic seconds.
    """

    def __init__(
        self,
        endpoint: engine_place.EngineEndpoint,
        clock: ports.Clock,
        *,
        listing: containers.ContainerListing | None = None,
        addresses: tuple[str, ...] = (),
        now_s: collections.abc.Callable[[], float] = time.monotonic,
    ) -> None:
        self.endpoint = endpoint
        self._clock = clock
        self._now_s = now_s
        self._listing = listing
        self._marked: tuple[containers.ContainerListing, containers.ContainerListing] | None = None
        self._lookup = (
            machine_lookup.MachineLookup(endpoint.machine, addresses) if endpoint.machine is not None else None
        )
        self._looked = asyncio.Event()
        self._failure: _Failure | None = None
        self._leaving: dict[str, float] = {}
        self._is_followed = False
        self._has_settled = False
        self._swarm = swarm_follower.SwarmFollower(
            endpoint,
            clock,
            known=(one for one in (listing.containers if listing is not None else ()) if one.task is not None),
        )
        self._seen = engine_state.EngineState()
        self._doubted_at_s = -math.inf

    # --- what was seen ---

    @property
    def listing(self) -> containers.ContainerListing | None:
        """What the engine listed last, as it did; None when it never did."""
        return self._listing

    @property
    def addresses(self) -> tuple[str, ...]:
        """Those of its machine, where that is another one."""
        return () if self._lookup is None else self._lookup.addresses

    @property
    def reach(self) -> engine_reach.EngineReach | None:
        """None: its containers are reached as those of this machine are."""
        if self._lookup is None or self.endpoint.machine is None:
            return None
        return engine_reach.EngineReach(
            machine=self.endpoint.machine,
            addresses=self._lookup.addresses,
            networks=self.endpoint.networks,
            failure="" if self._lookup.addresses else self._lookup.failure,
        )

    def find_marked(self) -> containers.ContainerListing | None:
        """The listing, each container with its engine. The same object while the engine lists the same."""
        listing, mark = self._listing, self.endpoint.mark
        if listing is None or mark == containers.ONLY_ENGINE:
            return listing
        if self._marked is None or self._marked[0] is not listing:
            marked = containers.ContainerListing(
                containers=tuple(dataclasses.replace(one, engine=mark) for one in listing.containers),
                networks=tuple(dataclasses.replace(one, engine=mark.name) for one in listing.networks),
            )
            self._marked = (listing, marked)
        return self._marked[1]

    def find_leaving(self) -> frozenset[str]:
        """Ids of containers that were sent their stop signal."""
        now_s = self._now_s()
        self._leaving = {one: until_s for one, until_s in self._leaving.items() if now_s < until_s}
        known = {one.id for one in self._listing.containers} if self._leaving and self._listing is not None else ()
        return frozenset(one for one in self._leaving if one in known)

    def find_problem(self) -> model.Problem | None:
        """What keeps it from being seen as it is now."""
        if self._listing is None:
            return self._never_seen()
        return None if self._failure is None and self._looked.is_set() else self._outage()

    def describe(self) -> model.EngineStatus:
        """For the status."""
        was_seen = self._listing is not None
        problem = self.find_problem()
        why = None if problem is None else self.cause
        return model.EngineStatus(
            name=self.endpoint.name,
            place=words.without_credentials(str(self.endpoint)),
            answers=problem is None,
            since=self._failure.since if problem is not None and was_seen and self._failure is not None else None,
            why=why,
            is_wanted=was_seen or not self.endpoint.is_found,
        )

    @property
    def swarm_problems(self) -> tuple[model.Problem, ...]:
        """What keeps services of Docker Swarm from being seen as they are now."""
        return self._swarm.problems

    @property
    def cause(self) -> str:
        """Why it is not seen."""
        return self._failure.message if self._failure is not None else self._silence()

    # --- looking ---

    async def wait_until_looked(self) -> None:
        """Until `looks` has looked at the engine, with or without success."""
        await self._looked.wait()

    async def look_once(self) -> None:
        """Nothing while it is followed. What `looks` saw meanwhile is newer, and nothing would replace an older failure
        there."""
        if self._is_followed:
            return
        if self._lookup is not None:
            await self._lookup.refresh()
        try:
            async with engine_client.connect(self.endpoint) as engine:
                seen = await engine.fetch_listing()
                await self._swarm.look(engine, seen, self._now_s())
                listing = self._swarm.merge(seen)
        except Exception as error:
            if not self._is_followed:
                self._fail(error)
            return
        if not self._is_followed:
            self._listing, self._failure = listing, None
            self._looked.set()

    async def looks(self) -> collections.abc.AsyncGenerator[None, None]:
        """Yields each time it was looked at, or failed. Never ends."""
        pause_s = FIRST_PAUSE_S
        try:
            while True:
                async with contextlib.aclosing(self._looks()) as looks:
                    async for _ in looks:
                        self._is_followed = True
                        pause_s = FIRST_PAUSE_S if self._has_settled else pause_s
                        yield
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
                engine_client.connect(self.endpoint) as engine,
                contextlib.aclosing(engine.follow(self._patience_s)) as happenings,
            ):
                async for happened in happenings:
                    self._note(happened)
                    if self._lookup is not None and not happened:
                        await self._lookup.refresh()
                    await engine.catch_up(self._seen)
                    await self._swarm.look(engine, self._seen.listing, self._now_s())
                    self._take(self._swarm.merge(self._seen.listing))
                    self._looked.set()
                    if engine.is_followed:  # else its refusal of events stays a failure, but it can be looked at
                        self._failure = None
                    yield
                    self._has_settled = True
        except Exception as error:  # whatever it is, the other engines are followed on
            self._fail(error)
            yield

    def _take(self, listing: containers.ContainerListing) -> None:
        """The same object while nothing of it changes: what follows from it is not worked out again."""
        if listing != self._listing:
            self._listing = listing

    def _fail(self, error: Exception) -> None:
        before, message = self._failure, str(error)
        if not isinstance(error, DaemunError):
            kind = type(error).__name__
            message = f"cannot follow {self._shown}: daemun does not understand what it answers ({kind})"
            if before is None or before.message != message:
                log.error("an engine's answer is not understood", engine=self._shown, exc_info=error)
        self._failure = _Failure(since=before.since if before is not None else self._clock.now(), message=message)
        self._looked.set()

    # --- containers that are stopping ---

    def _note(self, happened: collections.abc.Sequence[engine_events.EngineEvent]) -> None:
        """A container that was sent its stop signal gets no new requests from now on, while it still answers the old
        ones."""
        now_s = self._now_s()
        self._seen.note(happened)
        self._swarm.note(happened, now_s)
        is_for_swarm = not happened and self._has_settled and self._swarm.left_s(now_s) == 0.0
        if not (happened or is_for_swarm) or now_s - self._doubted_at_s >= LOOK_AGAIN_S:
            self._seen.doubt_all()
            self._doubted_at_s = now_s
        signals = self._seen.stop_signals if happened else {}
        for event in happened:
            if event.container is None:
                continue
            identity = self._swarm.find_task(event.container) or event.container
            if event.action == "kill" and event.signal is not None and event.signal == signals.get(event.container):
                self._leaving[identity] = now_s + LEAVING_S
            elif event.action in {"start", "die", "died"}:
                self._leaving.pop(identity, None)

    def _patience_s(self) -> float:
        """How long to wait for an event before looking again."""
        if not self._has_settled:
            return SOON_S
        left_s = [until_s - self._now_s() for until_s in self._leaving.values()]
        return max(0.0, min([LOOK_AGAIN_S, self._swarm.left_s(self._now_s()), *left_s]))

    # --- what is wrong ---

    def _silence(self) -> str:
        return f"cannot see the containers of {self._shown} yet: it did not answer"

    @property
    def _shown(self) -> str:
        return self.endpoint.shown if self.endpoint.name else str(self.endpoint)

    def _never_seen(self) -> model.Problem:
        """Only a warning for an engine that was found but not configured: nothing that was configured is missing."""
        cure = f"start it, and let daemun's account use it; `{self.endpoint.command} version` shows whether it answers"
        cure += (
            "; take it out of `docker` in daemun.yaml where it is not meant"
            if self.endpoint.name
            else "; `docker: off` in daemun.yaml asks none"
        )
        # What ssh reports ends in what to do.
        has_cure = self.endpoint.url.startswith("ssh:") and "; " in self.cause
        severity = model.Severity.WARNING if self.endpoint.is_found else model.Severity.ERROR
        if has_cure:
            reason, _, cure = self.cause.rpartition("; ")
            return model.Problem(
                origin=self._origin, message=self.cause, severity=severity, cure=cure if reason else ""
            )
        return model.Problem(origin=self._origin, message=f"{self.cause}; {cure}", severity=severity, cure=cure)

    def _outage(self) -> model.Problem:
        if self._failure is None:
            message = f"{self._silence()}; those that were known last are taken as unchanged"
        else:
            since = self._failure.since.strftime("%Y-%m-%d %H:%M:%S UTC")
            message = (
                f"{self._failure.message}; since {since} the containers that it listed last are taken as unchanged"
            )
        cure = f"`{self.endpoint.command} version` shows whether it answers"
        return model.Problem(
            origin=self._origin, message=f"{message}; {cure}", severity=model.Severity.WARNING, cure=cure
        )

    @property
    def _origin(self) -> model.Origin:
        return model.Origin(source=container_remarks.SOURCE, place=self.endpoint.place)
