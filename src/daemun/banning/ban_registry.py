"""What is banned, why and until when; kept in the store, and brought to the files that nginx tests for.

A ban begins within `LOOK_S`, and ends as punctually. Neither this machine nor a trusted proxy is ever banned: of a
network that they are in, the rest is.
"""

import asyncio
import collections
import collections.abc
import contextlib
import datetime
import functools
import heapq
import typing

import structlog

from daemun import causes, ticks
from daemun.banning import ban_folder, crowdsec_stream, stored_bans
from daemun.control import damaged_keys, ports, shared_changes, value_change
from daemun.core import layout, model
from daemun.core.access import banned_networks, guess_limits
from daemun.core.options import bans_option, crowdsec_option, trusted_proxies_option
from daemun.errors import ConfigError, ConflictError, DaemunError, NotFoundError

log: structlog.stdlib.BoundLogger = structlog.get_logger()

KEY, CROWDSEC_KEY = "bans/bans.json", "bans/crowdsec.json"
LOOK_S = 2.0
POLL_S = 5.0
"""How often CrowdSec is queried, and the judge."""
STORED_PER_S = 1000
"""Decisions of CrowdSec are stored the less often the more there are: it has them, too."""
SHORTEST_WAIT_S = 3.0
"""Shorter waits are the judge's own: they would be over before they began."""
MOST_NAMES = 1_000_000

LATELY = datetime.timedelta(days=1)
MOST_LATELY = 500
"""Attacks that are shown."""

Bans = stored_bans.Bans


class Guesses(typing.Protocol):
    """Who guesses passwords of the gate (`daemun.judge`), or of servers (`guess_reports`)."""

    async def fetch_waits(self) -> collections.abc.Mapping[str, tuple[int, float]]:
        """See `guess_limits.Waits`."""
        ...

    async def forget(self, network: str) -> None:
        """Count the guesses of a network anew."""
        ...


