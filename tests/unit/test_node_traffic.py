"""What each node of a fleet tells the others of what it counted: small, bounded, and hostile until parsed."""

import collections.abc
import datetime
import json
import random
import zlib

import pytest

from daemun.core.traffic import traffic_sums
from daemun.fleet import node_traffic, shared_traffic
from daemun.store import memory_store

HOUR = 495_000
NOW_S = (HOUR + 0.5) * node_traffic.HOUR_S


def row(
    site: str, requests: int = 1, route: str = "", server: str = "10.0.0.1:80"
) -> tuple[traffic_sums.Series, traffic_sums.Sums]:
    sums = traffic_sums.Sums(requests=requests, bytes_out=2 * requests, bytes_in=requests, counts={"200": requests})
    return traffic_sums.Series(site, route, server), sums


class Clock:
    now_s = NOW_S

    def now(self) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(self.now_s, datetime.UTC)


class Node:
    """counted: by the hour since the epoch."""

    def __init__(self, name: str, shared: memory_store.MemoryStore) -> None:
        self.counted: dict[int, node_traffic.Found] = {}
        self.own = memory_store.MemoryStore()
        self.clock = Clock()
        self.sharer = shared_traffic.TrafficSharer(
            shared,
            self.own,
            name,
            read_hour=lambda start: self.counted.get(start // node_traffic.HOUR_S, ()),
            find_living=lambda: {"a", "b"},
            clock=self.clock,
        )

    def step(self) -> None:
        self.sharer.step({"a", "b"})


def read(shared: memory_store.MemoryStore, node: str, hours: int = 24) -> dict[str, node_traffic.Found]:
    return shared_traffic.read_others(shared, node, NOW_S - hours * node_traffic.HOUR_S, NOW_S)


def test_it_is_read_as_it_was_told_with_the_node_in_place_of_its_servers() -> None:
    found = (row("a.test", 5), row("a.test", 2, server="10.0.0.2:80"), row("a.test", 1, "/api", ""), row("", 3))
    read = node_traffic.decode(node_traffic.encode("web-1", HOUR, found))
    assert (read.node, read.hour) == ("web-1", HOUR)
    named = {series: sums.requests for series, sums in read.sums}
    assert named == {("a.test", "", "on web-1"): 7, ("a.test", "/api", ""): 1, ("", "", "on web-1"): 3}
    assert dict(read.sums)[traffic_sums.Series("a.test", "", "on web-1")].counts == {"200": 7}


def test_it_is_bounded_however_many_sites_there_are() -> None:
    drawn = random.Random(1)
    found = []
    for number in range(20_000):
        series, sums = row(f"site-{number:05}.example.com", 1 + number)
        sums.counts |= {f"t{drawn.randrange(300)}": drawn.randrange(1000) for _ in range(10)}
        found.append((series, sums))
    content = node_traffic.encode("a", HOUR, tuple(found))
    assert len(content) < 400_000
    told = node_traffic.decode(content).sums
    assert len(told) <= node_traffic.MOST_ROWS + 2
    assert sum(one.requests for _, one in told) == sum(one.requests for _, one in found)
    assert {series.site for series, _ in told} >= {node_traffic.OTHERS, "site-19999.example.com"}


FIELDS = {"node": "a", "hour": HOUR, "sums": [["a.test", "", True, 1, 2, 3, {"200": 1}]]}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        zlib.compress(b"[]"),
        zlib.compress(b"[" * 100_000),
        *(
            zlib.compress(json.dumps(FIELDS | change).encode())
            for change in (
                {"node": None},
                {"node": "\n"},
                {"hour": "1"},
                {"sums": [1]},
                {"sums": [["a.test", "", True, -1, 2, 3, {}]]},
                {"sums": [["a.test", "", True, 1, 2, 3, []]]},
                {"sums": [["a.test", "", True, 1, 2, 3, {"200": "many"}]]},
                {"sums": [["a\x1b.test", "", True, 1, 2, 3, {}]]},
                {"sums": [["a.test", "", True, 1, 2, 1 << 70, {}]]},
            )
        ),
    ],
)
def test_what_is_not_as_expected_is_refused_and_left_out(content: bytes) -> None:
    with pytest.raises(ValueError):
        node_traffic.decode(content)
    shared = memory_store.MemoryStore()
    shared.write(node_traffic.key("b", HOUR), content)
    shared.write(node_traffic.key("c", HOUR), node_traffic.encode("c", HOUR, (row("a.test"),)))
    assert [*read(shared, "a")] == ["c"]


def test_one_node_does_not_count_for_another() -> None:
    shared = memory_store.MemoryStore()
    shared.write(node_traffic.key("b", HOUR), node_traffic.encode("c", HOUR, (row("a.test"),)))
    shared.write(node_traffic.key("b", HOUR - 1), node_traffic.encode("b", HOUR, (row("a.test"),)))
    assert not read(shared, "a")


def test_nodes_tell_their_own_and_read_the_others() -> None:
    shared = memory_store.MemoryStore()
    a, b = Node("a", shared), Node("b", shared)
    a.counted, b.counted = {HOUR: (row("a.test", 5),)}, {HOUR: (row("a.test", 3),), HOUR - 30: (row("b.test", 1),)}
    a.step()
    b.step()
    assert {name: [one.requests for _, one in found] for name, found in read(shared, "a").items()} == {"b": [3]}
    assert {name: [one.requests for _, one in found] for name, found in read(shared, "c").items()} == {
        "a": [5],
        "b": [3],
    }
    assert sum(one.requests for _, one in read(shared, "a", 40)["b"]) == 4


def test_nothing_is_written_where_nothing_was_counted() -> None:
    shared = memory_store.MemoryStore()
    a = Node("a", shared)
    a.step()
    assert shared.list("") == []
    a.counted = {HOUR: (row("a.test"),)}
    a.step()
    known = shared.read_many([node_traffic.key("a", HOUR)]).found
    a.step()
    assert shared.read_many([node_traffic.key("a", HOUR)]).found == known, "its revision is the same"


def test_the_end_of_an_hour_is_told_in_the_next_one() -> None:
    shared = memory_store.MemoryStore()
    a = Node("a", shared)
    a.counted = {HOUR: (row("a.test", 1),)}
    a.step()
    for requests in (2, 3):  # the store is half a minute behind
        a.clock.now_s = NOW_S + node_traffic.HOUR_S
        a.counted = {HOUR: (row("a.test", requests),)}
        a.step()
    assert [one.requests for _, one in read(shared, "b")["a"]] == [3]


def test_what_is_old_goes_also_of_nodes_that_left() -> None:
    shared = memory_store.MemoryStore()
    for hour in (HOUR - node_traffic.KEPT_HOURS, HOUR - node_traffic.KEPT_HOURS + 1):
        shared.write(node_traffic.key("gone", hour), node_traffic.encode("gone", hour, (row("a.test"),)))
    Node("b", shared).step()
    assert len(shared.list("")) == 2, "the first node of those that live does it"
    Node("a", shared).step()
    assert shared.list("") == [node_traffic.key("gone", HOUR - node_traffic.KEPT_HOURS + 1)]


def test_every_key_has_its_hour() -> None:
    assert node_traffic.hour_of(node_traffic.key("Web 1/é", HOUR)) == HOUR
    others: collections.abc.Iterable[str] = ("traffic/a", "traffic/a/b", "traffic/a/b/1", "traffic/a/-1", "certs/a/1")
    assert not any(map(node_traffic.hour_of, others))
