"""What is kept of the rounds of a daemon, and by whom it was."""

import asyncio
import dataclasses
import datetime
import pathlib

import pytest

from daemun.control import history_port
from daemun.errors import EnvironmentProblemError
from daemun.sources import last_good_file
from daemun.sources.history import (
    hidden_secrets,
    history_entry,
    history_recorder,
    history_store,
    past_files,
    secret_masks,
    written_files,
)
from daemun.store import memory_store
from tests.support.clock import FakeClock

ONE = b"# ours\ncrowdsec: {url: http://x, key: s3cret-one}\nsites: {a.test: http://a:1}\n"
TWO = ONE.replace(b"a:1", b"a:2")
LIVE = history_port.AppliedRound(is_complete=True, generation=1, changes=("added a.test",))


class House:
    """A recorder with its store and the file that it sees."""

    def __init__(self, store: memory_store.MemoryStore | None = None) -> None:
        self.store = store or memory_store.MemoryStore()
        self.clock = FakeClock()
        self.files: dict[str, bytes] | None = {"daemun.yaml": ONE}
        self.recorder = history_recorder.Recorder(self.store, self.clock, lambda: self.files)
        self.history = history_store.HistoryStore(self.store)

    def note(
        self, content: bytes | None = None, applied: history_port.AppliedRound = LIVE
    ) -> history_entry.HistoryEntry:
        """Let a round end. Returns: the newest entry."""
        if content is not None:
            self.files = {"daemun.yaml": content}
        self.recorder.note(applied)
        asyncio.run(self.recorder.write_noted())
        return next(iter(self.history.newest()))


@pytest.fixture
def house() -> House:
    return House()


def called(command: str) -> history_port.AppliedRound:
    caller = history_port.Caller(command=command, user="alice")
    return history_port.AppliedRound(is_complete=True, callers=(caller,))


def test_each_configuration_is_kept_once_with_its_author(house: House) -> None:
    first = house.note(ONE)
    assert (first.number, str(first.author), first.state, first.changes) == (
        1,
        "start",
        history_entry.EntryState.LIVE,
        LIVE.changes,
    )
    assert house.note(ONE) == first
    assert str(house.note(TWO).author) == "edit of daemun.yaml"
    assert str(house.note(ONE, called("daemun rm b.test")).author) == "daemun rm b.test (alice)"
    assert house.history.numbers() == [1, 2, 3]
    assert all(b"s3cret" not in history_entry.encode(one) for one in house.history.newest())


def test_a_command_whose_edit_was_noticed_before_is_its_author(house: House) -> None:
    house.note(ONE)
    house.note(TWO)
    entry = house.note(TWO, called("daemun add b.test"))
    assert (entry.number, entry.author.what) == (2, "daemun add b.test")
    assert house.note(TWO, called("daemun apply")).author.what == "daemun add b.test", "the first one is"


def test_a_command_long_after_an_edit_is_not(house: House) -> None:
    house.note(ONE)
    house.note(TWO)
    house.clock.advance(datetime.timedelta(minutes=5))
    assert house.note(TWO, called("daemun apply")).author.what == "edit of daemun.yaml"


