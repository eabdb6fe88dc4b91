"""What all nodes of a fleet counted of requests, by hour: each stores its own, and reads the others' for a report.

It is in the database alone: no node copies what a hundred others count all the time. Blocking.
"""

import asyncio
import collections.abc
import dataclasses
import math
import re
import time
import uuid

import structlog

from daemun import errors
from daemun.control import ports, stored_values
from daemun.core.traffic import traffic_sums
from daemun.fleet import node_traffic

log: structlog.stdlib.BoundLogger = structlog.get_logger()

EVERY_S = 60.0
_EACH_S = 3.0
"""So much longer with each node: together they write no more than once in this time."""
LOOK_S = 10.0
"""Between looks for something to store, while nothing is: the first numbers come soon after a start, and what failed is
tried again."""
_DUTY = 100
"""A look takes no more of the time than one part in so many."""
_AT_ONCE = 50
_KEY = "node/traffic"
"""On each machine alone: its id among those that count, and the newest hour that it stored."""
_KNOWN = re.compile(r"([0-9a-f]{32}) ([0-9]{1,9})")

ReadHour = collections.abc.Callable[[int], node_traffic.Found]
"""What this machine counted in the hour that begins then, in seconds since the epoch. Blocking. Raises:
EnvironmentProblemError."""


class TrafficSharer:
    """shared: what all have, without a copy. own: of this machine. find_living: the names of the nodes that are heard
    of. read_shared_clock_s: the database's time, in seconds since the epoch, by which old hours go: that of a machine
    may be wrong. Both raise EnvironmentProblemError."""

    def __init__(
        self,
        shared: ports.Store,
        own: ports.Store,
        node: str,
        *,
        read_hour: ReadHour,
        find_living: collections.abc.Callable[[], collections.abc.Set[str]],
        read_shared_clock_s: collections.abc.Callable[[], float],
        clock: ports.Clock,
    ) -> None:
        self._shared = shared
        self._own = own
        self._node = node
        self._read_hour = read_hour
        self._find_living = find_living
        self._read_shared_clock_s = read_shared_clock_s
        self._clock = clock
        self._stored: dict[int, bytes] = {}

    async def run(self) -> None:
        """Never returns."""
        while True:
            began_s = time.monotonic()
            soonest_s = LOOK_S
            try:
                if await asyncio.to_thread(self.step):
                    soonest_s = EVERY_S
                    living = await asyncio.to_thread(self._find_living)
                    soonest_s = max(EVERY_S, _EACH_S * len(living))
            except (errors.DaemunError, ValueError) as error:
                log.debug("what was counted is not stored for the other nodes yet", reason=str(error))
            await asyncio.sleep(max(soonest_s, _DUTY * (time.monotonic() - began_s)))

    def step(self) -> bool:
        """Store what was counted since the last time. Returns: whether anything was.

        Raises: DaemunError; ValueError: rows that others wrote are in the way."""
        now = int(self._clock.now().timestamp()) // node_traffic.HOUR_S
        oldest = now - node_traffic.KEPT_HOURS + 1
        machine, newest = _read_known(self._own) or (uuid.uuid4().hex, 0)
        if not newest:
            self._own.write(_KEY, f"{machine} 0".encode())  # before any hour has it in its key
        is_stored = False
        # The last half minute of an hour is counted when the next one has begun.
        for hour in range(max(oldest, min(newest, now) - 1), now + 1):
            found = self._read_hour(hour * node_traffic.HOUR_S)
            if not found:
                continue
            value = node_traffic.encode(self._node, hour, found)
            if value != self._stored.get(hour):
                self._shared.write(node_traffic.key(machine, hour), value)
                self._stored = {one: known for one, known in self._stored.items() if one >= now - 1} | {hour: value}
                is_stored = True
        if newest != now:
            if self._node == min(self._find_living(), default=self._node):
                self._drop()
            self._own.write(_KEY, f"{machine} {now}".encode())
        return is_stored

    def _drop(self) -> None:
        """Old hours of all nodes, also of those that left, and what a clock that was days ahead wrote."""
        now = int(self._read_shared_clock_s()) // node_traffic.HOUR_S
        kept = range(now - node_traffic.KEPT_HOURS + 1, now + node_traffic.KEPT_HOURS)
        old = [key for key in self._shared.list(node_traffic.PREFIX) if node_traffic.parse_key(key)[1] not in kept]
        for begin in range(0, len(old), _AT_ONCE):
            self._shared.commit([stored_values.KeyChange(key=key, value=None) for key in old[begin : begin + _AT_ONCE]])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReadHours:
    """found: by the names of nodes, each series once. unusable: so many hours of nodes could not be used. since_hour:
    the first hour of which all was read; of the one before, some nodes' may be among it."""

    found: dict[str, node_traffic.Found] = dataclasses.field(default_factory=dict)
    unusable: int = 0
    since_hour: int = 0


