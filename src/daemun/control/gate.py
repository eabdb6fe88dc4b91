"""The running gate: rounds of the reconciler one after another, what they found, and the operations on it."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import datetime
import os

import structlog

from daemun import garbage
from daemun.control import (
    access_port,
    certificate_port,
    damage_report,
    diagnosis,
    fleet_port,
    gate_port,
    history_port,
    nginx_upgrade,
    ports,
    problem_log,
    reconciler,
    reload_limiter,
    round_history,
    round_reports,
    stream_port,
)
from daemun.core import model
from daemun.core.access import banned_networks, dashboard_site
from daemun.core.certificates import certificate_faults, on_demand_names
from daemun.core.fleet import node_states
from daemun.core.options import nginx_upgrade_option
from daemun.core.plan import change_plan
from daemun.core.served import liveness, served_judgement
from daemun.core.worker_generations import Urgency
from daemun.errors import ConfigError

log: structlog.stdlib.BoundLogger = structlog.get_logger()

QUIET_S = 0.01
"""A change is applied once its source was quiet for this long, so that a burst makes one reload ..."""
LONGEST_BURST_S = 0.6
"""... but no later than this after the burst began. The engine of containers has a longer quiet of its own
(`sources.docker.engine_client.QUIET_S`), and what comes during a round makes one more."""
FILES_FIRST_S = 0.5
"""How long a round waits at most until the owner's certificate files were looked at, which takes milliseconds, and
twenty times as long beside a round of thousands of sites."""
PROBE_S = 30.0
"""The longest wait of a request for a look at everything, or at one site."""
DOCTOR_PROBES_S = 2.0
"""So long everything is looked at for `daemun doctor`, which has more to do."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DaemonIdentity:
    """What does not change while the daemon runs. started_at: aware UTC."""

    version: str
    config_path: str
    state_dir: str
    started_at: datetime.datetime


Observe = collections.abc.Callable[[], tuple[model.Actual, int]]
"""What nginx does now, without its files, and how often it was reloaded. Quick: called for every status."""
LookAtNginx = collections.abc.Callable[[], collections.abc.Awaitable[liveness.Liveness]]
"""Queries nginx's workers; takes seconds when they do not answer."""


