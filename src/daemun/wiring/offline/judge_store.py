"""What the judge knows of the store, for commands that change it without a daemon: users and tokens."""

import asyncio
import collections.abc
import contextlib
import typing

from daemun.control import ports
from daemun.core import layout
from daemun.errors import EnvironmentProblemError, NotFoundInStoreError
from daemun.judge import judge_process

T = typing.TypeVar("T")


def read(
    store: ports.Store, key: str, decode: collections.abc.Callable[[bytes], tuple[T, ...]], *, what: str, again: str
) -> tuple[T, ...]:
    """All of them; none where there is no such key. what: in the plural. again: how they are made once more.

    Raises: EnvironmentProblemError when the content cannot be used.
    """
    try:
        return decode(store.read(key))
    except NotFoundInStoreError:
        return ()
    except (ValueError, LookupError, TypeError, AttributeError):
        raise EnvironmentProblemError(
            f"cannot read the {what}: {store.locate(key)} is damaged; put back a copy, or delete it and {again}"
        ) from None


def send(paths: layout.Layout, path: str, content: bytes) -> None:
    """To the judge that runs, as a daemon does, too. path: of its API. Without a judge, no visitor comes in by them."""
    asyncio.run(_send(paths, path, content))


async def _send(paths: layout.Layout, path: str, content: bytes) -> None:
    if await asyncio.to_thread(judge_process.find_left, paths) is not None:
        with contextlib.suppress(EnvironmentProblemError):
            await judge_process.request(paths, "PUT", path, content)
