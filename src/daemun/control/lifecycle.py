"""The life of the daemon: the first round, the background tasks, the signals, the end."""

import asyncio
import collections.abc
import signal

import structlog

from daemun.control import gate, nginx_port, ports, round_reports, supervisor
from daemun.core.worker_generations import Urgency
from daemun.errors import DaemunError

log: structlog.stdlib.BoundLogger = structlog.get_logger()

Check = collections.abc.Callable[[], collections.abc.Awaitable[bool]]
Task = collections.abc.Callable[[], collections.abc.Coroutine[None, None, None]]
Restart = collections.abc.Callable[[str], collections.abc.Awaitable[None]]

STOP_GRACE_S = 8.0
"""How long open requests may take to finish once the daemon is to stop. `docker stop` kills after 10 s."""


class StartError(DaemunError):
    """The first round failed and nothing is served. The reason was logged as a problem of that round."""


async def live(
    *,
    front: gate.Gate,
    sources: collections.abc.Sequence[ports.Source],
    proxy: nginx_port.ReverseProxy,
    is_serving: Check,
    wait_until_gone: Task,
    tasks: collections.abc.Mapping[str, Task],
    guard_state: collections.abc.Callable[[Restart], collections.abc.Coroutine[None, None, None]],
    on_rotate: collections.abc.Callable[[], None],
    announce: collections.abc.Callable[[gate.Gate], collections.abc.Awaitable[None]],
) -> None:
    """Run until SIGTERM, SIGINT or `Gate.request_stop`.

    is_serving: whether nginx runs. wait_until_gone: returns when it does not run (any more).
    tasks: run until the end, by name. guard_state: never returns; is given what starts one of them again.
    on_rotate: called on SIGUSR1.
    announce: called once, after the first round. Raises: StartError.
    """
    owner = supervisor.Supervisor()
    _listen_to_signals(front, on_rotate)
    # Watching starts before the first reading, so that no change falls between the two.
    for source in sources:
        owner.start(f"watch {source.name}", _bind(front.watch, source))
    for name, run in tasks.items():
        owner.start(name, run)
    try:
        first = await front.apply(Urgency.NEEDED)
        # An nginx that this round started and that is gone again by now is the watchdog's, like one that goes later.
        if not (first.reloaded or await is_serving()):
            raise StartError("cannot start: nothing could be served; the reason is in the line before this one")
        owner.start("reconcile", front.run)
        owner.start("state directory", lambda: guard_state(owner.restart))
        owner.start("watchdog", lambda: _watch_nginx(front, wait_until_gone))
        await announce(front)
        await front.stopping.wait()
    finally:
        await owner.stop()
    if front.keep_traffic:
        log.info("stopped; nginx goes on serving and the next `daemun up` adopts it")
        return
    await proxy.stop(grace_s=STOP_GRACE_S)
    log.info("stopped")


def _listen_to_signals(front: gate.Gate, on_rotate: collections.abc.Callable[[], None]) -> None:
    """Handlers only set events; the work is done by the tasks."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: front.request_stop(keep_traffic=False))
    loop.add_signal_handler(signal.SIGHUP, front.look_again)
    loop.add_signal_handler(signal.SIGUSR1, on_rotate)


async def _watch_nginx(front: gate.Gate, wait_until_gone: Task) -> None:
    """Start nginx again when it is gone; when that fails, the loop goes on trying."""
    pause_s = 0.0
    while True:
        await wait_until_gone()
        log.error("nginx is not running; it is started again")
        await asyncio.sleep(pause_s)
        report = await front.apply(Urgency.NEEDED)
        pause_s = 0.0 if report.ok else round_reports.RETRY_S


def _bind(
    watch: collections.abc.Callable[[ports.Source], collections.abc.Coroutine[None, None, None]], source: ports.Source
) -> Task:
    return lambda: watch(source)
