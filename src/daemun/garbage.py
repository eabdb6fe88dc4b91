"""When Python looks for dead objects that refer to each other, and what becomes of the room that they leave.

All that is imported lives until the end: a tenth of a start went into looking for garbage in it. Later on garbage has
to be found soon, because little of it can hold much: a TLS context has half a megabyte outside of Python's memory.
"""

import contextlib
import gc

_USUAL = gc.get_threshold()
_SELDOM = 50_000


def seek_seldom() -> None:
    """While modules are imported, and in programs that end soon."""
    gc.set_threshold(_SELDOM)


def seek() -> None:
    """In a program that stays; not among what there is already."""
    gc.freeze()
    gc.set_threshold(*_USUAL)


def give_back() -> None:
    """Let the system have what the C library keeps for later (malloc_trim(3)): a start needs more than the time after
    it. Only glibc keeps so much that it has a function for that."""
    import ctypes  # noqa: PLC0415 - no command needs it

    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
