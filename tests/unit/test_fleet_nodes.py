"""Which nodes of a fleet live, as one of them sees it, and who reports one that is silent."""

import dataclasses
import datetime
import json

import hypothesis
from hypothesis import strategies

from daemun.control import damage_report, fleet_port, stored_values
from daemun.core.alerts import alert_ledger, fleet_concerns
from daemun.core.fleet import node_about, node_alerts, node_states
from daemun.core.options import alerting_forms
from daemun.fleet import node_keeper

NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
ALIVE, DOWN, UNKNOWN = node_states.NodeState.ALIVE, node_states.NodeState.DOWN, node_states.NodeState.UNKNOWN
REACHED = node_states.SeenDatabase(silent_s=1, looked_s=3600)


def seen(name: str, silent_s: float = 1.0, up_s: float = 3600.0, **about: object) -> node_states.SeenNode:
    return node_states.SeenNode(
        name=name,
        silent_s=silent_s,
        beat=10000.0 - silent_s,
        began=10000.0 - silent_s - up_s,
        about=node_about.NodeAbout(version="1.0", **about),  # type: ignore[arg-type]
    )


def judge(
    *nodes: node_states.SeenNode, own: str = "a", database: node_states.SeenDatabase = REACHED
) -> node_states.FleetStatus:
    return node_states.judge(own, "1.0", nodes, database, NOW)


def states(status: node_states.FleetStatus) -> dict[str, node_states.NodeState]:
    return {one.name: one.state for one in status.nodes}


# --- states --------------------------------------------------------------------------------------------------------


def test_a_node_without_a_heartbeat_for_eight_seconds_is_down() -> None:
    status = judge(seen("a"), seen("b", silent_s=7.9), seen("c", silent_s=8.0))
    assert states(status) == {"a": ALIVE, "b": ALIVE, "c": DOWN}
    assert [one.since for one in status.down] == [NOW - datetime.timedelta(seconds=8)]
    (problem,) = node_states.find_problems(status)
    assert problem.message.startswith('machine "c" of the fleet gives no sign of life since 2026-03-01 11:59:52 UTC; ')
    assert "`daemun fleet leave c`" in problem.message


def test_nothing_is_known_of_others_while_the_database_is_not_reached() -> None:
    database = node_states.SeenDatabase(silent_s=20, looked_s=3600, cause="cannot reach the fleet's database: refused")
    status = judge(seen("a"), seen("b", silent_s=20), database=database)
    assert states(status) == {"a": ALIVE, "b": UNKNOWN}
    assert status.unreached_since == NOW - datetime.timedelta(seconds=20)
    (problem,) = node_states.find_problems(status)
    assert problem.message.startswith("cannot reach the fleet's database: refused (since 2026-03-01 11:59:40 UTC; ")


def test_nobody_is_down_right_after_the_database_is_back() -> None:
    for looked_s, expected in ((0.0, UNKNOWN), (7.9, UNKNOWN), (8.0, DOWN)):
        database = node_states.SeenDatabase(silent_s=0, looked_s=looked_s)
        assert states(judge(seen("a"), seen("b", silent_s=60), database=database))["b"] is expected


def test_who_is_behind_and_who_runs_another_version() -> None:
    database = node_states.SeenDatabase(silent_s=0, looked_s=3600, settled_revision=10)
    nodes = [
        node_states.SeenNode(
            name=name,
            silent_s=0,
            beat=10000,
            began=0,
            seen_revision=revision,
            about=node_about.NodeAbout(version=version, revision=number),
        )
        for name, revision, version, number in (("a", 10, "1.0", 5), ("b", 9, "1.1", 4), ("c", 12, "1.0", None))
    ]
    status = judge(*nodes, database=database)
    assert [one.is_behind for one in status.nodes] == [False, True, False]
    assert [one.is_other for one in status.nodes] == [False, True, False]
    assert [one.is_old for one in status.nodes] == [False, True, False]


# --- what nodes say ------------------------------------------------------------------------------------------------


def test_what_a_node_says_is_read_as_it_was_written() -> None:
    about = node_about.NodeAbout(
        version="1.2.3",
        process="5f",
        addresses=("203.0.113.7", "2001:db8::7"),
        listen=("*:443",),
        revision=12,
        problems=3,
        started_at=NOW,
    )
    assert node_about.parse(node_about.encode(about)) == about


