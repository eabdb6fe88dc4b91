"""At which address and port nginx reaches a container, and why it does not. Pure.

nginx runs where daemun does. On the host it reaches every bridge network (also an `internal` one: the host itself is
its gateway) and, on loopback, what uses the host's network. In a container it reaches the networks it is attached to.
Containers of another machine are reached by the ports that they publish there, or on a network of both machines.
Source: docs.docker.com/engine/network/drivers
"""

import collections.abc
import dataclasses
import functools

from daemun.core.texts import words
from daemun.sources.docker import container_remarks, containers, engine_reach

DEFAULT_PORT = 80
LOOPBACK = "127.0.0.1"

_NOT_FROM_THE_HOST = frozenset({"ipvlan", "macvlan", "null", "overlay"})
"""Drivers whose networks the host itself has no part in."""
_OF_SEVERAL_MACHINES = "overlay"
"""Its networks have the same id on each of them."""
_INGRESS = "ingress"
"""Swarm's own network for published ports; nothing answers there. Source: docs.docker.com/engine/swarm/ingress"""
_MOST_HOPS = 10
_CAN_START = frozenset({"exited", "created", "stopped", "configured", "initialized"})
"""The last three are Podman's. Source: docs.podman.io/en/latest/markdown/podman-ps.1.html, "status" """


_Reaches = collections.abc.Mapping[str, engine_reach.EngineReach]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WantedPort:
    """port: the container's; None: its only one, else the usual one, which deserves a remark. word: what would name
    it."""

    port: int | None
    word: str = ""
    is_udp: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ContainerServer:
    """Where nginx reaches a container. guess: a remark when the port is one."""

    address: str
    port: int
    guess: container_remarks.Remark | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)  # without slots, which cached properties cannot do with
class NginxLocation:
    """Where nginx runs. gate: daemun's container; None on the host. listing: what else there is.

    prefers_ipv6: which of a container's two addresses on a network is used. reaches: by the engine's name, of those on
    other machines.
    """

    gate: containers.EngineContainer | None
    listing: containers.ContainerListing
    prefers_ipv6: bool = False
    reaches: _Reaches = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def by_id(self) -> collections.abc.Mapping[str, containers.EngineContainer]:
        """Every container."""
        return {one.id: one for one in self.listing.containers}

    @functools.cached_property
    def _drivers(self) -> collections.abc.Mapping[tuple[str, str], str]:
        """Of networks, by their ids and, as Podman's attachments name them, by their names."""
        return {
            (network.engine, key): network.driver
            for network in self.listing.networks
            for key in (network.name, network.id)
        }

    @functools.cached_property
    def gate_holder(self) -> containers.EngineContainer | None:
        """The container whose network the gate's container has."""
        return None if self.gate is None else _network_holder(self.gate, self.by_id) or self.gate

    @functools.cached_property
    def shared_networks(self) -> frozenset[tuple[str, str]]:
        """Those of daemun's own container that reach over several machines, as each engine has them."""
        if self.gate is None:
            return frozenset()
        mine = {one.network for one in self.gate.attachments if one.name != _INGRESS}
        overlays = {key for key, driver in self._drivers.items() if driver == _OF_SEVERAL_MACHINES and key[1] in mine}
        is_sure = {network for engine, network in overlays if engine == self.gate.engine.name}
        return frozenset(key for key in overlays if key[1] in is_sure)

    def find_driver(self, container: containers.EngineContainer, attachment: containers.Attachment) -> str | None:
        return self._drivers.get((container.engine.name, attachment.network))

    def find_reach(self, container: containers.EngineContainer) -> engine_reach.EngineReach | None:
        """None: the container is on this machine. So are all of the engine that daemun's own container is of."""
        is_beside = self.gate is not None and self.gate.engine == container.engine
        return None if is_beside else self.reaches.get(container.engine.name)

    def choose(self, attachment: containers.Attachment) -> str | None:
        """The address to use on a network; None when there is none."""
        both = (attachment.ipv4, attachment.ipv6)
        first, second = reversed(both) if self.prefers_ipv6 else both
        return first or second


def find_unready(container: containers.EngineContainer, *, is_leaving: bool) -> container_remarks.Remark | None:
    """Why the container's state keeps requests from it; None when it may get some. is_leaving: it was sent its stop
    signal."""
    if is_leaving:
        return container_remarks.Remark(reason="is being stopped, so it gets no new requests")
    if container.task is not None:
        unready = container.task.unready
        return None if unready is None else container_remarks.Remark(reason=unready, cure=container.task.cure)
    if not container.is_running:
        reason = f"is not running: its state is {words.quoted(container.state)}"
        return container_remarks.Remark(reason=reason, cure=_way_to_run(container))
    if container.health is containers.ContainerHealth.UNHEALTHY:
        cure = f"`{container.engine.command} inspect {container.name}` shows what the check said"
        return container_remarks.Remark(reason="is unhealthy by its own HEALTHCHECK, so it gets no requests", cure=cure)
    return None


