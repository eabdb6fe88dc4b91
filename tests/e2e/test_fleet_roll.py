"""A change that the second of five daemuns cannot serve, found out when it is its turn: no visitor of any of them sees
it break, and all five are as they were."""

import collections.abc
import json

import pytest

from daemun.fleet import stored_configuration
from tests.support import fleet_house, fleet_store, ports, postgresql

pytestmark = [pytest.mark.nginx, pytest.mark.postgresql]

NODES = ("a", "b", "c", "d", "e")


@pytest.fixture(scope="module")
def house(postgresql_server: postgresql.Server) -> collections.abc.Iterator[fleet_house.FleetHouse]:
    """Each test leaves it as it was."""
    with fleet_house.running(postgresql_server, *NODES) as found:
        found.wait_signs("a.test", "one")
        found.wait_files()
        yield found


def _take_port(_: fleet_house.FleetHouse) -> tuple[str, str]:
    """All nodes are on one machine, so what the first one listens on is busy for the second."""
    port = str(ports.free_port())
    return f"streams: {{s: {{listen: '127.0.0.1:{port}', to: 'tcp://127.0.0.1:9'}}}}\nsites:\n", port


def _break_nginx(house: fleet_house.FleetHouse) -> tuple[str, str]:
    """Each node has a file of its own that lines of nginx name; of what it holds only the node's nginx can tell."""
    for name in NODES:
        (house[name].root / "own.conf").write_text("gzip off;\n")
    (house["b"].root / "own.conf").write_text("gzip perhaps;\n")
    return "sites:\n  b.test: {routes: {/: http://127.0.0.1:9}, nginx: 'include own.conf;'}\n", "perhaps"


@pytest.mark.parametrize("make", [_take_port, _break_nginx])
def test_a_change_that_breaks_on_the_second_of_five_nodes(
    house: fleet_house.FleetHouse, make: collections.abc.Callable[[fleet_house.FleetHouse], tuple[str, str]]
) -> None:
    """make: lines in place of "sites:", and words of why node b cannot serve them."""
    lines, cause = make(house)
    before = {name: house[name].config.read_text() for name in NODES}
    revision = _revisions(house)["a"]
    kept = house["a"].root / "daemun.yaml.refused"
    # The sign is changed, too: so it can be seen who had the change.
    text = before["a"].replace("sites:\n", lines).replace("sign.test/one", "sign.test/two")
    with house.visited("a.test", "one", beside={"a": "two", "b": "two"}) as seen:
        house["a"].write_raw(text)
        message = house.wait_problem("a", "is not served", "on b:", cause, str(kept))
        house["a"].wait(lambda: house["a"].config.read_text() == before["a"], "the file as it was")
        house.wait_signs("a.test", "one")
        known = {name: found.total() for name, found in seen.items()}
        house["a"].wait(lambda: all(seen[name].total() > known[name] for name in NODES), "visitors after it")
    states = {"a": "confirmed", "b": "failed", "c": "checked", "d": "checked", "e": "checked"}
    assert _reports(house) == states, "the first node served it, and the second one tried it"
    assert {name: house[name].config.read_text() for name in NODES} == before
    assert set(_revisions(house).values()) == {revision}
    for name in NODES:
        assert house[name].sign("a.test") == "one"
        status = house[name].wait_settled()
        assert (status["streams"], [one["host"] for one in status["sites"]]) == ([], ["a.test"]), name
    assert "on a:" not in message
    assert not any(f"on {name}:" in message for name in "cde"), message
    assert kept.read_text() == text
    for name in NODES[1:]:
        assert cause in house.wait_problem(name, "is served nowhere", "on b:")
        assert not list(house[name].root.glob("daemun.yaml.*")), name
    kept.unlink()
    house["a"].wait(lambda: not house["a"].look()["problems"], "the problem to be gone with the copy")


def _reports(house: fleet_house.FleetHouse) -> dict[str, str]:
    """How far each node came with the last change."""
    with fleet_store.another(house.url) as store:
        found = stored_configuration.StoredConfiguration(store, "none").look().reports
        return {name: one.state.value for name, one in found.items()}


def _revisions(house: fleet_house.FleetHouse) -> dict[str, int]:
    """Of the configuration, as the nodes say that they serve it, once all say the same."""

    def look() -> dict[str, int] | None:
        report = json.loads(house["a"].cli("fleet", "status", "--json").stdout)["fleet"]
        found = {one["name"]: one["revision"] for one in report["nodes"]}
        return found if set(found) == {*NODES} and len(set(found.values())) == 1 else None

    return house["a"].wait(look, "one revision of all nodes")
