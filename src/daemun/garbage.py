"""When Python looks for dead objects that refer to each other, and what becomes of the room that they leave.

All that is imported lives until the end: a tenth of a start went into looking for garbage in it. Later on garbage has
to be found soon, because little of it can hold much: a TLS context has half a megabyte outside of Python's memory. But
not while a request waits: to look at all that is known of ten thousand sites takes a quarter of a second.
"""

import collections.abc
import contextlib
import gc

LONGEST_S = 5.0
"""For so long none is sought at most: what takes longer waits for something, and others work meanwhile."""

_DEFAULT = gc.get_threshold()
_SELDOM = 50_000
_M_ARENA_MAX = -8


def seek_seldom() -> None:
    """While modules are imported, and in programs that end soon."""
    gc.set_threshold(_SELDOM)


def seek() -> None:
    """In a program that stays; not among what there is already."""
    spare()
    gc.set_threshold(*_DEFAULT)


def give_back(*, seek_first: bool = False) -> None:
    """Let the system have what the C library keeps for later (malloc_trim(3)): a start needs more than the time after
    it. Only glibc keeps so much that it has a function for that. seek_first: garbage, too, which takes its time."""
    import ctypes  # noqa: PLC0415 - no command needs it

    if seek_first:
        gc.collect()
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def share_heap() -> None:
    """Let all threads have memory of one heap (mallopt(3), M_ARENA_MAX), before there are any. glibc makes one for each
    of the first sixteen, and what a thread needed once stays free in its own: 5 MB of a daemon whose dashboard was
    looked at. Nothing waits for it: of Python's threads one runs at a time."""
    import ctypes  # noqa: PLC0415 - no command needs it

    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def spare() -> None:
    """Seek no more among what there is now: much was made that stays."""
    gc.freeze()


@contextlib.contextmanager
def unsought() -> collections.abc.Iterator[None]:
    """None is sought while the block runs, in no thread, nor LONGEST_S after it began. In a running event
    loop; of blocks that overlap the first one counts."""
    import asyncio  # noqa: PLC0415 - only who has an event loop loads it

    if not gc.isenabled():  # by a block that is under way
        yield
        return
    late = asyncio.get_running_loop().call_later(LONGEST_S, gc.enable)
    gc.disable()
    try:
        yield
    finally:
        late.cancel()
        gc.enable()
