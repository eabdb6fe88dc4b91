"""A daemun whose site has as many names on demand as it may: its start, and how quickly it answers then."""

import collections.abc
import datetime
import json
import pathlib
import subprocess
import time

from bench import answering, estate, figures, plan
from daemun.certs.served import live_folder, local_ca
from daemun.core import layout
from daemun.store import file_store

FULL, QUICK = (1_000, 100_000), (100,)
_SITE, _ON_DEMAND = "site.test", "on-demand.test"
_LONGEST_S = 120.0
_TOGETHER = 100
"""Names of one certificate: as many of their own would take longer to make than all that is measured."""
STARTED = "`daemun up` with names on demand, until the last one is served and `status` answers"
ANSWERED = "`daemun status` then"
_MEMORY = "memory of the daemon then"

Add = collections.abc.Callable[[str, str, float], None]


def measure(given: plan.Plan, add: Add) -> None:
    """add: what was measured, with how many names, and its figure. Raises: visits.NeverError."""
    for count in QUICK if given.quick else FULL:
        folder = given.folder / f"added-{count}"
        folder.mkdir(mode=0o755)
        with answering.running(folder) as behind:
            targets = {_SITE: behind.first}
            one = estate.Estate(folder, estate.Plots(targets=targets, on_demand=_ON_DEMAND))
            with one.up(within_s=_LONGEST_S):
                pass  # the folders are made, with the rights that they have here
            last = _add(folder / "s", count)
            began_s = time.monotonic()
            with one.up(within_s=_LONGEST_S):
                one.until(last, str(behind.first), within_s=_LONGEST_S)
                _ask(one, "--alive")
                add(STARTED, name_of(count), time.monotonic() - began_s)
                plan.tell(f"{name_of(count)}: up after {time.monotonic() - began_s:.2f} s")
                began_s = time.monotonic()
                _ask(one)
                add(ANSWERED, name_of(count), time.monotonic() - began_s)
                add(_MEMORY, name_of(count), one.daemon_mb)


def name_of(count: int) -> str:
    return f"{count:,} names"


def _ask(one: estate.Estate, *arguments: str) -> None:
    subprocess.run(one.command("status", *arguments), capture_output=True, check=False, timeout=_LONGEST_S)


def _add(state: pathlib.Path, count: int) -> str:
    """As if so many names had been added while a daemon ran. Returns: the last of them."""
    paths = layout.Layout(str(state))
    live, group = pathlib.Path(paths.live), pathlib.Path(paths.live).stat()
    worker_gid = group.st_gid if group.st_mode & 0o010 else None
    now = datetime.datetime.now(datetime.UTC)
    ca = local_ca.load_or_create(file_store.FileStore(pathlib.Path(paths.store)), now)
    hosts = [f"name-{number:06}.test" for number in range(count)]
    for start in range(0, count, _TOGETHER):
        several = hosts[start : start + _TOGETHER]
        live_folder.share(live, several, ca.issue(several, now), worker_gid=worker_gid)
    domains = pathlib.Path(paths.store) / "domains"
    domains.mkdir(mode=0o700, exist_ok=True)
    for host in hosts:
        (domains / f"{host}.json").write_text(json.dumps({"host": host, "added_at": now.isoformat()}))
    return hosts[-1]


def rows(series: collections.abc.Callable[[str], figures.Series]) -> collections.abc.Iterator[figures.Row]:
    """series: of what was measured, by how many names."""
    most = name_of(FULL[-1])
    for what, unit, target in ((STARTED, "s", 30.0), (ANSWERED, "s", 1.0), (_MEMORY, "MB", None)):
        found = series(what)
        is_judged = target is not None and most in found
        targets = (figures.Target(most=target, subject=most),) if is_judged and target is not None else ()
        yield figures.Row(what=what, unit=unit, series=found, targets=targets)
