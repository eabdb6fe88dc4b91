"""Which containers get what comes for a route or a stream now, and at which addresses. Pure."""

import collections.abc
import dataclasses

from daemun.core import model
from daemun.sources.docker import container_address, container_remarks, containers

_STARTING = container_remarks.Remark(reason="is starting: it gets requests once its HEALTHCHECK succeeds")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A container behind a route or a stream. port: None: its only one, else the usual one, which deserves a remark.
    port_word: what would name it."""

    container: containers.EngineContainer
    port: int | None
    port_word: str
    weight: int = 1
    is_udp: bool = False

    @property
    def wanted(self) -> container_address.WantedPort:
        return container_address.WantedPort(port=self.port, word=self.port_word, is_udp=self.is_udp)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EndpointContext:
    """leaving: ids of containers that were sent their stop signal."""

    place: container_address.NginxLocation
    leaving: frozenset[str]
    report: container_remarks.RemarkCollector


def find_endpoints(group: collections.abc.Iterable[Member], around: EndpointContext) -> tuple[model.Endpoint, ...]:
    """The first container first. One whose health check did not succeed yet only counts while there is no other: its
    application may not be ready, but no other is."""
    ready: list[model.Endpoint] = []
    starting: list[tuple[containers.EngineContainer, model.Endpoint]] = []
    for member in group:
        endpoint = _find_endpoint(member, around)
        if endpoint is None:
            around.report.leave_out(member.container)
        elif member.container.health is containers.ContainerHealth.STARTING:
            starting.append((member.container, endpoint))
        else:
            ready.append(endpoint)
    if ready:
        for container, _ in starting:
            around.report.leave_out(container)
            around.report.remark(container, _STARTING)
    return tuple(dict.fromkeys(ready or [endpoint for _, endpoint in starting]))


def is_out_of_reach(member: Member, place: container_address.NginxLocation) -> bool:
    """Whether requests reach the container only once its networks or ports, or our networks, are changed."""
    found = container_address.find_server(member.container, place, member.wanted)
    return isinstance(found, container_remarks.Remark) and found.is_lasting


def _find_endpoint(member: Member, around: EndpointContext) -> model.Endpoint | None:
    """None, and reported why, when requests cannot go to the container now."""
    container = member.container
    unready = container_address.find_unready(container, is_leaving=container.id in around.leaving)
    if unready is not None:
        around.report.remark(container, unready)
        return None
    found = container_address.find_server(container, around.place, member.wanted)
    if isinstance(found, container_remarks.Remark):
        around.report.remark(container, found)
        return None
    if found.guess is not None:
        around.report.remark(container, found.guess)
    return model.Endpoint(address=found.address, port=found.port, weight=member.weight)
