"""Applied configurations of one running daemun: who changed what, what differs, and the way back."""

import collections.abc
import json
import typing

import pytest

from tests.support import daemon as daemon_support
from tests.support.daemon import Daemon, signpost

pytestmark = pytest.mark.nginx

Json = dict[str, typing.Any]
SECRET = "correct-horse-battery-1"
NTFY = f"alerts: {{ntfy: {{url: https://ntfy.invalid/topic, token: {SECRET}}}}}  # ours\n"


@pytest.fixture(scope="module")
def gate() -> collections.abc.Iterator[Daemon]:
    """A gate of two sites, with a secret in its file."""
    with daemon_support.new_daemon() as new:
        (new.root / "sites").mkdir()
        new.write(
            "# at the top\n"
            + NTFY
            + "include: sites/*.yaml\nsites:\n"
            + signpost("a.test", "a")
            + signpost("b.test", "b")
        )
        new.start()
        new.wait_sign("b.test", "b")
        new.wait(lambda: entries(new), "the first entry")
        yield new


def entries(gate: Daemon) -> list[Json]:
    """Newest first."""
    found: list[Json] = json.loads(gate.cli_good("history", "--json"))["entries"]
    return found


def wait_kept(gate: Daemon) -> Json:
    """Until the present daemun.yaml is both the last good file and what the newest entry has. Returns: that entry."""
    kept = gate.state / "store" / "history" / "daemun.yaml"
    written = gate.config.read_bytes()

    def is_kept() -> bool:
        return kept.is_file() and kept.read_bytes() == written

    gate.wait(is_kept, "the file to be the last good one")
    return gate.wait(lambda: find_newest(gate), "the newest entry to have the file")


def find_newest(gate: Daemon) -> Json | None:
    """None: the files are not as the newest entry has them."""
    newest = entries(gate)[:1]
    if not newest or not newest[0]["can_be_restored"]:
        return None
    changes = json.loads(gate.cli_good("diff", str(newest[0]["number"]), "file", "--json"))["changes"]
    return None if changes else newest[0]


def wait_entry(gate: Daemon, by: str) -> Json:
    return gate.wait(lambda: next((one for one in entries(gate)[:1] if one["by"] == by), None), f"an entry by {by}")


def test_a_change_and_its_way_back(gate: Daemon) -> None:
    first = entries(gate)[-1]
    before = gate.config.read_text()
    assert (first["number"], first["state"], first["by"]) == (1, "live", "start")
    gate.cli_good("disable", "b.test")
    entry = wait_entry(gate, "daemun disable b.test")
    assert entry["state"] == "live"
    difference = json.loads(gate.cli_good("diff", str(first["number"]), "now", "--json"))["changes"]
    assert [(one.get("host"), one["kind"]) for one in difference] == [("b.test", "changed")]
    shown = gate.cli_good("rollback", str(first["number"]))
    assert f"as it was at number {first['number']}" in shown
    assert gate.config.read_text() == before
    gate.wait_sign("b.test", "b")
    assert wait_entry(gate, f"daemun rollback {first['number']}")["state"] == "live"
    assert "nothing to do" in gate.cli_good("rollback", str(first["number"]))


def test_an_edit_by_hand_and_the_plan(gate: Daemon) -> None:
    text = gate.config.read_text()
    gate.write_raw(text + signpost("c.test", "c"))
    gate.wait_sign("c.test", "c")
    wait_entry(gate, "edit of daemun.yaml")
    assert "+ c.test" in gate.cli_good("history").splitlines()[1]
    assert "no difference" in gate.cli_good("diff")
    gate.write_raw(text)
    gate.wait(lambda: gate.sign("c.test") is None, "c.test to be gone")
    gate.wait(lambda: entries(gate)[0]["changes"] == ["removed c.test"], "an entry of that")


def test_an_included_file_comes_and_goes(gate: Daemon) -> None:
    number = wait_kept(gate)["number"]
    gate.cli_good("add", "d.test", "http://127.0.0.1:1", "--file", "sites/d.yaml")
    entry = wait_entry(gate, "daemun add d.test")
    assert entry["files"] == ["daemun.yaml", "sites/d.yaml"]
    assert "sites/d.yaml" in gate.cli_good("rollback", str(number))
    assert not (gate.root / "sites" / "d.yaml").exists()
    wait_entry(gate, f"daemun rollback {number}")
    gate.cli_good("rollback", str(entry["number"]))
    assert "d.test" in (gate.root / "sites" / "d.yaml").read_text()
    wait_entry(gate, f"daemun rollback {entry['number']}")


