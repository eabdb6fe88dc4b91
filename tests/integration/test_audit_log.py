"""The audit log on a disk: bounded, private, whole after a power cut; and what is reported when it takes nothing."""

import dataclasses
import datetime
import pathlib
import resource
import stat

import pytest

from daemun.control import damage_report, operator_port
from daemun.core import layout
from daemun.core.access import audit_entries
from daemun.core.access.audit_entries import AuditEntry
from daemun.errors import EnvironmentProblemError
from daemun.operators import audit_log, audit_writer

NOON = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)


def entry(number: int, **values: str) -> AuditEntry:
    made = AuditEntry(
        at=NOON + datetime.timedelta(seconds=number),
        who="ann",
        role="change",
        how="login",
        address="192.0.2.7",
        method="POST",
        path="/api/v1/sites",
        summary="Add a site",
        target=str(number),
    )
    return dataclasses.replace(made, **values)  # type: ignore[arg-type]


@pytest.fixture
def paths(tmp_path: pathlib.Path) -> layout.Layout:
    found = layout.Layout(str(tmp_path))
    pathlib.Path(found.logs).mkdir()
    return found


def test_entries_are_read_from_the_newest_on(paths: layout.Layout) -> None:
    log = audit_log.AuditLog(paths)
    for number in range(5):
        log.append(entry(number, who="ann" if number % 2 else "ben"))
    assert [one.target for one in audit_log.read(paths)] == ["4", "3", "2", "1", "0"]
    since = NOON + datetime.timedelta(seconds=2)
    assert [one.target for one in audit_log.choose(audit_log.read(paths), since=since)] == ["4", "3", "2"]
    assert [one.target for one in audit_log.choose(audit_log.read(paths), who="ann")] == ["3", "1"]
    page = audit_log.read_page(paths, operator_port.AuditQuery(first=1, most=2))
    assert ([one.target for one in page.entries], page.total) == (["3", "2"], 5)
    page = audit_log.read_page(paths, operator_port.AuditQuery(who="ben", text="ADD", first=9))
    assert (page.entries, page.total) == ((), 3)
    assert [one.target for one in audit_log.choose(audit_log.read(paths), text="2")] == ["2"]
    assert stat.S_IMODE(pathlib.Path(log.path).stat().st_mode) == 0o600


def test_it_is_bounded_and_an_older_file_goes_on(paths: layout.Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_log, "MOST_BYTES", 1000)
    log = audit_log.AuditLog(paths)
    for number in range(100):
        log.append(entry(number))
        assert all(path.stat().st_size <= 1000 for path in pathlib.Path(paths.logs).iterdir())
    assert sorted(path.name for path in pathlib.Path(paths.logs).iterdir()) == ["audit.log", "audit.log.1"]
    found = [int(one.target) for one in audit_log.read(paths)]
    assert found == list(range(99, 99 - len(found), -1)) and len(found) > 4


def test_half_a_line_of_a_power_cut_costs_no_other(paths: layout.Layout) -> None:
    log = audit_log.AuditLog(paths)
    log.append(entry(1))
    with pathlib.Path(log.path).open("ab") as file:
        file.write(audit_entries.encode(entry(2))[:-30])
    log.append(entry(3))
    assert [one.target for one in audit_log.read(paths)] == ["3", "1"]


def test_rights_are_put_back_and_no_link_is_followed(paths: layout.Layout, tmp_path: pathlib.Path) -> None:
    log, other = audit_log.AuditLog(paths), tmp_path / "other"
    log.append(entry(1))
    pathlib.Path(log.path).chmod(0o644)
    log.append(entry(2))
    assert stat.S_IMODE(pathlib.Path(log.path).stat().st_mode) == 0o600
    pathlib.Path(log.path).unlink()
    pathlib.Path(log.path).symlink_to(other)
    with pytest.raises(EnvironmentProblemError, match="not noted"):
        log.append(entry(3))
    assert not other.exists()
    pathlib.Path(log.path).unlink()
    pathlib.Path(log.path).mkdir()
    with pytest.raises(EnvironmentProblemError, match="not noted"):
        log.append(entry(3))
    with pytest.raises(EnvironmentProblemError, match="cannot read"):
        list(audit_log.read(paths))


def test_without_a_file_there_is_nothing(paths: layout.Layout) -> None:
    assert list(audit_log.read(paths)) == []


async def test_a_full_disk_is_reported_until_it_has_room(paths: layout.Layout) -> None:
    damage = damage_report.DamageReport()
    writer = audit_writer.AuditWriter(paths, damage)
    await writer.note(entry(1))
    path = pathlib.Path(paths.logs, "audit.log")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 50, before[1]))
    try:
        await writer.note(entry(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    (problem,) = damage.problems()
    assert "audit.log" in problem.message and "not noted" in problem.message
    await writer.note(entry(3))
    assert damage.problems() == ()
    assert [one.target for one in audit_log.read(paths)] == ["3", "1"]


async def test_who_is_refused_again_and_again_pushes_nobody_out(paths: layout.Layout) -> None:
    seconds = [0.0]
    writer = audit_writer.AuditWriter(paths, damage_report.DamageReport(), lambda: seconds[0])
    for number in range(100):
        await writer.note(dataclasses.replace(entry(number), status=403))
        await writer.note(dataclasses.replace(entry(number), status=403, who="ben"))
    assert [(one.target, one.who) for one in audit_log.read(paths)] == [("0", "ben"), ("0", "ann")]
    for number in range(3):
        await writer.note(entry(number))  # what was done stands there each time
    seconds[0] = 61.0
    await writer.note(dataclasses.replace(entry(5), status=403))
    found = [one.summary for one in audit_log.read(paths)]
    assert len(found) == 6 and found[0] == "Add a site (99 more like this since the last line)"
