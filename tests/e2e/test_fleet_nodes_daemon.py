"""What three daemuns of a fleet say of one of them that is gone, and of the database: people, programs, alerts."""

import collections.abc
import contextlib
import json
import typing

import httpx
import pytest

from tests.support import clients, fleet_house, ports, postgresql, receivers
from tests.support.daemon import Daemon, signpost

pytestmark = [pytest.mark.nginx, pytest.mark.postgresql]

Json = dict[str, typing.Any]


@pytest.fixture(scope="module")
def server() -> collections.abc.Iterator[postgresql.Server]:
    with postgresql.running() as one:
        yield one


def look(one: Daemon) -> Json:
    found: Json = json.loads(one.cli("fleet", "status", "--json").stdout)["fleet"]
    return found


def states(one: Daemon) -> dict[str, str]:
    return {node["name"]: node["state"] for node in look(one)["nodes"]}


def wait_states(one: Daemon, **expected: str) -> None:
    one.wait(lambda: states(one) == expected, f"the nodes to be {expected}", within_s=60, every_s=0.3)


def events(hook: receivers.Receiver) -> list[tuple[str, str, str]]:
    """What was alerted: the event, what it is about, and by which machine's word."""
    return [(body["event"], one["danger"], one["about"]) for body in hook.taken for one in body["gate"]]


@contextlib.contextmanager
def started(server: postgresql.Server, hook: receivers.Receiver, *names: str) -> collections.abc.Iterator[list[Daemon]]:
    """With alerts, and all of them seen by each."""
    rules = "{nginx: false, disk: false, changes: false}"
    shared = f"alerts: {{webhook: '{hook.url}/hook', rules: {rules}}}\n{fleet_house.SITES}"
    with fleet_house.running(server, *names, shared=shared) as house:
        every = [house[name] for name in names]
        for one in every:
            wait_states(one, **dict.fromkeys(names, "alive"))
        yield every


def test_a_node_is_down_and_back(server: postgresql.Server) -> None:
    with receivers.receiving() as hook, started(server, hook, "a", "b", "c") as (a, b, c):
        said = a.cli_good("status")
        assert "fleet: machine a, 3 of 3 machines alive, its database is reached" in said
        assert a.cli("fleet", "status").returncode == 0

        b.kill()
        for one in (a, c):
            wait_states(one, a="alive", b="down", c="alive")
        done = c.cli("fleet", "status")
        assert done.returncode == 3
        assert "down, seen last" in done.stdout
        assert 'machine "b" of the fleet gives no sign of life since' in done.stdout
        assert "`daemun fleet leave b" in c.cli("status").stdout
        # Another one's death is no trouble of this machine's: its sites are live.
        assert c.cli("status").returncode == 0
        assert [one["name"] for one in c.status()["fleet"]["nodes"] if one["state"] == "down"] == ["b"]
        a.wait(lambda: events(hook), "the alert", within_s=30)
        assert events(hook) == [("node_down", "node_down", "b")]
        text = hook.taken[0]["text"]
        assert "it gives no sign of life since" in text and "as seen by a" in text and "daemun fleet leave b" in text

        b.start()
        b.wait_ready()
        for one in (a, b, c):
            wait_states(one, a="alive", b="alive", c="alive")
        a.wait(lambda: len(events(hook)) > 1, "the word that it is over", within_s=30)
        assert events(hook)[1:] == [("solved", "node_down", "b")]


def test_the_database_is_gone_and_back(server: postgresql.Server) -> None:
    with receivers.receiving() as hook, started(server, hook, "a", "b", "c") as (a, b, c):
        server.crash()
        for one, others in ((a, "bc"), (b, "ac"), (c, "ab")):
            one.wait(lambda: not look(one)["database"]["reached"], "the database to be missed", every_s=0.3)  # noqa: B023
            found = look(one)
            assert found["database"]["unreached_since"] and "cannot reach" in found["database"]["cause"]
            assert {node["state"] for node in found["nodes"] if node["name"] in others} == {"unknown"}
            answer = clients.try_get(one.gate, "http://a.test/")
            assert getattr(answer, "status_code", None) in {301, 308, 302}, answer
        said = a.cli("status").stdout
        assert "its database is not reached since" in said
        assert postgresql.SUPERUSER + "@" not in said  # no URL
        a.wait(lambda: len(events(hook)) >= 3, "an alert of each node", within_s=30)
        assert {one[:2] for one in events(hook)} == {("fleet_database", "fleet_database")}
        assert sorted(one[2] for one in events(hook)) == ["a", "b", "c"]

        server.start()
        for one in (a, b, c):
            wait_states(one, a="alive", b="alive", c="alive")
        a.wait(lambda: len(events(hook)) >= 6, "the word that it is over", within_s=60)
        assert sorted(events(hook)[3:]) == [("solved", "fleet_database", name) for name in "abc"]


def test_the_api_and_the_metrics_name_the_nodes(server: postgresql.Server) -> None:
    port = ports.free_port()
    shared = f"metrics: {{listen: '127.0.0.1:{port}'}}\n{fleet_house.SITES}"
    with fleet_house.running(server, "a", "b", shared=shared) as house:  # of b it is another's port
        a, b = house["a"], house["b"]
        for one in (a, b):
            wait_states(one, a="alive", b="alive")
        url = f"http://127.0.0.1:{port}/metrics"
        with httpx.Client(timeout=60) as client:
            text = a.wait(lambda: client.get(url).text, "the metrics")
            assert 'daemun_fleet_node_up{node="b"} 1.0' in text and "daemun_fleet_database_up 1.0" in text
            b.kill()
            wait_states(a, a="alive", b="down")
            assert 'daemun_fleet_node_up{node="b"} 0.0' in client.get(url).text


def test_a_single_machine_has_no_fleet(daemon: Daemon) -> None:
    daemon.write("sites:\n" + signpost("shop.test", "one"))
    daemon.start()
    daemon.wait_ready()
    assert "this daemun is in no fleet" in daemon.cli_good("fleet", "status")
    assert daemon.status()["fleet"] is None
