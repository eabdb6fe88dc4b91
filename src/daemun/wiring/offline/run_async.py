"""Lets commands wait for what the daemon does in its loop."""

import asyncio
import collections.abc
import typing

_T = typing.TypeVar("_T")


def run(work: collections.abc.Coroutine[typing.Any, typing.Any, _T]) -> _T:
    """As `asyncio.run`, which for a result of ten thousand sites takes a third of a second longer: when it gives SIGINT
    back, `signal` fails to make a number of the former handler, and the text of that error holds the whole result."""
    found: list[_T] = []

    async def keep() -> None:
        found.append(await work)

    asyncio.run(keep())
    return found[0]
