"""The nodes of a fleet as JSON. Pure. Keys may be added, never renamed."""

import typing

from daemun.control import fleet_port
from daemun.core.fleet import node_states
from daemun.core.traffic import traffic_usage
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


def traffic_json(found: fleet_port.NodesTraffic | None) -> Json | None:
    """`unusable`: so many hours that machines stored cannot be used."""
    if found is None:
        return None
    return {
        "since": json_values.instant_json(found.since),
        "nodes": [
            {"name": node, "self": node == found.node, **_usage_json(usage)} for node, usage in found.by_node.items()
        ],
        "total": _usage_json(found.total),
        "unusable": found.unusable,
    }


def _usage_json(usage: traffic_usage.Usage) -> Json:
    """Times in seconds; null: no request has one."""
    return {
        "requests": usage.requests,
        "errors": usage.errors,
        "bytes_out": usage.bytes_out,
        "bytes_in": usage.bytes_in,
        "p50_s": usage.p50_s,
        "p95_s": usage.p95_s,
        "p99_s": usage.p99_s,
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
