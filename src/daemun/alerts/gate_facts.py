"""Collects facts for alerts that no other part has: free space on the disks of the state directory, the number of
generations of old workers, weaknesses of the running nginx, failed requests. Only where there is a target of alerts."""

import asyncio
import collections.abc
import contextlib
import datetime
import os
import socket
import time

from daemun import errors
from daemun.control import nginx_port, ports, reconciler
from daemun.core import layout, model
from daemun.core.access import banned_networks
from daemun.core.alerts import alert_ledger, fleet_concerns, gate_concerns
from daemun.core.fleet import node_states
from daemun.core.options import alerts_option, logs_option, old_workers_option
from daemun.core.traffic import error_shares

EVERY_S = 30.0
WEAKNESSES_EVERY_S = 3600.0

Shares = collections.abc.Mapping[str, error_shares.ErrorShare]
LookAtNginx = collections.abc.Callable[[], gate_concerns.ServingNginx | None]
CountErrors = collections.abc.Callable[[datetime.datetime, datetime.datetime], Shares | None]


class GateFacts:
    """find_last: the last round; None: there was none yet. look_at_nginx, count_errors: blocking; None: not known now.
    count_errors: of requests that were counted, since a time, by site; it takes what time it is, too. changed: called
    when there may be something to report."""

    def __init__(
        self,
        paths: layout.Layout,
        old: nginx_port.OldWorkers,
        clock: ports.Clock,
        *,
        find_last: collections.abc.Callable[[], reconciler.Outcome | None],
        look_at_nginx: LookAtNginx,
        count_errors: CountErrors,
        changed: collections.abc.Callable[[], None],
    ) -> None:
        self._folders = (paths.state, paths.store, paths.live, paths.logs, paths.run)
        self._old = old
        self._clock = clock
        self._find_last = find_last
        self._look_at_nginx = look_at_nginx
        self._count_errors = count_errors
        self._changed = changed
        self._looked_at_weaknesses_s: float | None = None
        self.facts = gate_concerns.MachineFacts()

    async def run(self) -> None:
        """Never returns."""
        while True:
            last = self._find_last()
            alerts = None if last is None else alerts_option.OPTION.of(last.desired.globals)
            if last is not None and alerts is not None and alerts.has_targets:
                await self.look(last.desired.globals)
            await asyncio.sleep(EVERY_S if alerts is not None else 1.0)

    def find_concerns(
        self,
        last: reconciler.Outcome,
        list_bans: collections.abc.Callable[[], collections.abc.Iterable[banned_networks.Ban]],
        troubles: collections.abc.Iterable[model.SiteStatus],
        *,
        fleet: node_states.FleetStatus | None = None,
        open_alerts: collections.abc.Collection[tuple[alert_ledger.Danger, str]] = (),
    ) -> tuple[alert_ledger.Concern, ...]:
        """What is in danger now. troubles: the sites that are reported for that already. Nothing without a target."""
        settings, now = last.desired.globals, self._clock.now()
        alerts = alerts_option.OPTION.of(settings)
        if not alerts.has_targets:
            return ()
        rules = alerts.rules
        unserved = {one.site.host for one in troubles}
        return (
            *gate_concerns.of_machine(self.facts, rules, old_workers_option.OPTION.of(settings).generations),
            *gate_concerns.of_errors(
                self.facts.shares,
                last.desired.sites,
                rules,
                unserved=unserved,
                are_logged=logs_option.OPTION.of(settings).access,
                now=now,
            ),
            *gate_concerns.of_changes(
                last.sites, last.error, last.unread, last.problems, rules, engines=last.desired.engines
            ),
            *gate_concerns.of_bans(list_bans, rules, socket.gethostname(), now),
            *fleet_concerns.of_fleet(fleet, rules, open_alerts),
        )

    async def look(self, settings: model.Globals) -> None:
        before, rules = self.facts, alerts_option.OPTION.of(settings).rules
        spaces = await asyncio.to_thread(measure, self._folders)
        old: tuple[model.OldGeneration, ...] = ()
        with contextlib.suppress(errors.DaemunError):
            old = await self._old.list_old()
        shares: Shares | None = {}
        if rules.errors_percent is not None and logs_option.OPTION.of(settings).traffic:
            now = self._clock.now()
            shares = await asyncio.to_thread(self._count_errors, now - gate_concerns.ERRORS_WITHIN, now)
        nginx = before.nginx
        last_s = self._looked_at_weaknesses_s
        if rules.nginx is not None and (last_s is None or time.monotonic() - last_s >= WEAKNESSES_EVERY_S):
            self._looked_at_weaknesses_s = time.monotonic()
            serving = await asyncio.to_thread(self._look_at_nginx)
            nginx = nginx if serving is None else serving
        self.facts = gate_concerns.MachineFacts(
            low=gate_concerns.find_low(spaces, rules.disk, before.low),
            old=len(old),
            old_bytes=sum(one.memory_bytes for one in old),
            nginx=nginx,
            shares=before.shares if shares is None else shares,
        )
        if _essence(self.facts) != _essence(before):
            self._changed()


def _essence(facts: gate_concerns.MachineFacts) -> object:
    """What may begin or end a danger; numbers change all the time."""
    return len(facts.low), facts.old, facts.nginx, frozenset(facts.shares)


def measure(folders: collections.abc.Iterable[str]) -> tuple[gate_concerns.DiskSpace, ...]:
    """The first folder of each disk. Blocking."""
    found: dict[int, gate_concerns.DiskSpace] = {}
    for folder in folders:
        with contextlib.suppress(OSError):
            device = os.stat(folder).st_dev  # noqa: PTH116
            if device not in found:
                space = os.statvfs(folder)
                found[device] = gate_concerns.DiskSpace(
                    folder=folder,
                    free_bytes=space.f_bavail * space.f_frsize,
                    total_bytes=space.f_blocks * space.f_frsize,
                )
    return tuple(found.values())
