"""Bans as the store keeps them. Pure."""

import contextlib
import dataclasses
import datetime
import json

from daemun.core.access import banned_networks

Bans = dict[str, banned_networks.Ban]
"""By network."""

BanChanges = dict[str, banned_networks.Ban | None]
"""By network; None: it is not banned any more."""


_KEPT = datetime.timedelta(days=1)
"""How long one that is over stays stored: the clock of the machine that writes may be ahead of the others'."""


def apply(before: Bans, changes: BanChanges, now: datetime.datetime) -> Bans:
    """Without those that are over. Of two waits of one network the longer one holds, whichever machine counted."""
    found: BanChanges = {**before, **changes}
    for network, one in changes.items():
        known = before.get(network)
        if known is not None and one is not None and one.is_wait and _is_longer(known, one):
            found[network] = known
    return {network: one for network, one in found.items() if one is not None and not one.is_over(now)}


def _is_longer(known: banned_networks.Ban, one: banned_networks.Ban) -> bool:
    return known.until is None or (one.until is not None and known.until > one.until)


def alter(content: bytes | None, *, changes: BanChanges, now: datetime.datetime) -> bytes:
    """What is stored, with these changes, and without those that have been over for a day. What is damaged is
    nothing."""
    before: Bans = {}
    if content is not None:
        with contextlib.suppress(ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
            before = decode(content)
    return encode(apply(before, changes, now - _KEPT))


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
