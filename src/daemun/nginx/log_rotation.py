"""Rotation of nginx's logs by size: rename, then let nginx open new files. No line is lost: until nginx opens the
new file it goes on writing into the renamed one."""

import collections.abc
import os
import pathlib
import re

from daemun.core import layout
from daemun.core.options import logs_option
from daemun.nginx import error_diagnosis

NAMES = ("access.log", "error.log")

Move = tuple[str, str | None]
"""Old name and new name; no new name: removed."""


def is_due(name: str, size_bytes: int | None, logs: logs_option.Logs) -> bool:
    """Whether nginx has to open a log anew: it is too large, or was renamed before daemun ended. Pure.

    size_bytes: None when there is no such file.
    """
    if size_bytes is None:
        return logs.access or name != "access.log"
    return size_bytes > logs.max_bytes


def plan_moves(name: str, existing: collections.abc.Collection[str], keep: int) -> tuple[Move, ...]:
    """The renames that make room for a new log, in their order: the oldest first. Pure."""
    numbered = re.compile(re.escape(name) + r"\.([1-9][0-9]*)")
    found = (numbered.fullmatch(entry) for entry in existing)
    numbers = sorted((int(match[1]) for match in found if match), reverse=True)
    moves: list[Move] = [(f"{name}.{n}", f"{name}.{n + 1}" if n < keep else None) for n in numbers]
    if name in existing:
        moves.append((name, f"{name}.1" if keep else None))
    return tuple(moves)


def rotate(paths: layout.Layout, logs: logs_option.Logs) -> bool:
    """Rename the logs that are due. Blocking.

    Returns: whether nginx must open its logs anew. Raises: EnvironmentProblemError.
    """
    folder = pathlib.Path(paths.logs)
    due = False
    try:
        existing = {entry.name: entry.stat().st_size for entry in os.scandir(folder) if entry.is_file()}
        for name in NAMES:
            if not is_due(name, existing.get(name), logs):
                continue
            due = True
            if name not in existing:
                continue  # renamed already, only nginx did not open its logs anew
            for old, new in plan_moves(name, existing, logs.keep):
                if new is None:
                    (folder / old).unlink()
                else:
                    (folder / old).rename(folder / new)
    except OSError as error:
        raise error_diagnosis.os_problem(f"rotate the logs in {folder}", error) from error
    return due
