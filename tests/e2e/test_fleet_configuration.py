"""Three daemuns with one configuration: an edit anywhere reaches all, and what one cannot serve none serves."""

import collections.abc
import json
import pathlib
import shutil
import subprocess
import threading

import httpx
import pytest

from daemun.fleet import configuration_values
from tests.support import clients, fleet_house, fleet_store, ports, postgresql
from tests.support.daemon import signpost

pytestmark = [pytest.mark.nginx, pytest.mark.postgresql]

NODES = ("a", "b", "c")
USERS = "ann:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n"
API = "https://daemun.localhost/api/v1"


@pytest.fixture(scope="module")
def house(postgresql_server: postgresql.Server) -> collections.abc.Iterator[fleet_house.FleetHouse]:
    """Each test leaves it as it was."""
    with fleet_house.running(postgresql_server, *NODES) as found:
        yield found


def request(house: fleet_house.FleetHouse, name: str, token: str, path: str, body: object = None) -> httpx.Response:
    with clients.client(house[name].gate) as client:
        headers = {"Authorization": f"Bearer {token}"}
        return client.request("POST", f"{API}{path}", json=body, headers=headers, timeout=120)


# --- an edit anywhere ------------------------------------------------------------------------------------------


def test_an_edit_by_hand_reaches_all(house: fleet_house.FleetHouse) -> None:
    house.wait_signs("a.test", "one")
    with house.visited("a.test", "one", "two"):
        house.edit("b", "sign.test/one", "sign.test/two")
        house.wait_signs("a.test", "two")
        assert "sign.test/two" in house.wait_files()
        house.edit("c", "sign.test/two", "sign.test/one")
        house.wait_signs("a.test", "one")
    for name in NODES:
        assert house[name].config.read_text().startswith(house.own_part(name))


def test_a_command_reaches_all_and_is_in_the_history_of_all(house: fleet_house.FleetHouse) -> None:
    house["c"].cli_good("add", "x.test", "http://127.0.0.1:9")
    for name in NODES:
        assert "x.test" in [site["host"] for site in house[name].status()["sites"]], "live when the command ends"
    assert "x.test" in house.wait_files()
    for name, by in (("a", "daemun add x.test on c"), ("b", "daemun add x.test on c"), ("c", "daemun add x.test")):
        assert f'"{by}"' in house[name].cli_good("history", "--json"), name
    house["a"].cli_good("rm", "x.test")
    assert "x.test" not in house.wait_files()


def test_a_rollback_reaches_all(house: fleet_house.FleetHouse) -> None:
    house["b"].cli_good("add", "back.test", "http://127.0.0.1:9")
    house.wait_files()
    rows = json.loads(house["a"].cli_good("history", "--json"))
    before = sorted(one["number"] for one in rows["entries"])[-2]
    house["a"].cli_good("rollback", str(before))
    for name in NODES:
        assert "back.test" not in [site["host"] for site in house[name].status()["sites"]], name
    assert "back.test" not in house.wait_files()


def test_the_dashboards_api_reaches_all(house: fleet_house.FleetHouse) -> None:
    made = json.loads(house["a"].cli_good("dashboard", "tokens", "add", "deploy", "--role", "change", "--json"))
    add = {"what": "add", "host": "drafted.test", "target": "http://127.0.0.1:9"}
    assert request(house, "a", made["token"], "/draft/edits", {"edits": [add]}).status_code == 200
    answer = request(house, "a", made["token"], "/draft/apply", {})
    assert answer.status_code == 200, answer.text
    house["a"].cli_good("apply", "--confirmed")
    for name in NODES:
        assert "drafted.test" in [site["host"] for site in house[name].status()["sites"]], name
    house["b"].cli_good("rm", "drafted.test")
    house.wait_files()


def test_a_trial_ends_on_all(house: fleet_house.FleetHouse) -> None:
    house.edit("a", "sign.test/one", "sign.test/tried")
    house["a"].cli_good("apply", "--confirm", "5s")
    house.wait_signs("a.test", "one")
    assert "tried" not in house.wait_files()


def wait_others(house: fleet_house.FleetHouse, name: str, others: list[str]) -> None:
    """Until the plan of a node names them: they are heard of."""
    house[name].wait(
        lambda: json.loads(house[name].cli_good("plan", "--json")).get("nodes") == others, "the others in the plan"
    )


