"""Pauses for background tasks that check something periodically and tolerate a quarter of the pause more or less.

Each ends at a tick that all of them share, so that a daemon at rest wakes a few times a second and not for each of
them: to wake up costs more than most of what is looked at.
"""

import asyncio
import math


def find_end(now_s: float, pause_s: float) -> float:
    """When a pause ends that begins now: the multiple of a power of two, at most half the pause, that is the nearest to
    its end. Multiples of longer ticks are multiples of shorter ones. pause_s: more than 0. Pure."""
    tick_s = 2.0 ** math.floor(math.log2(pause_s / 2))
    return round((now_s + pause_s) / tick_s) * tick_s


async def sleep(pause_s: float) -> None:
    """Not at all for 0."""
    if pause_s <= 0:
        await asyncio.sleep(0)
        return
    now_s = asyncio.get_running_loop().time()
    await asyncio.sleep(find_end(now_s, pause_s) - now_s)


def timeout(pause_s: float) -> asyncio.Timeout:
    """As asyncio.timeout, for who waits for something meanwhile. pause_s: more than 0."""
    return asyncio.timeout_at(find_end(asyncio.get_running_loop().time(), pause_s))
