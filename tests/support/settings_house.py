"""A gate with uptime, a status page, a machine and alerts that the test controls, behind the API."""

import dataclasses
import datetime
import pathlib

from daemun.control import machine_port
from daemun.core import layout, model
from daemun.core.alerts import alert_ledger, alert_report, gate_concerns
from daemun.core.nginx_builds import nginx_weaknesses
from daemun.core.options import status_page_option
from daemun.core.uptime import site_condition, status_report, watch_account
from daemun.core.uptime.site_condition import Condition
from daemun.uptime import uptime_store
from daemun.web import alert_endpoints, endpoint, machine_endpoints, uptime_endpoints
from daemun.wiring import uptime_parts
from tests.support import fake_gate, operator_client

HOSTILE = "<script>alert(1)</script>"


class Machine:
    """A `control.machine_port.MachinePort`."""

    looks = 0

    def look(self) -> machine_port.MachineReport:
        self.looks += 1
        weakness = nginx_weaknesses.Weakness(name="CVE-1", title=HOSTILE, severity="major", fixed=("1.31.4",))
        return machine_port.MachineReport(
            nginx=gate_concerns.ServingNginx(name="nginx 1.31.3", weaknesses=(weakness,)),
            disks=(gate_concerns.DiskSpace(folder="/var/lib/daemun", free_bytes=1, total_bytes=10),),
            daemon_bytes=60 << 20,
            nginx_bytes=None,
            total_bytes=1 << 30,
            available_bytes=1 << 29,
            cores=2,
            load=(0.123, 0.2, 0.3),
        )


@dataclasses.dataclass(slots=True)
class SettingsHouse:
    paths: layout.Layout
    gate: fake_gate.FakeGate
    report: alert_report.AlertReport | None = None
    page: status_report.PageState = dataclasses.field(default_factory=lambda: status_report.PageState(page=None))
    client: operator_client.OperatorClient = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.client = operator_client.OperatorClient(self.endpoints())

    def endpoints(self) -> list[endpoint.ApiEndpoint]:
        return [
            *uptime_endpoints.endpoints(
                lambda days, sites, most: uptime_parts.read(self.paths, days, sites, most), lambda: self.page
            ),
            *machine_endpoints.endpoints(self.gate, Machine()),
            *alert_endpoints.endpoints(self.gate, lambda: self.report),
        ]

    def fill(self) -> None:
        """With something of everything."""
        self.watch(good=0.0, bad=360.0, **{"a-long-name-of-a-site.that-somebody-chose.internal": 1800.0})
        at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=5)
        alert = alert_ledger.Alert(
            danger=alert_ledger.Danger.UNSERVED,
            name="bad.test",
            host="bad.test",
            names=(),
            raised_at=at,
            cause="10.0.0.7:8080 refuses connections",
            cure="start its server, or correct the target in daemun.yaml",
        )
        sent = alert_ledger.SentMessage(target="k", event=alert_ledger.AlertEvent.UNSERVED, at=at)
        targets = (
            alert_report.TargetReport(name="ntfy at ntfy.sh", sent=(sent,)),
            alert_report.TargetReport(
                name="mail to ann@example.com", error="it timed out", failures=3, next_attempt=at
            ),
        )
        self.report = alert_report.AlertReport(
            targets=targets,
            dangers=(alert_report.DangerReport(alert=alert, sent_to=("ntfy at ntfy.sh",)),),
            wanted=frozenset({alert_ledger.Danger.UNSERVED}),
        )
        entry = status_page_option.ShownEntry(
            title="Inside", sites=(status_page_option.ShownSite(host="bad.test", name="Chat"),)
        )
        page = status_page_option.StatusPage(host="status.example.com", sites=(entry,), notice="Sunday")
        self.page = status_report.PageState(page=page, made_at=at)
        self.gate.findings = (
            model.Finding(topic="dns", weight=model.Weight.BLOCKS, message="it leads elsewhere", cure="correct it"),
            model.Finding(topic="clock", weight=model.Weight.GOOD, message="the clock is right"),
        )

    def clear(self) -> None:
        """Nothing is known any more."""
        for ending in ("", "-wal", "-shm"):
            pathlib.Path(f"{self.paths.uptime_store}{ending}").unlink(missing_ok=True)
        self.report, self.page = None, status_report.PageState(page=None)
        self.gate.findings, self.gate.told_alerts = (), ()

    def watch(self, **down_s: float) -> None:
        """Sites by their names without `.test`, watched for an hour."""
        now = datetime.datetime.now().astimezone()
        store = uptime_store.UptimeStore(pathlib.Path(self.paths.uptime_store))
        account = watch_account.WatchAccount()
        names = [f"{name}.test" for name in down_s]
        now_s, today = now.timestamp(), now.toordinal()
        down = site_condition.SiteVerdict(condition=Condition.DOWN, cause=f"it refuses {HOSTILE}")
        seen = {f"{name}.test": down for name, seconds in down_s.items() if seconds}
        store.add(account, now_s=now_s - 3600, today=today, seen=seen, served=names, is_first=True)
        account.days[today] = 3600.0
        account.parts = {
            (today, f"{name}.test"): watch_account.SiteSeconds(down=seconds)
            for name, seconds in down_s.items()
            if seconds
        }
        store.add(account, now_s=now_s, today=today, seen={}, served=None)
        store.close()


def make(folder: pathlib.Path) -> SettingsHouse:
    paths = layout.Layout(str(folder))
    pathlib.Path(paths.store).mkdir()
    return SettingsHouse(paths, fake_gate.FakeGate(config=folder / "daemun.yaml", state=folder))