def test_plan_and_apply_name_the_nodes(house: fleet_house.FleetHouse) -> None:
    wait_others(house, "a", ["b", "c"])
    house["a"].cli_good("apply")
    text = house["a"].config.read_text()
    # Without a chance to be noticed before it is planned: a command holds the file while it edits it.
    assert "also on b, c" in house["a"].cli_good("apply")
    report = json.loads(house["a"].cli_good("plan", "--json"))
    assert report["nodes"] == ["b", "c"]
    assert house["a"].config.read_text() == text


def test_a_node_that_just_started_names_the_others(house: fleet_house.FleetHouse) -> None:
    house["c"].terminate()
    house.start("c")
    wait_others(house, "c", ["a", "b"])


def test_files_that_are_included_are_shared(house: fleet_house.FleetHouse) -> None:
    before = house.shared("a")
    (house["a"].root / "more").mkdir()
    (house["a"].root / "more" / "one.yaml").write_text("sites:\n" + signpost("included.test", "there"))
    house.write("a", "include: more/*.yaml\n" + before)
    house.wait_signs("included.test", "there")
    house["b"].wait((house["b"].root / "more" / "one.yaml").exists, "the file that is included")
    house.wait_files()  # daemun.yaml is written after it
    house.write("b", before)
    house["c"].wait(lambda: house["c"].sign("included.test") is None, "the site to be gone")
    house.wait_files()


# --- what one node cannot serve --------------------------------------------------------------------------------


def test_a_file_that_one_node_lacks_keeps_a_change_from_all(house: fleet_house.FleetHouse) -> None:
    for name in ("a", "b"):
        (house[name].root / "users").write_text(USERS)
    before = house["a"].config.read_text()
    with house.visited("a.test", "one"):
        house.edit("a", "sites:\n", "access: {basic_auth: {file: users}}\nsites:\n")
        message = house.wait_problem("a", "is not served", "on c:", "users")
        house["a"].wait(lambda: house["a"].config.read_text() == before, "the file as it was")
    assert "daemun.yaml.refused" in message
    kept = house["a"].root / "daemun.yaml.refused"
    assert "basic_auth" in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "on c:" in house.wait_problem("b", "is served nowhere")
    house["a"].wait(
        lambda: len([one for one in house["a"].look()["problems"] if "on c:" in one["message"]]) == 1,
        "that it is said once",
    )
    kept.unlink()
    house["a"].wait(lambda: not house["a"].look()["problems"], "the problem to be gone with the copy")
    house["a"].wait(lambda: house["a"].cli("apply").returncode == 0, "the problem to be gone")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_file_is_written_over_no_other_one_and_not_through_a_link(
    house: fleet_house.FleetHouse, tmp_path: pathlib.Path, kind: str
) -> None:
    before = {name: house[name].config.read_text() for name in NODES}
    own = (house["c"].root if kind == "file" else tmp_path) / "own"
    own.mkdir()
    if kind == "file":
        (own / "x.yaml").write_text("c's own\n")
    else:
        (house["c"].root / "own").symlink_to(own)
    (house["a"].root / "own").mkdir()
    (house["a"].root / "own" / "x.yaml").write_text("sites:\n" + signpost("x.test", "there"))
    with house.visited("a.test", "one"):
        house.edit("a", "sites:\n", "include: own/*.yaml\nsites:\n")
        cause = "another file is there" if kind == "file" else "a link leads out of"
        house.wait_problem("a", "is not served", "on c:", cause)
        house["a"].wait(lambda: house["a"].config.read_text() == before["a"], "the file as it was")
    assert {name: house[name].config.read_text() for name in NODES} == before
    assert [(one.name, one.read_text()) for one in own.iterdir()] == ([("x.yaml", "c's own\n")] * (kind == "file"))
    assert "there" in (house["a"].root / "own" / "x.yaml.refused").read_text()
    shutil.rmtree(house["a"].root / "own")
    (house["a"].root / "daemun.yaml.refused").unlink()
    if kind == "file":
        shutil.rmtree(own)
    else:
        (house["c"].root / "own").unlink()
    house["a"].wait(lambda: house["a"].cli("apply").returncode == 0, "the problem to be gone")


def test_a_command_that_one_node_refuses_puts_the_file_back(house: fleet_house.FleetHouse) -> None:
    for name in NODES:
        (house[name].root / "users").write_text(USERS)
    house.edit("a", "sites:\n", "access: {basic_auth: {file: users}}\nsites:\n")
    house["c"].wait_answer("https://a.test/", lambda answer: answer.status_code == 401)
    house.edit("a", "access: {basic_auth: {file: users}}\n", "")
    house.wait_signs("a.test", "one")
    house.wait_files()
    before = {name: house[name].config.read_text() for name in NODES}
    numbers = sorted(one["number"] for one in json.loads(house["a"].cli_good("history", "--json"))["entries"])
    (house["c"].root / "users").unlink()
    with house.visited("a.test", "one"):
        done = house["a"].cli("rollback", str(numbers[-2]))
    assert done.returncode != 0
    assert "on c:" in done.stderr
    assert "users" in done.stderr
    assert "the files are as they were before" in done.stderr
    assert {name: house[name].config.read_text() for name in NODES} == before
    assert not list(house["a"].root.glob("daemun.yaml.*"))