def test_what_a_stranger_wrote_is_left_out() -> None:
    hostile = {
        "version": "x" * 1000,
        "addresses": ["203.0.113.7", "a.example", 4, None, "fe80::1%eth0", "127.0.0.1", "::ffff:127.0.0.1", "[::1]"],
        "listen": "no list",
        "revision": True,
        "process": "a\x1b[31mb",
        "problems": -1,
        "started_at": 1e300,
    }
    assert node_about.parse(json.dumps(hostile)) == node_about.NodeAbout(addresses=("203.0.113.7",))
    for text in ("", "[]", "{", "null", "[" * 3000, json.dumps({"version": "1" * 5000})):
        assert node_about.parse(text) == node_about.NodeAbout()


@hypothesis.given(
    strategies.recursive(
        strategies.none() | strategies.booleans() | strategies.integers() | strategies.floats() | strategies.text(),
        lambda inner: strategies.lists(inner, max_size=3) | strategies.dictionaries(strategies.text(), inner),
        max_leaves=8,
    ),
    strategies.sampled_from(["version", "addresses", "listen", "revision", "process", "problems", "started_at"]),
)
def test_no_text_of_the_database_raises(value: object, key: str) -> None:
    about = node_about.parse(json.dumps({key: value}))
    assert node_about.parse(node_about.encode(about)) == about


# --- who reports ---------------------------------------------------------------------------------------------------


def reporters(*nodes: node_states.SeenNode) -> dict[str, list[str]]:
    """By the silent node, which living ones report it."""
    found: dict[str, list[str]] = {}
    living = [one.name for one in nodes if one.silent_s < node_states.SILENT_S]
    for own in living:
        for name in node_alerts.find_reported(judge(*nodes, own=own)):
            found.setdefault(name, []).append(own)
    return found


def test_one_node_reports_a_silent_one() -> None:
    nodes = [seen("a"), seen("b"), seen("c", silent_s=60), seen("d", silent_s=9)]
    assert reporters(*nodes) == {"c": ["a"], "d": ["a"]}
    # a came back after c fell silent: b reports that already.
    assert reporters(seen("a", up_s=20), *nodes[1:]) == {"c": ["b"], "d": ["a"]}
    # Nobody is left who saw it.
    assert reporters(seen("a", up_s=20), seen("b", up_s=30), seen("c", silent_s=60)) == {"c": ["a"]}


@hypothesis.given(
    strategies.lists(
        strategies.tuples(strategies.floats(0, 100, allow_nan=False), strategies.floats(0, 1000, allow_nan=False)),
        min_size=2,
        max_size=6,
    )
)
def test_each_silent_node_has_exactly_one_reporter(drawn: list[tuple[float, float]]) -> None:
    nodes = [seen(f"n{index}", silent_s=silent, up_s=up) for index, (silent, up) in enumerate(drawn)]
    found = reporters(seen("me"), *nodes)
    assert set(found) == {one.name for one in nodes if one.silent_s >= node_states.SILENT_S}
    assert all(len(by) == 1 for by in found.values())


def concerns(status: node_states.FleetStatus, *sent: tuple[alert_ledger.Danger, str]) -> list[tuple[str, str]]:
    return [(one.danger.value, one.name) for one in fleet_concerns.of_fleet(status, alerting_forms.Rules(), sent)]


def test_an_alert_is_not_over_because_nothing_is_known() -> None:
    sent = [(alert_ledger.Danger.NODE_DOWN, "c"), (alert_ledger.Danger.FLEET_DATABASE, "database")]
    unreached = node_states.SeenDatabase(silent_s=20, looked_s=3600)
    for database in (unreached, node_states.SeenDatabase(silent_s=1, looked_s=2)):
        for nodes in ([seen("a")], [seen("a"), seen("c", silent_s=30)]):
            found = concerns(judge(*nodes, database=database), *sent)
            assert found == [("node_down", "c"), ("fleet_database", "database")]
    assert concerns(judge(seen("a"), seen("c")), *sent) == []
    assert concerns(judge(seen("a")), *sent) == []  # it left
    assert concerns(judge(seen("a"), seen("b"), seen("c", silent_s=30), own="b"), *sent) == [("node_down", "c")]
    assert concerns(judge(seen("a"), seen("b"), seen("c", silent_s=30), own="b")) == []
    rules = alerting_forms.Rules(fleet=False)
    assert not list(fleet_concerns.of_fleet(judge(seen("a"), seen("c", silent_s=30)), rules, ()))


# --- the keeper ----------------------------------------------------------------------------------------------------


