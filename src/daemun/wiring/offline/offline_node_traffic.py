"""What the other nodes of this machine's fleet counted, for commands. A single machine loads nothing for it."""

import contextlib
import dataclasses
import pathlib
import typing

from daemun import errors, settings
from daemun.fleet import fleet_signs
from daemun.store import file_store

if typing.TYPE_CHECKING:
    from daemun.fleet import node_traffic


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FoundTraffic:
    """node: this machine's name. found: of the others, by their names; by this machine's own, what one counted that
    had its name before. error: what of them is missing, and why."""

    node: str
    found: dict[str, "node_traffic.Found"] = dataclasses.field(default_factory=dict)
    error: str = ""


def read(chosen: settings.Settings, since_s: float, now_s: float) -> FoundTraffic | None:
    """By whole hours, up to `node_traffic.KEPT_HOURS` ago. None: this machine is in no fleet. Never raises."""
    own = file_store.FileStore(pathlib.Path(chosen.layout.store))
    if not fleet_signs.may_be_node(own, chosen.config):
        return None
    from daemun.fleet import shared_traffic  # noqa: PLC0415 - in a fleet only
    from daemun.wiring import opened_fleet  # noqa: PLC0415

    node = "this machine"
    try:
        opened = opened_fleet.find_shared(chosen, own)
        if opened is None:
            return None
        node, shared = opened
        with contextlib.closing(shared):
            others = shared_traffic.read_others(shared, own, since_s, now_s)
    except errors.DaemunError as error:
        return FoundTraffic(node=node, error=str(error))
    left_out = f"{others.unusable} of the hours that they stored cannot be used" if others.unusable else ""
    return FoundTraffic(node=node, found=others.found, error=left_out)
