"""`daemun traffic` of two daemuns of a fleet: the sum of both, and each by its name."""

import json

import pytest

from daemun.fleet import node_traffic
from tests.support import daemon, dashboard_visitor, fleet_house, fleet_store, postgresql
from tests.support.daemon import Json

pytestmark = [pytest.mark.nginx, pytest.mark.postgresql]

WITHIN_S = 300
"""Nginx's lines are stored each half minute, and told to the others each minute."""
FOREIGN = f"""
INSERT INTO daemun.item (key, rev, value, key_id)
SELECT {{key}}, rev, value, key_id FROM daemun.item WHERE key LIKE '{node_traffic.PREFIX}/%' ORDER BY key LIMIT 1
"""
"""An hour of one machine, put in another place."""


def report_of(one: daemon.Daemon, *arguments: str) -> Json:
    report: Json = json.loads(one.cli_good("traffic", "--json", *arguments))
    return report


def requests(report: Json) -> dict[str, int]:
    return {one["name"]: one["total"]["requests"] for one in report["nodes"]}


def see_machines(visitor: dashboard_visitor.DashboardVisitor, other: daemon.Daemon) -> None:
    """The first page and the site's have what each machine counted, and the sum."""

    def has_both() -> Json | None:
        counted: Json | None = visitor.api("/fleet/traffic?host=a.test")["traffic"]
        return counted if counted and {one["name"] for one in counted["nodes"]} == {"a", "b"} else None

    found = other.wait(has_both, "both in the dashboard's numbers", within_s=WITHIN_S)
    by_name = {one["name"]: one for one in found["nodes"]}
    assert by_name["a"]["self"] and not by_name["b"]["self"]
    assert by_name["a"]["requests"] >= 5 and by_name["b"]["requests"] >= 3
    assert found["total"]["requests"] == sum(one["requests"] for one in found["nodes"])
    assert visitor.api("/fleet/traffic")["traffic"]["total"]["requests"] >= found["total"]["requests"]
    assert visitor.api("/fleet/traffic?host=none.test")["traffic"]["nodes"][0]["requests"] == 0
    site = visitor.page("/sites/a.test/traffic")
    assert "By machine" in site and "a (this one)" in site and "All machines" in site
    assert "All machines" in visitor.page("/")


def test_the_traffic_of_all_nodes_is_added_up(postgresql_server: postgresql.Server) -> None:
    with fleet_house.running(postgresql_server, "a", "b") as house:
        house.wait_signs("a.test", "one")
        for name, count in (("a", 5), ("b", 3)):
            for _ in range(count):
                house[name].get("https://a.test/")
        for name, other, least in (("a", "b", 3), ("b", "a", 5)):

            def has_all(name: str = name, other: str = other, least: int = least) -> Json | None:
                report = report_of(house[name])
                return report if requests(report).get(other, 0) >= least else None

            report = house[name].wait(has_all, f"what {other} counted, on {name}", within_s=WITHIN_S)
            by_node = {one["name"]: one for one in report["nodes"]}
            assert {one["name"]: one["self"] for one in report["nodes"]} == {name: True, other: False}
            assert report["total"]["requests"] == sum(requests(report).values())
            assert [one["site"] for one in by_node[other]["sites"]] == ["a.test"]
            assert report["sites"][0]["requests"] == report["total"]["requests"] >= 8
        text = house["a"].cli_good("traffic")
        assert "of machines: a (this one), b" in text
        rows = house["a"].cli_good("traffic", "--by-machine").splitlines()
        assert [row.split()[0] for row in rows] == ["MACHINE", "a", "b", "(all)"]
        assert "a.test" not in "".join(rows)
        assert "b" in requests(report_of(house["a"], "a.test"))

        with dashboard_visitor.visiting(house["a"]) as visitor:
            visitor.enter()
            see_machines(visitor, house["b"])

        for key in ("replace(key, split_part(key, '/', 2), repeat('0', 32))", "'traffic/of/none'", "key || '/below'"):
            house.server.execute(FOREIGN.format(key=key), database=fleet_store.DATABASE)
        done = house["a"].cli("traffic", "--json")
        assert requests(json.loads(done.stdout)).keys() == {"a", "b"}, "what is none of a machine's hours is left out"
        assert "1 of the hours that they stored cannot be used" in done.stderr

        house["b"].terminate()
        house["b"].cli_good("fleet", "leave")
        assert requests(report_of(house["a"]))["b"] >= 3, "a machine that left keeps its hours"
        own = requests(report_of(house["a"]))["a"]
        house.server.crash()
        done = house["a"].cli("traffic", "--json")
        assert done.returncode == 0, done.stderr
        assert "what other machines counted is not, or not all, among it: cannot reach" in done.stderr
        report = json.loads(done.stdout)
        assert report["total"]["requests"] == requests(report)["a"] >= own
        with dashboard_visitor.visiting(house["a"]) as visitor:
            visitor.enter()
            house["a"].wait(lambda: visitor.api("/fleet/traffic")["error"], "that the database is missed")
            assert "What the machines counted is not known now: cannot reach" in visitor.page("/sites/a.test/traffic")
            visitor.page("/")
        house.server.start()
