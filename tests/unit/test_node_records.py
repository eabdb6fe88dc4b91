"""Which records in DNS lead to the nodes of a fleet that live."""

import datetime

import hypothesis
import pytest
from hypothesis import strategies

from daemun.core.fleet import node_about, node_records, node_states

NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
NAME = "www.example.com"
ALIVE, DOWN, UNKNOWN = node_states.NodeState.ALIVE, node_states.NodeState.DOWN, node_states.NodeState.UNKNOWN


def node(state: node_states.NodeState, *addresses: str, up_s: float = 3600.0) -> node_states.NodeStatus:
    return node_states.NodeStatus(
        name="-".join(addresses),
        state=state,
        since=NOW,
        beat=10000.0,
        began=10000.0 - up_s,
        about=node_about.NodeAbout(addresses=addresses),
    )


def find(
    *nodes: node_states.NodeStatus, known: dict[str, bool] | None = None, is_settled: bool = True
) -> list[tuple[str, bool]]:
    status = node_states.FleetStatus(name="a", nodes=nodes, is_settled=is_settled)
    return [(one.address, one.is_there) for one in node_records.find_changes([NAME], status, {NAME: known or {}})]


def test_new_records_come_before_others_go() -> None:
    found = find(node(DOWN, "192.0.2.1"), node(ALIVE, "192.0.2.2", "2001:db8::2"), known={"192.0.2.1": True})
    assert found == [("192.0.2.2", True), ("2001:db8::2", True), ("192.0.2.1", False)]


def test_no_record_of_a_name_is_the_last_to_go() -> None:
    assert find(node(DOWN, "192.0.2.1"), node(DOWN, "192.0.2.2"), known={"192.0.2.1": True}) == []
    assert find(node(ALIVE), node(DOWN, "192.0.2.2"), known={"192.0.2.2": True}) == []
    assert find(node(ALIVE, "192.0.2.1"), is_settled=False) == []


def test_what_is_not_known_stays() -> None:
    known = {"192.0.2.1": True, "192.0.2.2": True}
    assert find(node(ALIVE, "192.0.2.1"), node(UNKNOWN, "192.0.2.2"), known=known) == []


def test_one_that_was_down_gets_its_records_when_it_has_lived_for_a_while() -> None:
    other, known = node(ALIVE, "192.0.2.2"), {"192.0.2.1": False, "192.0.2.2": True}
    assert find(node(ALIVE, "192.0.2.1", up_s=29), other, known=known) == []
    assert find(node(ALIVE, "192.0.2.1", up_s=30), other, known=known) == [("192.0.2.1", True)]
    assert find(node(ALIVE, "192.0.2.3", up_s=1), other, known=known) == [("192.0.2.3", True)]


def test_the_address_of_a_node_that_left_goes() -> None:
    assert find(node(ALIVE, "192.0.2.1"), known={"192.0.2.1": True, "192.0.2.9": True}) == [("192.0.2.9", False)]
    # An address that two had is there while one of them lives.
    assert find(node(DOWN, "192.0.2.1"), node(ALIVE, "192.0.2.1"), known={"192.0.2.1": True}) == []


ADDRESSES = strategies.sampled_from([f"192.0.2.{number}" for number in range(4)])


@hypothesis.given(
    strategies.lists(strategies.tuples(strategies.sampled_from([ALIVE, DOWN, UNKNOWN]), ADDRESSES), max_size=5),
    strategies.dictionaries(ADDRESSES, strategies.booleans()),
)
def test_records_are_never_emptied_and_settle(
    drawn: list[tuple[node_states.NodeState, str]], known: dict[str, bool]
) -> None:
    nodes = [node(state, address) for state, address in drawn]
    after: node_records.Known = {NAME: known}
    status = node_states.FleetStatus(name="a", nodes=tuple(nodes), is_settled=True)
    for change in node_records.find_changes([NAME], status, after):
        after = node_records.with_change(after, change)
        assert any(after[NAME].values())
    assert node_records.find_changes([NAME], status, after) == ()
    assert node_records.decode(node_records.encode(after)) == after


@pytest.mark.parametrize("content", [b"", b"[]", b'{"a": 1}', b'{"a": {"x": true}}', b'{"a": {"192.0.2.1": "yes"}}'])
def test_what_is_damaged_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):
        node_records.decode(content)


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "0.0.0.0", "::1", "::ffff:127.0.0.1", "ff02::1"])
def test_no_record_leads_to_an_address_that_no_visitor_reaches(address: str) -> None:
    assert find(node(ALIVE, "192.0.2.1", address)) == [("192.0.2.1", True)]
    assert find(node(ALIVE, address)) == []
