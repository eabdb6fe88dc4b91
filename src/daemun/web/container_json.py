"""A container of the status, and an engine, as JSON."""

import typing

from daemun.core import model
from daemun.core.texts import durations

Json = dict[str, typing.Any]


BAD, WARNING, GOOD = LAMPS = ("bad", "warning", "good")
"""The worst first."""


def lamp_of(container: model.ContainerStatus) -> str:
    """BAD: it does not get what it requests. WARNING: something of it deserves a look."""
    return BAD if not container.is_served else WARNING if container.why else GOOD


def container_json(container: model.ContainerStatus) -> Json:
    """One container that requests to be reached. `cure` is what to do about `why`; `app` is the application that its
    image is made for, where its labels name none. `state`, `health`: the engine's words, null where it has none.
    `restarts`: by its restart policy. `engine`: the name of its engine, null where there is but one."""
    return {
        "name": container.name,
        "engine": container.engine or None,
        "hosts": list(container.hosts),
        "streams": list(container.streams),
        "served": container.is_served,
        "lamp": lamp_of(container),
        "why": container.why,
        "cure": container.cure,
        "app": container.app,
        "state": container.state or None,
        "health": container.health or None,
        "restarts": container.restarts,
    }


def engine_json(engine: model.EngineStatus) -> Json:
    """`name` is null where there is but one. `since`: when it answered no more; null where it does, or never did."""
    return {
        "name": engine.name or None,
        "endpoint": engine.place,
        "answers": engine.answers,
        "since": None if engine.since is None else durations.instant(engine.since),
        "why": engine.why,
    }
