"""The nodes of a fleet as JSON. Pure. Keys may be added, never renamed."""

import typing

from daemun.core.fleet import node_states
from daemun.web import json_values

Json = dict[str, typing.Any]


def fleet_json(status: node_states.FleetStatus | None) -> Json | None:
    """null: this daemun is in no fleet. `database.unreached_since` is null where it is reached."""
    if status is None:
        return None
    return {
        "name": status.name,
        "database": {
            "reached": status.unreached_since is None,
            "unreached_since": json_values.instant_json(status.unreached_since),
            "cause": status.cause or None,
        },
        "twice": status.is_twice,
        "nodes": [_node_json(one) for one in status.nodes],
    }


def _node_json(one: node_states.NodeStatus) -> Json:
    """`since`: since when it is in this state; of "unknown" when it was seen last."""
    about = one.about
    return {
        "name": one.name,
        "self": one.is_self,
        "state": one.state.value,
        "since": json_values.instant_json(one.since),
        "version": about.version or None,
        "other_version": one.is_other,
        "revision": about.revision,
        "old_revision": one.is_old,
        "behind": one.is_behind,
        "addresses": list(about.addresses),
        "listen": list(about.listen),
        "problems": about.problems,
        "started_at": json_values.instant_json(about.started_at),
    }
