"""Waiting for what a real program does in its own time, in tests without an event loop."""

import collections.abc
import time


def true(is_reached: collections.abc.Callable[[], bool], *, timeout_s: float = 60.0) -> None:
    """Raises: AssertionError when it is not so in time."""
    deadline = time.monotonic() + timeout_s
    while not is_reached():
        assert time.monotonic() < deadline, f"not reached within {timeout_s} s"
        time.sleep(0.02)
