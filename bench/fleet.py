"""What a fleet of many nodes costs its database, and how soon all of them follow (see `bench.fleet_world`)."""

import json
import os
import subprocess
import sys

from bench import figures, plan

ONE, FEW, MANY = "a node", "10 nodes", "100 nodes"
_LONGEST_S = 900.0
_AT_REST = {
    "rest, KiB": "KiB/s to and from the database",
    "rest, WAL": "KiB/s of WAL",
    "rest, server_ms": "ms CPU/s of the database",
    "rest, node_ms": "ms CPU/s of each node",
}
_COSTS = {
    "transactions": "transactions",
    "MiB": "MiB to and from the database",
    "server_s": "s CPU of the database",
    "node_s": "s CPU of each node",
}

ABOUT = """\
Nodes are processes of their own that run what a daemun runs beside its nginx: the mirrored store, the heartbeat, and
the following of the configuration. Left out are nginx, the reading of YAML, and orders of certificates, which a
single machine has, too (`--only sites`). One PostgreSQL with `fsync`, 128 MB of `shared_buffers` and nothing else
that Debian has otherwise; it shares the two cores with all nodes, so the seconds are those of a database and of nodes
that have little of a processor. daemun.yaml has 10,000 sites, 0.9 MB; in the store lies a certificate with its key, 6
kB, and what its CA said of its renewal, for each. All is in a network namespace, whose loopback counts the bytes,
heads of TCP and IP included.

A node alone joins a fleet, with an empty disk of this machine, and starts once more with what it has then. Of many
nodes each has its copy in memory, as a hundred machines have as many disks. What an edit, or a new certificate, comes
to is counted until all nodes have it, without what the same time costs at rest. Last, the database begins a new
epoch, as when a standby takes over: every node reads all of it, at the same time.
"""


def measure(given: plan.Plan) -> figures.Section:
    """Needs root, for the namespace."""
    into = given.folder / "taken.json"
    counts = ["10"] if given.quick else ["10", "100"]
    options = ["--quick"] if given.quick else []
    taken: dict[str, dict[str, list[float]]] = {}
    notes: list[str] = []
    if os.geteuid() == 0:
        run = ["unshare", "--net", sys.executable, "-m", "bench.fleet_world"]
        done = subprocess.run([*run, str(into), str(given.folder), *counts, *options], check=False, timeout=_LONGEST_S)
        notes += [] if done.returncode == 0 else ["Given up in the middle: what follows is missing or of fewer rounds."]
        taken = json.loads(into.read_text()) if into.exists() else {}
    else:
        notes.append("Left out: only root can make the network namespace.")
    return figures.Section(
        name="fleet",
        title="A fleet of many nodes",
        about=ABOUT,
        rows=tuple(row for row in _rows(taken) if any(row.series.values())),
        notes=tuple(notes),
    )


def _rows(taken: dict[str, dict[str, list[float]]]) -> list[figures.Row]:
    def row(
        what: str, unit: str, key: str, beside: dict[str, str], *names: str, most: float | None = None
    ) -> figures.Row:
        def series(key: str) -> figures.Series:
            return {name: tuple(taken.get(key, {}).get(name, ())) for name in names}

        targets = () if most is None or not series(key)[MANY] else (figures.Target(most=most, subject=MANY),)
        further = {label: series(known) for known, label in beside.items()}
        return figures.Row(what=what, unit=unit, series=series(key), beside=further, targets=targets)

    def costs(key: str) -> dict[str, str]:
        return {f"{key}, {unit}": label for unit, label in _COSTS.items() if f"{key}, {unit}" in taken}

    edit = {"edit, written_s": "s until it is in its file", **costs("edit")}
    many = (FEW, MANY)
    return [
        row("at rest", "transactions/s", "rest, transactions", _AT_REST, *many),
        row("memory of the database", "MiB", "rest, memory", {"rest, connections": "connections"}, *many),
        row("an edit of daemun.yaml, until the last node serves it", "s", "edit, s", edit, *many),
        row(
            "a new certificate, until the last node has it",
            "s",
            "certificate, s",
            costs("certificate"),
            *many,
            most=1.0,
        ),
        row("a new epoch, until the last node has read everything", "s", "epoch, s", costs("epoch"), FEW),
        row("a node joins, until it has everything", "s", "joins, s", costs("joins"), ONE),
        row("a node starts again", "s", "starts again, s", costs("starts again"), ONE),
        row("the table of what is shared", "MiB", "size, MiB", {}, ONE),
    ]
