"""Databases of addresses, in the forms of those that people have."""

import collections.abc
import os
import pathlib

import mmdb_writer
import netaddr  # type: ignore[import-untyped]

COUNTRIES = {
    "203.0.113.0/25": "KR",
    "203.0.113.128/25": "KR",
    "198.51.100.0/24": "DE",
    "2001:db8:1::/48": "KR",
    "2001:db8:2::/48": "DE",
    "192.0.2.0/24": "US",
}


def geolite(code: str) -> dict[str, object]:
    return {"country": {"iso_code": code, "geoname_id": 1}, "registered_country": {"iso_code": "US"}}


def ipinfo(code: str) -> dict[str, object]:
    return {"country": "A name", "country_code": code, "asn": "AS4766"}


def older_ipinfo(code: str) -> dict[str, object]:
    return {"country": code}


def autonomous(number: str) -> dict[str, object]:
    return {"autonomous_system_number": int(number), "autonomous_system_organization": "An Example"}


def write(
    path: pathlib.Path,
    networks: collections.abc.Mapping[str, str],
    record: collections.abc.Callable[[str], dict[str, object]] = geolite,
) -> pathlib.Path:
    """In one step, as geoipupdate does."""
    writer = mmdb_writer.MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="Test")
    for network, value in networks.items():
        writer.insert_network(netaddr.IPSet([network]), record(value))
    temporary = path.with_name(f"~{path.name}")
    writer.to_db_file(os.fspath(temporary))
    temporary.chmod(0o644)
    temporary.rename(path)
    return path
