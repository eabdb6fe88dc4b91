"""A cache of the engine's containers and networks, and which of them have to be queried again. Pure.

A query of one container costs the engine a millisecond, and a machine may have thousands. So an event puts in
doubt only the container that it is about, and a look at all of them reads the list, and then queries only
those whose row in it differs.
"""

import collections.abc

from daemun.sources.docker import containers, engine_events


class EngineState:
    """The containers and networks that the engine listed, and which of them have to be queried again ("in doubt"). At
    first everything is in doubt; what was queried is not."""

    def __init__(self) -> None:
        self._containers: dict[str, containers.EngineContainer] = {}
        self._networks: tuple[containers.ContainerNetwork, ...] = ()
        self._doubted: dict[str, None] = {}  # a set that keeps its order: what was doubted first is queried first
        self.doubts_all = True
        self.doubts_networks = True

    @property
    def listing(self) -> containers.ContainerListing:
        """The oldest container first."""
        found = sorted(self._containers.values(), key=lambda one: one.age)
        return containers.ContainerListing(containers=tuple(found), networks=self._networks)

    @property
    def stop_signals(self) -> dict[str, int | None]:
        """By the ids of containers."""
        return {id_: one.stop_signal for id_, one in self._containers.items()}

    @property
    def doubted(self) -> tuple[str, ...]:
        """Ids of the containers that have to be queried, once the rows were taken where all are in doubt."""
        return tuple(self._doubted)

    def doubt_all(self) -> None:
        """Something may have happened without an event."""
        self.doubts_all = self.doubts_networks = True

    def note(self, happened: collections.abc.Iterable[engine_events.EngineEvent]) -> None:
        for event in happened:
            if event.container is not None:
                self._doubted[event.container] = None
            elif event.of_network:
                self.doubt_all()
            if event.of_network and event.action not in {"connect", "disconnect"}:
                self.doubts_networks = True

    def take_rows(self, rows: collections.abc.Iterable[containers.ListedContainer]) -> None:
        """All containers that there are, as they are listed."""
        listed = {row.id: row for row in rows if row.id}
        self._containers = {id_: one for id_, one in self._containers.items() if id_ in listed}
        self._doubted = {id_: None for id_ in self._doubted if id_ in listed}
        for row in listed.values():
            if not _agrees(row, self._containers.get(row.id)):
                self._doubted[row.id] = None
        self.doubts_all = False

    def take(self, id_: str, container: containers.EngineContainer | None) -> None:
        """What was answered for an id; None, or one without an id: it is not there any more."""
        self._doubted.pop(id_, None)
        if container is None or not container.id:
            self._containers.pop(id_, None)
            return
        self._containers[id_] = container
        known = {network.id for network in self._networks} | {network.name for network in self._networks}
        if any(attachment.network not in known for attachment in container.attachments):
            self.doubts_networks = True

    def take_networks(self, networks: collections.abc.Iterable[containers.ContainerNetwork]) -> None:
        self._networks = tuple(networks)
        self.doubts_networks = False


def _agrees(row: containers.ListedContainer, known: containers.EngineContainer | None) -> bool:
    """Whether the row agrees with what is known of the container."""
    if known is None:
        return False
    # Docker lists how healthy a container is while it runs. Podman does not, so it has to be queried.
    may_be_missing = not known.is_running or known.health is containers.ContainerHealth.NONE
    same_health = row.health is known.health or (row.health is None and may_be_missing)
    published = tuple(sorted({one.host_port for one in known.published}))
    same_ports = row.published == published or not known.is_running
    return (
        same_health
        and same_ports
        and (row.name, row.state, row.attachments) == (known.name, known.state, known.attachments)
    )