def test_each_version_of_a_file_is_masked_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also at a start, where the last version that could be applied has the names of the secrets."""
    house.note(ONE)
    house.store.write(last_good_file.KEY, ONE)
    read, mask = list[bytes](), secret_masks.mask

    def note(content: bytes, known: secret_masks.KnownSites) -> secret_masks.MaskedText | None:
        read.append(content)
        return mask(content, known)

    monkeypatch.setattr(secret_masks, "mask", note)
    again = House(house.store)
    again.note(ONE)
    again.note(ONE, called("daemun apply"))
    again.note(TWO)
    assert read == [ONE, TWO]


def test_an_edit_while_nothing_ran(house: House) -> None:
    house.note(ONE)
    house.store.write(last_good_file.KEY, ONE)
    again = House(house.store)
    assert again.note(ONE).number == 1
    once_more = House(house.store)
    assert once_more.note(TWO).author.what == "edit of daemun.yaml while daemun did not run"


def test_whether_it_came_live(house: House) -> None:
    states = history_entry.EntryState
    house.note(ONE)
    held = house.note(TWO, history_port.AppliedRound(is_complete=False, is_held=True))
    assert held.state is states.WAITS
    assert (house.note(TWO).state, house.note(TWO).number) == (states.LIVE, held.number)
    failed = history_port.AppliedRound(is_complete=False, failure='nginx: invalid "s3cret-one" and Bearer abcdefgh')
    entry = house.note(ONE, failed)
    assert (entry.state, entry.reason) == (states.FAILED, 'nginx: invalid "(hidden)" and Bearer (hidden)')
    assert house.note(ONE, history_port.AppliedRound(is_complete=False, refused="x")).state is states.PARTLY


def test_containers_are_changes_of_their_own(house: House) -> None:
    house.note(ONE)
    route = history_port.ContainerRoute(host="web.test", path="/", origin="container web-1")
    entry = house.note(ONE, history_port.AppliedRound(is_complete=True, routes=(route,)))
    assert (entry.number, entry.author.what, entry.routes[0].host) == (2, "containers", "web.test")
    assert history_store.HistoryStore(house.store).read(2) == entry


def test_what_is_no_yaml_is_not_kept_and_its_secrets_are_known_afterwards(house: House) -> None:
    house.note(ONE)
    entry = house.note(b"crowdsec: {key: s3cret-one", history_port.AppliedRound(is_complete=False))
    assert (entry.can_be_restored, entry.files[0].text) == (False, None)
    assert house.note(ONE).files[0].secrets[0].name == "1.1"


def test_a_secret_has_its_number_after_a_restart(house: House) -> None:
    house.note(ONE)
    house.store.write(last_good_file.KEY, ONE)
    again = House(house.store)
    assert hidden_secrets.show_entry(again.note(TWO))["daemun.yaml"].count("(hidden 1.1)") == 1
    other = again.note(TWO.replace(b"s3cret-one", b"s3cret-two"))
    assert hidden_secrets.show_entry(other)["daemun.yaml"].count("(hidden 3.1)") == 1


def test_a_file_that_changed_meanwhile_is_left_to_the_next_round(house: House) -> None:
    house.note(ONE)
    house.files = None
    house.recorder.note(LIVE)
    asyncio.run(house.recorder.write_noted())
    assert house.history.numbers() == [1]


def test_a_damaged_entry_is_its_own_trouble(house: House) -> None:
    house.note(ONE)
    house.note(TWO)
    house.store.write(f"{history_store.PREFIX}/2", b"damaged")
    again = House(house.store)
    entry = again.note(ONE.replace(b"a:1", b"a:3"))
    assert (entry.number, [one.number for one in again.history.newest()]) == (3, [3, 1])
    assert any("applied/2" in problem.message for problem in again.store.damage.problems())


def test_where_no_entry_can_be_read_numbers_go_on(house: House) -> None:
    """One that is used twice would name two configurations."""
    for number in (*range(1, 4), 700, 999_999_999_999_999):
        house.store.write(f"{history_store.PREFIX}/{number}", b"damaged")
    assert [house.note(ONE).number, house.note(TWO).number] == [701, 702]


FAILED = history_port.AppliedRound(is_complete=False, failure="nginx: no", callers=called("daemun rollback 1").callers)


@pytest.mark.parametrize("refused", [FAILED, dataclasses.replace(FAILED, failure=None, refused="b.test: no")])
@pytest.mark.parametrize("is_noticed", [True, False])
def test_a_rollback_that_cannot_go_live_is_one_entry(
    house: House, refused: history_port.AppliedRound, is_noticed: bool
) -> None:
    """It puts the files back, which is noticed before its own request or not."""
    house.note(ONE)
    house.note(TWO)
    assert house.note(ONE, refused).number == 3
    found = house.note(TWO) if is_noticed else house.note(TWO, called("daemun rollback 1"))
    assert house.note(TWO, called("daemun rollback 1")) == found
    assert house.note(TWO) == found
    assert (found.number, found.state, str(found.author)) == (
        3,
        history_entry.EntryState.UNDONE,
        "daemun rollback 1 (alice)",
    )
    assert found.reason == refused.failure or found.reason == refused.refused
    assert found.files == history_store.HistoryStore(house.store).read(2).files  # type: ignore[union-attr] # it is there
    assert house.note(ONE.replace(b"a:1", b"a:3")).number == 4


def test_what_follows_a_failed_rollback_and_is_not_its_own_is_an_entry(house: House) -> None:
    house.note(ONE)
    house.note(TWO)
    house.note(ONE, FAILED)
    assert house.note(TWO, called("daemun add b.test")).number == 4
    house.note(ONE, FAILED)
    house.clock.advance(datetime.timedelta(minutes=5))
    assert house.note(TWO).author.what == "edit of daemun.yaml"


def test_a_full_disk_costs_the_entry_alone(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.note(ONE)

    def refuse(key: str, value: bytes) -> None:
        raise EnvironmentProblemError(f"cannot write {key}: no space left on device")

    with monkeypatch.context() as full:
        full.setattr(house.store, "write", refuse)
        assert house.note(TWO).number == 1
    assert house.note(TWO).number == 2


def test_two_files(house: House) -> None:
    house.note(ONE)
    house.files = {"daemun.yaml": ONE, "sites/b.yaml": b"sites: {b.test: http://b:1}\n"}
    entry = house.note()
    assert entry.author.what == "edit of sites/b.yaml"
    assert [one.name for one in entry.files] == ["daemun.yaml", "sites/b.yaml"]


@pytest.mark.parametrize("name", ["999999999999999", "0000000000000002", "002", "7.containers", "900"])
def test_files_that_are_no_entries_change_no_number(house: House, name: str) -> None:
    house.note(ONE)
    house.store.write(f"{history_store.PREFIX}/{name}", house.store.read(f"{history_store.PREFIX}/1"))
    again = House(house.store)
    first = again.note(TWO).number
    assert first == (8 if name == "7.containers" else 2)
    assert [again.note(ONE).number, again.note(TWO).number] == [first + 1, first + 2]
    assert [one.number for one in again.history.newest()] == [first + 2, first + 1, first, 1]


def test_a_link_comes_back_as_a_link(tmp_path: pathlib.Path) -> None:
    main, link = tmp_path / "daemun.yaml", tmp_path / "sites/one.yaml"
    link.parent.mkdir()
    (tmp_path / "one.yaml").write_bytes(TWO)
    link.symlink_to("../one.yaml")
    main.write_bytes(ONE)
    files = written_files.plan(main, past_files.find_wanted(main, {"daemun.yaml": TWO}, ["sites/one.yaml"]))
    assert files["sites/one.yaml"].before == written_files.IncludedLink("../one.yaml")
    written_files.undo(main, files)
    assert link.is_symlink(), "nothing was written yet"
    written_files.write(main, files)
    assert not link.is_symlink()
    written_files.undo(main, files)
    assert str(link.readlink()) == "../one.yaml"
    assert (link.read_bytes(), main.read_bytes()) == (TWO, ONE)
