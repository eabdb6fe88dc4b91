"""The heartbeat of this node, and what it sees of the others with each.

One request every two seconds writes that this node lives and reads who else does. It has a thread and a connection of
its own: what keeps the others busy must not look like this node's death.
"""

import asyncio
import collections
import collections.abc
import concurrent.futures
import dataclasses
import math
import reprlib
import threading
import time
import uuid

import structlog

from daemun import errors
from daemun.control import damage_report, fleet_port, ports, stored_values
from daemun.core.fleet import node_about, node_states

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_LOOK_S = 1.0
_CLEAN_S = 3600.0
_MARGIN_S = 10.0
"""What others wrote shortly before this node looked may have become visible only after."""
_FRESH_S = 30.0
"""Each node reads the stamps of all others with each heartbeat, and gives its next one a higher stamp."""
_LONGEST_S = 10 * 365 * 86400.0
_LATEST_S = 200 * 365 * 86400.0
_DAMAGE = "fleet, heartbeats"
_SHOWN = 3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Sighting:
    """silent_s: how old its heartbeat was when it was first seen, at_s."""

    listed: fleet_port.ListedNode
    about: node_about.NodeAbout
    at_s: float
    silent_s: float


class NodeKeeper:
    """Implements `control.fleet_port.FleetView`. Of one event loop.

    name: of this node. version: daemun's. describe: what else it says of itself; quick, called on the event loop.
    find_seen: up to which revision of the store it follows. damage: where what is no heartbeat of a node is reported.
    changed: called when a node, or the database, is gone or back.
    """

    def __init__(
        self,
        register: fleet_port.NodeRegister,
        name: str,
        *,
        version: str,
        describe: collections.abc.Callable[[], node_about.NodeAbout],
        find_seen: collections.abc.Callable[[], stored_values.Cursor],
        clock: ports.Clock,
        damage: damage_report.DamageReport,
        changed: collections.abc.Callable[[], None] = lambda: None,
        monotonic_s: collections.abc.Callable[[], float] = time.monotonic,
    ) -> None:
        self._register = register
        self._name = name
        self._describe = describe
        self._find_seen = find_seen
        self._clock = clock
        self._damage = damage
        self._changed = changed
        self._monotonic_s = monotonic_s
        self._process = uuid.uuid4().hex
        self._version = version
        self._seen: dict[str, _Sighting] = {}
        self._began_s = self._answered_s = self._looking_since_s = monotonic_s()
        self._looks = 0
        self._stamp = 0
        self._told: collections.deque[tuple[float, int]] = collections.deque()
        self._has_looked = threading.Event()
        self._epoch: int | None = None
        self._reads_all = True
        self._revisions: collections.deque[tuple[float, int]] = collections.deque()
        self._settled = 0
        self._cause = ""
        self._is_twice = False
        self._cleaned_s = self._began_s
        self._known: tuple[frozenset[str], bool, bool, bool] = (frozenset(), True, False, False)

    def status(self) -> node_states.FleetStatus:
        now_s = self._monotonic_s()
        nodes = [
            node_states.SeenNode(
                name=name,
                silent_s=one.silent_s + now_s - one.at_s,
                beat=one.listed.beat,
                began=one.listed.began,
                seen_revision=one.listed.seen_revision,
                about=one.about,
            )
            for name, one in self._seen.items()
        ]
        if self._name not in self._seen:
            nodes.append(
                node_states.SeenNode(name=self._name, silent_s=0.0, beat=math.inf, began=math.inf, about=self._about())
            )
        database = node_states.SeenDatabase(
            silent_s=now_s - self._answered_s,
            looked_s=self._answered_s - self._looking_since_s,
            cause=self._cause,
            settled_revision=self._settled,
        )
        now = self._clock.now()
        return node_states.judge(self._name, self._version, nodes, database, now, is_twice=self._is_twice)

    def wait_living(self) -> frozenset[str]:
        """As `list_living`, after the first answer of the database. Blocking, so for other threads than the loop's."""
        self._has_looked.wait(node_states.SILENT_S)
        return self.list_living()

    def list_living(self) -> frozenset[str]:
        """The names of all nodes that are not known to be down, this one's among them. Raises: StoreUnreachableError:
        nobody can say."""
        status = self.status()
        if not self._looks or status.unreached_since is not None:
            raise errors.StoreUnreachableError(
                "cannot tell which machines of the fleet live: the fleet's database is not reached; nothing to do, it "
                "is tried again"
            )
        return frozenset(one.name for one in status.nodes if one.state is not node_states.NodeState.DOWN)

    async def run(self) -> None:
        """Beat. Never returns."""
        loop = asyncio.get_running_loop()
        thread = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="heartbeat")
        try:
            while True:
                began_s = self._monotonic_s()
                about = node_about.encode(self._about())
                try:
                    listing = await loop.run_in_executor(thread, self.beat, about)
                    self.note(listing)
                except errors.EnvironmentProblemError as error:
                    self._cause = str(error)
                self.look()
                if self._is_clean_due():
                    await loop.run_in_executor(thread, self._clean)
                took_s = self._monotonic_s() - began_s
                await asyncio.sleep(max(node_states.BEAT_S / 4, node_states.BEAT_S - took_s))
        finally:
            thread.shutdown(wait=False)  # a request that gets no answer ends in seconds, and the loop goes on

    async def watch(self) -> None:
        """Notice in time that no answer comes, while one is waited for. Never returns."""
        while True:
            await asyncio.sleep(_LOOK_S)
            self.look()

    def beat(self, about: str) -> fleet_port.NodeListing:
        """Blocking. Raises: EnvironmentProblemError."""
        gap_s = self._monotonic_s() - self._answered_s + _MARGIN_S
        self._stamp = max(self._stamp + 1, int(self._clock.now().timestamp() * 1000))
        return self._register.beat(
            self._name, about, self._find_seen(), stamp=self._stamp, changed_s=None if self._reads_all else gap_s
        )

    def note(self, listing: fleet_port.NodeListing) -> None:
        """What a heartbeat brought."""
        now_s = self._monotonic_s()
        gap_s = now_s - self._answered_s
        is_gap = self._looks == 0 or gap_s >= node_states.SILENT_S
        if is_gap:
            self._looking_since_s = now_s
        if is_gap or listing.epoch != self._epoch:
            self._revisions.clear()
            self._told.clear()
            self._settled = 0
        is_another = self._epoch is not None and listing.epoch != self._epoch
        self._epoch = listing.epoch
        fresh = self._find_fresh(now_s)
        before = self._seen
        # What somebody wrote over the heartbeat of a node is none: it is silent, and beats again if it lives.
        self._seen = {name: before[name] for name in listing.unproven if name in before}
        self._reads_all = is_another
        for one in listing.nodes:
            known = before.get(one.name)
            if one.about is None and (known is None or known.listed.digest != one.digest):
                self._reads_all = True
                if known is not None:
                    self._seen[one.name] = known
            else:
                self._seen[one.name] = self._sight(one, known, now_s, fresh, most_s=None if is_gap else gap_s)
        self._report(listing.unproven)
        self._stamp = max((self._stamp, *(one.stamp for one in listing.nodes)))
        own = self._seen.get(self._name)
        # The first look finds what the process before wrote.
        self._is_twice = own is not None and self._looks > 0 and own.about.process not in {"", self._process}
        self._answered_s, self._looks, self._cause = now_s, self._looks + 1, ""
        self._has_looked.set()
        self._settle(now_s, listing.revision)

    def _find_fresh(self, now_s: float) -> int:
        """The stamp that every node that lives has read from this one by now, and so goes beyond, whatever its clock
        says: a heartbeat with a lower one was written before, and put back."""
        self._told.append((now_s, self._stamp))
        while len(self._told) > 1 and now_s - self._told[1][0] >= _FRESH_S:
            self._told.popleft()
        told_s, stamp = self._told[0]
        return stamp if now_s - told_s >= _FRESH_S else 0

    def _sight(
        self,
        one: fleet_port.ListedNode,
        before: _Sighting | None,
        now_s: float,
        fresh: int,
        *,
        most_s: float | None,
    ) -> _Sighting:
        """most_s: since the last look, which a heartbeat that is new now cannot be older than, whatever clocks say."""
        if before is not None and one.name != self._name and one.stamp <= max(before.listed.stamp, fresh):
            return before
        about = before.about if one.about is None and before is not None else node_about.parse(one.about or "")
        # Neither time has a proof, and both are shown as dates.
        beat = min(max(one.beat, 0.0), _LATEST_S)
        began = min(max(one.began, beat - _LONGEST_S), beat)
        one = dataclasses.replace(one, beat=beat, began=began)
        silent_s = min(max(one.age_s, 0.0), _LONGEST_S)
        if before is not None and most_s is not None:
            silent_s = min(silent_s, most_s)
        elif one.stamp < fresh:
            silent_s = max(silent_s, node_states.SILENT_S)
        return _Sighting(listed=one, about=about, at_s=now_s, silent_s=silent_s)

    def _report(self, unproven: collections.abc.Collection[str]) -> None:
        if not unproven:
            self._damage.clear(_DAMAGE)
            return
        shown = ", ".join(reprlib.repr(name) for name in sorted(unproven)[:_SHOWN])
        more = f" and {len(unproven) - _SHOWN} more" if len(unproven) > _SHOWN else ""
        self._damage.note(
            _DAMAGE,
            f"cannot use heartbeats in the fleet's database: those of {shown}{more} were not written with a key that "
            "this machine has, and count as no machine; compare the file of `fleet.key` with another machine's, look "
            "who else can write into the database, and remove what is no machine with `daemun fleet leave NAME`",
        )

    def _settle(self, now_s: float, revision: int) -> None:
        self._revisions.append((now_s, revision))
        while self._revisions and now_s - self._revisions[0][0] >= node_states.BEHIND_S:
            self._settled = self._revisions.popleft()[1]

    def look(self) -> None:
        """Log what changed, and call `changed`."""
        status = self.status()
        down = frozenset(one.name for one in status.down)
        is_reached = status.unreached_since is None
        known, was_reached, was_twice, _ = self._known
        if not is_reached:
            down = known  # what is not known is not over
        now = (down, is_reached, status.is_twice, status.is_settled)
        if now == self._known:
            return
        self._known = now
        if was_reached and not is_reached:
            log.warning("the fleet's database is not reached", reason=status.cause or "it does not answer")
        elif is_reached and not was_reached:
            log.info("the fleet's database is reached again")
        for name in sorted(down - known):
            log.warning("a node of the fleet gives no sign of life", node=name)
        for name in sorted(known - down):
            is_there = any(one.name == name for one in status.nodes)
            log.info("a node of the fleet is back" if is_there else "a node left the fleet", node=name)
        if status.is_twice and not was_twice:
            log.warning("another machine is in the fleet by this machine's name", node=self._name)
        self._changed()

    def _about(self) -> node_about.NodeAbout:
        return dataclasses.replace(self._describe(), version=self._version, process=self._process)

    def _is_clean_due(self) -> bool:
        """By the first node that lives, so that not all of them do."""
        status = self.status()
        is_first = status.unreached_since is None and min(one.name for one in status.alive) == self._name
        return is_first and self._monotonic_s() - self._cleaned_s >= _CLEAN_S

    def _clean(self) -> None:
        self._cleaned_s = self._monotonic_s()
        try:
            self._register.clean()
        except errors.EnvironmentProblemError as error:
            log.debug("what nodes have all seen is not forgotten yet", reason=str(error))
