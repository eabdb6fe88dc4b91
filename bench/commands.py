"""What a person waits for: daemun's commands, a daemun that was killed, and names that are added while it runs."""

import asyncio
import collections.abc
import os
import signal
import subprocess
import time

import httpx

from bench import estate, figures, visits

HOST = "commanded.test"
COMMANDS = {
    "`daemun add`": ("add", HOST, "http://127.0.0.1:9"),
    "`daemun disable`": ("disable", HOST),
    "`daemun enable`": ("enable", HOST),
    "`daemun rm`": ("rm", HOST),
    "`daemun check`": ("check",),
    "`daemun doctor`": ("doctor",),
    "`daemun status`": ("status",),
}
"""In this order: the first ones are edits of one site."""
EDITS = frozenset(list(COMMANDS)[:4])
RESTART = "killed and started, until `status --alive` is"
NAME = "a name on demand is added"
_AT_ONCE = 16
_LONGEST_S = 120.0

Add = collections.abc.Callable[[str, float], None]


def measure(one: estate.Estate, *, on_demand: str, names: int, add: Add) -> None:
    """on_demand: the site that takes names, which comes here: it would answer for new sites before they are live.
    add: what was measured, and its figure: seconds, for a name on demand milliseconds. Raises: visits.NeverError."""
    for what, arguments in COMMANDS.items():
        add(what, _time(one, *arguments))
    one.plots.on_demand = on_demand
    one.write()
    one.until(on_demand, str(one.plots.own_port), within_s=_LONGEST_S)
    began_s = time.monotonic()
    asyncio.run(_add_names(one, names))
    add(NAME, 1000 * (time.monotonic() - began_s) / names)
    add(RESTART, _restart(one))


def _restart(one: estate.Estate) -> float:
    """Kill daemun, and start it again; nginx goes on. Returns: seconds until `status` tells that daemun serves."""
    os.kill(one.pid, signal.SIGKILL)
    began_s = time.monotonic()
    with (one.folder / "again.log").open("wb") as log:
        again = subprocess.Popen(one.command("up"), stdout=log, stderr=log)
    try:
        while time.monotonic() < began_s + _LONGEST_S:
            said = subprocess.run(one.command("status", "--alive"), capture_output=True, check=False)
            if said.returncode == 0:
                return time.monotonic() - began_s
        raise visits.NeverError(f"daemun was not there again within {_LONGEST_S:g} s")
    finally:
        again.terminate()
        again.wait()


def _time(one: estate.Estate, *arguments: str) -> float:
    """Seconds that a command takes. What it exits with is not looked at: servers are away here."""
    began_s = time.monotonic()
    try:
        subprocess.run(one.command(*arguments), capture_output=True, timeout=_LONGEST_S, env=os.environ, check=False)
    except subprocess.TimeoutExpired as error:
        raise visits.NeverError(f"`daemun {' '.join(arguments)}` took longer than {_LONGEST_S:g} s") from error
    return time.monotonic() - began_s


async def _add_names(one: estate.Estate, names: int) -> None:
    transport = httpx.AsyncHTTPTransport(uds=str(one.control_socket))
    async with httpx.AsyncClient(transport=transport, base_url="http://daemun", timeout=_LONGEST_S) as client:
        at_once = asyncio.Semaphore(_AT_ONCE)

        async def add(number: int) -> None:
            async with at_once:
                answer = await client.post("/domains", json={"host": f"name-{number:05}.test"})
                if answer.status_code != 201:
                    raise visits.NeverError(f"a name was refused: {answer.text[:200]}")

        await asyncio.gather(*map(add, range(names)))


def rows(
    extents: collections.abc.Sequence[str], series: collections.abc.Callable[[str], figures.Series]
) -> collections.abc.Iterator[figures.Row]:
    """The targets are those of ten thousand sites."""
    many = "10,000 sites"
    targets = {**dict.fromkeys(EDITS, 1.2), "`daemun check`": 3.0, "`daemun doctor`": 3.0, RESTART: 4.0}
    for what in (*COMMANDS, RESTART):
        target = targets.get(what)
        yield figures.Row(
            what=what,
            unit="s",
            series=series(what),
            targets=(figures.Target(most=target, subject=many),) if target is not None and many in extents else (),
        )
    yield figures.Row(
        what=NAME,
        unit="ms",
        series=series(NAME),
        targets=(figures.Target(most=6, subject=many),) if many in extents else (),
    )
