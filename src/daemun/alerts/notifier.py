"""Checks the certificates after every change and each minute, and sends each target the messages that it has not got
yet.

Targets are independent: one that is slow or down delays no other, and is tried again until it took the message or
the danger is over. A message that was taken just before a crash may be sent once more; none is lost.
"""

import asyncio
import collections.abc
import contextlib
import dataclasses
import datetime

import structlog

from daemun.alerts import alert_message, alert_targets, ledger_store
from daemun.control import ports
from daemun.core import model
from daemun.core.alerts import alert_ledger, alert_outbox, alert_report, alert_rules
from daemun.core.options import alerting_forms, alerts_option
from daemun.errors import ConflictError, DaemunError, RetryableError

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LONGEST_SLEEP_S = 60.0
_SHORTEST_SLEEP_S = 0.1
_REST = 20
"""Times as long as a look took, nothing is looked at."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AlertInput:
    """The targets of alerts, and all certificates there are. troubles: the sites that visitors do not get; None: that
    is not known yet. refused_folders: those of the state directory that cannot be written, with the cause. concerns:
    what else is in danger."""

    alerts: alerts_option.Alerts
    certificates: tuple[model.CertificateStatus, ...]
    troubles: tuple[model.SiteStatus, ...] | None = None
    refused_folders: collections.abc.Mapping[str, str] = dataclasses.field(default_factory=dict)
    concerns: tuple[alert_ledger.Concern, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A target that did not take a message. failures: in a row. until: it is not tried before."""

    failures: int
    until: datetime.datetime
    error: str


def find_dangers(rules: alerting_forms.Rules) -> frozenset[alert_ledger.Danger]:
    """Those that are to be reported. Pure."""
    danger = alert_ledger.Danger
    of_rules: dict[alert_ledger.Danger, object] = {
        danger.FAILING: rules.certificates or None,
        danger.EXPIRING: rules.certificates or None,
        danger.UNSERVED: rules.sites_s,
        danger.UNWRITABLE: rules.disk,
        danger.ERRORS: rules.errors_percent,
        danger.FILLING: rules.disk,
        danger.UNAPPLIED: rules.changes_s,
        danger.OLD_WORKERS: rules.old_workers,
        danger.WEAK: rules.nginx,
        danger.BANS: rules.bans,
        danger.NODE_DOWN: rules.fleet or None,
        danger.FLEET_DATABASE: rules.fleet or None,
    }
    return frozenset(one for one, limit in of_rules.items() if limit is not None)


