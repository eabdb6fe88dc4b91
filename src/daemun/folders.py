"""Notice that something happens in folders. The kernel has events for it (inotify(7)), so waiting costs nothing."""

import asyncio
import collections.abc
import contextlib
import pathlib

import asyncinotify
import structlog

from daemun import ticks

log: structlog.stdlib.BoundLogger = structlog.get_logger()

AT_MOST_EVERY_S = 0.01
"""Changes are reported at once, but those of a busy folder no more often: an editor that writes another file beside and
renames is reported as soon as that. What must not act on each of many waits itself (`control.gate.QUIET_S`)."""
LOOK_AGAIN_S = 5.0
"""How often a change is reported without an event: network file systems, and mounts of single files, have none."""

_DRAIN_S = 0.001

# A file that is being written is reported when its writer closes it: what it holds before is not meant to be read.
_EVENTS = (
    asyncinotify.Mask.CLOSE_WRITE
    | asyncinotify.Mask.MOVE
    | asyncinotify.Mask.CREATE
    | asyncinotify.Mask.DELETE
    | asyncinotify.Mask.ATTRIB
    | asyncinotify.Mask.DELETE_SELF
    | asyncinotify.Mask.MOVE_SELF
    | asyncinotify.Mask.ONLYDIR
)

Find = collections.abc.Callable[[], collections.abc.Iterable[pathlib.Path]]


async def watch(
    find: Find, *, look_again_s: float = LOOK_AGAIN_S, is_blocking: bool = False
) -> collections.abc.AsyncGenerator[None, None]:
    """Yields at once, then each time something may have happened. Never ends; close it (`contextlib.aclosing`).

    find: the folders to watch, called before each yield; what is in a folder that it returns then is not missed. One
    that is not there, or cannot be watched, is looked at every look_again_s. is_blocking: `find` needs a thread.
    """
    with contextlib.ExitStack() as stack:
        notices = _open(stack, look_again_s)
        while notices is not None:
            for folder in await asyncio.to_thread(find) if is_blocking else find():
                with contextlib.suppress(OSError):  # gone meanwhile, or one too many for this account
                    notices.add_watch(folder, _EVENTS)  # twice is once, for the kernel
            yield
            await _wait(notices, look_again_s, noticed_at_s=asyncio.get_running_loop().time())
    while True:
        yield
        await asyncio.sleep(look_again_s)


def _open(stack: contextlib.ExitStack, look_again_s: float) -> asyncinotify.Inotify | None:
    """None: the kernel has none to give (fs.inotify.max_user_instances), or a sandbox has no inotify."""
    try:
        return stack.enter_context(asyncinotify.Inotify())
    except OSError as error:
        log.warning(
            f"changes of files are noticed within {look_again_s:g} s only: the kernel does not tell of them",
            reason=error.strerror or str(error),
        )
        return None


async def _wait(notices: asyncinotify.Inotify, look_again_s: float, *, noticed_at_s: float) -> None:
    """Until something happened since noticed_at_s. What is known by then is one."""
    with contextlib.suppress(TimeoutError):
        async with ticks.timeout(look_again_s):
            await notices.get()
        await asyncio.sleep(noticed_at_s + AT_MOST_EVERY_S - asyncio.get_running_loop().time())
        async with asyncio.timeout(_DRAIN_S):
            while True:
                await notices.get()
                await asyncio.sleep(0)
