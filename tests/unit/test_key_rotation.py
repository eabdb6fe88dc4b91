"""The keys of a fleet, as one machine takes them from its database: none is ever thrown away for what that holds."""

import dataclasses
import pathlib

import pytest

from daemun import errors
from daemun.fleet import key_rotation
from daemun.store import fleet_key, memory_store

FIRST = fleet_key.make()


class Keyed:
    """used: the keys that values are encrypted and read with now."""

    used = FIRST

    def use_key(self, key: fleet_key.FleetKey) -> None:
        self.used = key

    def encrypt_anew(self) -> int:
        return 0


class Machine:
    def __init__(self, file: pathlib.Path) -> None:
        self.file, self.store, self.keyed = file, memory_store.MemoryStore(), Keyed()
        file.write_text(fleet_key.encode(FIRST))
        self.share(FIRST)
        self.holder = key_rotation.KeyHolder(FIRST, file, node="a", store=self.store, shared=self.keyed, tells=True)

    def share(self, key: fleet_key.FleetKey) -> None:
        self.store.write(key_rotation.KEY, fleet_key.encode(key).encode())

    @property
    def kept(self) -> fleet_key.FleetKey:
        return fleet_key.decode(self.file.read_text(), source="fleet.key")


@pytest.fixture
def machine(tmp_path: pathlib.Path) -> Machine:
    return Machine(tmp_path / "fleet.key")


def numbers(key: fleet_key.FleetKey) -> list[int]:
    return [number for number, _ in key.keys]


def test_an_older_database_takes_no_newer_key_away(machine: Machine) -> None:
    machine.holder.rotate({"a"}, within_s=60.0)
    rotated = machine.kept
    assert numbers(rotated) == [2, 1]
    machine.share(FIRST)  # a copy from before was restored, or a standby promoted that never heard of it
    machine.holder.update()
    assert machine.kept == rotated
    # The next one has a number of its own, and all that was ever written can be read.
    machine.holder.rotate({"a"}, within_s=60.0)
    assert numbers(machine.kept) == [3, 2, 1]
    assert set(rotated.keys) < set(machine.kept.keys)
    assert machine.keyed.used == machine.kept


def test_a_key_that_one_lacks_is_taken_beside_those_that_the_other_lacks(machine: Machine) -> None:
    second, third = ((number, bytes([number]) * 32) for number in (2, 3))
    machine.share(dataclasses.replace(FIRST, keys=(second, *FIRST.keys)))
    machine.holder.update()
    assert numbers(machine.kept) == [2, 1]
    machine.share(dataclasses.replace(FIRST, keys=(third, *FIRST.keys)))
    machine.holder.update()
    assert set(machine.kept.keys) == {second, third, *FIRST.keys}
    assert numbers(machine.kept)[0] == 2, "others may have no third one, where the database went back"


def test_one_number_for_two_keys_is_refused_and_told(machine: Machine) -> None:
    machine.share(dataclasses.replace(FIRST, keys=((1, bytes(32)),)))
    with pytest.raises(errors.EnvironmentProblemError, match="key 1 of its database is another"):
        machine.holder.update()
    assert machine.kept == machine.keyed.used == FIRST
    assert [one for one in machine.store.damage.problems() if "key 1" in one.message]
    machine.share(FIRST)
    machine.holder.update()
    assert machine.store.damage.problems() == ()
