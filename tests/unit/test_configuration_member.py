"""The configuration of a fleet, by the nodes' own steps over a store in memory: whatever dies at whatever step, and
whoever edits at once, all living nodes end equal, and nothing that anybody wrote is lost."""

import collections.abc
import contextlib
import dataclasses
import datetime
import json
import os

import hypothesis
import pytest
from hypothesis import stateful
from hypothesis import strategies as st

from daemun import errors
from daemun.control import history_port, stored_values
from daemun.fleet import (
    configuration_files,
    configuration_member,
    configuration_values,
    member_ports,
    stored_configuration,
)
from daemun.store import memory_store

IS_DEEP = bool(os.environ.get("DAEMUN_TEST_DEEP"))
MAIN = configuration_values.MAIN
FIRST = b"".join(b"line %d\n" % number for number in range(1, 10))
NAMES = ("a", "b", "c")
LONG_S = 1000.0
"""Longer than any lease, and than anybody is waited for."""


class Died(BaseException):
    """The process is gone."""


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Database(memory_store.MemoryStore):
    """Shared by all; `is_there` False: nobody reaches it."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(now=clock)
        self.is_there = True
        self.numbers: dict[int, str] = {}

    def check(self) -> None:
        if not self.is_there:
            raise errors.StoreUnreachableError("cannot reach the database: it is gone")


class NodeStore:
    """What a node has of it, with a copy on its disk. Before each change it may die."""

    def __init__(self, shared: Database, die: collections.abc.Callable[[], None]) -> None:
        self.own = memory_store.MemoryStore()
        self.damage = self.own.damage
        self.locked = 0
        """How often a lock was tried."""
        self.asked: list[str] = []
        """What was read of what is shared, name by name."""
        self._shared = shared
        self._die = die

    def locate(self, key: str) -> str:
        return key

    def read(self, key: str) -> bytes:
        return self.own.read(key)

    def read_many(
        self, some: collections.abc.Iterable[str] = (), *, under: str | None = None
    ) -> stored_values.ReadValues:
        self._shared.check()
        read = self._shared.read_many(some, under=under)
        self.asked += read.found
        for key in some:
            if key in read.found:
                self.own.write(key, read.found[key].value)
            else:
                self.own.delete(key)
        return read

    def write(self, key: str, value: bytes) -> None:
        self._die()
        if key.startswith("node/"):
            self.own.write(key, value)
        else:
            self._shared.check()
            self._shared.write(key, value)
        self._die()

    def commit(self, changes, *, lease=None) -> None:  # type: ignore[no-untyped-def]
        self._die()
        self._shared.check()
        self._shared.commit(changes, lease=lease)
        for change in changes:
            if change.key == configuration_values.KEY_CURRENT:
                made = configuration_values.decode_revision(change.value, lambda _: {})
                assert self._shared.numbers.setdefault(made.number, made.id) == made.id, "a number was given twice"
        self._die()

    @contextlib.contextmanager
    def lock(self, name: str, *, lease_s: float = 60.0):  # type: ignore[no-untyped-def]
        self.locked += 1
        self._shared.check()
        with self._shared.lock(name, lease_s=lease_s) as lease:
            yield lease


class NodeFiles:
    """Implements `member_ports.LocalFilesPort` on a disk in memory."""

    def __init__(self, die: collections.abc.Callable[[], None]) -> None:
        self.held: dict[str, bytes] = {MAIN: b""}
        self.copies: dict[str, bytes] = {}
        self.unshared: dict[str, bytes] = {}
        """What the machine has for itself."""
        self.is_locked = False
        self._die = die

    def read(self) -> configuration_files.LocalFiles | None:
        return configuration_files.LocalFiles(shared=dict(self.held), main=self.held[MAIN], own=b"", others={})

    def find_obstacle(self, files: configuration_values.Files) -> str | None:
        return "another file is there" if {*self.unshared} & {*files} else None

    def write(self, files: configuration_values.Files, expected: configuration_values.Files) -> None:
        self._check(expected)
        if obstacle := self.find_obstacle(files):
            raise errors.ConfigError(obstacle)
        for name in sorted({*files, *self.held}, reverse=True):  # daemun.yaml comes last
            self._die()
            if name in files:
                self.held[name] = files[name]
            else:
                del self.held[name]
        self._die()

    def copy_beside(
        self, names: tuple[str, ...], suffix: str, expected: configuration_values.Files
    ) -> tuple[tuple[str, str], ...]:
        self._check(expected)
        for name in names:
            self._die()
            self.copies[f"{name}{suffix}.{len(self.copies)}"] = self.held[name]
        self._die()
        return ()

    def _check(self, expected: configuration_values.Files) -> None:
        if self.is_locked or self.held != expected:
            raise errors.ConflictError("it is being edited")


@dataclasses.dataclass
class Node:
    """refuses, fails: what it cannot serve, found before or only then."""

    name: str
    world: "World"
    refuses: bytes = b"\0"
    fails: bytes = b"\0"
    dies_after: int | None = None
    is_up: bool = True
    served: configuration_values.Files | None = None
    member: configuration_member.ConfigurationMember | None = None

    def __post_init__(self) -> None:
        self.store = NodeStore(self.world.database, self.may_die)
        self.files = NodeFiles(self.may_die)
        self.start()

    def may_die(self) -> None:
        if self.dies_after is not None:
            self.dies_after -= 1
            if self.dies_after < 0:
                self.dies_after = None
                raise Died

    def start(self) -> None:
        self.is_up = True
        self.member = configuration_member.ConfigurationMember(
            self.store,  # type: ignore[arg-type]
            self.name,
            self.files,
            lambda: {node.name for node in self.world.nodes.values() if node.is_up},
            now=lambda: datetime.datetime(2026, 11, 30, tzinfo=datetime.UTC),
            monotonic=self.world.clock,
            make_id=self.world.make_id,
        )
        self.member.serving = self
        self.served = self.member.start()

    def check(self, files: configuration_values.Files) -> str | None:
        self.may_die()
        return f"{self.name} lacks a file" if self.refuses in files[MAIN] else None

    def serve(self, files: configuration_values.Files | None, caller: history_port.Caller | None) -> str | None:
        self.may_die()
        self.served = None if files is None else dict(files)
        self.may_die()
        return f"a port of {self.name} is taken" if files is not None and self.fails in files[MAIN] else None

    def step(self) -> member_ports.StepReport | None:
        if not self.is_up:
            return None
        assert self.member is not None
        try:
            return self.member.step()
        except Died:
            self.die()
        except errors.DaemunError:
            pass
        return None

    def die(self) -> None:
        self.is_up = False
        self.dies_after = None
        self.world.dead.append(self.member)  # whose lease is left to end by time
        self.member = None

    def forget_revision(self) -> None:
        """As if an older daemun had followed it."""
        key = configuration_values.KEY_OF_NODE
        fields = json.loads(self.store.own.read(key))
        self.store.own.write(key, json.dumps({**fields, "revision": None}).encode())
        self.die()
        self.start()

    def edit(self, old: bytes, new: bytes) -> bytes:
        self.files.held[MAIN] = self.files.held[MAIN].replace(old, new)
        return new


class World:
    def __init__(
        self, names: collections.abc.Iterable[str] = NAMES, first: bytes = FIRST, *, step_s: float = 5.0
    ) -> None:
        """step_s: how long a step of all nodes takes. Nobody renews a lease, which lasts a minute."""
        self._step_s = step_s
        self.clock = Clock()
        self.database = Database(self.clock)
        self._ids = 0
        self.dead: list[object] = []
        self.nodes: dict[str, Node] = {}
        for name in names:
            self.nodes[name] = Node(name=name, world=self)
        next(iter(self.nodes.values())).files.held = {MAIN: first}
        self.settle()

    def make_id(self) -> str:
        self._ids += 1
        return f"id{self._ids}"

    def settle(self, *, most: int = 400) -> None:
        """Until nobody does anything any more, with all the time that it takes."""
        quiet = 0
        for _ in range(most):
            reports = [node.step() for node in self.nodes.values()]
            is_quiet = all(one is None or one.state is not member_ports.EditState.WAITING for one in reports)
            self.clock.now_s += self._step_s
            quiet = quiet + 1 if is_quiet else 0
            if quiet > 3:
                return
        raise AssertionError(f"the fleet does not come to rest: {reports}")

    def current(self) -> configuration_values.Revision:
        found = stored_configuration.StoredConfiguration(self.database, "none").look().current
        assert found is not None
        return found

    def agree(self, *, but: str = "") -> bytes:
        """All nodes serve the same, and have it in their files. Returns: which."""
        files = self.current().files
        for node in self.nodes.values():
            if node.is_up and node.name != but:
                assert node.served == files, node.name
                assert node.files.held == files, node.name
        return files[MAIN]

    def keep_rows(self) -> dict[str, bytes]:
        """What a backup of the database has of the configuration."""
        keys = (configuration_values.KEY_CURRENT, configuration_values.files_key(self.current().id))
        return {key: self.database.read(key) for key in keys}

    def keep_records(self, *names: str) -> dict[str, bytes]:
        """What a backup of these machines has."""
        return {name: self.nodes[name].store.own.read(configuration_values.KEY_OF_NODE) for name in names}

    def put_back(self, rows: dict[str, bytes], records: collections.abc.Mapping[str, bytes] | None = None) -> None:
        """records: those machines went back, too."""
        for key in self.database.list(configuration_values.PREFIX):
            self.database.delete(key)
        for key, value in rows.items():
            self.database.write(key, value)
        self.database.numbers.clear()
        for name, record in (records or {}).items():
            node, held = self.nodes[name], configuration_values.decode_followed(record)
            node.store.own.write(configuration_values.KEY_OF_NODE, record)
            node.die()
            node.files.held = dict(held.files)
            node.start()

    def begin_roll(self, name: str, old: bytes, new: bytes) -> dict[str, bytes]:
        """An edit that others have not looked at yet. Returns: the rows of it."""
        self.nodes[name].edit(old, new)
        self.nodes[name].step()
        roll = self.database.read(configuration_values.KEY_ROLL)
        files = configuration_values.files_key(configuration_values.decode_id_of_roll(roll))
        return {configuration_values.KEY_ROLL: roll, files: self.database.read(files)}

    def refused(self) -> configuration_values.RefusedChange:
        return configuration_values.decode_refused(self.database.read(configuration_values.KEY_REFUSED))


@pytest.fixture
def world() -> World:
    return World()


def test_the_first_file_is_the_first_revision_and_others_follow(world: World) -> None:
    assert world.agree() == FIRST
    assert world.current().number == 1


def test_a_machine_without_sites_waits_for_the_first_configuration() -> None:
    world = World(["z"], first=b"")
    node = world.nodes["z"]
    report = node.step()
    assert report is not None
    assert (report.state, report.pause_s) == (member_ports.EditState.NOT_BEGUN, None)
    first = world.nodes["a"] = Node(name="a", world=world)
    first.files.held = {MAIN: FIRST}
    world.settle()
    assert world.agree() == FIRST
    assert world.current().node == "a"


def test_an_edit_reaches_all(world: World) -> None:
    world.nodes["b"].edit(b"line 5", b"line FIVE")
    world.settle()
    assert b"line FIVE" in world.agree()
    assert (world.current().number, world.current().node) == (2, "b")


def test_of_many_nodes_one_alone_reads_what_all_report() -> None:
    names = [f"n{number:02}" for number in range(30)]
    world = World(names, step_s=0.5)
    for node in world.nodes.values():
        node.store.asked.clear()
    world.nodes["n07"].edit(b"line 5", b"line FIVE")
    world.settle()
    assert b"line FIVE" in world.agree()
    reports = {
        name: {key for key in node.store.asked if key.startswith(f"{configuration_values.REPORTS}/")}
        for name, node in world.nodes.items()
    }
    assert len(reports.pop("n07")) == len(names)
    assert reports == {name: {configuration_values.report_key(name)} for name in names if name != "n07"}


def test_who_waits_for_reports_looks_more_often_than_who_waits_for_the_change(world: World) -> None:
    """Nobody is told of a report, so each turn of a change would take as long as that."""
    node, other = world.nodes["b"], world.nodes["c"]
    node.edit(b"line 5", b"line FIVE")
    other.edit(b"line 1", b"line ONE")
    while (mine := node.step()) is not None and mine.pause_s == 0.0:
        pass
    while (others := other.step()) is not None and others.pause_s == 0.0:
        pass
    assert mine is not None and others is not None
    assert mine.state is others.state is member_ports.EditState.WAITING
    assert mine.pause_s is not None and others.pause_s is not None and mine.pause_s < others.pause_s
    world.settle()
    assert b"line FIVE" in world.agree() and b"line ONE" in world.agree()


def test_of_many_nodes_a_few_look_whether_anybody_coordinates() -> None:
    world = World((f"n{number:02}" for number in range(30)), step_s=0.5)
    for node in world.nodes.values():
        node.store.locked = 0
    world.nodes["n07"].edit(b"line 5", b"line FIVE")
    world.settle()
    assert b"line FIVE" in world.agree()
    assert {name for name, node in world.nodes.items() if node.store.locked} <= {"n07", "n00", "n01"}


def test_who_dies_in_the_middle_is_replaced_also_where_those_who_look_first_die_too() -> None:
    world = World((f"n{number:02}" for number in range(6)), step_s=0.5)
    world.nodes["n05"].edit(b"line 5", b"line FIVE")
    for _ in range(4):
        for node in world.nodes.values():
            node.step()
    for name in ("n05", "n00", "n01"):
        world.nodes[name].die()
    world.clock.now_s += LONG_S
    world.settle()
    assert world.agree() == FIRST


def test_a_change_that_was_copied_is_not_read_once_more(world: World) -> None:
    node = world.nodes["c"]
    read = node.store.own.read

    def copy(key: str) -> bytes:
        """As what follows the database has done before anybody is told."""
        if key.startswith(f"{configuration_values.FILES}/"):
            node.store.own.write(key, world.database.read(key))
        return read(key)

    node.store.read = copy  # type: ignore[method-assign]
    node.store.asked.clear()
    world.nodes["a"].edit(b"line 5", b"line FIVE")
    world.settle()
    assert b"line FIVE" in world.agree()
    assert not [key for key in node.store.asked if key.startswith(f"{configuration_values.FILES}/")]


def test_two_edits_of_different_lines_are_both_taken(world: World) -> None:
    world.nodes["a"].edit(b"line 2", b"line TWO")
    world.nodes["b"].edit(b"line 8", b"line EIGHT")
    world.settle()
    text = world.agree()
    assert b"line TWO" in text
    assert b"line EIGHT" in text
    assert world.current().number == 3


def test_of_two_edits_of_a_line_one_is_kept_beside(world: World) -> None:
    world.nodes["a"].edit(b"line 2", b"line TWO")
    world.nodes["b"].edit(b"line 2", b"line zwei")
    world.settle()
    text = world.agree()
    copies = {**world.nodes["a"].files.copies, **world.nodes["b"].files.copies}
    assert [name.partition(".")[2][:8] for name in copies] == ["conflict"]
    other = next(iter(copies.values()))
    assert {b"line TWO" in text, b"line zwei" in text} == {True, False}
    assert {b"line TWO" in other, b"line zwei" in other} == {True, False}
    assert (b"line TWO" in text) != (b"line TWO" in other)


@pytest.mark.parametrize("how", ["refuses", "fails"])
def test_what_one_node_cannot_serve_is_served_nowhere_and_kept_beside(world: World, how: str) -> None:
    setattr(world.nodes["b"], how, b"BAD")
    world.nodes["a"].edit(b"line 5", b"BAD")
    world.settle()
    assert world.agree() == FIRST
    assert any(b"BAD" in text for text in world.nodes["a"].files.copies.values())
    assert [node for node, _ in world.refused().causes] == ["b"]


def test_what_was_refused_can_be_tried_again(world: World) -> None:
    world.nodes["b"].refuses = b"BAD"
    world.nodes["a"].edit(b"line 5", b"BAD")
    world.settle()
    world.nodes["b"].refuses = b"\0"
    world.nodes["a"].edit(b"line 5", b"BAD")
    world.settle()
    assert b"BAD" in world.agree()


def test_what_a_command_wrote_is_left_to_it_while_it_holds_the_file(world: World) -> None:
    node = world.nodes["a"]
    world.nodes["c"].refuses = b"BAD"
    node.edit(b"line 5", b"BAD")
    node.files.is_locked = True
    world.settle()
    assert b"BAD" in node.files.held[MAIN]
    assert node.served == {MAIN: FIRST}
    report = node.step()
    assert report is not None
    assert report.state is member_ports.EditState.REFUSED
    assert "c lacks a file" in report.cause
    node.edit(b"BAD", b"line 5")
    node.files.is_locked = False
    world.settle()
    assert world.agree() == FIRST
    assert not node.files.copies


def test_without_the_database_an_edit_waits_and_everything_is_served_on(world: World) -> None:
    world.database.is_there = False
    world.nodes["a"].edit(b"line 5", b"line FIVE")
    world.settle()
    report = world.nodes["a"].step()
    assert report is not None
    assert report.state is member_ports.EditState.UNREACHABLE
    assert "it is gone" in report.cause
    assert all(node.served == {MAIN: FIRST} for node in world.nodes.values())
    world.database.is_there = True
    world.settle()
    assert b"line FIVE" in world.agree()


def test_a_node_that_was_away_follows_and_its_edit_of_then_is_put_together(world: World) -> None:
    world.nodes["c"].die()
    world.nodes["a"].edit(b"line 5", b"line FIVE")
    world.settle()
    world.nodes["c"].edit(b"line 1", b"line ONE")
    world.nodes["c"].start()
    assert world.nodes["c"].served == {MAIN: FIRST}, "what it knew last is served from the start"
    world.settle()
    text = world.agree()
    assert b"line FIVE" in text
    assert b"line ONE" in text


def test_a_node_that_dies_in_its_turn_stops_the_change(world: World) -> None:
    node = world.nodes["b"]
    serve = node.serve

    def dies(files: configuration_values.Files | None, caller: history_port.Caller | None) -> str | None:
        node.serve = serve  # type: ignore[method-assign]
        raise Died

    node.serve = dies  # type: ignore[method-assign]
    world.nodes["a"].edit(b"line 5", b"line FIVE")
    world.settle()
    assert not node.is_up
    assert world.agree() == FIRST
    assert any(b"line FIVE" in text for text in world.nodes["a"].files.copies.values())
    assert [one for one, _ in world.refused().causes] == ["b"]


def test_why_a_file_cannot_be_read_is_said(world: World) -> None:
    node = world.nodes["b"]

    def read() -> configuration_files.LocalFiles | None:
        raise errors.ConfigError("`fleet` does not stand at the beginning of a line")

    node.files.read = read  # type: ignore[method-assign]
    report = node.step()
    assert report is not None
    assert report.state is member_ports.EditState.UNREADABLE
    assert "beginning of a line" in report.cause


def test_files_that_cannot_be_written_are_tried_at_rest_while_what_was_agreed_on_is_served(world: World) -> None:
    node = world.nodes["b"]
    write = node.files.write

    def fail(*_: object) -> None:
        raise errors.EnvironmentProblemError("cannot write daemun.yaml: read-only file system")

    node.files.write = fail  # type: ignore[method-assign, assignment]
    world.nodes["a"].edit(b"line 5", b"line FIVE")
    world.settle()
    report = node.step()
    assert report is not None
    assert (report.state, report.pause_s) == (member_ports.EditState.NOT_WRITTEN, None)
    assert "read-only" in report.cause
    assert node.served == world.current().files
    node.edit(b"line 5", b"line CINQ")  # it cannot be taken, nor put back
    world.settle()
    report = node.step()
    assert report is not None
    assert (report.state, report.pause_s) == (member_ports.EditState.REFUSED, None)
    assert "read-only" in report.cause
    node.files.write = write  # type: ignore[method-assign]
    world.settle()
    world.agree()


def test_a_configuration_whose_files_are_missing_is_an_error_and_what_was_agreed_on_is_served(world: World) -> None:
    node = world.nodes["b"]
    key = configuration_values.files_key(world.current().id)
    world.database.delete(key)
    node.die()
    node.start()
    report = node.step()
    assert report is not None
    assert report.state is member_ports.EditState.UNREACHABLE
    assert key in report.cause
    with contextlib.suppress(errors.NotFoundInStoreError):
        node.store.own.delete(key)
    world.database.is_there = False
    node.die()
    node.edit(b"line 5", b"not agreed on")
    node.start()
    assert node.served == {MAIN: FIRST}


def test_what_a_newer_version_reports_does_not_stop_the_others(world: World) -> None:
    left = {"node": "z", "id": "id1", "state": "a newer state", "cause": ""}
    world.database.write(configuration_values.report_key("z"), json.dumps(left).encode())
    world.database.write(configuration_values.KEY_REFUSED, b'{"is": "otherwise"}')
    world.nodes["a"].edit(b"line 5", b"line FIVE")
    world.settle()
    assert b"line FIVE" in world.agree()


def test_what_could_not_be_served_is_tried_again(world: World) -> None:
    node, known = world.nodes["b"], world.current().files
    node.die()
    world.nodes["a"].edit(b"line 5", b"line FIVE")
    world.settle()
    node.start()
    serve, count = node.serve, 0

    def fail(files: configuration_values.Files | None, caller: history_port.Caller | None) -> str | None:
        nonlocal count
        count += 1
        if count < 3:
            raise errors.EnvironmentProblemError("cannot put it together")
        return serve(files, caller)

    node.serve = fail  # type: ignore[method-assign]
    world.settle()
    assert count == 3
    assert node.served == world.current().files != known


def test_a_machine_with_files_of_its_own_that_joins_keeps_them_beside() -> None:
    world = World(["a"])
    late = world.nodes["z"] = Node(name="z", world=world)
    late.files.held = {MAIN: b"its own\n"}
    world.settle()
    assert world.agree() == FIRST
    assert list(late.files.copies.values()) == [b"its own\n"]
    assert ".before-fleet" in next(iter(late.files.copies)), "it is nobody's edit"


def test_a_file_in_whose_place_another_machine_has_its_own_is_refused_by_that_one(world: World) -> None:
    world.nodes["b"].files.unshared["sites/x.yaml"] = b"b's own"
    world.nodes["a"].files.held["sites/x.yaml"] = b"a's"
    world.settle()
    assert world.refused().causes == (("b", "another file is there"),)
    assert world.agree() == FIRST
    assert list(world.nodes["a"].files.copies.values()) == [b"a's"]


def test_a_machine_that_was_away_keeps_its_own_file_and_says_so(world: World) -> None:
    node = world.nodes["b"]
    node.die()
    node.files.unshared["sites/x.yaml"] = b"b's own"
    world.nodes["a"].files.held["sites/x.yaml"] = b"a's"
    world.settle()
    node.start()
    world.settle()
    report = node.step()
    assert report is not None
    assert (report.state, report.cause) == (member_ports.EditState.NOT_WRITTEN, "another file is there")
    assert node.served == world.current().files
    assert node.files.held == {MAIN: FIRST}


def step_until(node: Node, state: member_ports.EditState) -> member_ports.StepReport:
    while True:
        report = node.step()
        assert report is not None
        if report.state is state:
            return report


def test_what_a_database_lost_is_brought_back_and_nothing_older_is_served(world: World) -> None:
    old = world.keep_rows()
    world.nodes["a"].edit(b"line 5", b"guard")
    world.settle()
    lost = world.current()
    world.put_back(old)
    served: list[configuration_values.Files | None] = []

    def serve(files: configuration_values.Files | None, caller: history_port.Caller | None) -> str | None:
        served.append(files)
        return None

    for node in world.nodes.values():
        node.serve = serve  # type: ignore[method-assign]
    world.settle()
    assert world.current() == lost
    assert not served
    assert b"guard" in world.agree()
    assert not any(node.files.copies for node in world.nodes.values())


@pytest.mark.parametrize("has_none", [True, False])
def test_a_machine_that_was_away_brings_back_what_it_alone_has_and_serves_it_from_its_start(
    world: World, *, has_none: bool
) -> None:
    old, records = world.keep_rows(), world.keep_records("a", "b")
    world.nodes["a"].edit(b"line 5", b"line FIVE")
    world.settle()
    world.nodes["b"].edit(b"line 6", b"guard")
    world.settle()
    world.nodes["c"].edit(b"line 1", b"line ONE")
    world.nodes["c"].die()
    world.put_back(old, records)
    if has_none:
        for key in old:
            world.database.delete(key)
    node = world.nodes["c"]
    for key, value in old.items():  # its copy followed the database before it looks at anything
        node.store.own.write(key, value)
    node.start()
    assert node.served is not None and b"guard" in node.served[MAIN]
    node.step()
    assert world.current().number == 3
    world.settle()
    text = world.agree()
    assert b"guard" in text and b"line ONE" in text and b"line FIVE" in text
    assert not any(node.files.copies for node in world.nodes.values())


def test_a_change_that_was_under_way_in_an_older_database_is_no_more(world: World) -> None:
    roll = world.begin_roll("b", b"line 5", b"guard")
    old = world.keep_rows() | roll
    world.settle()
    assert b"guard" in world.agree()
    world.put_back(old)
    world.settle()
    assert b"guard" in world.agree()
    assert configuration_values.KEY_REFUSED not in world.database.list("")
    assert not any(node.files.copies for node in world.nodes.values())


def test_a_machine_that_followed_what_was_lost_keeps_it_beside_when_others_went_on(world: World) -> None:
    old, records = world.keep_rows(), world.keep_records("a", "b")
    world.nodes["a"].edit(b"line 5", b"guard")
    world.settle()
    world.nodes["a"].edit(b"line 4", b"guard 2")
    world.settle()
    away = world.nodes["c"]
    away.die()
    world.put_back(old, records)
    world.settle()
    world.nodes["a"].edit(b"line 6", b"line SIX")
    world.settle()
    assert world.current().number == 2
    away.start()
    report = step_until(away, member_ports.EditState.REFUSED)
    assert "went back from revision 3 to 2" in report.cause
    world.settle()
    assert b"line SIX" in world.agree()
    assert [b"guard" in text for text in away.files.copies.values()] == [True]
    world.nodes["b"].edit(b"line 7", b"line SEVEN")
    world.settle()
    assert b"line SEVEN" in world.agree()
    assert len(away.files.copies) == 1


def test_what_was_lost_is_kept_beside_where_an_older_daemun_followed_it(world: World) -> None:
    old = world.keep_rows()
    world.nodes["a"].edit(b"line 5", b"guard")
    world.settle()
    for node in world.nodes.values():
        node.forget_revision()
    world.put_back(old)
    for node in world.nodes.values():
        assert "went back from revision 2 to 1" in step_until(node, member_ports.EditState.REFUSED).cause
        assert [b"guard" in text for text in node.files.copies.values()] == [True]
    world.settle()
    assert world.agree() == FIRST


def test_an_included_file_that_was_deleted_comes_back_with_a_word(world: World) -> None:
    world.nodes["a"].files.held["sites/shop.yaml"] = b"shop\n"
    world.settle()
    old = world.keep_rows()
    del world.nodes["a"].files.held["sites/shop.yaml"]
    world.settle()
    for node in world.nodes.values():
        node.forget_revision()
    world.put_back(old)
    world.settle()
    world.agree()
    assert all(list(node.files.copies.values()) == [FIRST] for node in world.nodes.values())


@pytest.mark.parametrize("also", [b"line 5", b"line FIVE"])
def test_a_file_that_was_deleted_while_another_node_edited_it_comes_back_with_a_word(world: World, also: bytes) -> None:
    world.nodes["a"].files.held["sites/shop.yaml"] = b"shop\n"
    world.settle()
    world.nodes["b"].files.held["sites/shop.yaml"] = b"shop, edited\n"
    world.nodes["b"].step()  # it is the first
    node = world.nodes["a"]
    del node.files.held["sites/shop.yaml"]
    node.edit(b"line 5", also)
    written = node.files.held[MAIN]
    causes = set()
    for _ in range(40):
        for one in world.nodes.values():
            report = one.step()
            assert report is not None
            if one is node and report.state is member_ports.EditState.REFUSED:
                causes.add(report.cause)
        world.clock.now_s += 1.0
    assert len(causes) == 1 and "sites/shop.yaml was deleted here" in causes.pop()
    world.settle()
    world.agree()
    assert world.current().files["sites/shop.yaml"] == b"shop, edited\n"
    assert list(node.files.copies.values()) == [written]


def test_an_edit_of_a_file_that_another_node_deleted_is_kept_beside(world: World) -> None:
    world.nodes["a"].files.held["sites/shop.yaml"] = b"shop\n"
    world.settle()
    del world.nodes["b"].files.held["sites/shop.yaml"]
    world.nodes["b"].step()
    world.nodes["a"].files.held["sites/shop.yaml"] = b"shop, edited\n"
    world.settle()
    world.agree()
    assert set(world.current().files) == {MAIN}
    assert list(world.nodes["a"].files.copies.values()) == [b"shop, edited\n"]


def test_files_that_are_included_come_and_go(world: World) -> None:
    world.nodes["a"].files.held["sites/shop.yaml"] = b"shop\n"
    world.settle()
    world.agree()
    del world.nodes["b"].files.held["sites/shop.yaml"]
    world.nodes["c"].edit(b"line 2", b"line TWO")
    world.settle()
    world.agree()
    assert set(world.current().files) == {MAIN}
    assert b"line TWO" in world.current().files[MAIN]


# --- whatever happens ------------------------------------------------------------------------------------------


class FleetMachine(stateful.RuleBasedStateMachine):
    """Three nodes of which each can die before each thing that it changes."""

    nodes = st.sampled_from(NAMES)

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.world.nodes["b"].refuses = b"-refused"
        self.world.nodes["c"].fails = b"-failed"
        self.written: list[bytes] = []
        self.lost: set[bytes] = set()

    @stateful.rule(node=nodes, line=st.integers(1, 9), kind=st.sampled_from(["good", "refused", "failed"]))
    def edit(self, node: str, line: int, kind: str) -> None:
        """An editor replaces one line of what the file holds now."""
        files = self.world.nodes[node].files
        lines = files.held[MAIN].splitlines(keepends=True)
        if line > len(lines):
            return
        sign = b"edit-%03d-%s" % (len(self.written), kind.encode())
        # What it replaces is gone by its own will.
        self.lost |= {one for one in self.written if one in lines[line - 1]}
        lines[line - 1] = sign + b"\n"
        files.held[MAIN] = b"".join(lines)
        self.written.append(sign)

    @stateful.rule(node=nodes, count=st.integers(1, 6))
    def step(self, node: str, count: int) -> None:
        for _ in range(count):
            self.world.nodes[node].step()

    @stateful.rule(count=st.integers(1, 12))
    def step_all(self, count: int) -> None:
        for _ in range(count):
            for node in self.world.nodes.values():
                node.step()

    @stateful.rule(node=nodes, after=st.integers(0, 8))
    def will_die(self, node: str, after: int) -> None:
        self.world.nodes[node].dies_after = after

    @stateful.rule(node=nodes)
    def come_back(self, node: str) -> None:
        if not self.world.nodes[node].is_up:
            self.world.nodes[node].start()

    @stateful.rule(node=nodes, is_locked=st.booleans())
    def command(self, node: str, is_locked: bool) -> None:
        self.world.nodes[node].files.is_locked = is_locked

    @stateful.rule(is_there=st.booleans())
    def database(self, is_there: bool) -> None:
        self.world.database.is_there = is_there

    @stateful.rule(seconds=st.sampled_from([1.0, 10.0, LONG_S]))
    def time_passes(self, seconds: float) -> None:
        self.world.clock.now_s += seconds

    @stateful.invariant()
    def nothing_is_served_that_a_node_refused(self) -> None:
        for node in self.world.nodes.values():
            served = b"" if node.served is None else node.served[MAIN]
            # Who was away follows what the others agreed on without it.
            assert self.world.dead or b"-refused" not in served, "a node served what not all could serve"

    def teardown(self) -> None:
        world = self.world
        world.database.is_there = True
        for node in world.nodes.values():
            node.dies_after = None
            node.files.is_locked = False
            if not node.is_up:
                node.start()
        world.settle()
        text = world.agree()
        if not self.world.dead:
            assert b"-refused" not in text
            assert b"-failed" not in text
        kept = [
            text for node in world.nodes.values() for text in (*node.files.held.values(), *node.files.copies.values())
        ]
        for sign in self.written:
            if sign not in self.lost:
                assert any(sign in text for text in kept), f"{sign!r} is lost"


FleetMachine.TestCase.settings = hypothesis.settings(
    max_examples=600 if IS_DEEP else 60, stateful_step_count=40, deadline=None
)
test_hypothesis_fleet = FleetMachine.TestCase
