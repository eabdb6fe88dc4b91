"""`alerts.rules` and `alerts.quiet` as people write them."""

import datetime
import zoneinfo

import pytest

from daemun.core.options import alerting_forms, alerts_option
from daemun.sources import yaml_file


def read(text: str) -> tuple[alerts_option.Alerts | None, list[str]]:
    """text: below `alerts`. The value, and what is wrong."""
    content = f"alerts: {{ntfy: https://ntfy.sh/x, {text}}}\nsites: {{a.test: http://127.0.0.1:1}}\n"
    snapshot = yaml_file.parse(content, file_name="daemun.yaml", base_dir="/etc/daemun")
    value = None if snapshot.globals is None else alerts_option.OPTION.of(snapshot.globals)
    return value, [str(problem) for problem in snapshot.problems]


def rules(text: str) -> alerting_forms.Rules:
    value, problems = read(f"rules: {text}")
    assert value is not None and problems == []
    return value.rules


def test_rules() -> None:
    default = alerting_forms.Rules()
    assert read("")[0] is not None and rules("{}") == default
    assert rules("{sites: true, disk: true, changes: true, old_workers: true, nginx: true}") == default
    off = rules("{certificates: false, sites: false, disk: false, changes: false, old_workers: false, nginx: false}")
    assert not any((off.certificates, off.sites_s, off.disk, off.changes_s, off.nginx)) and off.old_workers is None
    found = rules("{sites: 10m, disk: 2g, changes: 90s, old_workers: 12, nginx: low, bans: 30}")
    assert (found.sites_s, found.changes_s, found.old_workers, found.bans) == (600, 90, 12, 30)
    assert found.disk == alerting_forms.FreeSpace(size_bytes=2 << 30)
    assert found.nginx is alerting_forms.AlertSeverity.LOW
    assert rules("{errors: 5%}").errors_percent == 5 and rules("{errors: false}").errors_percent is None
    assert rules("{disk: 10%}").disk == alerting_forms.FreeSpace(percent=10)
    assert (default.bans, rules("{bans: true}").bans) == (None, 20)


def test_quiet_hours() -> None:
    value, _ = read('quiet: "22:00-07:00"')
    assert value is not None and value.quiet is not None
    assert (str(value.quiet.hours), value.quiet.zone) == ("22:00-07:00", None)
    value, _ = read("quiet: {hours: 22:00-07:00, zone: Asia/Seoul, urgent: wait}")
    assert value is not None and value.quiet is not None
    assert value.quiet.urgent is alerting_forms.Urgent.WAIT
    seoul = zoneinfo.ZoneInfo("Asia/Seoul")
    end = value.quiet.find_end(datetime.datetime(2026, 5, 1, 14, tzinfo=datetime.UTC))
    assert end == datetime.datetime(2026, 5, 2, 7, tzinfo=seoul)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("quiet: night", "expected hours such as"),
        ("quiet: {hours: 22:00-07:00, zone: Mars/Olympus}", '"Mars/Olympus" is no time zone that this machine knows'),
        ("quiet: {hours: 22:00-07:00, urgent: maybe}", "expected pass or wait"),
        ("rules: {sites: soon}", "expected a duration"),
        ("rules: {sites: 30d}", "30d is not between 0s and 7d"),
        ("rules: {errors: 0%}", "expected true, false, or a share of the requests"),
        ("rules: {errors: 20}", "expected true, false, or a share of the requests"),
        ("rules: {disk: 100%}", 'expected false, or how much must be free: "5%" or "2g"'),
        ("rules: {nginx: severe}", "expected false, low, medium or major"),
        ("rules: {bans: 0}", "0 is not between 1 and"),
        ("rules: {old_workers: many}", "expected true, false or a number"),
        ("rules: {certificates: 3}", "expected"),
        ("rules: {certificate: true}", "certificates"),
    ],
)
def test_what_is_wrong(text: str, cause: str) -> None:
    (line,) = read(text)[1]
    assert cause in line