def test_a_port_that_is_busy_on_one_node_keeps_a_change_from_all(house: fleet_house.FleetHouse) -> None:
    """All nodes are on one machine, so what the first one listens on is busy for the second."""
    port = ports.free_port()
    before = {name: house[name].config.read_text() for name in NODES}
    with house.visited("a.test", "one"):
        house.edit(
            "a", "sites:\n", f"streams: {{s: {{listen: '127.0.0.1:{port}', to: 'tcp://127.0.0.1:9'}}}}\nsites:\n"
        )
        message = house.wait_problem("a", "is not served", "on b:", str(port))
        house["a"].wait(lambda: house["a"].config.read_text() == before["a"], "the file as it was")
    assert {name: house[name].config.read_text() for name in NODES} == before
    for name in NODES:
        assert not house[name].wait_settled()["streams"], name
    (house["a"].root / "daemun.yaml.refused").unlink()
    assert "in use" in message or "another" in message, message
    assert "is live" not in message, "nothing of it is"
    house["a"].wait(lambda: house["a"].cli("apply").returncode == 0, "the problem to be gone")


# --- at once ---------------------------------------------------------------------------------------------------


def test_two_edits_at_once_are_both_taken_or_one_is_kept_beside(house: fleet_house.FleetHouse) -> None:
    many = "sites:\n" + "".join(signpost(f"n{number}.test", "one") for number in range(9))
    house.write("a", many)
    house.wait_signs("n8.test", "one")
    house.wait_files()
    house.edit("a", signpost("n0.test", "one"), signpost("n0.test", "left"))
    house.edit("b", signpost("n8.test", "one"), signpost("n8.test", "right"))
    house.wait_signs("n0.test", "left")
    house.wait_signs("n8.test", "right")
    house.wait_files()
    house.edit("a", signpost("n4.test", "one"), signpost("n4.test", "left"))
    house.edit("b", signpost("n4.test", "one"), signpost("n4.test", "right"))

    def find_copies() -> list[str]:
        return [one.read_text() for name in NODES for one in house[name].root.glob("daemun.yaml.conflict*")]

    (copy,) = house["a"].wait(find_copies, "a copy of what was not taken")
    text = house.wait_files()
    lost = "left" if signpost("n4.test", "right") in text else "right"
    assert signpost("n4.test", lost) in copy
    house.wait_signs("n4.test", "right" if lost == "left" else "left")
    for name in NODES:
        for one in house[name].root.glob("daemun.yaml.conflict*"):
            one.unlink()
    house.write("a", fleet_house.SITES)
    house.wait_signs("a.test", "one")
    house.wait_files()


def test_two_commands_at_once_are_both_taken_though_they_write_in_one_place(house: fleet_house.FleetHouse) -> None:
    done: dict[str, subprocess.CompletedProcess[str]] = {}

    def add(name: str) -> None:
        done[name] = house[name].cli("add", f"{name}-new.test", "http://127.0.0.1:9", within_s=120)

    threads = [threading.Thread(target=add, args=(name,)) for name in ("a", "b")]
    with fleet_store.another(house.url) as store, store.lock(configuration_values.LEASE):
        for one in threads:
            one.start()
        for name in ("a", "b"):  # both wait for their turn
            house[name].wait(lambda name=name: f"{name}-new.test" in house.shared(name), "the edit")  # type: ignore[misc]
    for one in threads:
        one.join()
    assert {name: (one.returncode, one.stderr) for name, one in done.items() if one.returncode} == {}
    text = house.wait_files()
    assert "a-new.test" in text and "b-new.test" in text
    assert not [one for name in NODES for one in house[name].root.glob("daemun.yaml.*")]
    house.write("a", fleet_house.SITES)
    house["a"].wait(lambda: house.wait_files() == fleet_house.SITES, "the file as it was")