class BanRegistry:
    """Implements `control.access_port.Bans`. All methods are called on one event loop."""

    def __init__(
        self,
        store: ports.Store,
        paths: layout.Layout,
        clock: ports.Clock,
        guesses: collections.abc.Sequence[Guesses],
        *,
        version: str,
        wake: collections.abc.Callable[[], None],
    ) -> None:
        """wake: nginx is to test more names than before. Blocking: reads the store."""
        self._store = store
        self._clock = clock
        self._guesses = guesses
        self._version = version
        self._wake = wake
        self._folder = ban_folder.BanFolder(paths)
        self._path = paths.bans
        self._lock = asyncio.Lock()
        self._storing = asyncio.Lock()
        self._guesses_lock = asyncio.Lock()
        """What is forgotten is not read before and banned after."""
        self._changed = asyncio.Event()
        self._configured = asyncio.Event()
        self._spared: tuple[banned_networks.Network, ...] = banned_networks.LOOPBACK
        self._names: dict[str, tuple[str, ...]] = {}
        self._crowdsec: crowdsec_option.CrowdSec | None = None
        self._counts_guesses = False
        self._crowdsec_failure: str | None = None
        self._failure: str | None = None
        self._is_stale = True
        self._lately = collections.deque[banned_networks.Ban](maxlen=MOST_LATELY)
        self._bans = stored_bans.apply(self._read(KEY), {}, clock.now())
        self._unstored: stored_bans.BanChanges = {}
        self._decisions = self._read(CROWDSEC_KEY)
        self._are_decisions_stored = True
        self._steps = self._find_steps()

    # --- for the gate ------------------------------------------------------------------------------------------

    @property
    def steps(self) -> int:
        """How many names of an address nginx is to test; never less than before, so that it is not reloaded for it."""
        return self._steps

    def configure(self, settings: model.Globals) -> None:
        """Follow the settings, in each round."""
        spared = (*banned_networks.LOOPBACK, *banned_networks.widen(trusted_proxies_option.OPTION.of(settings)))
        if spared != self._spared:
            self._spared, self._names = spared, {}
            self._note_change()
        self._counts_guesses = bans_option.OPTION.of(settings)
        if not self._counts_guesses:
            self._drop({one.network for one in self._bans.values() if one.reason is banned_networks.Reason.GUESSES})
        found = crowdsec_option.OPTION.of(settings)
        if found != self._crowdsec:
            self._crowdsec, self._crowdsec_failure = found, None
        if found is None and self._decisions:
            self._decisions, self._are_decisions_stored = {}, False
            self._note_change()
        self._configured.set()

    def list(self) -> tuple[banned_networks.Ban, ...]:
        """See access_port.Bans."""
        now = self._clock.now()
        every = (*self._bans.values(), *self._decisions.values())
        return tuple(one for one in every if not one.is_over(now))

    def find_attacks(self) -> tuple[banned_networks.Ban, ...]:
        """See access_port.Bans."""
        earliest = self._clock.now() - LATELY
        guesses = {one.network: one for one in self._lately if one.since > earliest}
        decisions = (one for one in self._decisions.values() if one.since > earliest)
        found = heapq.nlargest(MOST_LATELY, (*guesses.values(), *decisions), key=lambda one: one.since)
        return tuple(found)

    def problems(self) -> tuple[model.Problem, ...]:
        """See access_port.Bans."""
        found = []
        if self._failure is not None:
            message = f"cannot ban addresses: {self._failure}; what was banned before goes on, and it is tried again"
            found.append(model.Problem(origin=model.NOWHERE, message=message))
        if self._crowdsec_failure is not None and self._crowdsec is not None:
            message = (
                f"cannot get the decisions of CrowdSec at {self._crowdsec.url}: {self._crowdsec_failure}; "
                "the last ones hold until they end"
            )
            found.append(model.Problem(origin=model.NOWHERE, message=message, severity=model.Severity.WARNING))
        return tuple(found)

    async def ban(self, text: str, duration: datetime.timedelta | None) -> tuple[banned_networks.Ban, bool]:
        """See access_port.Bans."""
        try:
            network = banned_networks.parse(text)
        except ValueError as error:
            raise ConfigError(f"cannot ban: {error}") from error
        if not banned_networks.without(network, self._spared):
            raise ConfigError(
                f"cannot ban {text}: it is this machine or a trusted proxy, and all behind it would be out"
            )
        now, before = self._clock.now(), self._steps
        try:
            until = None if duration is None else now + duration
        except OverflowError as error:
            raise ConfigError("cannot ban for so long; leave out the time to ban for good") from error
        one = banned_networks.Ban(
            network=banned_networks.show(network), reason=banned_networks.Reason.OWNER, since=now, until=until
        )
        self._bans[one.network] = self._unstored[one.network] = one
        await self._note_own()
        return one, self._steps > before

    async def unban(self, text: str) -> banned_networks.Ban:
        """See access_port.Bans."""
        try:
            network = banned_networks.parse(text)
        except ValueError as error:
            raise ConfigError(f"cannot unban: {error}") from error
        name = banned_networks.show(network)
        found = self._bans.get(name)
        if found is not None:
            async with self._guesses_lock:
                if found.reason is banned_networks.Reason.GUESSES:
                    for one in self._guesses:
                        await one.forget(_of_guesses(name))
                self._bans.pop(name, None)  # it may have ended meanwhile
                self._unstored[name] = None
            await self._note_own()
        if name in self._decisions:
            raise ConflictError(f"cannot unban {name}: CrowdSec decided it; run `cscli decisions delete --ip {name}`")
        if found is None:
            around = next((one for one in self.list() if _contains(one.network, network)), None)
            more = (
                "" if around is None else f"; it is part of {around.network}, which is: `daemun unban {around.network}`"
            )
            raise NotFoundError(f"cannot unban {name}: it is not banned{more}")
        return found

    # --- the loop ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Never returns."""
        stored_s, loop = 0.0, asyncio.get_running_loop()
        while True:
            await self._take_guesses()
            self._end()
            await self._write()
            if self._unstored:
                await self._store_own()
            if not self._are_decisions_stored and loop.time() - stored_s > len(self._decisions) / STORED_PER_S:
                self._are_decisions_stored = await self._put(CROWDSEC_KEY, self._decisions)
                stored_s = loop.time()
            try:
                async with ticks.timeout(LOOK_S):
                    await self._changed.wait()
            except TimeoutError:
                pass
            self._changed.clear()

    async def follow_crowdsec(self) -> None:
        """Never returns."""
        await self._configured.wait()
        followed: crowdsec_option.CrowdSec | None = None
        while True:
            crowdsec = self._crowdsec
            if crowdsec is not None:
                try:
                    changes = await crowdsec_stream.fetch(crowdsec, self._version, startup=crowdsec != followed)
                except crowdsec_stream.StreamError as error:
                    # An answer that was lost would be missing for good, so all is requested again.
                    followed = None
                    if self._crowdsec_failure is None:
                        log.warning("cannot get the decisions of CrowdSec", reason=str(error))
                    self._crowdsec_failure = str(error)
                else:
                    followed, self._crowdsec_failure = crowdsec, None
                    if crowdsec == self._crowdsec:
                        await self._take_decisions(changes)
            await ticks.sleep(POLL_S)

    async def _take_decisions(self, changes: crowdsec_stream.Changes) -> None:
        if not changes.new and not changes.deleted and not changes.is_all:
            return
        self._decisions = await asyncio.to_thread(crowdsec_stream.merge, self._decisions, changes)
        self._are_decisions_stored = False
        self._note_change()

    async def _take_guesses(self) -> None:
        if not self._counts_guesses:
            return
        async with self._guesses_lock:
            now, waits = self._clock.now(), guess_limits.longest([await one.fetch_waits() for one in self._guesses])
            self._note_waits(now, waits)

    def _note_waits(self, now: datetime.datetime, waits: guess_limits.Waits) -> None:
        for text, (wrong, wait_s) in waits.items():
            try:
                network = banned_networks.parse(text)
            except ValueError:  # a visitor of a unix socket
                continue
            name, until = banned_networks.show(network), now + datetime.timedelta(seconds=wait_s)
            before = self._bans.get(name)
            is_known = before is not None and (before.until is None or (until - before.until).total_seconds() < 1)
            if wait_s < SHORTEST_WAIT_S or is_known or not banned_networks.without(network, self._spared):
                continue
            since = now if before is None else before.since
            note = f"{wrong} wrong passwords"
            self._bans[name] = banned_networks.Ban(
                network=name, reason=banned_networks.Reason.GUESSES, since=since, until=until, note=note
            )
            self._lately.append(self._bans[name])
            self._unstored[name] = self._bans[name]
            self._note_change()
            log.warning("an address guesses passwords, and waits", address=name, wrong=wrong, seconds=round(wait_s))

    def _end(self) -> None:
        now = self._clock.now()  # what ended is not written: another machine may have made it longer
        self._drop({one.network for one in self._bans.values() if one.is_over(now)}, writes=False)
        over = [one.network for one in self._decisions.values() if one.is_over(now)]
        for network in over:
            del self._decisions[network]
        if over:
            self._are_decisions_stored = False
            self._note_change()

    def _drop(self, networks: collections.abc.Collection[str], *, writes: bool = True) -> None:
        for network in networks:
            del self._bans[network]
        self._unstored |= dict.fromkeys(networks if writes else ())
        if networks:
            self._note_change()

    def _note_change(self) -> None:
        self._is_stale = True
        self._changed.set()

    async def _note_own(self) -> None:
        """Bind now, and survive the end of this process."""
        self._note_change()
        await self._write()
        await self._store_own()

    # --- the folder --------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        async with self._lock:
            if not self._is_stale and self._folder.is_as_left():
                return
            self._is_stale = False
            every = (*self._decisions.values(), *self._bans.values())
            try:
                await asyncio.to_thread(self._write_names, every)
                self._failure = None
            except OSError as error:
                # Without bans nothing is missing while a deleted folder is made again.
                cause = f"{self._path}: {causes.describe(error)}"
                self._is_stale, self._failure = True, cause if every else None
            steps = self._find_steps()
            if steps > self._steps:
                self._steps = steps
                self._wake()

    def _write_names(self, every: collections.abc.Iterable[banned_networks.Ban]) -> None:
        """What an owner banned is not loosened to a wait. Raises: OSError."""
        wanted: dict[str, bool] = {}
        kept: dict[str, tuple[str, ...]] = {}
        for one in every:
            names = kept[one.network] = self._names.get(one.network) or self._find_names(one.network)
            if len(wanted) + len(names) > MOST_NAMES:
                log.error("too many networks are banned; those that came last are not", most=MOST_NAMES)
                break
            for name in names:
                wanted[name] = one.is_wait and wanted.get(name, True)
        self._names = kept
        self._folder.write(wanted)

    def _find_names(self, network: str) -> tuple[str, ...]:
        left = banned_networks.without(banned_networks.parse(network), self._spared)
        return tuple(dict.fromkeys(name for part in left for name in banned_networks.find_names(part)))

    def _find_steps(self) -> int:
        every = (*self._bans, *self._decisions)
        if not any("/" in one for one in every):
            return min(1, len(every))
        left = (part for one in every for part in banned_networks.without(banned_networks.parse(one), self._spared))
        return max((banned_networks.find_step(part) for part in left), default=0)

    # --- the store ---------------------------------------------------------------------------------------------

    async def _store_own(self) -> None:
        """What this daemon changed, and nothing else: others of a fleet ban, too. A full disk is reported elsewhere,
        and tried again."""
        async with self._storing:
            changes, now = dict(self._unstored), self._clock.now()
            with contextlib.suppress(DaemunError):
                work = functools.partial(stored_bans.alter, changes=changes, now=now)
                await asyncio.to_thread(value_change.change, self._store, KEY, work)
                self._unstored = {
                    network: one
                    for network, one in self._unstored.items()
                    if network not in changes or changes[network] is not one
                }

    def follow(self, changes: shared_changes.SharedChanges) -> None:
        """What other machines of a fleet ban, or let in again, is so here, too."""
        changes.follow(KEY, take=self._take_shared)

    async def _take_shared(self, _: collections.abc.Sequence[str]) -> None:
        async with self._storing:
            stored, now = await asyncio.to_thread(self._read, KEY), self._clock.now()
            found = stored_bans.apply(stored, self._unstored, now)
            waits = [one for one in self._bans.values() if one.is_wait and not one.is_over(now)]
            let_in = [one.network for one in waits if one.network not in found]
            is_same, self._bans = found == self._bans, found
        async with self._guesses_lock:
            for network in let_in:  # or they would be banned again for what was guessed here
                for one in self._guesses:
                    await one.forget(_of_guesses(network))
        if not is_same:
            self._note_change()

    async def _put(self, key: str, found: Bans) -> bool:
        """A full disk is reported elsewhere, and tried again."""
        with contextlib.suppress(DaemunError):
            await asyncio.to_thread(self._store.write, key, stored_bans.encode(found))
            return True
        return False

    def _read(self, key: str) -> Bans:
        return damaged_keys.read(self._store, key, stored_bans.decode, follows="what was banned may come in") or {}


def _of_guesses(network: str) -> str:
    """As those who count guesses name it."""
    parsed = banned_networks.parse(network)
    return str(parsed) if parsed.version == 6 else network


def _contains(outer: str, inner: banned_networks.Network) -> bool:
    return not banned_networks.without(inner, (banned_networks.parse(outer),))
