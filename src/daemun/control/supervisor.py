"""The owner of every background task: each has a name, is started again when it fails, and ends with the daemon."""

import asyncio
import collections.abc

import structlog

from daemun.errors import DaemunError

log: structlog.stdlib.BoundLogger = structlog.get_logger()

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0


class Supervisor:
    """Runs named background tasks, restarts those that fail and cancels all at the end. Not thread-safe: one per event
    loop."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._runs: dict[str, collections.abc.Callable[[], collections.abc.Coroutine[None, None, None]]] = {}

    def start(self, name: str, run: collections.abc.Callable[[], collections.abc.Coroutine[None, None, None]]) -> None:
        """Run `run()` until `stop`. When it raises, or returns, it is run again after a pause that doubles up to 30 s.

        Raises: ValueError when a task of that name exists.
        """
        if name in self._tasks:
            raise ValueError(f"cannot start task {name!r}: it runs already")
        self._runs[name] = run
        self._tasks[name] = asyncio.create_task(self._keep_running(name, run), name=name)

    async def restart(self, name: str) -> None:
        """End a task as `stop` does, and start it again. Raises: KeyError when there is none of that name."""
        task, run = self._tasks[name], self._runs[name]
        task.cancel()
        await asyncio.wait([task])
        self._tasks[name] = asyncio.create_task(self._keep_running(name, run), name=name)

    async def stop(self) -> None:
        """Cancel every task, the last one started first, and wait for each."""
        while self._tasks:
            _, task = self._tasks.popitem()
            task.cancel()
            # Not `await task`: that would take the end of the caller for that of the task, and go on.
            await asyncio.wait([task])

    async def _keep_running(
        self, name: str, run: collections.abc.Callable[[], collections.abc.Coroutine[None, None, None]]
    ) -> None:
        pause_s = FIRST_PAUSE_S
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            failure = await _run(name, run)
            if _is_cancelled():
                # Its end failed, or it swallowed its cancellation: it ends all the same.
                log.warning("a background task did not end well", task=name, error=str(failure or "cancelled in vain"))
                return
            _log(name, failure)
            # What ran well for a while and then failed is a new failure, not one more of the same.
            if loop.time() - started > LONGEST_PAUSE_S:
                pause_s = FIRST_PAUSE_S
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)


async def _run(
    name: str, run: collections.abc.Callable[[], collections.abc.Coroutine[None, None, None]]
) -> BaseException | None:
    """In a task of its own, which is cancelled with this one: before Python 3.13 a task group whose tasks failed leaves
    its task as one that is to be cancelled (github.com/python/cpython/issues/116720), and that is no stop."""
    try:
        await asyncio.create_task(run(), name=name)
    except Exception as error:  # whatever it is, the others go on
        return error
    except asyncio.CancelledError as error:
        if _is_cancelled():
            raise
        return error  # it awaited what was cancelled
    return None


def _log(name: str, failure: BaseException | None) -> None:
    if failure is None:
        log.warning("a background task ended and is started again", task=name)
    elif isinstance(failure, DaemunError):
        # Meant for a person: a trace would add nothing.
        log.error("a background task failed and is started again", task=name, error=str(failure))
    else:
        cause = str(failure) or type(failure).__name__
        log.error("a background task failed and is started again", task=name, error=cause, exc_info=failure)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
