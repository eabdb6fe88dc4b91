"""What nginx keeps of servers' answers (`core.render.response_cache`), and whether there is room for more."""

import contextlib
import os
import pathlib

from daemun.core import layout

_LEAST_FREE_BYTES = 64 << 20
"""nginx itself removes what it keeps from 256 MB on, which helps as long as it keeps anything."""


def note_room(paths: layout.Layout) -> None:
    """Let nginx keep further answers while there is room for them, and not otherwise. Blocking, microseconds."""
    with contextlib.suppress(OSError):
        found = os.statvfs(paths.state)
        if found.f_bavail * found.f_frsize >= _LEAST_FREE_BYTES:
            descriptor = os.open(paths.answers_room, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            os.fchmod(descriptor, 0o644)  # workers open what they test for (`disable_symlinks`)
            os.close(descriptor)
        else:
            pathlib.Path(paths.answers_room).unlink(missing_ok=True)
