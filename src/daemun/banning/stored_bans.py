"""Bans as the store keeps them. Pure."""

import dataclasses
import datetime
import json

from daemun.core.access import banned_networks

Bans = dict[str, banned_networks.Ban]
"""By network."""


def encode(found: Bans) -> bytes:
    rows = [
        {
            **dataclasses.asdict(one),
            "reason": one.reason.value,
            "since": one.since.isoformat(),
            "until": None if one.until is None else one.until.isoformat(),
        }
        for one in found.values()
    ]
    return json.dumps({"bans": rows}).encode()


def decode(content: bytes) -> Bans:
    """Raises: ValueError, KeyError, TypeError."""
    found = {}
    for row in json.loads(content)["bans"]:
        since, until = (
            None if row[key] is None else datetime.datetime.fromisoformat(row[key]) for key in ("since", "until")
        )
        if since is None or since.tzinfo is None or (until is not None and until.tzinfo is None):
            raise ValueError("a time without a zone")
        network = banned_networks.show(banned_networks.parse(row["network"]))
        found[network] = banned_networks.Ban(
            network=network,
            reason=banned_networks.Reason(row["reason"]),
            since=since,
            until=until,
            note=str(row["note"]),
        )
    return found
