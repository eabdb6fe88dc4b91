"""Whether daemun itself runs in a container of this engine, and in which."""

import collections.abc
import dataclasses
import pathlib
import re
import socket

from daemun.sources.docker import containers

_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_SHORT_ID = re.compile(r"[0-9a-f]{12,64}\Z")
_MADE_BY_THE_ENGINE = frozenset({"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"})
"""Files that the engine mounts into every container from a folder that is called by the container's id."""
_MOUNT_POINT = 4
"""Which field of a line of mountinfo. Source: proc(5)"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """Texts that identify a container: /proc/self/mountinfo, /proc/self/cgroup, and the host name."""

    mountinfo: str = ""
    cgroup: str = ""
    hostname: str = ""


def read_traces() -> Traces:
    """What cannot be read is empty. Blocking, microseconds."""
    return Traces(
        mountinfo=_read("/proc/self/mountinfo"), cgroup=_read("/proc/self/cgroup"), hostname=socket.gethostname()
    )


def find_own(traces: Traces, found: collections.abc.Collection[containers.EngineContainer]) -> str | None:
    """The id of the container, or of the task, that daemun runs in, of this machine or, as a task, of another one."""
    own_ids = {one.id: one.id for one in found if one.task is None}
    ids = {one.task.container: one.id for one in found if one.task is not None and one.task.container} | own_ids
    own = find_own_id(traces, ids)
    return None if own is None else ids[own]


def find_own_id(traces: Traces, ids: collections.abc.Collection[str]) -> str | None:
    """Which of the engine's containers daemun runs in; None: in none of them. Pure.

    An id in the traces that the engine does not know belongs to another engine, around the one that is queried. The
    host name counts only where it starts an id, as by default: names are a stranger's to choose, ids are not.
    """
    mounts = [line for line in traces.mountinfo.splitlines() if _MADE_BY_THE_ENGINE & set(line.split()[_MOUNT_POINT:5])]
    for text in (*mounts, traces.cgroup):
        for found in _ID.findall(text):
            if found in ids:
                return str(found)
    if not _SHORT_ID.match(traces.hostname):
        return None
    return next((one for one in ids if one.startswith(traces.hostname)), None)


def _read(path: str) -> str:
    try:
        return pathlib.Path(path).read_text(errors="replace")
    except OSError:
        return ""
