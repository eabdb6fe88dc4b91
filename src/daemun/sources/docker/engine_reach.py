"""How nginx reaches the containers of an engine of another machine: by the ports that they publish there, or by a
network that both machines reach. Pure.

A published port counts at the machine's address alone: another address that a container names may be one of this
machine, and its visitors would come to servers here.
"""

import collections.abc
import dataclasses
import ipaddress

from daemun.core.texts import words
from daemun.sources.docker import container_remarks, containers


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EngineReach:
    """machine: the address or the name of the other machine, as it was written. addresses: which these are, in the
    order of their use; none: failure has the reason. networks: names of networks whose addresses are reached."""

    machine: str
    addresses: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    failure: str = "it was not looked up yet"


def is_possible(address: str) -> bool:
    """Whether an address of a container can be one of another machine's network."""
    found = ipaddress.ip_address(address)
    return not (found.is_loopback or found.is_unspecified or found.is_multicast or found.is_link_local)


def choose_only_published(container: containers.EngineContainer) -> int | None:
    """The one port of it that is published; None when there are none, or several."""
    ports = {one.port for one in container.published if not one.is_udp}
    return ports.pop() if len(ports) == 1 else None


def find_server(
    holder: containers.EngineContainer, port: int, reach: EngineReach, *, is_udp: bool
) -> tuple[str, int] | container_remarks.Remark:
    """The address and the port at which the container's port is to be reached. holder: whose network it has."""
    if not reach.addresses:
        engine = f" of the engine {holder.engine.name}" if holder.engine.name else ""
        return container_remarks.Remark(
            reason=f"is on {words.quoted(reach.machine)}, of which no address is known: {reach.failure}",
            cure=f"set `address`{engine} in daemun.yaml",
            is_error=True,
        )
    if holder.network_mode == "host":
        return reach.addresses[0], port
    published = [one for one in holder.published if (one.port, one.is_udp) == (port, is_udp)]
    for address in reach.addresses:
        found = next((one for one in published if _listens(one.address, address)), None)
        if found is not None:
            return address, found.host_port
    return _explain(published, port, reach, "/udp" if is_udp else "")


def _listens(bound: str, address: str) -> bool:
    one, other = ipaddress.ip_address(bound), ipaddress.ip_address(address)
    return one == other or (one.is_unspecified and one.version == other.version)


def _explain(
    published: collections.abc.Sequence[containers.PublishedPort], port: int, reach: EngineReach, kind: str
) -> container_remarks.Remark:
    here = reach.addresses[0]
    shown = f"[{here}]" if ":" in here else here
    if not published:
        return container_remarks.Remark(
            reason=f"publishes no port for its port {port}{kind}, so it is not reached from another machine",
            cure=f'publish it, in a compose file with `ports: ["{port}{kind}"]`, or name a network that this machine '
            "reaches in `networks` of the engine",
            is_error=True,
            is_lasting=True,
        )
    at = sorted({one.address for one in published})
    cure = f'publish it on {here}, in a compose file with `ports: ["{shown}:{published[0].host_port}:{port}{kind}"]`'
    if all(ipaddress.ip_address(one).is_loopback for one in at):
        why = "which no other machine reaches"
    else:
        why = f"and the machine is reached at {words.listed(reach.addresses, last='and')}"
    reason = f"publishes its port {port}{kind} on {words.listed(at, last='and')} alone, {why}"
    return container_remarks.Remark(reason=reason, cure=cure, is_error=True, is_lasting=True)
