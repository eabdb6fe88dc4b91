"""What a file is to hold when a change of it is undone, though others may have changed it meanwhile. Pure."""

import dataclasses

from daemun.sources import line_merge, yaml_holder


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WayOfFile:
    """content: None: the file goes. loses_others: what others wrote is not in it."""

    content: bytes | None
    loses_others: bool = False


def find(before: bytes | None, written: bytes, now: bytes | None) -> WayOfFile:
    """before: what it held; None: there was none. written: what the change wrote. now: None: there is none."""
    if now in (written, before, None):
        return WayOfFile(content=before)
    merged = None if before is None else line_merge.merge(written, before, now)
    if merged is None or yaml_holder.find_hosts(merged) is None:
        return WayOfFile(content=before, loses_others=True)
    return WayOfFile(content=merged)
