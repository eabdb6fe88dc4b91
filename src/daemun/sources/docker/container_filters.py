"""Which containers are wanted, as docker-gen's filters and `docker ps --filter` choose them. Pure."""

from daemun.core.texts import words
from daemun.sources.docker import containers

Filters = tuple[tuple[str, str], ...]
"""Pairs of a kind and a value."""
_FILTERS = ("health", "id", "label", "name", "network", "status")


def read_filters(text: str) -> Filters:
    """ "network=x,health=healthy,health=none": one of each kind must fit."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = part.partition("=")
        if not equals or key not in _FILTERS:
            raise ValueError(f"expected {words.listed(f'{name}=...' for name in _FILTERS)}, found {words.quoted(part)}")
        found.append((key, value))
    return tuple(found)


def is_wanted(filters: Filters, container: containers.EngineContainer) -> bool:
    kinds = {key for key, _ in filters}
    return all(any(_fits(kind, value, container) for key, value in filters if key == kind) for kind in kinds)


def _fits(kind: str, value: str, container: containers.EngineContainer) -> bool:
    match kind:
        case "health":
            return container.health.value == value
        case "id":
            return container.id.startswith(value)
        case "label":
            name, equals, wanted = value.partition("=")
            found = dict(container.labels).get(name)
            return found is not None and (not equals or found == wanted)
        case "name":
            return value.removeprefix("/") in container.name
        case "network":
            return any(value in {one.name, one.network} for one in container.attachments)
        case _:
            return container.state == value