def test_a_file_is_promoted_whatever_others_wrote(house: fleet_house.FleetHouse) -> None:
    kept = house["b"].root / "daemun.yaml.conflict"
    kept.write_text(house.own_part("a") + fleet_house.SITES.replace("sign.test/one", "sign.test/promoted"))
    house["b"].cli_good("fleet", "promote-file", str(kept))
    house.wait_signs("a.test", "promoted")
    text = house.wait_files()
    assert house["b"].config.read_text() == house.own_part("b") + text
    kept.write_text("sites: {a.test: {nonsense: 1}}\n")
    done = house["b"].cli("fleet", "promote-file", str(kept))
    assert done.returncode != 0
    assert "nonsense" in done.stderr
    assert house["b"].config.read_text() == house.own_part("b") + text
    kept.unlink()
    house.edit("b", "sign.test/promoted", "sign.test/one")
    house["b"].cli_good("fleet", "promote-file")
    house.wait_signs("a.test", "one")
    house.wait_files()


def wait_well(house: fleet_house.FleetHouse, name: str) -> None:
    house[name].wait(lambda: house[name].look()["problems"] == [], "that all is well")


# --- a database that is put back --------------------------------------------------------------------------------


def test_what_a_database_lost_is_brought_back_and_nothing_older_is_served(house: fleet_house.FleetHouse) -> None:
    house.keep_database()
    house.edit("a", "sign.test/one", "sign.test/two")
    house.wait_signs("a.test", "two")
    newer = house.wait_files()
    lost = house.current()
    with house.visited("a.test", "two"):
        house.put_database_back()
        house.wait_number(lost.number)
        assert house.current() == lost
        for name in NODES:
            wait_well(house, name)
    assert house.wait_files() == newer
    assert not [one for name in NODES for one in house[name].root.glob("daemun.yaml.*")]
    house.pass_time()
    house.edit("b", "sign.test/two", "sign.test/one")
    house.wait_signs("a.test", "one")
    house.wait_files()


def test_what_no_machine_brings_back_is_told_and_kept_beside(house: fleet_house.FleetHouse) -> None:
    house.keep_database()
    house.edit("a", "sign.test/one", "sign.test/two")
    house.wait_signs("a.test", "two")
    newer, lost = house.wait_files(), house.current()
    for name in NODES:
        house[name].wait_settled()
        house[name].kill()
        house.forget_revision(name)
    house.put_database_back()
    house.start(*NODES)
    for name in NODES:
        words = f"went back from revision {lost.number} to {lost.number - 1}"
        house.wait_problem(name, "is not served", words, "daemun.yaml.conflict")
        kept = house[name].root / "daemun.yaml.conflict"
        assert kept.read_text() == house.own_part(name) + newer
    house.wait_signs("a.test", "one")
    house.pass_time()
    house["a"].cli_good("fleet", "promote-file", str(house["a"].root / "daemun.yaml.conflict"))
    house.wait_signs("a.test", "two")
    assert house.wait_files() == newer
    for name in NODES:
        wait_well(house, name)
        (house[name].root / "daemun.yaml.conflict").unlink()
    house.edit("a", "sign.test/two", "sign.test/one")
    house.wait_signs("a.test", "one")
    house.wait_files()


# --- without the database, and without a node ------------------------------------------------------------------


def test_without_the_database_edits_are_refused_and_everything_is_served(house: fleet_house.FleetHouse) -> None:
    before = house["a"].config.read_text()
    with house.visited("a.test", "one", "later"):
        house.server.crash()
        done = house["a"].cli("add", "refused.test", "http://127.0.0.1:9", within_s=120)
        assert done.returncode != 0
        assert "cannot reach the fleet's database" in done.stderr
        assert "tried again" not in done.stderr, "a command ends"
        assert house["a"].config.read_text() == before
        house.edit("b", "sign.test/one", "sign.test/later")
        house.wait_problem("b", "is not live as it is", "cannot reach the fleet's database")
        assert {house[name].sign("a.test") for name in NODES} == {"one"}
        house["c"].kill()
        house.start("c")
        assert house["c"].sign("a.test") == "one", "what it knew last"
        house.server.start()
        house.wait_signs("a.test", "later")
    house.wait_files()
    house.edit("b", "sign.test/later", "sign.test/one")
    house.wait_signs("a.test", "one")
    house.wait_files()


def test_a_node_that_was_away_follows(house: fleet_house.FleetHouse) -> None:
    house["c"].kill()
    house.edit("a", "sign.test/one", "sign.test/two")
    house.wait_signs("a.test", "two", "a", "b")
    assert house["c"].sign("a.test") == "one", "its nginx serves on"
    house.start("c")
    house.wait_signs("a.test", "two", "c")
    house.wait_files()
    house.edit("c", "sign.test/two", "sign.test/one")
    house.wait_signs("a.test", "one")
    house.wait_files()
