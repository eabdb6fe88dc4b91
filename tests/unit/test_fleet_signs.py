"""A machine that is alone pays nothing for fleets: its file is not read once more at each start."""

import pathlib

import pytest

from daemun import errors, settings
from daemun.core import model
from daemun.fleet import fleet_signs
from daemun.sources import yaml_file
from daemun.store import file_store, memory_store
from daemun.wiring import fleet_parts


class CountedFile(yaml_file.YamlFile):
    reads = 0

    def read_now(self) -> model.Snapshot:
        self.reads += 1
        return super().read_now()


@pytest.mark.parametrize(("text", "reads"), [("sites: {}\n", 0), ("# of a fleet\nsites: {}\n", 1)])
def test_a_file_without_the_word_is_not_read_for_it(tmp_path: pathlib.Path, text: str, reads: int) -> None:
    config = tmp_path / "daemun.yaml"
    config.write_text(text)
    chosen = settings.Settings(config=config, state=tmp_path / "state")
    own, source = file_store.FileStore(tmp_path / "store"), CountedFile(config)
    parts = fleet_parts.FleetParts(chosen, own, source, None, wake=lambda: None)
    assert parts.store is own
    assert parts.fleet is None
    assert parts.list_tasks() == {}
    parts.configure(model.Globals())
    parts.close()
    assert source.reads == reads


def test_one_that_belonged_to_a_fleet_may_do_so_still(tmp_path: pathlib.Path) -> None:
    own = memory_store.MemoryStore()
    assert not fleet_signs.may_be_node(own, tmp_path / "daemun.yaml")
    own.write(fleet_signs.KEY, b"{}")
    assert fleet_signs.may_be_node(own, tmp_path / "daemun.yaml")


def test_what_cannot_be_read_is_looked_at(tmp_path: pathlib.Path) -> None:
    class Broken(memory_store.MemoryStore):
        def read(self, key: str) -> bytes:
            raise errors.EnvironmentProblemError(f"cannot read {key}")

    assert fleet_signs.may_be_node(Broken(), tmp_path / "daemun.yaml")
