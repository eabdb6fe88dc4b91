"""The last listings, kept in the store: a daemon that starts while an engine is away knows what was served.

Only what daemun reads of a container is kept, so that no other label of it, which may hold a secret, is copied.
"""

import dataclasses
import functools
import json

import pydantic

from daemun.control import damaged_keys, ports
from daemun.sources.docker import container_labels, containers, nginx_proxy

_KEY = "history/docker.json"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StoredEngine:
    """url: of the engine that was listed. name, addresses: as of `EngineEndpoint` and `EngineReach`."""

    url: str
    listing: containers.ContainerListing
    name: str = ""
    addresses: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StoredListing(StoredEngine):
    """owners: hosts, and which project each belongs to among tenants. others: where there are several engines."""

    owners: tuple[tuple[str, str], ...] = ()
    others: tuple[StoredEngine, ...] = ()

    @property
    def engines(self) -> tuple[StoredEngine, ...]:
        return (self, *self.others)


@functools.cache
def _form() -> pydantic.TypeAdapter[StoredListing]:
    """Made when there is a listing: a gate without an engine has none."""
    return pydantic.TypeAdapter(StoredListing)


def encode(kept: StoredListing) -> bytes:
    """Equal listings give equal bytes. Pure."""
    others = tuple(dataclasses.replace(one, listing=_strip_all(one.listing)) for one in kept.others)
    stripped = dataclasses.replace(kept, listing=_strip_all(kept.listing), others=others)
    return json.dumps(_form().dump_python(stripped, mode="json"), indent=1).encode()


def read_stored(store: ports.Store) -> StoredListing | None:
    """None when nothing is kept, or nothing that this version reads. Blocking."""
    follows = "the containers that were seen last are forgotten, the engine is queried for them"
    return damaged_keys.read(store, _KEY, lambda content: _form().validate_json(content), follows=follows)


def write_stored(store: ports.Store, encoded: bytes) -> None:
    """Blocking. Raises: EnvironmentProblemError."""
    store.write(_KEY, encoded)


def forget(store: ports.Store) -> None:
    """Blocking. Raises: EnvironmentProblemError."""
    store.delete(_KEY)


def _strip_all(listing: containers.ContainerListing) -> containers.ContainerListing:
    kept = tuple(_strip(one) for one in listing.containers if _is_text(one))
    return dataclasses.replace(listing, containers=kept)


def _strip(container: containers.EngineContainer) -> containers.EngineContainer:
    kept_labels = (*containers.PROJECT_LABELS, *containers.SERVICE_LABELS, containers.SWARM_SERVICE)
    read = tuple(
        (name, value)
        for name, value in container.labels
        if name in kept_labels or name.startswith((container_labels.PREFIX, nginx_proxy.PREFIX))
    )
    return dataclasses.replace(container, labels=read)


def _is_text(container: containers.EngineContainer) -> bool:
    """A container whose labels are no text (they hold surrogates) is refused whenever it is seen."""
    try:
        json.dumps((container.labels, container.environment), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