class Notifier:
    """Implements `control.ports.AlertSender`. Not thread-safe: one per event loop, and `run` must be running.

    look: what is there now; None: nothing is known yet, as before the first round of the daemon.
    machine: the name of this host. version: daemun's. options: of the commands that messages name.
    """

    def __init__(
        self,
        store: ports.Store,
        clock: ports.Clock,
        look: collections.abc.Callable[[], AlertInput | None],
        *,
        machine: str,
        version: str,
        options: str = "",
    ) -> None:
        self._store = store
        self._clock = clock
        self._look = look
        self._machine = machine
        self._version = version
        self._options = options
        self._ledger = alert_ledger.AlertLedger()
        self._stored = alert_ledger.AlertLedger()
        self._unstored: str | None = None
        self._keeping = asyncio.Lock()
        self._outages: dict[str, Outage] = {}
        self._delivering: set[str] = set()
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look now: something may have changed."""
        self._wake.set()

    def list_open(self) -> frozenset[tuple[alert_ledger.Danger, str]]:
        """The danger and name of each alert that is not over."""
        return frozenset((one.danger, one.name) for one in self._ledger.alerts if one.solved_at is None)

    def report(self) -> alert_report.AlertReport | None:
        """Who gets alerts, and what is in danger; None: nothing is known yet."""
        seen = self._look()
        if seen is None:
            return None
        targets = alert_targets.make_targets(seen.alerts)
        names = {target.key: target.name for target in targets}
        return alert_report.AlertReport(
            targets=tuple(self._report_target(target) for target in targets),
            dangers=tuple(
                alert_report.DangerReport(alert=one, sent_to=tuple(names[key] for key in one.notified if key in names))
                for one in reversed(self._ledger.alerts)
            ),
            wanted=find_dangers(seen.alerts.rules),
        )

    def _report_target(self, target: alert_targets.AlertTarget) -> alert_report.TargetReport:
        sent = sorted((one for one in self._ledger.sent if one.target == target.key), key=lambda one: one.at)
        outage = self._outages.get(target.key)
        return alert_report.TargetReport(
            name=target.name,
            sent=tuple(reversed(sent)),
            error=None if outage is None else outage.error,
            failures=0 if outage is None else outage.failures,
            next_attempt=None if outage is None else outage.until,
        )

    async def test(self) -> tuple[model.SentAlert, ...]:
        seen = self._look()
        if seen is None:
            raise ConflictError("cannot test the alerts: daemun has not read its configuration yet; try again")
        notice = alert_ledger.Notice(event=alert_ledger.AlertEvent.TEST)
        sent = (self._try(target, notice) for target in alert_targets.make_targets(seen.alerts))
        return tuple(await asyncio.gather(*sent))

    async def run(self) -> None:
        """Look and send alerts until cancelled."""
        self._ledger = await asyncio.to_thread(ledger_store.read, self._store)
        self._stored = ledger_store.leave_out_own(self._ledger)
        self._delivering.clear()
        async with asyncio.TaskGroup() as deliveries:
            while True:
                self._wake.clear()
                began = asyncio.get_running_loop().time()
                until = await self._go_round(deliveries)
                # Thousands of certificates that change all the time must not keep the event loop from its other work.
                await asyncio.sleep(_REST * (asyncio.get_running_loop().time() - began))
                await self._sleep(until)

    async def _go_round(self, deliveries: asyncio.TaskGroup) -> datetime.datetime | None:
        """Returns: when there is something to do again; None: when something changes."""
        seen, now = self._look(), self._clock.now()
        if seen is None:
            return None
        targets = alert_targets.make_targets(seen.alerts)
        keys = {target.key for target in targets}
        self._outages = {key: outage for key, outage in self._outages.items() if key in keys}
        await self._judge(seen, now, keys)
        await self._keep()
        due_times = []
        quiet = seen.alerts.quiet

        def is_urgent(notice: alert_ledger.Notice) -> bool:
            passes = quiet is not None and quiet.urgent is alerting_forms.Urgent.PASS
            return passes and alert_message.is_urgent(notice, now)

        for target in targets:
            if target.key in self._delivering:
                continue  # its end wakes us
            notices = alert_outbox.find_notices(
                self._ledger,
                seen.certificates,
                target.key,
                seen.troubles or (),
                quiet_until=quiet.find_end(now) if quiet is not None else None,
                is_urgent=is_urgent,
            )
            if not notices:
                self._outages.pop(target.key, None)
                continue
            outage = self._outages.get(target.key)
            at = max(notices[0].at or now, outage.until if outage is not None else now)
            if at > now:
                due_times.append(at)
                continue
            self._delivering.add(target.key)
            deliveries.create_task(self._deliver(target, notices[0]), name=f"alert {target.name}")
        return min(due_times, default=None)

    async def _judge(self, seen: AlertInput, now: datetime.datetime, keys: set[str]) -> None:
        """In a thread, because a hundred thousand certificates take a second."""

        def judge(before: alert_ledger.AlertLedger) -> alert_ledger.AlertLedger:
            judged = alert_rules.judge_dangers(
                before,
                seen.certificates,
                now,
                seen.troubles,
                refused_folders=seen.refused_folders,
                concerns=seen.concerns,
                unserved_for=datetime.timedelta(seconds=seen.alerts.rules.sites_s or 0),
            )
            wanted = find_dangers(seen.alerts.rules)
            return alert_outbox.forget_targets(alert_rules.forget_dangers(judged, wanted), keys)

        while True:
            before = self._ledger
            after = await asyncio.to_thread(judge, before)
            if self._ledger is before:  # else a delivery was noted meanwhile
                self._ledger = after
                return

    async def _deliver(self, target: alert_targets.AlertTarget, notice: alert_ledger.Notice) -> None:
        """Never raises but when cancelled: the others go on."""
        try:
            sent = await self._try(target, notice)
            if sent.error is None:
                self._ledger = alert_outbox.note_delivered(self._ledger, target.key, notice, self._clock.now())
                await self._keep()
                write = log.info if sent.remark is None else log.warning
                write("alert delivered", target=target.name, alert=notice.event.value, remark=sent.remark)
        finally:
            self._delivering.discard(target.key)
            self._wake.set()

    async def _try(self, target: alert_targets.AlertTarget, notice: alert_ledger.Notice) -> model.SentAlert:
        """One delivery. Its failure is logged when it is a new one, and noted, so that the next waits."""
        now = self._clock.now()
        what = alert_message.AlertMessage(
            notice=notice, machine=self._machine, version=self._version, at=now, options=self._options
        )
        wait_s = None
        try:
            remark = await target.deliver(what, await asyncio.to_thread(alert_targets.make_context))
        except DaemunError as error:
            words, wait_s = str(error), error.retry_after_s if isinstance(error, RetryableError) else None
        except Exception as error:
            # Without its text or its trace: both may hold a URL.
            words = f"this is a defect in daemun ({type(error).__name__}); report it"
        else:
            self._outages.pop(target.key, None)
            return model.SentAlert(target=target.name, remark=remark)
        if notice.event is not alert_ledger.AlertEvent.TEST:
            self._note_outage(target, words, wait_s)
        return model.SentAlert(target=target.name, error=words)

    def _note_outage(self, target: alert_targets.AlertTarget, words: str, wait_s: float | None) -> None:
        before = self._outages.get(target.key)
        failures = (before.failures if before is not None else 0) + 1
        until = alert_outbox.retry_at(failures, self._clock.now(), wait_s)
        self._outages[target.key] = Outage(failures=failures, until=until, error=words)
        if before is None or before.error != words:
            log.warning("an alert was not delivered", target=target.name, error=words, next_attempt=until)

    async def _keep(self) -> None:
        """Store the ledger when it changed. Where that fails, the next change tries again."""
        async with self._keeping:
            kept = await asyncio.to_thread(ledger_store.leave_out_own, self._ledger)
            if kept == self._stored:
                return
            try:
                encoded = await asyncio.to_thread(ledger_store.encode, kept)
                await asyncio.to_thread(ledger_store.write, self._store, encoded)
            except DaemunError as error:
                if str(error) != self._unstored:
                    log.warning("what was sent could not be stored", error=str(error))
                self._unstored = str(error)
                return
            self._stored, self._unstored = kept, None

    async def _sleep(self, until: datetime.datetime | None) -> None:
        seconds = LONGEST_SLEEP_S if until is None else (until - self._clock.now()).total_seconds()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(max(seconds, _SHORTEST_SLEEP_S), LONGEST_SLEEP_S)):
                await self._wake.wait()
