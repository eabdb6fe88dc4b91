"""A machine whose fleet could not be opened at its start: it says why, serves what it knew, and tries again."""

import pathlib

import pytest

from daemun import errors, settings
from daemun.core.options import fleet_option
from daemun.fleet import membership
from daemun.store import file_store, fleet_key
from daemun.wiring import closed_fleet, opened_fleet
from tests.support import fleet_store

CAUSES = [
    "cannot reach the fleet's database: refused; check that PostgreSQL runs; it is tried again",
    'cannot read the fleet\'s key in "/x": no such file or directory; copy the file',
]


def make(folder: pathlib.Path, cause: str) -> tuple[file_store.FileStore, closed_fleet.ClosedFleet]:
    chosen = settings.Settings(config=folder / "daemun.yaml", state=folder / "state")
    own = file_store.FileStore(pathlib.Path(chosen.layout.store))
    own.write("certs/a", b"1")
    return own, closed_fleet.ClosedFleet(chosen, own, cause)


@pytest.mark.parametrize("cause", CAUSES)
def test_what_failed_at_the_start_is_said_and_tried_again(tmp_path: pathlib.Path, cause: str) -> None:
    _, closed = make(tmp_path, cause)
    (problem,) = closed.store.damage.problems()
    assert problem.message.startswith(cause.removesuffix("; it is tried again"))
    assert problem.message.count("it is tried again") == 1 and "start daemun again" not in problem.message
    assert closed.store.read("certs/a") == b"1"
    with pytest.raises(errors.StoreUnreachableError, match="it is tried again every"):
        closed.store.write("certs/a", b"2")


def test_another_cause_is_said_and_the_right_key_opens_it(tmp_path: pathlib.Path) -> None:
    own, closed = make(tmp_path, CAUSES[1])
    key = tmp_path / "key"
    text = f"fleet: {{database: 'postgresql://daemun@127.0.0.1:1/none', key: {key}, name: a}}\nsites: {{}}\n"
    (tmp_path / "daemun.yaml").write_text(text)
    membership.enter(own, fleet_store.KEY, "a", state=str(tmp_path / "state"), now=fleet_store.NOW)
    key.write_text("nothing of a key")
    assert not closed.try_again()
    (problem,) = closed.store.damage.problems()
    assert "cannot use the fleet's key" in problem.message
    with pytest.raises(errors.StoreUnreachableError, match="cannot use the fleet's key"):
        closed.store.write("certs/a", b"2")
    key.write_text(fleet_key.encode(fleet_store.KEY))
    assert closed.try_again(), "the database need not be in reach"


def test_the_file_is_read_again_only_when_it_changed(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of ten thousand sites takes ten seconds of a processor, every few seconds."""
    _, closed = make(tmp_path, CAUSES[1])
    read, keys = opened_fleet.read_option, []

    def note(chosen: settings.Settings, own: file_store.FileStore) -> fleet_option.Fleet | None:
        found = read(chosen, own)
        keys.append(None if found is None else found.key)
        return found

    monkeypatch.setattr(opened_fleet, "read_option", note)
    for key in ("/none/a", "/none/b"):
        text = f"fleet: {{database: 'postgresql://daemun@127.0.0.1:1/none', key: {key}, name: a}}\nsites: {{}}\n"
        (tmp_path / "daemun.yaml").write_text(text)
        for _ in range(3):
            assert not closed.try_again()
            (problem,) = closed.store.damage.problems()
            assert key in problem.message
    assert keys == ["/none/a", "/none/b"]
    (tmp_path / "daemun.yaml").write_text("sites: {}\n")
    assert closed.try_again(), "it goes on alone"
