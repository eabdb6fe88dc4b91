"""The engine's events, as values. Pure.

As in `containers`, whatever is missing or of another type than expected counts as not given.
Source: docs.docker.com/reference/cli/docker/system/events, docs.podman.io/en/latest/markdown/podman-events.1.html
"""

import dataclasses

from daemun.sources.docker import containers

_IRRELEVANT = ("exec", "attach", "commit", "copy", "detach", "export", "extract", "archive", "resize", "top")
"""Actions that change nothing daemun looks at. Health checks are `exec_...` events (Podman's `exec`, too), every few
seconds; their outcome is one of its own."""

_TASK = "com.docker.swarm.task.id"
"""A label of each container that is a task's; events have its labels."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EngineEvent:
    """Something happened.

    container: the id of the one that it was about, or that joined or left a network; None when none is named.
    of_network: it was about a network. signal: the number, of a `kill`.
    of_swarm: it was about a service, a node, or the container of a task.
    """

    action: str
    container: str | None = None
    of_network: bool = False
    signal: int | None = None
    of_swarm: bool = False

    @property
    def is_relevant(self) -> bool:
        return not self.action.startswith(_IRRELEVANT)


def parse_event(raw: object) -> EngineEvent:
    found = raw if isinstance(raw, dict) else {}
    actor = _map(found, "Actor")
    attributes = _map(actor, "Attributes")
    of_network = found.get("Type") == "network"
    named = attributes.get("container") if of_network else actor.get("ID") if found.get("Type") == "container" else None
    signal = attributes.get("signal")
    return EngineEvent(
        action=_text(found.get("Action")) or _text(found.get("status")),
        container=containers.parse_id(named) or None,
        of_network=of_network,
        signal=containers.parse_signal(signal) if signal is not None else None,
        of_swarm=_text(found.get("Type")) in {"service", "node"} or _TASK in attributes,
    )


def _map(raw: dict[object, object], key: str) -> dict[object, object]:
    found = raw.get(key)
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
