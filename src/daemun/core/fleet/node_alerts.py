"""Which node reports a silent one, so that people get one message and not one of each node. Pure.

It is decided without asking: the first by name of those that lived already when the other fell silent. One that comes
back, or was started since, does not report it again.
"""

import collections.abc

from daemun.core.fleet import node_states


def find_reported(
    status: node_states.FleetStatus, open_alerts: collections.abc.Collection[str] = ()
) -> dict[str, node_states.NodeStatus | None]:
    """The nodes that this one reports, by name; None: of one that is reported already nothing is known now.

    open_alerts: those whose alert this node sent. It stays until they are seen to live, or are in the fleet no longer.
    """
    nodes = {one.name: one for one in status.nodes}
    found: dict[str, node_states.NodeStatus | None] = {
        one.name: one for one in status.down if one.name in open_alerts or find_reporter(status, one) == status.name
    }
    for name in open_alerts:
        one = nodes.get(name)
        if name not in found and not status.is_settled and (one is None or one.state is node_states.NodeState.UNKNOWN):
            found[name] = None
    return found


def find_reporter(status: node_states.FleetStatus, down: node_states.NodeStatus) -> str:
    living = status.alive
    witnesses = [one for one in living if one.began < down.beat] or living
    return min(one.name for one in witnesses)
