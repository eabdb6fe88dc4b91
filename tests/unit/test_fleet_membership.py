"""Which fleet a machine belongs to, and what is left of one that it left."""

import datetime
import pathlib

from daemun.fleet import configuration_values, followed_record, membership
from daemun.store import file_store, fleet_key
from tests.support import fleet_store

NOW = datetime.datetime(2026, 11, 30, tzinfo=datetime.UTC)
FILES = {configuration_values.MAIN: b"sites: {shop.example: http://192.0.2.1}\n"}


def member(folder: pathlib.Path, key: fleet_key.FleetKey) -> file_store.FileStore:
    """Of a fleet that agreed on a configuration."""
    own = file_store.FileStore(folder / "store")
    membership.enter(own, key, "a", state=str(folder), now=NOW)
    made = configuration_values.Revision(number=7, id="old", files=FILES, author="edit", node="a", at=NOW)
    followed_record.FollowedRecord(own).follow(made, FILES)
    own.write(configuration_values.KEY_CURRENT, configuration_values.encode(made))
    own.write(configuration_values.files_key("old"), configuration_values.encode_files(FILES))
    own.write("certs/shop.example/certificate.json", b"kept")
    return own


def has_configuration(own: file_store.FileStore) -> bool:
    known = followed_record.FollowedRecord(own).read()
    return known is not None or any(key.startswith(configuration_values.PREFIX) for key in own.list(""))


def test_who_left_knows_nothing_of_the_configuration_of_the_fleet(tmp_path: pathlib.Path) -> None:
    own = member(tmp_path, fleet_store.KEY)
    assert has_configuration(own)
    membership.leave(own)
    assert not has_configuration(own)
    assert own.read("certs/shop.example/certificate.json") == b"kept"


def test_who_comes_into_another_fleet_knows_nothing_of_the_configuration_of_the_one_before(
    tmp_path: pathlib.Path,
) -> None:
    own = member(tmp_path, fleet_store.KEY)
    membership.enter(own, fleet_key.make(), "a", state=str(tmp_path), now=NOW)
    assert not has_configuration(own)


def test_the_same_fleet_is_entered_with_what_is_known_of_it(tmp_path: pathlib.Path) -> None:
    own = member(tmp_path, fleet_store.KEY)
    membership.enter(own, fleet_store.KEY, "b", state=str(tmp_path), now=NOW)
    assert has_configuration(own)


def test_a_fleet_does_not_begin_with_the_configuration_of_another(tmp_path: pathlib.Path) -> None:
    own = member(tmp_path, fleet_store.KEY)
    found = membership.shared_values(own)
    assert not [key for key in found if key.startswith(configuration_values.PREFIX)]
    assert "certs/shop.example/certificate.json" in found
