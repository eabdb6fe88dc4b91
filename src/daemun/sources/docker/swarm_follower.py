"""When a swarm is looked at, and what was seen of it last.

No event tells of tasks (github.com/moby/moby/issues/37403), so they are listed again and again: every second while
something changes, and every few seconds otherwise. Events of services, nodes and the tasks of this machine only hasten
it. A swarm that does not answer, such as one whose managers are too few (no quorum), keeps its services as they were.
"""

import collections.abc
import datetime
import math
import typing

from daemun.control import ports
from daemun.core import model
from daemun.errors import RetryableError
from daemun.sources.docker import (
    container_remarks,
    containers,
    engine_events,
    engine_place,
    swarm_listing,
    swarm_tasks,
)

REST_S = 5.0
"""Between two looks at a swarm where nothing changes."""
CHANGING_S = 1.0
CHANGING_FOR_S = 15.0
"""How long after something changed it is looked at so often."""
ABSENT_S = 60.0
"""Between two looks whether there is a swarm."""

_ABSENCES = {
    swarm_listing.Absence.NO_SWARM: (
        "this engine is in no swarm",
        "begin one with `docker swarm init`, or leave services out with `docker: {swarm: false}`",
    ),
    swarm_listing.Absence.WORKER: (
        "this node is no manager of it",
        "let `docker.endpoint` lead to a manager's engine, or leave services out with `docker: {swarm: false}`",
    ),
    swarm_listing.Absence.FORBIDDEN: (
        "the engine, or a proxy in front of it, refuses to list them",
        "let a socket proxy allow GET of services, tasks and nodes, or leave services out with "
        "`docker: {swarm: false}`",
    ),
}
"""The cause, and the cure."""


class SwarmManager(typing.Protocol):
    """What is queried. `fetch_swarm` raises RetryableError."""

    async def fetch_swarm(self) -> swarm_listing.SwarmListing | swarm_listing.Absence: ...


class SwarmFollower:
    """endpoint: of the engine that is queried. known: tasks that an earlier daemon saw."""

    def __init__(
        self,
        endpoint: engine_place.EngineEndpoint,
        clock: ports.Clock,
        *,
        known: collections.abc.Iterable[containers.EngineContainer],
    ) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._is_wanted = endpoint.swarm
        self._found = () if endpoint.swarm is False else tuple(known)
        self._listing: swarm_listing.SwarmListing | None = None
        self._due_at_s = -math.inf
        self._changing_until_s = -math.inf
        self._problem: model.Problem | None = None
        self._failed_since: datetime.datetime | None = None

    @property
    def problems(self) -> tuple[model.Problem, ...]:
        return () if self._problem is None else (self._problem,)

    def merge(self, seen: containers.ContainerListing) -> containers.ContainerListing:
        """What the engine listed, and services and tasks as they were seen last."""
        return swarm_tasks.merge(seen, self._found) if self._listing is not None or self._found else seen

    def find_task(self, container: str) -> str | None:
        """The id of the task that has the container."""
        return next((one.id for one in self._found if one.task is not None and one.task.container == container), None)

    def note(self, happened: collections.abc.Iterable[engine_events.EngineEvent], now_s: float) -> None:
        if any(event.of_swarm for event in happened):
            self._due_at_s, self._changing_until_s = -math.inf, now_s + CHANGING_FOR_S

    def left_s(self, now_s: float) -> float:
        """How long until the next look is due."""
        return math.inf if self._is_wanted is False else max(0.0, self._due_at_s - now_s)

    async def look(
        self,
        engine: SwarmManager,
        seen: containers.ContainerListing,
        now_s: float,
    ) -> None:
        """If it is due. seen: what the engine listed. Raises nothing: what fails is a problem."""
        if self.left_s(now_s) > 0:
            return
        try:
            found = await engine.fetch_swarm()
        except RetryableError as error:
            self._fail(str(error))
            self._due_at_s = now_s + REST_S
            return
        if isinstance(found, swarm_listing.Absence):
            self._due_at_s = now_s + ABSENT_S
            self._note_absence(found, has_tasks=swarm_tasks.has_tasks(seen))
            return
        self._problem, self._failed_since = None, None
        made = swarm_tasks.make_containers(found, seen.networks, docker=self._endpoint.mark.command)
        if found != self._listing or made != self._found:
            self._changing_until_s = now_s + CHANGING_FOR_S
        self._listing, self._found = found, made
        is_changing = now_s < self._changing_until_s or any(one.is_updating for one in found.services)
        self._due_at_s = now_s + (CHANGING_S if is_changing else REST_S)

    def _fail(self, cause: str) -> None:
        self._failed_since = self._failed_since or self._clock.now()
        since = self._failed_since.strftime("%Y-%m-%d %H:%M:%S UTC")
        self._report(f"{cause}; since {since} services and tasks are taken as they were last")

    def _note_absence(self, why: swarm_listing.Absence, *, has_tasks: bool) -> None:
        """Where services were not configured, they are missing only where tasks of some run. has_tasks: on this
        machine."""
        cause, cure = _ABSENCES[why]
        cause = f"cannot see the services of Docker Swarm: {cause}"
        if self._found and why is not swarm_listing.Absence.NO_SWARM:
            self._fail(f"{cause}; {cure}")
            return
        self._listing, self._found, self._problem, self._failed_since = None, (), None, None
        if self._is_wanted or has_tasks:
            self._report(f"{cause}; {cure}")

    def _report(self, message: str) -> None:
        origin = model.Origin(source=container_remarks.SOURCE, place=self._endpoint.place)
        self._problem = model.Problem(origin=origin, message=message, severity=model.Severity.WARNING)
