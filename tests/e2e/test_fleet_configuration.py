"""Three daemuns with one configuration: an edit anywhere reaches all, and what one cannot serve none serves."""

import collections.abc

import pytest

from tests.support import fleet_house, postgresql

pytestmark = pytest.mark.postgresql


@pytest.fixture
def house(postgresql_server: postgresql.Server) -> collections.abc.Iterator[fleet_house.FleetHouse]:
    with fleet_house.running(postgresql_server, "a", "b", "c") as found:
        yield found


def test_an_edit_by_hand_reaches_all(house: fleet_house.FleetHouse) -> None:
    house.wait_signs("a.test", "one")
    house.edit("b", "sign.test/one", "sign.test/two")
    house.wait_signs("a.test", "two")
    assert "sign.test/two" in house.wait_files()
    for name in ("a", "b", "c"):
        assert house[name].config.read_text().startswith(house.own_part(name))