def read_others(shared: ports.Store, own: ports.Store, since_s: float, now_s: float) -> ReadHours:
    """What the other nodes counted in the hours since then, in none more than `KEPT_HOURS` ago, and what machines that
    left counted there. Raises: EnvironmentProblemError."""
    known = _read_known(own)
    return _read(shared, _hours(since_s, now_s), but="" if known is None else known[0])


def read_all(shared: ports.Store, since_s: float, now_s: float, *, site: str | None, most_s: float) -> ReadHours:
    """As `read_others`, with what this node stored itself. site: of that one alone. most_s: after so many seconds what
    is older is left out. Raises: EnvironmentProblemError."""
    return _read(shared, _hours(since_s, now_s), site=site, most_s=most_s)


def _hours(since_s: float, now_s: float) -> range:
    """With the next one: a machine's clock may be ahead."""
    now = int(now_s) // node_traffic.HOUR_S
    return range(max(int(since_s) // node_traffic.HOUR_S, now - node_traffic.KEPT_HOURS + 1), now + 2)


def _read(
    shared: ports.Store, hours: range, *, but: str = "", site: str | None = None, most_s: float = math.inf
) -> ReadHours:
    """The newest first. but: the id of a machine."""
    places = ((node_traffic.parse_key(one), one) for one in shared.list(node_traffic.PREFIX))
    found = [(hour, key) for (machine, hour), key in places if hour in hours and machine != but]
    wanted = [key for _, key in sorted(found, reverse=True)]
    sums: dict[str, dict[traffic_sums.Series, traffic_sums.Sums]] = {}
    unusable, since_hour = 0, hours.start
    began_s = time.monotonic()
    for begin in range(0, len(wanted), _AT_ONCE):
        if time.monotonic() - began_s > most_s:
            since_hour = node_traffic.parse_key(wanted[begin])[1] + 1
            break
        read = shared.read_many(wanted[begin : begin + _AT_ONCE])
        unusable += len(read.unreadable)
        for key, one in read.found.items():
            try:
                counted = node_traffic.decode(one.value, site)
            except ValueError:
                unusable += 1
                continue
            if counted.hour != node_traffic.parse_key(key)[1]:
                unusable += 1
                continue
            of_node = sums.setdefault(counted.node, {})
            for series, part in counted.sums:
                of_node.setdefault(series, traffic_sums.Sums()).add(part)
    by_node = {node: tuple(of_node.items()) for node, of_node in sums.items()}
    return ReadHours(found=by_node, unusable=unusable, since_hour=since_hour)


def _read_known(own: ports.Store) -> tuple[str, int] | None:
    """This machine's id, and the newest hour that it stored. None: it never did. Raises: EnvironmentProblemError."""
    try:
        match = _KNOWN.fullmatch(own.read(_KEY).decode(errors="replace"))
    except errors.NotFoundInStoreError:
        return None
    return None if match is None else (match[1], int(match[2]))