def _way_to_run(container: containers.EngineContainer) -> str | None:
    if container.state == "paused":
        return f"let it go on with `{container.engine.command} unpause {container.name}`"
    if container.state == "restarting":
        return f"`{container.engine.command} logs {container.name}` shows why it ends"
    way = f"start it with `{container.engine.command} start {container.name}`"
    return way if container.state in _CAN_START else None


def choose_port(
    container: containers.EngineContainer, requested: int | None, *, word: str
) -> tuple[int, container_remarks.Remark | None]:
    """The port, and a remark when it is a guess. word: what a port would be named with."""
    if requested is not None:
        return requested, None
    if len(container.ports) == 1:
        return container.ports[0], None
    exposed = "no port"
    if container.ports:
        exposed = f"several ports ({words.listed((str(port) for port in container.ports), last='and')})"
    reason = f"exposes {exposed} and names none, so {DEFAULT_PORT} is used"
    return DEFAULT_PORT, container_remarks.Remark(reason=reason, cure=f"set {word}")


def find_server(
    container: containers.EngineContainer, place: NginxLocation, wanted: WantedPort
) -> ContainerServer | container_remarks.Remark:
    """Where nginx reaches the container's port."""
    reach = place.find_reach(container) if container.task is None else None
    address = find_address(container, place) if reach is None else _find_elsewhere(container, place, reach)
    if isinstance(address, container_remarks.Remark):
        return address
    if isinstance(address, str):
        port, guess = choose_port(container, wanted.port, word=wanted.word)
        return ContainerServer(address=address, port=port, guess=guess)
    assert reach is not None
    port, guess = _choose_published(container, address, wanted)
    found = engine_reach.find_server(address, port, reach, is_udp=wanted.is_udp)
    if isinstance(found, container_remarks.Remark):
        return found
    return ContainerServer(address=found[0], port=found[1], guess=guess)


def _choose_published(
    container: containers.EngineContainer, holder: containers.EngineContainer, wanted: WantedPort
) -> tuple[int, container_remarks.Remark | None]:
    """As `choose_port`; the only port that is published is meant, too."""
    if wanted.port is None and len(container.ports) != 1:
        only = engine_reach.choose_only_published(holder)
        if only is not None:
            return only, None
    return choose_port(container, wanted.port, word=wanted.word)


def _find_elsewhere(
    container: containers.EngineContainer, place: NginxLocation, reach: engine_reach.EngineReach
) -> str | containers.EngineContainer | container_remarks.Remark:
    """The address of a container of another machine on a network that is reached from here; else the container whose
    published ports are its own."""
    holder = _find_holder(container, place)
    if isinstance(holder, container_remarks.Remark):
        return holder
    for attachment in holder.attachments:
        is_shared = (holder.engine.name, attachment.network) in place.shared_networks
        address = place.choose(attachment) if is_shared or attachment.name in reach.networks else None
        if address is not None and engine_reach.is_possible(address):
            return address
    return holder


def find_address(container: containers.EngineContainer, place: NginxLocation) -> str | container_remarks.Remark:
    """The address at which nginx reaches a container of this machine, on the first common network by name."""
    if container.task is not None:
        return _of_task(container, container.task, place)
    return _of_container(container, place)


def _of_container(container: containers.EngineContainer, place: NginxLocation) -> str | container_remarks.Remark:
    holder = _find_holder(container, place)
    if isinstance(holder, container_remarks.Remark):
        return holder
    gate = place.gate_holder
    if gate is not None and gate.id == holder.id:
        return LOOPBACK
    if gate is None or gate.network_mode == "host":
        return _from_the_host(holder, place)
    return _from_a_container(holder, gate, place)


def _find_holder(
    container: containers.EngineContainer, place: NginxLocation
) -> containers.EngineContainer | container_remarks.Remark:
    """The container whose network it has, or what of that keeps requests away."""
    holder = _network_holder(container, place.by_id)
    if holder is None:
        cause = f"shares the network of {words.quoted(container.network_mode)}, which is not there"
        return container_remarks.Remark(
            reason=cause, cure="make it anew beside the one that is there now", is_error=True, is_lasting=True
        )
    if place.gate_holder is not None and holder.id == place.gate_holder.id:
        return holder
    if holder.id != container.id and (remark := _judge_holder(container, holder)) is not None:
        return remark
    if holder.network_mode == "none":
        return container_remarks.Remark(
            reason='has no network ("none")',
            cure="attach it to one that daemun reaches",
            is_error=True,
            is_lasting=True,
        )
    return holder