def test_secrets_are_nowhere_and_come_back(gate: Daemon) -> None:
    with_secret = wait_kept(gate)["number"]
    before = gate.config.read_text()
    kept = gate.state / "store" / "history" / "applied"
    assert {one.stat().st_mode & 0o777 for one in kept.iterdir() if one.name[0] != "~"} == {0o600}
    shown = gate.cli_good("history", str(with_secret)) + gate.cli_good("diff", "1", "now")
    assert SECRET not in shown
    assert "token: (hidden 1." in shown
    # Of another token at its place the former one is kept nowhere.
    gate.write_raw(before.replace(SECRET, "another-token-22"))
    gate.wait(lambda: entries(gate)[0]["number"] > with_secret, "an entry of the other token")
    changed = wait_kept(gate)
    assert "alerts:" in gate.cli_good("diff", str(with_secret), str(changed["number"]))
    gate.cli_good("rollback", str(with_secret))
    assert gate.config.read_text() == before.replace(SECRET, "another-token-22")
    # Without any, there is none to take.
    gate.write_raw(before.replace(NTFY, ""))
    wait_kept(gate)
    refused = gate.cli("rollback", str(with_secret))
    assert refused.returncode == 1
    assert "daemun.yaml: alerts.ntfy.token" in refused.stderr
    gate.write_raw(before)
    wait_kept(gate)


def test_what_would_be_lost_is_not_replaced(gate: Daemon) -> None:
    newest = wait_kept(gate)
    before = gate.config.read_text()
    broken = before + "  broken: [\n"
    gate.write_raw(broken)
    refused = gate.cli("rollback", str(newest["number"]))
    assert (refused.returncode, "--force" in refused.stderr, gate.config.read_text()) == (1, True, broken)
    gate.cli_good("rollback", str(newest["number"]), "--force")
    assert gate.config.read_text() == before
    gate.wait_sign("a.test", "a")


def test_a_change_on_trial_is_undone_by_itself(gate: Daemon) -> None:
    before = gate.config.read_text()
    base = wait_kept(gate)["number"]
    gate.write_raw(before + signpost("t.test", "t"))
    gate.wait_sign("t.test", "t")
    shown = gate.cli_good("apply", "--confirm", "5s", "--to", str(base))
    assert "daemun apply --confirmed" in shown
    gate.wait(lambda: gate.config.read_text() == before, "the file to be as it was")
    gate.wait(lambda: gate.sign("t.test") is None, "the site to be gone")
    wait_entry(gate, f"trial not confirmed, back to {base}")
    refused = gate.cli("apply", "--confirmed")
    assert (refused.returncode, "nothing is on trial" in refused.stderr) == (1, True)


def test_files_of_nginx_that_were_edited_by_hand_show_until_they_are_replaced(gate: Daemon) -> None:
    wait_kept(gate)
    current = gate.state / "nginx" / "current" / "sites"

    def edit() -> None:
        """Again, as a round that an earlier change began may have made the files anew."""
        (current / "a.test.conf").write_bytes(b"")
        (current / "x.test.conf").write_bytes(b"server { listen 127.0.0.1:1; }\n")

    def look() -> list[str]:
        edit()
        return [one for one in gate.cli("status").stdout.splitlines() if "by hand" in one]

    def diagnose() -> list[Json]:
        edit()
        found = json.loads(gate.cli("doctor", "--json").stdout)["findings"]
        return [one for one in found if "by hand" in one["message"]]

    (line,) = gate.wait(look, "the edited files to show")
    assert line.startswith("warning: ")
    assert "sites/a.test.conf (changed), sites/x.test.conf (added)" in line
    assert gate.wait(diagnose, "the doctor to find them")
    gate.cli_good("apply")
    gate.wait_sign("a.test", "a")
    assert "by hand" not in gate.cli("status").stdout
    assert not (current / "x.test.conf").exists()


def test_what_is_not_there_is_refused(gate: Daemon) -> None:
    for words in (("rollback", "999"), ("diff", "x")):
        refused = gate.cli(*words)
        assert refused.returncode == 1
        assert "daemun history" in refused.stderr


def test_the_history_is_read_without_a_daemon(gate: Daemon) -> None:
    """The last of the module: it ends the daemon."""
    wait_kept(gate)
    before = gate.config.read_text()
    assert gate.terminate() == 0
    assert entries(gate)
    header = "  h.test: {routes: {/: 'http://127.0.0.1:1'}, request_headers: {X-Token: header-secret-77}}\n"
    gate.write_raw(before + header)
    compared = gate.cli_good("diff", "now", "--nginx-files")
    planned = gate.cli_good("plan", "--nginx-files")
    for shown in (compared, planned):
        assert "+ sites/h.test.conf" in shown
        assert "proxy_set_header X-Token hidden-" in shown
        assert "header-secret-77" not in shown
    assert "sites/a.test.conf" not in compared
    found = json.loads(gate.cli_good("diff", "now", "file", "--nginx-files", "--json"))["nginx_files"]
    assert (found[0]["file"], found[0]["kind"]) == ("sites/h.test.conf", "added")
    gate.write_raw(before)
    assert "no difference for nginx" in gate.cli_good("diff", "--nginx-files")
    other = next(one for one in entries(gate) if one["by"] == "daemun disable b.test")
    assert "becomes live with the next" in gate.cli_good("rollback", str(other["number"]))
    assert "enabled: false" in gate.config.read_text()
    gate.cli_good("rollback", "1")
    assert gate.config.read_text() == before
