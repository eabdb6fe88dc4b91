"""Which records in DNS lead to the nodes of a fleet that live. Pure.

What is remembered is which records were made and which were taken away. An address that no node had yet is left to
whoever made it: the records of a name are never emptied by a mistake, and other records of it stay.
"""

import collections.abc
import dataclasses
import ipaddress
import json

from daemun.core.fleet import node_states
from daemun.core.texts import names

AGAIN_S = 30.0
"""A node that was down gets its records again when it has lived for so long: one that falls again and again
gets none."""

Known = collections.abc.Mapping[str, collections.abc.Mapping[str, bool]]
"""Of each name its addresses, and whether there is a record."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RecordChange:
    """is_there: whether there is to be such a record."""

    name: str
    address: str
    is_there: bool

    @property
    def kind(self) -> str:
        return "A" if ipaddress.ip_address(self.address).version == 4 else "AAAA"

    def __str__(self) -> str:
        return f"{self.name} {self.kind} {self.address}"


def find_changes(
    names: collections.abc.Iterable[str], status: node_states.FleetStatus, known: Known
) -> tuple[RecordChange, ...]:
    """New records first. None where no record of a name would be left, or where it is not known who lives."""
    if not status.is_settled:
        return ()
    found: list[RecordChange] = []
    for name in names:
        before = known.get(name, {})
        wanted = _find_wanted(status, before)
        if any(wanted.values()):
            found += (
                RecordChange(name=name, address=address, is_there=is_there)
                for address, is_there in wanted.items()
                if before.get(address) is not is_there
            )
    return tuple(sorted(found, key=lambda one: (not one.is_there, one.name, one.address)))


def _find_wanted(status: node_states.FleetStatus, before: collections.abc.Mapping[str, bool]) -> dict[str, bool]:
    nodes = [
        (address, one)
        for one in status.nodes
        for address in one.about.addresses
        if names.is_address_for_visitors(address)
    ]
    had = {address for address, _ in nodes}
    # Of one that left the fleet, or has another address now.
    wanted = {address: False for address, is_there in before.items() if is_there and address not in had}
    for address, one in nodes:
        is_there = _is_wanted(one, before.get(address))
        if is_there is not None:
            wanted[address] = wanted.get(address, False) or is_there
    return wanted


def _is_wanted(one: node_states.NodeStatus, before: bool | None) -> bool | None:
    """None: as it is."""
    if one.state is node_states.NodeState.ALIVE:
        return before is not False or one.beat - one.began >= AGAIN_S
    return False if one.state is node_states.NodeState.DOWN else before


def encode(known: Known) -> bytes:
    return json.dumps({name: dict(addresses) for name, addresses in known.items()}, sort_keys=True).encode()


def decode(content: bytes) -> Known:
    """Raises: ValueError."""
    found = json.loads(content)
    if not isinstance(found, dict) or not all(isinstance(one, dict) for one in found.values()):
        raise ValueError("expected names with addresses")
    for addresses in found.values():
        for address, is_there in addresses.items():
            ipaddress.ip_address(address)
            if is_there not in {True, False}:
                raise ValueError("expected true or false")
    return found


def with_change(known: Known, change: RecordChange) -> Known:
    return {**known, change.name: {**known.get(change.name, {}), change.address: change.is_there}}