class Gate:
    """Implements `control.gate_port.GatePort`. `run` is the loop; every method is called on its event loop."""

    def __init__(
        self,
        *,
        rounds: reconciler.Reconciler,
        certificates: certificate_port.Certificates,
        domains: certificate_port.Domains,
        endpoints: ports.Endpoints,
        held_requests: ports.HeldRequests,
        judge: access_port.Judge,
        banning: access_port.Bans,
        served: ports.Served,
        streams: stream_port.ServedStreams,
        alerts: ports.AlertSender,
        examiner: certificate_port.Examiner,
        old_workers: reload_limiter.ReloadLimiter,
        observe: Observe,
        look_at_nginx: LookAtNginx,
        damage: damage_report.DamageReport,
        history: history_port.History,
        identity: DaemonIdentity,
        upgrade: nginx_upgrade.NginxUpgrade,
        fleet: fleet_port.FleetView | None = None,
    ) -> None:
        self._rounds = rounds
        self._certificates = certificates
        self._domains = domains
        self._endpoints = endpoints
        self._held_requests = held_requests
        self._judge = judge
        self._bans = banning
        self._served = served
        self._streams = streams
        self._alerts = alerts
        self._examiner = examiner
        self._old_workers = old_workers
        self._observe = observe
        self._look_at_nginx = look_at_nginx
        self._liveness = liveness.Liveness()
        self._applying_since: datetime.datetime | None = None
        self._damage = damage
        self._history = round_history.RoundHistory(history)
        self._identity = identity
        self._upgrade = upgrade
        self._fleet = fleet
        self._round_lock = asyncio.Lock()
        self._requests = 0
        self._done = 0
        self._pending: dict[int, Urgency] = {}
        self._wake = asyncio.Event()
        self._noticed: dict[str, str] = {}
        """Source -> the version that it changed to since the last round began."""
        self._is_all_noticed = True
        """Whether only such changes woke the loop."""
        self._last: reconciler.Outcome | None = None
        self._live_since: datetime.datetime | None = None
        """When nginx was reloaded or started last."""
        self._problem_log = problem_log.ProblemLog()
        self.stopping = asyncio.Event()
        self.keep_traffic = self.begins_again = False

    @property
    def last(self) -> reconciler.Outcome | None:
        """The last round's outcome; None before the first ended."""
        return self._last

    @property
    def is_busy(self) -> bool:
        """Whether a change is on its way."""
        return self._wake.is_set() or self._round_lock.locked()

    async def run(self) -> None:
        """Apply whenever a source changed, `wake` was called, or a while ago a round went wrong. Never returns."""
        tries = 0
        while True:
            try:
                async with asyncio.timeout(round_reports.find_pause_s(self._last, tries)):
                    await self._wake.wait()
                tries = 0
            except TimeoutError:
                tries += 1
                log.debug("trying again what went wrong", reason=self._last.error if self._last else None)
                self._is_all_noticed = False
            # A round that begins meanwhile may read what woke this one, and may be too early for what comes then.
            noticed, is_all_noticed = self._noticed, self._is_all_noticed
            await self._update()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FILES_FIRST_S):
                    await self._certificates.wait_for_files()
            seen = {**self._noticed, **{name: "" for name, version in noticed.items() if not version}}
            seen = {**noticed, **seen} if is_all_noticed and self._is_all_noticed else {}
            await self.apply(Urgency.CHANGED, seen=seen)

    async def watch(self, source: ports.Source) -> None:
        """Wake the loop after each change of a source. Never returns."""
        async for version in source.changes():
            # What is not known stays so until a round begins.
            self._noticed[source.name] = version if self._noticed.get(source.name, version) else ""
            self._wake.set()

    def wake(self) -> None:
        """Something changed: look at everything again soon."""
        self._is_all_noticed = False
        self._wake.set()

    def look_again(self) -> None:
        """A signal that something changed (SIGHUP), most often a program that renewed a certificate: its files are
        looked at now, for that needs no round, and before it."""
        self._certificates.wake()
        self.wake()

    def status(self, *, added: bool = True, host: str | None = None) -> gate_port.GateStatus:
        actual, reloads = self._observe()
        waiting, waited = self._held_requests.counts()
        last = self._last
        now = datetime.datetime.now(datetime.UTC)
        stuck = liveness.find_problems(self._liveness, applying_since=self._applying_since, now=now)
        certificates = self._certificates.status(added=added)
        fleet = self.status_of_fleet()
        found = gate_port.GateStatus(
            version=self._identity.version,
            pid=os.getpid(),
            generation=last.generation if last else None,
            nginx_version=".".join(map(str, self._upgrade.serving.version)),
            nginx_path=self._upgrade.serving.path,
            successor=self._upgrade.found,
            upgrade_error=self._upgrade.failure,
            nginx_pid=actual.pid,
            reloads=reloads,
            workers=sum(not worker.draining for worker in actual.workers),
            draining_workers=sum(worker.draining for worker in actual.workers),
            sites=self._judge_sites(last, certificates, host) if last else (),
            certificates=dashboard_site.without_local(self._served.judge_certificates(certificates)),
            streams=self._streams.judge(last.streams, certificates) if last else (),
            containers=last.desired.containers if last else (),
            engines=last.desired.engines if last else (),
            pools=last.desired.pools if last else (),
            problems=(
                *stuck,
                *(self._problems_of(last) if last else ()),
                *self._endpoints.problems(),
                *self._domains.problems(),
                *self._judge.problems(),
                *self._bans.problems(),
                *self._damage.problems(),
                *self._history.problems(),
                *(() if fleet is None else node_states.find_problems(fleet)),
            ),
            answers=self._liveness.answers and not self._liveness.suspended,
            applying_since=self._applying_since,
            config_path=self._identity.config_path,
            state_dir=self._identity.state_dir,
            started_at=self._identity.started_at,
            bans=len(self._bans.list()),
            waiting=waiting,
            waited=waited,
            fleet=fleet,
        )
        return found if host is None else found.of_site(host)

    def status_of_fleet(self) -> node_states.FleetStatus | None:
        return None if self._fleet is None else self._fleet.status()

    def _judge_sites(
        self,
        last: reconciler.Outcome,
        certificates: collections.abc.Iterable[model.CertificateStatus],
        host: str | None,
    ) -> tuple[model.SiteStatus, ...]:
        sites = last.sites if host is None else tuple(item for item in last.sites if host in item.site.names)
        judged = served_judgement.with_missing_files(self._served.judge(sites, certificates), last.problems)
        containers = [one for one in last.desired.containers if not one.is_served]
        return tuple(served_judgement.with_containers(one, containers) for one in judged) if containers else judged

    def _problems_of(self, last: reconciler.Outcome) -> tuple[model.Problem, ...]:
        """Of the last round; of certificates those of now."""
        then = frozenset(last.certificate_problems)
        others = tuple(problem for problem in last.problems if problem not in then)
        of_certificates = self._certificates.problems()
        return (*others, *certificate_faults.place(of_certificates, last.desired.sites, known=others))

    async def look_at_nginx(self) -> None:
        self._liveness = await self._look_at_nginx()
        await self._upgrade.look()

    def look(self, host: str) -> model.SiteLook | None:
        return self._served.look(host)

    async def probe(self, host: str | None) -> int:
        left = await self._served.probe(host, within_s=PROBE_S)
        return left if host is not None else left + await self._streams.probe(within_s=PROBE_S)

    async def look_at_old_workers(self) -> gate_port.OldWorkersReport:
        return await self._old_workers.look()

    async def plan(
        self, *, instead: collections.abc.Mapping[str, model.Snapshot] | None = None
    ) -> gate_port.PlanReport:
        async with self._round_lock:
            wanted, problems = await self._rounds.make_plan(instead or {})
        return round_reports.report_plan(wanted, problems)

    async def apply(
        self,
        urgency: Urgency = Urgency.REQUESTED,
        *,
        seen: collections.abc.Mapping[str, str] | None = None,
        caller: history_port.Caller | None = None,
    ) -> gate_port.ApplyReport:
        """See gate_port.GatePort. urgency: the highest of those that share a run counts."""
        self._requests += 1
        mine = self._requests
        self._history.add_caller(mine, caller)
        self._pending[mine] = urgency
        async with self._round_lock:
            if self._last is not None and self._last.has_applied(seen or {}):
                self._pending.pop(mine, None)
                self._history.note(self._last, done=self._done, also=mine)
            # A round that began after this call already saw what the caller means.
            elif self._last is None or self._done < mine:
                self._wake.clear()
                self._noticed, self._is_all_noticed = {}, True
                began = self._requests
                highest = max(self._pending.values(), default=urgency)
                self._pending.clear()
                self._applying_since = datetime.datetime.now(datetime.UTC)
                try:
                    with garbage.unsought():
                        self._last = await self._upgrade.run_round(self._rounds.run_once, highest)
                finally:
                    self._applying_since = None
                self._done = began
                self._served.publish(self._last.desired, self._last.sites)
                self._streams.publish(self._last.desired, self._last.streams)
                self._log_outcome(self._last)
                self._history.note(self._last, done=self._done)
                await self._served.absorb()
            return round_reports.report_apply(self._last, self._live_since)

    async def upgrade_nginx(self) -> gate_port.UpgradeReport:
        return await self._upgrade.request(self.apply)

    async def watch_nginx(self) -> None:
        """Notice that another nginx could take over, and let it where the file says so. Never returns."""
        await self._upgrade.watch(lambda: self.apply(Urgency.CHANGED), self._upgrades_by_itself)

    def _upgrades_by_itself(self) -> bool:
        return self._last is not None and nginx_upgrade_option.OPTION.of(self._last.desired.globals)

    async def renew(self, host: str, *, force: bool = False) -> bool:
        return self._certificates.renew(host, force=force)

    def domains(self) -> tuple[str, ...]:
        return self._domains.hosts()

    async def add_domain(self, host: str) -> on_demand_names.RefusedName | None:
        return await self._domains.add(host)

    async def remove_domain(self, host: str) -> bool:
        return await self._domains.remove(host)

    def bans(self) -> tuple[banned_networks.Ban, ...]:
        return self._bans.list()

    def find_attacks(self) -> tuple[banned_networks.Ban, ...]:
        return self._bans.find_attacks()

    async def ban(self, address: str, seconds: int | None) -> banned_networks.Ban:
        try:
            duration = None if seconds is None else datetime.timedelta(seconds=seconds)
        except OverflowError as error:
            raise ConfigError("cannot ban for so long; leave out the time to ban for good") from error
        found, needs_reload = await self._bans.ban(address, duration)
        if needs_reload:
            await self.apply(Urgency.NEEDED)
        return found

    async def unban(self, address: str) -> banned_networks.Ban:
        return await self._bans.unban(address)

    async def test_alerts(self) -> tuple[model.SentAlert, ...]:
        return await self._alerts.test()

    async def diagnose(self, host: str | None) -> tuple[model.Finding, ...]:
        desired = self._last.desired if self._last else model.Desired(globals=model.Globals())
        diagnosis.check(host)
        site = diagnosis.find_site(host, desired, self._domains.hosts()) if host is not None else None
        left = 0
        if host is None or site is not None:
            within_s = DOCTOR_PROBES_S if host is None else PROBE_S
            probes = self._served.probe(site, within_s=within_s), self._streams.probe(within_s=within_s)
            left = sum(await asyncio.gather(*probes))
        await self.look_at_nginx()
        return await diagnosis.diagnose(
            host,
            self.status(),
            desired,
            self._examiner,
            added=self._domains.hosts(),
            look=self._served.look,
            left=left,
        )

    def request_stop(self, *, keep_traffic: bool, begins_again: bool = False) -> None:
        """begins_again: as a new daemon, which adopts nginx."""
        self.keep_traffic, self.begins_again = keep_traffic, begins_again
        self.stopping.set()

    async def _update(self) -> None:
        loop = asyncio.get_running_loop()
        latest = loop.time() + LONGEST_BURST_S
        while self._wake.is_set() and loop.time() < latest:
            self._wake.clear()
            await asyncio.sleep(QUIET_S)

    def _log_outcome(self, last: reconciler.Outcome) -> None:
        """Note and log what the round did."""
        self._problem_log.update(last.problems)
        if last.activated is not change_plan.Activation.NOTHING:
            self._live_since = datetime.datetime.now(datetime.UTC)
            changes = [str(change) for change in (*last.plan.changes, *last.plan.streams)] if last.plan else []
            shown = ", ".join(changes[:10]) + (f" and {len(changes) - 10} more" if len(changes) > 10 else "")
            log.info("live", generation=last.generation, changes=shown or "settings", nginx=last.activated.name.lower())
