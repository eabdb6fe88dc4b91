"""The record of an upgrade of the nginx binary under way, written before it begins: when daemun is killed in the
middle, the next one completes or undoes it (`takeover.settle`)."""

import contextlib
import dataclasses
import json
import os
import pathlib

from daemun import durable, regular_files
from daemun.core import layout


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """pid, started: of the master that is taken over from (`kernel_processes.read_start`).

    number: of the generation that the new master runs. current, program: where the two links led before; None: there
    was none.
    """

    pid: int
    started: int
    number: int
    current: str | None
    program: str | None


def write(paths: layout.Layout, takeover: Takeover) -> None:
    """It is on the disk when this returns: after a power cut `current` must not name a tree that only the new binary
    accepts. Blocking. Raises: OSError."""
    path = pathlib.Path(paths.nginx_takeover)
    draft = path.with_suffix(".takeover-new")
    with draft.open("w", encoding="ascii") as file:
        json.dump(dataclasses.asdict(takeover), file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    durable.sync_directory(path.parent)


def read(paths: layout.Layout) -> Takeover | None:
    """None: none was under way, or what is written of it is damaged. Blocking."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(regular_files.read(paths.nginx_takeover))
        return Takeover(
            pid=int(kept["pid"]),
            started=int(kept["started"]),
            number=int(kept["number"]),
            current=None if kept["current"] is None else str(kept["current"]),
            program=None if kept["program"] is None else str(kept["program"]),
        )
    return None


def remove(paths: layout.Layout) -> None:
    """Blocking. One that cannot be removed is of processes that are gone, so nothing follows from it."""
    with contextlib.suppress(OSError):
        pathlib.Path(paths.nginx_takeover).unlink(missing_ok=True)
