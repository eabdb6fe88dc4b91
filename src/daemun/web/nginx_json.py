"""nginx as JSON values: the one that serves, its workers, its weaknesses. Pure. Keys may be added, never renamed."""

import collections.abc
import typing

from daemun.control import gate_port
from daemun.core.nginx_builds import nginx_weaknesses

Json = dict[str, typing.Any]


def nginx_json(status: gate_port.GateStatus, old: gate_port.OldWorkersReport) -> Json:
    return {
        "version": status.nginx_version,
        "path": status.nginx_path,
        "successor": _successor_json(status),
        "pid": status.nginx_pid,
        "answers": status.answers,
        "reloads": status.reloads,
        "workers": status.workers,
        "draining_workers": status.draining_workers,
        "old_generations": [_old_json(old, place) for place in range(len(old.old))],
        "old_workers": _old_workers_json(old),
    }


def weaknesses_json(weaknesses: collections.abc.Iterable[nginx_weaknesses.Weakness]) -> list[Json]:
    """`fixed` is empty where no nginx has the fix; `applies` is whether the running configuration lays it open."""
    return [
        {
            "name": one.name,
            "title": one.title,
            "severity": one.severity,
            "fixed": list(one.fixed),
            "applies": one.applies,
            "meanwhile": one.meanwhile,
        }
        for one in weaknesses
    ]


def _successor_json(status: gate_port.GateStatus) -> Json | None:
    """Another nginx that could take over; null: there is none. `replaced`: the file of the one that serves is gone.
    `error`: why it did not take over when it was to."""
    found = status.successor
    if found is None:
        return None
    return {
        "version": ".".join(map(str, found.binary.version)),
        "path": found.binary.path,
        "replaced": found.is_replacement,
        "error": status.upgrade_error,
    }


def _old_json(report: gate_port.OldWorkersReport, place: int) -> Json:
    """One generation of workers that was replaced. `number` and `sockets` are null where they are not known. `memory`
    is "shared" where each page shared with others counts in part, "anonymous" where it counts in full."""
    one = report.old[place]
    drains = place == report.drains
    return {
        "number": one.number,
        "age_s": round(one.age_s),
        "workers": len(one.workers),
        "pids": [worker.pid for worker in one.workers],
        "sockets": one.sockets,
        "memory_bytes": one.memory_bytes,
        "memory": "anonymous" if one.is_estimate else "shared",
        "drained": drains,
        "sockets_closed": report.closed if drains else 0,
    }


def _old_workers_json(report: gate_port.OldWorkersReport) -> Json:
    """All of them together, and the budget. `sockets` is null when those of one are not known."""
    sockets = [one.sockets for one in report.old if one.sockets is not None]
    return {
        "generations": len(report.old),
        "workers": sum(len(one.workers) for one in report.old),
        "sockets": sum(sockets) if len(sockets) == len(report.old) else None,
        "memory_bytes": sum(one.memory_bytes for one in report.old),
        "most_generations": report.limits.generations,
        "most_memory_bytes": report.limits.memory_bytes,
    }
