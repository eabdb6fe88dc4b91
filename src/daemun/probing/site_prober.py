"""Schedules the probes of sites. Implements `control.ports.Served`.

- A handshake with each name of each site on each listener: after the site or its certificate changed, and in turn.
- Each server of a route without a `health:`: when it is new, on request, after its errors, and while it is in trouble.
- nginx's error log, twice a second.

All of it has a bounded rate: of ten thousand sites each waits longer for its turn. Only a request for a look waits.
"""

import asyncio
import collections.abc
import datetime
import functools
import itertools
import traceback

import structlog

from daemun import ticks
from daemun.core import model
from daemun.core.served import probe_targets, server_answers, upstream_errors
from daemun.probing import (
    handshake_turns,
    handshakes,
    observations,
    probe_inputs,
    server_turns,
    site_judge,
)

log: structlog.stdlib.BoundLogger = structlog.get_logger()

TICK_S = 0.25
"""While something waits for its turn."""
REST_S = 0.5
"""Between looks at nginx's error log, too, while nothing else is to be done."""
MANY = 100
"""With more servers than this to be tried, each is tried once, however many routes lead to it."""
REUSED_S = 60.0
_ABSORBED_AT_ONCE = 100


class SiteProber:
    """Probes all sites in turn and on request. Not thread-safe: one per event loop. `run` must be running for what is
    looked at unasked."""

    def __init__(self, inputs: probe_inputs.ProbeInputs, *, find_health: observations.FindHealth) -> None:
        self._changed = inputs.changed
        self._clock = inputs.clock
        self._probe = inputs.make_target_probe()
        self._expected = inputs.make_expected()
        self._has_ipv6 = inputs.has_ipv6
        self._log = inputs.make_error_log()
        self._is_log_new = True
        self._looks = observations.Looks(find_health)
        self.site_judge = site_judge.SiteJudge(self._looks, inputs.clock)
        self._not_begun: list[tuple[object, ...]] | None = None
        self._all_begun_s: float | None = None
        self._desired: model.Desired | None = None
        self._live: frozenset[str] = frozenset()
        self._pools: dict[str, model.Pool] = {}
        self._absorbing = asyncio.Lock()
        self._absorbed: model.Desired | None = None
        self.revision = 0
        """Counts what was published, and looks on request that are over: what was made of earlier ones is of before."""
        self._tried: dict[tuple[object, ...], tuple[float, tuple[server_turns.Finding, ...]]] = {}
        self._servers = server_turns.ServerTurns(self, "host")
        self._turns = handshake_turns.HandshakeTurns()

    # --- control.ports.Served --------------------------------------------------------------------------------------

    def publish(self, desired: model.Desired, sites: collections.abc.Iterable[model.SiteStatus]) -> None:
        self._desired = desired
        self._live = frozenset(one.site.host for one in sites if one.state is model.SiteState.LIVE)

    async def absorb(self) -> None:
        """What was never looked at before waits for its turn: of ten thousand sites that is seconds."""
        if self._absorbed is not None:
            await self._absorb()

    def note_certificates(self) -> None:
        """Others may be served now."""
        self._expected.note_change()

    def look(self, host: str) -> model.SiteLook | None:
        return self._looks.look(host)

    def judge(
        self, sites: tuple[model.SiteStatus, ...], certificates: collections.abc.Iterable[model.CertificateStatus]
    ) -> tuple[model.SiteStatus, ...]:
        return self.site_judge.judge(sites, certificates)

    def judge_certificates(
        self, certificates: tuple[model.CertificateStatus, ...]
    ) -> tuple[model.CertificateStatus, ...]:
        return self.site_judge.judge_certificates(certificates)

    def find_troubles(
        self, sites: tuple[model.SiteStatus, ...], certificates: collections.abc.Iterable[model.CertificateStatus]
    ) -> tuple[model.SiteStatus, ...] | None:
        """The sites that visitors do not get (`site_judge`); None: not everything was looked at yet."""
        if self.looks_since_s() < server_turns.ALL_LOOKED_AT_S:
            return None
        return self.site_judge.find_troubles(sites, certificates)

    @property
    def is_trying(self) -> bool:
        """Whether servers are being tried, or are about to."""
        return self._servers.is_trying

    def looks_since_s(self) -> float:
        """How long ago the first look at the last site began; -1: it has not."""
        return -1.0 if self._all_begun_s is None else asyncio.get_running_loop().time() - self._all_begun_s

    def find_unseen(self) -> frozenset[str]:
        """The sites of which a server had no look yet."""
        waiting = {key[0] for key in self._servers.waiting if not self._looks.servers(key)}
        desired = self._desired
        if desired is None or desired is self._absorbed:
            return frozenset(waiting)
        return frozenset({*waiting, *(one.host for one in desired.enabled if self._looks.site(one.host) is None)})

    def find_fault(self, upstream: str) -> model.ServerFault | None:
        return self._looks.find_fault(upstream)

    async def probe(self, host: str | None, *, within_s: float) -> int:
        await self._absorb()
        owner = None if host is None else self._looks.owner(host)
        hosts = list(self._looks.hosts()) if host is None else [owner] if owner is not None else []
        keys = [key for one in hosts for key in self._looks.keys(one)]
        # First what is in trouble, so that a limited look shows what was mended.
        keys.sort(key=lambda key: not any(one.trouble for one in self._looks.servers(key)))
        shakes = [
            (one, name)
            for one in hosts
            if (found := self._looks.site(one))
            for name in probe_targets.handshake_names(found)
        ]
        work = [self._servers.try_now(key, is_requested=True) for key in keys] + [self._shake(*one) for one in shakes]
        left = await server_turns.run_within(within_s, work)
        self.revision += 1
        return left

    async def run(self) -> None:
        """Look until cancelled."""
        self._servers.begin()
        self._is_log_new = True
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    await self._absorb()
                    self._read_log()
                    now_s = asyncio.get_running_loop().time()
                    self._servers.start(group, now_s, functools.partial(self._is_known_from_others, now_s=now_s))
                    self._start_handshakes(group)
                    self._note_begun()
                    is_waiting = self._servers.waiting or self._turns.waiting
                    await (asyncio.sleep(TICK_S) if is_waiting else ticks.sleep(REST_S))
        finally:
            self._log.close()

    # --- what there is ---------------------------------------------------------------------------------------------

    async def _absorb(self) -> None:
        """Take over what was published last. Thousands of sites take a while, and others have their turn meanwhile."""
        async with self._absorbing:
            desired = self._desired
            if desired is None or desired is self._absorbed:
                return
            wanted = {site.host: site for site in desired.enabled}
            for host in [host for host in self._looks.hosts() if host not in wanted]:
                self._looks.remove(host)
            pools = {pool.name: pool for pool in desired.pools}
            moved = {name for name in pools | self._pools if pools.get(name) != self._pools.get(name)}
            self._pools = pools
            judge = probe_targets.find_judge_of_gate
            is_gate_moved = self._absorbed is None or judge(self._absorbed) != judge(desired)
            for number, (host, site) in enumerate(wanted.items()):
                if number % _ABSORBED_AT_ONCE == 0:
                    await asyncio.sleep(0)
                known = self._looks.site(host)
                if is_gate_moved or (known is not site and known != site):
                    self._servers.add(self._looks.put(site, desired.globals))
                    for name in probe_targets.handshake_names(site):
                        self._turns.add_new((host, name))
                if moved and any(target.pool in moved for target in probe_targets.targets_of(site)):
                    self._servers.add(self._looks.keys(host))
            self._forget()
            if self._absorbed is None:
                self._not_begun = [*self._servers.waiting, *self._turns.waiting]
            self._absorbed = desired
            self.revision += 1
            self._turns.follow(
                (host, name) for host, site in wanted.items() for name in probe_targets.handshake_names(site)
            )

    def _note_begun(self) -> None:
        """Ten thousand sites take minutes until each had its first look."""
        if self._not_begun is not None and self._all_begun_s is None:
            waiting = (self._servers.waiting, self._turns.waiting)
            while self._not_begun and not any(self._not_begun[-1] in one for one in waiting):
                self._not_begun.pop()
            if not self._not_begun:
                self._all_begun_s = asyncio.get_running_loop().time()

    def _forget(self) -> None:
        """What is of no use any more."""
        now_s = asyncio.get_running_loop().time()
        self._tried = {place: known for place, known in self._tried.items() if now_s - known[0] <= REUSED_S}
        self._servers.forget(lambda key: self._looks.aim(key) is not None)

    # --- servers ---------------------------------------------------------------------------------------------------

    def find_target(self, key: observations.Key) -> model.Aim | None:
        return self._looks.aim(key)

    def find_servers(self, key: observations.Key) -> tuple[model.ServerLook, ...]:
        return self._looks.servers(key)

    async def try_target(self, aim: model.Aim) -> tuple[server_turns.Finding, ...]:
        def explain(_: str, found: server_answers.ServerFinding) -> server_answers.ServerFinding:
            return server_answers.of_judge(found) if aim.is_judge else found

        gate = probe_targets.find_gate(self._looks.site(aim.host), self._desired)
        absent_as = "(no container)" if aim.is_pool else aim.written
        return await self._probe.run(aim, explain, absent_as=absent_as, gate=gate)

    def note_tried(
        self, key: observations.Key, aim: model.Aim, found: tuple[server_turns.Finding, ...], now_s: float
    ) -> None:
        self._tried[probe_targets.server_of(aim)] = (now_s, found)
        self._note(key, found, now_s)

    def _is_known_from_others(self, key: observations.Key, *, now_s: float) -> bool:
        """Of very many routes to one server, one is tried."""
        aim = self._looks.aim(key)
        if aim is None:
            return True
        known = self._tried.get(probe_targets.server_of(aim))
        if len(self._servers.waiting) < MANY or known is None or now_s - known[0] > REUSED_S:
            return False
        self._note(key, [(server, server_answers.of_place(found)) for server, found in known[1]], now_s)
        return True

    def _note(self, key: observations.Key, found: collections.abc.Sequence[server_turns.Finding], now_s: float) -> None:
        was_bad = any(one.trouble is not None for one in self._looks.servers(key))
        self._looks.note_servers(key, found, self._clock.now())
        is_bad = self._servers.note(key, self._looks.servers(key), now_s, logged_as=key)
        if was_bad or is_bad:  # what follows is a look at everything
            self._changed()

    # --- handshakes ------------------------------------------------------------------------------------------------

    def _start_handshakes(self, group: asyncio.TaskGroup) -> None:
        now_s = asyncio.get_running_loop().time()
        for name in self._expected.take_changed(now_s):
            owner = self._looks.owner(name)
            if owner is not None:
                self._turns.add_new((owner, name))
        for host, name in self._turns.take_due(now_s, self._looks.bad_handshakes()):
            group.create_task(self._shake(host, name), name=f"handshake {name}")

    async def _shake(self, host: str, name: str) -> None:
        """With every listener. Never raises but when cancelled."""
        try:
            for address, only_rsa in itertools.product(self._listeners(host), (False, True)):
                once = functools.partial(self._shake_once, host, name, address, only_rsa=only_rsa)
                found = await server_turns.confirmed(once)
                if host in self._live:
                    now = self._clock.now()
                    self._looks.note_handshake(host, str(address), name, found, now, only_rsa=only_rsa)
                    if found is not None:
                        self._changed()
        except Exception:
            log.error("a handshake could not be tried", host=host, stack=traceback.format_exc())  # noqa: TRY400

    async def _shake_once(
        self, host: str, name: str, address: model.Address, *, only_rsa: bool
    ) -> model.HandshakeLook | None:
        """None: it went as it should, or nginx does not run the site as it is wanted."""
        site, desired = self._looks.site(host), self._desired
        if site is None or desired is None or host not in self._live:
            return None
        visitor = handshakes.HandshakeVisitor(site=site, name=name, address=address, only_rsa=only_rsa)
        return await visitor.look(desired.globals, self._expected, self._clock)

    def _listeners(self, host: str) -> tuple[model.Address, ...]:
        site, desired = self._looks.site(host), self._desired
        if site is None or desired is None:
            return ()
        return handshakes.find_listeners(site, desired.globals, has_ipv6=self._has_ipv6)

    # --- the error log ---------------------------------------------------------------------------------------------

    def _read_log(self) -> None:
        if self._absorbed is None:
            return
        found = self._log.read()
        for text in found.lines:
            if (line := upstream_errors.read_line(text)) is not None:
                self._note_error(line, left_out=found.left_out, is_old=self._is_log_new)
        self._is_log_new = False

    def _note_error(self, line: upstream_errors.UpstreamErrorLine, *, left_out: bool, is_old: bool) -> None:
        place = self._looks.note_error(line, line.at.astimezone(datetime.UTC), left_out=left_out)
        if place is None or is_old:
            return
        self._servers.note_error(self._looks.keys(*place), asyncio.get_running_loop().time())
        self._changed()
