"""Runs blocking work in a daemon thread, so that the process can end before it is done, other than with
`asyncio.to_thread`.

An order can hang in the network for half a minute; after a SIGKILL it would be continued anyway, so the end of the
process need not wait for it.
"""

import asyncio
import collections.abc
import contextlib
import threading
import typing

_Result = typing.TypeVar("_Result")


async def run(work: collections.abc.Callable[[], _Result], *, name: str) -> _Result:
    """What `work` returns or raises. Cancelled: the thread goes on alone and its outcome is dropped."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[_Result] = loop.create_future()

    def finish(result: _Result | None, error: Exception | None) -> None:
        if outcome.done():
            return
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(typing.cast("_Result", result))

    def body() -> None:
        result, error = None, None
        try:
            result = work()
        except Exception as raised:  # handed on, whatever it is
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: no task waits any more
            loop.call_soon_threadsafe(finish, result, error)

    threading.Thread(target=body, name=name, daemon=True).start()
    return await outcome
