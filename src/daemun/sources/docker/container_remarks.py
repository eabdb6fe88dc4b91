"""Remarks on containers: why one is not served, or what about it deserves a look, each with the cure. Pure."""

import collections.abc
import dataclasses

from daemun.core import model
from daemun.core.options import app_option
from daemun.core.texts import words
from daemun.sources import known_apps
from daemun.sources.docker import containers, route_requests

SOURCE = model.CONTAINERS
_STATES = frozenset({"created", "running", "paused", "restarting", "removing", "exited", "dead", "stopped"})
"""Of Docker and Podman: another word of an engine is not repeated."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Why a container gets no requests, or what deserves a look. cure: what to do; None: nothing.

    is_error: it needs action. is_lasting: it does not end by itself, as a start or a health check does.
    """

    reason: str
    cure: str | None = None
    is_error: bool = False
    is_lasting: bool = False

    def __str__(self) -> str:
        return f"{self.reason}; {self.cure}" if self.cure else self.reason


@dataclasses.dataclass(slots=True)
class RemarkCollector:
    """Collects remarks while containers are translated."""

    problems: list[model.Problem] = dataclasses.field(default_factory=list)
    _first: dict[str, Remark] = dataclasses.field(default_factory=dict)
    _left_out: set[str] = dataclasses.field(default_factory=set)

    def refuse(
        self,
        container: containers.EngineContainer,
        cause: str,
        *,
        cure: str,
        request: route_requests.RouteRequest | None = None,
        stream: str | None = None,
    ) -> None:
        """The container is refused; with a request, only that request. stream: the name of one that is requested."""
        self.leave_out(container)
        where = "" if request is None else f" at {words.quoted(request.host + request.route.path)}"
        where = where if stream is None else f" as stream {words.quoted(stream)}"
        subject = f"cannot serve {container.title}{where}: "
        remark = Remark(reason=cause, cure=cure, is_error=True)
        self.add(container, subject, remark, host=None if request is None else request.host)

    def remark(self, container: containers.EngineContainer, remark: Remark) -> None:
        self.add(container, f"{container.title} ", remark)

    def add(
        self, container: containers.EngineContainer, subject: str, remark: Remark, *, host: str | None = None
    ) -> None:
        """subject: how the message begins. The first remark is the one that the list of containers shows."""
        self._first.setdefault(container.id, remark)
        origin = model.Origin(source=SOURCE, place=container.place)
        severity = model.Severity.ERROR if remark.is_error else model.Severity.WARNING
        message = words.without_credentials(f"{subject}{remark}")
        self.problems.append(model.Problem(origin=origin, message=message, host=host, severity=severity))

    def leave_out(self, container: containers.EngineContainer, remark: Remark | None = None) -> None:
        """The container does not get all the requests that it should. remark: why, shown in the list of containers
        only."""
        self._left_out.add(container.id)
        if remark is not None:
            self._first.setdefault(container.id, remark)

    def list_containers(
        self, requests: collections.abc.Mapping[containers.EngineContainer, route_requests.ContainerRequests]
    ) -> tuple[model.ContainerStatus, ...]:
        """Every container that requests something, also in vain, sorted by name and engine."""
        found = [container for container, one in requests.items() if one.requests or one.streams or one.faults]
        return tuple(
            self._list(container, requests[container])
            for container in sorted(found, key=lambda container: (container.name, container.engine.name))
        )

    def _list(
        self, container: containers.EngineContainer, found: route_requests.ContainerRequests
    ) -> model.ContainerStatus:
        remark = self._first.get(container.id)
        return model.ContainerStatus(
            name=container.name,
            engine=container.engine.name,
            hosts=tuple(sorted({request.host for request in found.requests})),
            streams=tuple(sorted(request.name for request in found.streams)),
            is_served=container.id not in self._left_out,
            why=remark.reason if remark is not None else None,
            cure=remark.cure if remark is not None else None,
            app=_find_app(container, found),
            state=container.state if container.state in _STATES else "",
            health="" if container.health is containers.ContainerHealth.NONE else container.health.value,
            restarts=container.restarts,
            started_at=None if container.started_at == containers.NEVER else container.started_at,
        )


def _find_app(container: containers.EngineContainer, found: route_requests.ContainerRequests) -> str | None:
    """What a label could name; variables of nginx-proxy have no word for it."""
    actions = [request.route.action for request in found.requests]
    has_app = any(app_option.OPTION.of(action) is not None for action in actions)
    if has_app or found.words != "labels" or not any(isinstance(action, model.Proxy) for action in actions):
        return None
    app = known_apps.find_by_image(container.image)
    return None if app is None else app.name
