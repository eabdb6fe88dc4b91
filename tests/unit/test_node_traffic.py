"""What each node of a fleet tells the others of what it counted: small, bounded, and hostile until parsed."""

import collections.abc
import contextlib
import datetime
import itertools
import json
import random
import zlib

import pytest

from daemun import errors
from daemun.core.traffic import traffic_sums
from daemun.fleet import fleet_traffic, node_traffic, shared_traffic
from daemun.store import memory_store

HOUR = 495_000
NOW_S = (HOUR + 0.5) * node_traffic.HOUR_S
DAY_S = 86_400


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
    """counted: by the hour since the epoch. living: names of nodes; None: nobody can say."""

    def __init__(self, name: str, shared: memory_store.MemoryStore) -> None:
        self.counted: dict[int, node_traffic.Found] = {}
        self.living: set[str] | None = {"a", "b"}
        self.own = memory_store.MemoryStore()
        self.clock = Clock()
        self.shared_clock_s = NOW_S
        self.shared = shared
        self.begin(name)

    def begin(self, name: str) -> None:
        """As at a start of its daemun."""
        self.sharer = shared_traffic.TrafficSharer(
            self.shared,
            self.own,
            name,
            read_hour=lambda start: self.counted.get(start // node_traffic.HOUR_S, ()),
            find_living=self._find_living,
            read_shared_clock_s=lambda: self.shared_clock_s,
            clock=self.clock,
        )

    def _find_living(self) -> set[str]:
        if self.living is None:
            raise errors.StoreUnreachableError("cannot tell")
        return self.living

    def step(self) -> bool:
        return self.sharer.step()

    def read(self, hours: int = 24) -> dict[str, int]:
        """Requests of the others, by their names."""
        found = shared_traffic.read_others(self.shared, self.own, NOW_S - hours * node_traffic.HOUR_S, NOW_S).found
        return {name: sum(one.requests for _, one in part) for name, part in found.items()}


MACHINES = {name: name.encode().hex().ljust(32, "0") for name in "bc"}


def read(shared: memory_store.MemoryStore) -> shared_traffic.ReadHours:
    return shared_traffic.read_others(shared, memory_store.MemoryStore(), NOW_S - DAY_S, NOW_S)


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


def test_it_is_bounded_however_much_is_counted_of_each() -> None:
    found = []
    for number in range(4_000):
        series, sums = row(f"site-{number:05}.example.com", 1 + number)
        sums.counts |= {f"t{one}": 1 << 40 for one in range(300)}
        found.append((series, sums))
    told = node_traffic.decode(node_traffic.encode("a", HOUR, tuple(found))).sums
    assert sum(one.requests for _, one in told) == sum(one.requests for _, one in found)
    assert {series.site for series, _ in told} >= {node_traffic.OTHERS, "site-03999.example.com"}
    largest = node_traffic.encode("a", HOUR, (row("a.test", 1 << 80),))
    assert node_traffic.decode(largest).sums[0][1].requests == 1 << 62


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
    shared.write(node_traffic.key(MACHINES["b"], HOUR), content)
    shared.write(node_traffic.key(MACHINES["c"], HOUR), node_traffic.encode("c", HOUR, (row("a.test"),)))
    others = read(shared)
    assert [*others.found] == ["c"]
    assert others.unusable == 1


def test_an_hour_does_not_count_for_another() -> None:
    shared = memory_store.MemoryStore()
    shared.write(node_traffic.key(MACHINES["b"], HOUR - 1), node_traffic.encode("b", HOUR, (row("a.test"),)))
    found = read(shared)
    assert (found.found, found.unusable) == ({}, 1)


def test_foreign_rows_and_names_are_no_hours() -> None:
    shared = memory_store.MemoryStore()
    a = Node("a", shared)
    a.counted = {HOUR: (row("a.test"), row("b.test/\x1b", 2), row("c.test", 4, "/한글"), row("d.test", 8, "/" * 500))}
    for key in ("traffic/b/1", "traffic/b/c/d", f"traffic/{'b' * 32}/1e9"):
        shared.write(key, b"x")
    assert a.step()
    found = {series[:2]: sums.requests for series, sums in read(shared).found["a"]}
    assert found == {("a.test", ""): 1, ("c.test", "/한글"): 4, (node_traffic.OTHERS, ""): 10}
    assert [one for one in shared.list("") if not node_traffic.parse_key(one)[0]] == [], "they go with what is old"


def test_nodes_store_their_own_and_read_the_others() -> None:
    shared = memory_store.MemoryStore()
    a, b = Node("a", shared), Node("b", shared)
    a.counted, b.counted = {HOUR: (row("a.test", 5),)}, {HOUR: (row("a.test", 3),), HOUR - 30: (row("b.test", 1),)}
    assert a.step()
    assert b.step()
    assert a.read() == {"b": 3}
    assert b.read() == {"a": 5}
    assert Node("c", shared).read() == {"a": 5, "b": 3}
    assert a.read(40) == {"b": 4}


def test_a_machine_with_another_name_counts_once() -> None:
    shared = memory_store.MemoryStore()
    a = Node("a", shared)
    a.counted = {HOUR: (row("a.test", 5),)}
    a.step()
    a.begin("b")
    a.step()
    assert a.read() == {}, "it has these itself"
    assert Node("c", shared).read() == {"b": 5}


def test_two_machines_with_one_name_count_both() -> None:
    shared = memory_store.MemoryStore()
    for requests in (5, 3):
        a = Node("a", shared)
        a.counted = {HOUR: (row("a.test", requests),)}
        a.step()
    assert a.read() == {"a": 5}
    assert Node("c", shared).read() == {"a": 8}


def test_nothing_is_written_where_nothing_was_counted() -> None:
    shared = memory_store.MemoryStore()
    a = Node("a", shared)
    assert not a.step()
    assert shared.list("") == []
    a.counted = {HOUR: (row("a.test"),)}
    assert a.step()
    known = shared.read_many(under="").found
    assert not a.step()
    assert shared.read_many(under="").found == known, "its revision is the same"


def test_the_end_of_an_hour_is_stored_in_the_next_one() -> None:
    shared = memory_store.MemoryStore()
    a = Node("a", shared)
    a.counted = {HOUR: (row("a.test", 1),)}
    a.step()
    for requests in (2, 3):  # what is counted is half a minute behind
        a.clock.now_s = NOW_S + node_traffic.HOUR_S
        a.counted = {HOUR: (row("a.test", requests),)}
        a.step()
    assert Node("b", shared).read() == {"a": 3}


def test_it_is_stored_though_nobody_can_say_who_lives() -> None:
    shared = memory_store.MemoryStore()
    a = Node("a", shared)
    a.living, a.counted = None, {HOUR: (row("a.test", 1),)}
    with pytest.raises(errors.StoreUnreachableError):
        a.step()
    assert Node("b", shared).read() == {"a": 1}


def test_what_is_old_goes_also_of_nodes_that_left() -> None:
    shared = memory_store.MemoryStore()
    hours = [HOUR + one for one in (-node_traffic.KEPT_HOURS, 1 - node_traffic.KEPT_HOURS, 20, 4 * DAY_S)]
    for hour in hours:
        shared.write(node_traffic.key(MACHINES["b"], hour), node_traffic.encode("gone", hour, (row("a.test"),)))
    Node("b", shared).step()
    assert len(shared.list("")) == 4, "the first node of those that live does it"
    a = Node("a", shared)
    a.clock.now_s = NOW_S + 30 * DAY_S  # by the database's clock, not by its own
    a.step()
    assert [node_traffic.parse_key(one)[1] for one in shared.list("")] == hours[1:3]
    assert Node("c", shared).read(48) == {"gone": 1}, "what is to come is none"


def test_every_key_has_its_hour() -> None:
    assert node_traffic.parse_key(node_traffic.key(MACHINES["b"], HOUR)) == (MACHINES["b"], HOUR)
    others: collections.abc.Iterable[str] = ("traffic/a", "traffic/a/b", f"traffic/{MACHINES['b']}/-1", "certs/a/1")
    assert {node_traffic.parse_key(one) for one in others} == {("", -1)}


# --- for a page ----------------------------------------------------------------------------------------------------


def test_one_site_of_all_nodes_is_read() -> None:
    shared = memory_store.MemoryStore()
    a, b = Node("a", shared), Node("b", shared)
    a.counted[HOUR] = (row("a.test", 2), row("b.test", 3))
    b.counted[HOUR - 2] = (row("a.test", 5),)
    b.counted[HOUR - 24] = (row("a.test", 100),)
    a.step()
    b.step()
    traffic = fleet_traffic.FleetTraffic(shared, "a", a.clock)
    of_one, of_all, of_none = traffic.read("a.test"), traffic.read(None), traffic.read("c.test")
    assert {name: one.requests for name, one in of_one.by_node.items()} == {"a": 2, "b": 5}
    assert of_one.total.requests == 7 and of_one.total.errors == 0
    assert (of_all.node, of_all.total.requests, of_none.total.requests) == ("a", 10, 0)
    assert of_all.since.timestamp() == (HOUR - 23) * node_traffic.HOUR_S


def test_a_page_that_is_looked_at_all_the_time_reads_once() -> None:
    shared = memory_store.MemoryStore()
    a = Node("a", shared)
    a.counted[HOUR] = (row("a.test", 2),)
    a.step()
    traffic = fleet_traffic.FleetTraffic(shared, "a", a.clock)
    assert traffic.read("a.test") is traffic.read("a.test")
    for number in range(100):
        traffic.read(f"{number}.test")
    assert traffic.read("a.test").total.requests == 2


def test_what_takes_too_long_to_read_is_the_newest_hours() -> None:
    shared = memory_store.MemoryStore()
    for number, hour in itertools.product(range(30), (HOUR, HOUR - 1)):
        content = node_traffic.encode(f"n{number}", hour, (row("a.test"),))
        shared.write(node_traffic.key(f"{number:032x}", hour), content)
    found = shared_traffic.read_all(shared, NOW_S - DAY_S, NOW_S, site=None, most_s=-1.0)
    assert found.found == {} and found.since_hour == HOUR + 1
    whole = shared_traffic.read_all(shared, NOW_S - DAY_S, NOW_S, site="a.test", most_s=60.0)
    assert len(whole.found) == 30 and whole.since_hour == HOUR - 24


def test_rows_of_a_site_are_hostile_too() -> None:
    for rows in ("[1]", "[[]]", '["a.test"]', '[{"a": 1}]', '[["a.test"]]'):
        content = zlib.compress(f'{{"node": "b", "hour": {HOUR}, "sums": {rows}}}'.encode())
        with contextlib.suppress(ValueError):
            assert node_traffic.decode(content, "a.test").sums == ()
