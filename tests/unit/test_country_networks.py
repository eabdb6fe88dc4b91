"""The networks of countries in databases of several makers, and what is said of those that cannot be used."""

import pathlib

import maxminddb
import pytest

from daemun.core.options import access_option
from daemun.sources import country_networks, yaml_file
from tests.support import address_databases

KOREA = ("203.0.113.0/24", "2001:db8:1::/48")


@pytest.mark.parametrize(
    "record", [address_databases.geolite, address_databases.ipinfo, address_databases.older_ipinfo]
)
def test_records_of_each_maker(tmp_path: pathlib.Path, record: object) -> None:
    database = address_databases.write(tmp_path / "c.mmdb", address_databases.COUNTRIES, record)  # type: ignore[arg-type]
    found = country_networks.find_networks(str(database), ("KR", "FR"))
    assert (set(found.networks), found.missing) == (set(KOREA), ("FR",))


def test_autonomous_systems(tmp_path: pathlib.Path) -> None:
    numbers = {"203.0.113.0/24": "4766", "198.51.100.0/24": "64500"}
    database = address_databases.write(tmp_path / "as.mmdb", numbers, address_databases.autonomous)
    assert country_networks.find_networks(str(database), ("AS64500",)).networks == ("198.51.100.0/24",)
    both = address_databases.write(tmp_path / "both.mmdb", address_databases.COUNTRIES, address_databases.ipinfo)
    assert len(country_networks.find_networks(str(both), ("AS4766",)).networks) == len(address_databases.COUNTRIES) - 1


def test_neighbours_become_one_network(tmp_path: pathlib.Path) -> None:
    networks = {f"10.0.{third}.0/24": "KR" for third in range(256)} | {"10.1.0.0/17": "KR", "10.1.128.0/17": "DE"}
    database = address_databases.write(tmp_path / "c.mmdb", networks)
    assert country_networks.find_networks(str(database), ("KR",)).networks == ("10.0.0.0/16", "10.1.0.0/17")
    assert country_networks.find_networks(str(database), ("DE", "KR")).networks == ("10.0.0.0/15",)


def test_a_changed_file_is_read_again(tmp_path: pathlib.Path) -> None:
    database = address_databases.write(tmp_path / "c.mmdb", {"10.0.0.0/8": "KR"})
    first = country_networks.find_networks(str(database), ("KR",))
    assert country_networks.find_networks(str(database), ("KR",)) is first
    address_databases.write(database, {"11.0.0.0/8": "KR"})
    second = country_networks.find_networks(str(database), ("KR",))
    assert (second.networks, second == first) == (("11.0.0.0/8",), False)


def _read(folder: pathlib.Path, access: str) -> tuple[access_option.Access | None, str]:
    path = folder / "daemun.yaml"
    path.write_text(f"sites:\n  a.test:\n    access: {access}\n    routes: {{/: http://127.0.0.1:1}}\n")
    try:
        snapshot = yaml_file.YamlFile(path).read_now()
        said = "\n".join(problem.message for problem in snapshot.problems)
    except yaml_file.InvalidFileError as error:
        return None, str(error)
    (site,) = snapshot.sites
    return access_option.OPTION.of(site), said


def test_the_file_has_the_networks(tmp_path: pathlib.Path) -> None:
    address_databases.write(tmp_path / "c.mmdb", address_databases.COUNTRIES)
    access, said = _read(tmp_path, "{countries: {database: c.mmdb, allow: [kr, private, FR]}}")
    assert access is not None
    (value,) = access.countries
    assert (value.allow, value.database.path) == (("KR", "private", "FR"), str(tmp_path / "c.mmdb"))
    assert value.database.found is not None
    assert set(value.database.found.networks) == set(KOREA)
    assert "has no network of FR" in said


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (None, "no such file"),
        (b"", "is no whole database"),
        (b"not a database" * 100, "is no whole database"),
    ],
)
def test_a_database_that_cannot_be_used(tmp_path: pathlib.Path, content: bytes | None, cause: str) -> None:
    if content is not None:
        (tmp_path / "c.mmdb").write_bytes(content)
    access, said = _read(tmp_path, "{countries: {database: c.mmdb, allow: [KR]}}")
    assert access is None
    assert cause in said
    assert "countries" in said


def test_a_half_written_database(tmp_path: pathlib.Path) -> None:
    database = address_databases.write(tmp_path / "c.mmdb", address_databases.COUNTRIES)
    content = database.read_bytes()
    for length in (10, len(content) // 2, len(content) - 10):
        database.write_bytes(content[:length])
        access, said = _read(tmp_path, "{countries: {database: c.mmdb, deny: [KR]}}")
        assert (access, "is no whole database" in said) == (None, True), said


@pytest.mark.parametrize("node", [0, 1, 40])
def test_a_database_whose_tree_has_a_circle(tmp_path: pathlib.Path, node: int) -> None:
    database = address_databases.write(tmp_path / "c.mmdb", address_databases.COUNTRIES)
    content = bytearray(database.read_bytes())
    size = int(maxminddb.open_database(str(database)).metadata().record_size) * 2 // 8
    content[node * size : (node + 1) * size] = bytes(size)
    database.write_bytes(content)
    access, said = _read(tmp_path, "{countries: {database: c.mmdb, allow: [KR]}}")
    assert (access, "is no whole database" in said) == (None, True), said


def test_a_country_without_networks_is_nothing_to_look_at_again(tmp_path: pathlib.Path) -> None:
    address_databases.write(tmp_path / "c.mmdb", address_databases.COUNTRIES)
    path = tmp_path / "daemun.yaml"
    path.write_text(
        "sites:\n  a.test:\n    access: {countries: {database: c.mmdb, allow: [FR]}}\n"
        "    routes: {/: http://127.0.0.1:1}\n"
    )
    problems = yaml_file.YamlFile(path).read_now().problems
    assert [problem.file for problem in problems if "has no network of FR" in problem.message] == [None]


def test_a_database_of_something_else(tmp_path: pathlib.Path) -> None:
    address_databases.write(tmp_path / "c.mmdb", {"10.0.0.0/8": "x"}, lambda value: {"isp": value})
    assert (
        "has neither countries nor autonomous systems"
        in _read(tmp_path, "{countries: {database: c.mmdb, deny: [KR]}}")[1]
    )


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{database: c.mmdb}", "needs one of allow and deny"),
        ("{database: c.mmdb, allow: [KR], deny: [DE]}", "needs one of allow and deny"),
        ("{allow: [KR]}", "database"),
        ("{database: c.mmdb, allow: [UK]}", "write GB"),
        ("{database: c.mmdb, allow: [Korea]}", '"KOREA" is not known; expected a country (KR)'),
        ("{database: c.mmdb, deny: [private]}", "cannot hold private"),
        ("{database: c.mmdb, allow: [AS15169x]}", "is not known"),
        ("{database: 5, allow: [KR]}", "expected the path of a database file"),
    ],
)
def test_what_is_refused(tmp_path: pathlib.Path, written: str, said: str) -> None:
    address_databases.write(tmp_path / "c.mmdb", address_databases.COUNTRIES)
    access, found = _read(tmp_path, f"{{countries: {written}}}")
    assert access is None
    assert said in found


def test_norway_is_no_truth(tmp_path: pathlib.Path) -> None:
    address_databases.write(tmp_path / "c.mmdb", {"10.0.0.0/8": "NO"})
    access, _ = _read(tmp_path, "{countries: {database: c.mmdb, allow: [NO, no, false]}}")
    assert access is not None
    assert access.countries[0].allow == ("NO", "NO", "NO")