def _judge_holder(
    container: containers.EngineContainer, holder: containers.EngineContainer
) -> container_remarks.Remark | None:
    """What of the container that holds the network keeps requests away. A container keeps the network that it was
    started with, and when the holder is started again that one is gone."""
    name = words.quoted(holder.full_name)
    if not holder.is_running:
        reason = f"shares the network of {name}, which is not running: its state is {words.quoted(holder.state)}"
        way = _way_to_run(holder)
        if holder.state in {"paused", "restarting"}:
            return container_remarks.Remark(reason=reason, cure=way, is_error=True)
        again = f"this one anew with `{container.engine.command} restart {container.name}`, for its network is gone"
        cure = again if way is None else f"{way}, and then {again}"
        return container_remarks.Remark(reason=reason, cure=cure, is_error=True, is_lasting=True)
    is_known = containers.NEVER not in {container.started_at, holder.started_at}
    if not is_known or holder.started_at <= container.started_at or holder.network_mode == "host":
        return None
    reason = f"shares the network of {name}, which was started again since, so its own network is gone"
    cure = f"restart it with `{container.engine.command} restart {container.name}`"
    return container_remarks.Remark(reason=reason, cure=cure, is_error=True, is_lasting=True)


def _network_holder(
    container: containers.EngineContainer, known: collections.abc.Mapping[str, containers.EngineContainer]
) -> containers.EngineContainer | None:
    """The container whose network it uses: its own, or that of `network_mode: container:ID`; None when it is gone."""
    current: containers.EngineContainer | None = container
    for _ in range(_MOST_HOPS):
        if current is None or not current.network_mode.startswith("container:"):
            return current
        current = known.get(current.network_mode.removeprefix("container:"))
    return None


def _from_the_host(container: containers.EngineContainer, place: NginxLocation) -> str | container_remarks.Remark:
    if container.network_mode == "host":
        return LOOPBACK
    for attachment in container.attachments:
        if place.find_driver(container, attachment) in _NOT_FROM_THE_HOST or attachment.name == _INGRESS:
            continue
        if (address := place.choose(attachment)) is not None:
            return address
    found = _names(container)
    cause = f"has no address on a network that this machine reaches (it is on {found})"
    return container_remarks.Remark(reason=cause, cure="attach it to a bridge network", is_error=True, is_lasting=True)


def _from_a_container(
    container: containers.EngineContainer, gate: containers.EngineContainer, place: NginxLocation
) -> str | container_remarks.Remark:
    mine = {attachment.network: attachment for attachment in gate.attachments if attachment.name != _INGRESS}
    if container.network_mode == "host":
        # The host answers at the gateway of a bridge network.
        gateway = next((one.gateway for one in mine.values() if one.gateway is not None), None)
        if gateway is not None:
            return gateway
        cause = "uses the network of the host, and daemun's container has no network with a gateway to it"
        return container_remarks.Remark(
            reason=cause, cure="attach daemun to a bridge network", is_error=True, is_lasting=True
        )
    for attachment in container.attachments:
        address = place.choose(attachment)
        if attachment.network in mine and address is not None:
            return address
    cause = f"shares no network with daemun: it is on {_names(container)}, daemun on {_names(gate)}"
    return container_remarks.Remark(reason=cause, cure="attach both to one network", is_error=True, is_lasting=True)


def _of_task(
    container: containers.EngineContainer, task: containers.SwarmTask, place: NginxLocation
) -> str | container_remarks.Remark:
    """Tasks of Swarm may run on any machine. Only containers have a part in overlay networks."""
    gate, docker = place.gate_holder, container.engine.command
    if container.network_mode == "host":
        if task.node_address is not None:
            return task.node_address
        cause = "uses the network of its node, whose address is not known"
        return container_remarks.Remark(reason=cause, cure=f"`{docker} node ls` shows the nodes", is_error=True)
    if task.unready is not None and not container.attachments:
        return container_remarks.Remark(reason=task.unready, cure=task.cure)
    mine = {} if gate is None else {one.network: one for one in gate.attachments if one.name != _INGRESS}
    for attachment in container.attachments:
        address = place.choose(attachment)
        if attachment.network in mine and address is not None:
            return address
    cause = f"shares no network with daemun: it is on {_names(container)}, daemun "
    if gate is None or gate.network_mode == "host":
        cause += "on the host, which has no part in networks of Swarm"
        cure = "run daemun as a service on one of them, as examples/swarm shows"
    else:
        cause += f"on {_names(gate)}"
        cure = "run daemun on one of them"
        found = (one.name for one in mine.values() if place.find_driver(gate, one) == _OF_SEVERAL_MACHINES)
        shared = next(found, None)
        if shared is not None:
            cure = f"attach it with `{docker} service update --network-add {shared} {task.service}`"
    return container_remarks.Remark(reason=cause, cure=cure, is_error=True, is_lasting=True)


def _names(container: containers.EngineContainer) -> str:
    if not container.attachments:
        return "none"
    return words.listed((words.quoted(one.name) for one in container.attachments), last="and")