class House:
    """A keeper with a clock of the test's, and what its heartbeats bring."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.changes = 0
        self.damage = damage_report.DamageReport()
        self.stamps: list[int] = []
        self.keeper = node_keeper.NodeKeeper(
            self,
            "a",
            version="1.0",
            describe=node_about.NodeAbout,
            find_seen=stored_values.Cursor,
            clock=self,
            damage=self.damage,
            changed=self._note,
            monotonic_s=lambda: self.now_s,
        )

    def now(self) -> datetime.datetime:
        return NOW + datetime.timedelta(seconds=self.now_s)

    def _note(self) -> None:
        self.changes += 1

    def note(
        self, *nodes: fleet_port.ListedNode, epoch: int = 1, revision: int = 1, unproven: tuple[str, ...] = ()
    ) -> None:
        self.keeper.note(fleet_port.NodeListing(epoch=epoch, revision=revision, nodes=nodes, unproven=unproven))

    def state(self, name: str) -> node_states.NodeState | None:
        return states(self.keeper.status()).get(name)

    # fleet_port.NodeRegister. What a heartbeat brings is noted by the tests.

    def beat(
        self,
        node: str,
        about: str,
        seen: stored_values.Cursor,
        *,
        stamp: int,
        silent_s: float = 0,
        changed_s: float | None = None,
    ) -> fleet_port.NodeListing:
        self.stamps.append(stamp)
        return fleet_port.NodeListing(epoch=1, revision=1, nodes=())

    def list_nodes(self) -> fleet_port.NodeListing:
        raise NotImplementedError

    def forget_node(self, node: str) -> None:
        raise NotImplementedError

    def clean(self) -> None:
        raise NotImplementedError


def listed(
    name: str, beat: float, age_s: float, *, stamp: int | None = None, about: str | None = "", digest: str = ""
) -> fleet_port.ListedNode:
    return fleet_port.ListedNode(
        name=name,
        format=1,
        seen_revision=1,
        beat=beat,
        age_s=age_s,
        began=beat - 3600,
        stamp=int(beat) if stamp is None else stamp,
        about=about,
        digest=digest,
    )


def test_a_clock_of_the_database_that_jumps_makes_nobody_silent() -> None:
    house = House()
    for step in range(6):
        house.now_s += 2
        # From the third heartbeat on another server answers, whose clock is ten minutes ahead, or behind.
        off = 0.0 if step < 2 else 600.0 if step < 4 else -600.0
        house.note(listed("b", beat=step + off, age_s=1.0 + off, stamp=step))
        assert house.state("b") is ALIVE, step


def test_a_silent_node_is_counted_by_the_own_clock() -> None:
    house = House()
    for step in range(8):
        house.now_s += 2
        house.note(listed("b", beat=7.0, age_s=-600.0 + 2 * step))
        house.keeper.look()
        assert house.state("b") is (ALIVE if step < 4 else DOWN), step
    assert house.changes == 1
    house.note(listed("b", beat=8.0, age_s=0))
    house.keeper.look()
    assert house.state("b") is ALIVE
    assert house.changes == 2


def test_after_an_outage_of_the_database_all_get_the_time_to_beat() -> None:
    house = House()
    for _ in range(6):
        house.now_s += 2
        house.note(listed("b", beat=house.now_s, age_s=0), listed("c", beat=1.0, age_s=house.now_s))
    house.keeper.look()
    assert (house.state("b"), house.state("c")) == (ALIVE, DOWN)
    house.now_s += 60
    house.keeper.look()
    assert (house.state("b"), house.state("c")) == (UNKNOWN, UNKNOWN)
    assert house.keeper.status().unreached_since is not None
    house.note(listed("b", beat=1012.0, age_s=60), listed("c", beat=1.0, age_s=2000))
    assert (house.state("b"), house.state("c")) == (UNKNOWN, UNKNOWN)
    for step in range(1, 5):
        house.now_s += 2
        house.note(listed("b", beat=2000.0 + step, age_s=0), listed("c", beat=1.0, age_s=2000))
    assert (house.state("b"), house.state("c")) == (ALIVE, DOWN)


def test_what_a_node_said_is_kept_until_it_says_something_else() -> None:
    house = House()
    text = node_about.encode(node_about.NodeAbout(version="1.0", addresses=("192.0.2.1",)))
    house.note(listed("b", beat=1.0, age_s=0, about=text))
    house.now_s += 2
    house.note(listed("b", beat=2.0, age_s=0, about=None))
    (_, other) = house.keeper.status().nodes
    assert other.about.addresses == ("192.0.2.1",)


def test_another_machine_of_the_same_name_is_noticed() -> None:
    house = House()
    twin = node_about.encode(node_about.NodeAbout(version="1.0", process="of another"))
    house.note(listed("a", beat=1.0, age_s=0, about=twin))  # what this machine's process before wrote
    assert not house.keeper.status().is_twice
    house.now_s += 2
    house.note(listed("a", beat=2.0, age_s=0, about=twin))
    status = house.keeper.status()
    assert status.is_twice
    assert 'another machine is in the fleet as "a"' in node_states.find_problems(status)[0].message


def addresses(house: House, name: str) -> tuple[str, ...]:
    return next((one.about.addresses for one in house.keeper.status().nodes if one.name == name), ())


def test_a_heartbeat_without_proof_is_no_node_and_is_reported_once() -> None:
    house = House()
    house.note(listed("b", beat=1.0, age_s=0), unproven=("evil", "\x1b[2J" * 99))
    assert house.state("evil") is None
    (problem,) = house.damage.problems()
    assert "'evil'" in problem.message and "`daemun fleet leave NAME`" in problem.message
    assert "\x1b" not in problem.message and len(problem.message) < 500
    house.now_s += 2
    house.note(listed("b", beat=2.0, age_s=0), unproven=tuple(f"evil-{number}" for number in range(1000)))
    (problem,) = house.damage.problems()
    assert "and 997 more" in problem.message and len(problem.message) < 500
    house.note(listed("b", beat=3.0, age_s=0))
    assert house.damage.problems() == ()


def test_a_node_whose_heartbeat_was_overwritten_is_silent() -> None:
    house = House()
    text = node_about.encode(node_about.NodeAbout(addresses=("192.0.2.1",)))
    for step in range(6):
        house.now_s += 2
        house.note(listed("b", beat=step, age_s=0, about=text))
    for _ in range(3):
        house.now_s += 2
        house.note(unproven=("b",))
        assert house.state("b") is ALIVE
    house.now_s += 2
    house.note(unproven=("b",))
    assert house.state("b") is DOWN
    assert addresses(house, "b") == ("192.0.2.1",)
    house.note(listed("b", beat=9.0, age_s=0))
    assert house.state("b") is ALIVE


def test_a_heartbeat_that_is_put_back_is_none() -> None:
    """Its row says that it came just now."""
    house = House()
    for step in range(10):
        house.now_s += 2
        house.note(listed("b", beat=house.now_s, age_s=0, stamp=min(step, 5)))
    assert house.state("b") is DOWN
    # Later ones that were held back, from before this node's own of half a minute ago; and a node that left.
    for step in range(30):
        house.now_s += 2
        house.keeper.beat("")
        old = [listed(name, beat=house.now_s, age_s=0, stamp=100 + step) for name in ("b", "c")]
        house.note(*(old if step > 20 else old[:1]))
    assert (house.state("b"), house.state("c")) == (DOWN, DOWN)
    house.note(listed("b", beat=house.now_s, age_s=0, stamp=house.stamps[-1] + 1))
    assert house.state("b") is ALIVE


def test_stamps_rise_whatever_the_clocks_say() -> None:
    house = House()
    house.keeper.beat("")
    ahead = house.stamps[0] + 3_600_000  # another node's clock is an hour ahead
    for step in range(40):
        house.now_s += 2
        house.keeper.beat("")
        house.note(listed("b", beat=step, age_s=0, stamp=ahead + 2000 * step))
        assert house.state("b") is ALIVE
    assert house.stamps == sorted(set(house.stamps))
    assert house.stamps[-1] > ahead


def test_what_a_node_said_counts_with_its_digest_alone() -> None:
    """Somebody hides that it changed."""
    house = House()
    house.note(listed("b", beat=1.0, age_s=0, about="{}", digest="1"))
    for step in range(5):
        house.now_s += 2
        house.note(listed("b", beat=2.0 + step, age_s=0, about=None, digest="2"))
    assert house.state("b") is DOWN
    text = node_about.encode(node_about.NodeAbout(addresses=("192.0.2.1",)))
    house.note(listed("b", beat=8.0, age_s=0, about=text, digest="2"))
    assert (house.state("b"), addresses(house, "b")) == (ALIVE, ("192.0.2.1",))


@hypothesis.given(strategies.floats(allow_nan=False, allow_infinity=False), strategies.floats(-1e12, 1e12))
@hypothesis.example(beat=-210_000_000_000.0, off=0.0)  # 4700 BC
@hypothesis.example(beat=9_224_318_015_999.0, off=-9e12)  # the last time of PostgreSQL
def test_no_time_of_the_database_breaks_what_is_said_of_nodes(beat: float, off: float) -> None:
    house = House()
    for step in range(6):
        house.now_s += 2
        house.note(
            dataclasses.replace(listed("b", beat=beat, age_s=-beat, stamp=1), began=beat + off),
            dataclasses.replace(listed("c", beat=step, age_s=0, stamp=step), began=-off),
        )
        status = house.keeper.status()
        assert node_states.find_problems(status) is not None
        house.keeper.look()
    assert (house.state("b"), house.state("c")) == (DOWN, ALIVE)
    assert all(0 <= one.beat - one.began <= 4e8 for one in status.nodes if one.name != "a")
